//! Signaling over plain HTTP: bodies of requests and answers around the messages of dialect B.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::value::RawValue;

use super::json;
use super::{Refusal, timestamp_and_end};
use crate::{ErrorCode, Limits};

/// What was posted.
pub(crate) enum Body<'a> {
    /// The body is the message.
    One,
    Batch(Vec<&'a RawValue>),
}

/// An object with `messages` is a batch of at most [`Limits::BATCH_MESSAGES`].
pub(crate) fn read(body: &str) -> Result<Body<'_>, Refusal> {
    let mut messages = None;
    let object = json::each_member(body, u32::MAX, |member| {
        if json::read_string(member.key()).as_deref() == Some("messages") {
            messages = Some(member.value());
        }
    });
    match (object, messages) {
        (Err(reason), _) => Err(reason.into()),
        (Ok(()), None) => Ok(Body::One),
        (Ok(()), Some(messages)) => match serde_json::from_str::<Vec<&RawValue>>(messages) {
            Ok(batch) if batch.len() <= Limits::BATCH_MESSAGES => Ok(Body::Batch(batch)),
            _ => Err(Refusal::BatchWrong),
        },
    }
}

/// The status of an answer that says why a single message was refused.
pub(crate) fn status(refusal: Refusal) -> u16 {
    match (refusal, refusal.code()) {
        (Refusal::ConnectedElsewhere, _) => 409,
        (Refusal::NoPlace | Refusal::MailboxFull | Refusal::TooManyNetworks { .. }, _) => 503,
        (_, ErrorCode::Forbidden) => 403,
        (_, ErrorCode::TargetNotConnected) => 404,
        (_, ErrorCode::RateLimited) => 429,
        (
            _,
            ErrorCode::InvalidJson
            | ErrorCode::InvalidMessage
            | ErrorCode::UnknownType
            | ErrorCode::MissingTarget
            | ErrorCode::OtherNetwork
            | ErrorCode::NotAnnounced,
        ) => 400,
    }
}

/// The answer to a request for what was sent to a peer.
pub(crate) fn start() -> String {
    "{\"success\":true,\"messages\":[".into()
}

pub(crate) fn push(out: &mut String, text: &str) {
    if !out.ends_with('[') {
        out.push(',');
    }
    out.push_str(text);
}

pub(crate) fn finish(out: &mut String, timestamp: u64) {
    out.push(']');
    timestamp_and_end(out, timestamp);
}
