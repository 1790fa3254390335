//! HTTP/1.1 as far as a signaling server needs it: the way to a WebSocket, and a few pages for operators.

mod answer;
mod body;
mod chunked;
mod head;
mod page_access;
mod pages;
mod request;
mod router;
mod status;
#[cfg(test)]
mod tests;
mod upgrade;

pub use head::{MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES, parse};
pub use page_access::{Demo, PageRules};
pub use pages::relays::PublicUrl;
pub use request::{BodyLength, HttpRequest, Method};
pub use status::Status;

pub(crate) use answer::{Answer, Framing, write};
pub(crate) use body::{RequestBody, TOO_LONG};
pub(crate) use page_access::{Audience, NOTHING_HERE, is_forwarded};
pub(crate) use router::{HEALTH, SIGNALING, is_signaling, respond};
pub(crate) use upgrade::{Handshake, Upgrade, classify, write_switch};

/// An answer that refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpRefusal {
    /// With which status.
    pub status: Status,
    /// What is wrong and what is allowed, for the reader of the answer; never what the client sent.
    pub text: &'static str,
    /// After how many seconds the same request might be served (RFC 9110 section 10.2.3), where that is known.
    pub retry_after_s: Option<u64>,
}

impl HttpRefusal {
    /// One of which it is not known when that will change.
    #[must_use]
    pub const fn new(status: Status, text: &'static str) -> HttpRefusal {
        HttpRefusal { status, text, retry_after_s: None }
    }
}
