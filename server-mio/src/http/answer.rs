//! An answer and its bytes on the wire.

use crate::access::AllowOrigin;
use crate::http::{HttpRefusal, Status};
use crate::observe::date::HttpDate;
use peerpigeon_core::UnixMillis;
use std::borrow::Cow;
use std::io::Write;

/// What is answered to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: Status,
    /// The media type of the body.
    pub content_type: &'static str,
    /// Further header fields: whole lines, each with its CR LF.
    pub lines: Cow<'static, str>,
    pub body: Cow<'static, [u8]>,
}

impl Answer {
    /// A JSON document that must not be cached.
    #[must_use]
    pub(crate) fn json(status: Status, body: String) -> Answer {
        let body = Cow::Owned(body.into_bytes());
        Answer { status, content_type: "application/json", lines: "Cache-Control: no-store\r\n".into(), body }
    }

    /// Plain text.
    #[must_use]
    pub(super) fn text(status: Status, body: &'static str) -> Answer {
        let body = Cow::Borrowed(body.as_bytes());
        Answer { status, content_type: "text/plain; charset=utf-8", lines: "".into(), body }
    }

    /// A JavaScript module. Asked for again each time: it belongs to this version of the server.
    #[must_use]
    pub(super) fn script(body: &'static [u8]) -> Answer {
        Answer {
            status: Status::Ok,
            content_type: "text/javascript; charset=utf-8",
            lines: "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n".into(),
            body: Cow::Borrowed(body),
        }
    }

    /// A refusal, with the header fields that its status asks for.
    #[must_use]
    pub(crate) fn refusal(refusal: HttpRefusal) -> Answer {
        let lines = match refusal.status {
            // RFC 9110 section 15.5.2: a 401 names a scheme.
            Status::Unauthorized => "WWW-Authenticate: Bearer\r\n",
            // RFC 9110 section 15.5.22 and RFC 6455 section 4.2.2.
            Status::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            Status::MethodNotAllowed => "Allow: GET, HEAD, OPTIONS\r\n",
            Status::SwitchingProtocols
            | Status::Ok
            | Status::BadRequest
            | Status::Forbidden
            | Status::NotFound
            | Status::RequestTimeout
            | Status::Conflict
            | Status::ContentTooLarge
            | Status::UriTooLong
            | Status::TooManyRequests
            | Status::HeadersTooLarge
            | Status::NotImplemented
            | Status::ServiceUnavailable
            | Status::VersionNotSupported => "",
        };
        let lines = match refusal.retry_after_s {
            Some(seconds) => format!("{lines}Retry-After: {seconds}\r\n").into(),
            None => lines.into(),
        };
        Answer { lines, ..Answer::text(refusal.status, refusal.text) }
    }
}

/// What surrounds an answer: it depends on the request and on the hour, not on the page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framing<'b> {
    pub(crate) cors: AllowOrigin<'b>,
    pub(crate) wall: UnixMillis,
    /// The request was a HEAD: the body is left out, its length is not.
    pub(crate) is_head: bool,
    /// The client speaks HTTP/1.1, which keeps a connection unless told otherwise.
    pub(crate) is_1_1: bool,
    /// Whether the connection goes on.
    pub(crate) keep_alive: bool,
}

/// Appends the answer.
#[expect(clippy::expect_used, reason = "writing to a Vec cannot fail")]
pub(crate) fn write(out: &mut Vec<u8>, answer: &Answer, frame: Framing<'_>) {
    let (code, phrase) = (answer.status.code(), answer.status.phrase());
    let (date, length) = (HttpDate(frame.wall), answer.body.len());
    write!(out, "HTTP/1.1 {code} {phrase}\r\nDate: {date}\r\n").expect("writing to a Vec cannot fail");
    frame.cors.write(out);
    out.extend_from_slice(answer.lines.as_bytes());
    out.extend_from_slice(match (answer.status, frame.keep_alive, frame.is_1_1) {
        // RFC 9110 section 7.8: whoever sends Upgrade lists it as a connection option.
        (Status::UpgradeRequired, _, _) => &b"Connection: close, Upgrade\r\n"[..],
        (_, false, _) => b"Connection: close\r\n",
        (_, true, false) => b"Connection: keep-alive\r\n",
        (_, true, true) => b"",
    });
    write!(out, "Content-Type: {}\r\nContent-Length: {length}\r\n\r\n", answer.content_type)
        .expect("writing to a Vec cannot fail");
    if !frame.is_head {
        out.extend_from_slice(&answer.body);
    }
}
