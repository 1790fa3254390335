//! `/demo`

use crate::http::{Answer, Status};
use crate::observe::Snapshot;
use std::borrow::Cow;

pub(in crate::http) fn page(_: &Snapshot<'_>) -> Answer {
    Answer {
        status: Status::Ok,
        content_type: "text/html; charset=utf-8",
        // The page may connect to any signaling server: that is what its `?api=` is for.
        lines: "Cache-Control: no-cache\r\n\
                Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
                img-src data:; connect-src *; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
                Referrer-Policy: no-referrer\r\n\
                X-Content-Type-Options: nosniff\r\n"
            .into(),
        body: Cow::Borrowed(include_bytes!("demo.html")),
    }
}

pub(in crate::http) fn script(_: &Snapshot<'_>) -> Answer {
    Answer::script(include_bytes!("demo.js"))
}
