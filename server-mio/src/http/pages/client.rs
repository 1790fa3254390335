//! `/client.js`, for anybody's app.

use crate::http::Answer;
use crate::http::pages::Vitals;

pub(crate) fn page(_: &Vitals<'_>) -> Answer {
    Answer::script(include_bytes!("../../../client/client.js"))
}
