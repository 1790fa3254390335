//! HTTP/1.1 as far as a signaling server needs it: the way to a WebSocket, and a few pages for operators.

mod answer;
mod body;
mod chunked;
mod exposition;
mod head;
mod pages;
mod request;
mod router;
mod status;
#[cfg(test)]
mod tests;
mod upgrade;
mod visitor;

pub use answer::Answer;
pub use head::{MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES, parse};
pub use request::{BodyLength, Method, Request};
pub use status::Status;
pub use visitor::{Demo, PageRules};

pub(crate) use answer::{Frame, write};
pub(crate) use body::{Body, TOO_LONG};
pub(crate) use pages::Vitals;
pub(crate) use router::{SIGNALING, is_signaling, respond};
pub(crate) use upgrade::{Handshake, Upgrade, classify, write_switch};
pub(crate) use visitor::{NOTHING_HERE, Visitor};

/// An answer that refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// With which status.
    pub status: Status,
    /// What is wrong and what is allowed, for the reader of the answer; never what the client sent.
    pub text: &'static str,
}
