//! Signaling over plain HTTP: bodies of requests and answers around the messages of dialect B.

use alloc::string::String;
use alloc::vec::Vec;

use super::json;
use super::{Refusal, timestamp_and_end};
use crate::{ErrorCode, Limits};

/// What was posted.
pub(crate) enum Body<'a> {
    /// The body is the message.
    One,
    Batch(Vec<&'a str>),
}

/// An object with `messages` is a batch of at most [`Limits::BATCH_MESSAGES`].
pub(crate) fn read(body: &str) -> Result<Body<'_>, Refusal> {
    let mut messages = None;
    json::each_member(body, u32::MAX, |member| {
        if json::says(member.key(), "messages") {
            messages = Some(member.value());
        }
    })?;
    let Some(messages) = messages else { return Ok(Body::One) };
    let mut batch = Vec::new();
    // Counted while it is read: a body of the longest size can hold millions of messages, and a list of them takes many times
    // its memory.
    let is_batch = json::each_element(messages, |message| {
        let has_room = batch.len() < Limits::BATCH_MESSAGES;
        batch.extend(has_room.then_some(message));
        has_room
    });
    if is_batch { Ok(Body::Batch(batch)) } else { Err(Refusal::BatchWrong) }
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
