//! Signaling over plain HTTP: bodies of requests and answers around the messages of dialect B.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
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
        (Ok(()), Some(messages)) => match serde_json::from_str(messages) {
            Ok(Batch(batch)) => Ok(Body::Batch(batch)),
            Err(_) => Err(Refusal::BatchWrong),
        },
    }
}

/// Counted while it is read: a body of the longest size can hold millions of messages, and a list of them takes many times
/// its memory.
struct Batch<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Batch<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Batch<'de>, D::Error> {
        deserializer.deserialize_seq(BatchVisitor)
    }
}

struct BatchVisitor;

impl<'de> Visitor<'de> for BatchVisitor {
    type Value = Batch<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} messages", Limits::BATCH_MESSAGES)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut messages: A) -> Result<Batch<'de>, A::Error> {
        let mut batch = Vec::new();
        while let Some(message) = messages.next_element()? {
            if batch.len() == Limits::BATCH_MESSAGES {
                return Err(A::Error::invalid_length(batch.len() + 1, &self));
            }
            batch.push(message);
        }
        Ok(Batch(batch))
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn batch_of(messages: usize) -> String {
        format!("{{\"messages\":[{}]}}", "1,".repeat(messages).trim_end_matches(','))
    }

    #[test]
    fn a_batch_has_a_limit_and_what_is_above_it_takes_no_memory() {
        let most = batch_of(Limits::BATCH_MESSAGES);
        assert!(matches!(read(&most), Ok(Body::Batch(batch)) if batch.len() == Limits::BATCH_MESSAGES));
        for messages in [Limits::BATCH_MESSAGES + 1, 1_000_000] {
            let body = batch_of(messages);
            let counted = allocation_counter::measure(|| {
                assert!(matches!(read(&body), Err(Refusal::BatchWrong)), "{messages}");
            });
            assert!(counted.bytes_max < 16 * 1024, "{} bytes for {messages}", counted.bytes_max);
        }
    }
}
