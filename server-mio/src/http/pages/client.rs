//! `/client.js`, for anybody's app, and its types.

use crate::http::Answer;
use crate::observe::Snapshot;

pub(in crate::http) fn script(_: &Snapshot<'_>) -> Answer {
    Answer::script(include_bytes!("../../../client/client.js"))
}

/// As text: `.ts` has no media type of its own that everybody takes for TypeScript.
pub(in crate::http) fn types(_: &Snapshot<'_>) -> Answer {
    let types = Answer::script(include_bytes!("../../../client/client.d.ts"));
    Answer { content_type: "text/plain; charset=utf-8", ..types }
}
