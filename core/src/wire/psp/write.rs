//! Writing what the server says: whole envelopes, into a string that is there already.

use alloc::string::String;

use super::{EnvelopeKind, PspCode};
use crate::wire::put;

/// Where there is no scope, nobody in particular, or nothing that is answered.
pub(crate) const NULL: &str = "null";

/// `ttl_ms` of all that the server says.
const TTL_MS: &str = "30000";

/// The members of an envelope before its body. Slices are JSON and written as they are.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// A string; [`NULL`] in an error about what has no network.
    pub(crate) network: &'a str,
    /// The id of the server, a string.
    pub(crate) from: &'a str,
    /// A string, or [`NULL`].
    pub(crate) to: &'a str,
    /// A string; [`NULL`] in an error about what has no room.
    pub(crate) room: &'a str,
    /// No other envelope has it. Written as 16 hex digits.
    pub(crate) message_id: u64,
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
    /// The `message_id` of what is answered as it came, or [`NULL`].
    pub(crate) reply_to: &'a str,
}

/// Tells that an `announce` counts: before the first one, clients say nothing else.
pub(crate) fn ack(out: &mut String, head: &Head<'_>) {
    start(out, EnvelopeKind::Ack, head);
    out.push_str("{\"status\":\"ok\",\"action\":\"announce\"}}");
}

pub(crate) fn pong(out: &mut String, head: &Head<'_>) {
    start(out, EnvelopeKind::Pong, head);
    out.push_str("{}}");
}

/// Tells why a message was refused. `sentence` needs no escaping; `kind` is the `type` of the message, a JSON string.
pub(crate) fn error(out: &mut String, head: &Head<'_>, code: PspCode, sentence: &str, kind: Option<&str>) {
    start(out, EnvelopeKind::Error, head);
    // Clients in JavaScript look at `code` and `reason`, those in Go at `error` (observed).
    let code = code.name();
    put(out, format_args!("{{\"error\":\"{sentence}\",\"code\":\"{code}\",\"reason\":\"{sentence}\""));
    if let Some(kind) = kind {
        out.push_str(",\"type\":");
        out.push_str(kind);
    }
    out.push_str("}}");
}

/// Begins a list; [`peer_list_entry`] for each peer and [`peer_list_tail`] follow.
pub(crate) fn peer_list_head(out: &mut String, head: &Head<'_>) {
    start(out, EnvelopeKind::PeerList, head);
    out.push_str("{\"peers\":[");
}

/// The part of an entry that is the same in all lists: `peer` and `room` are JSON strings.
pub(crate) fn peer_list_prefix(out: &mut String, peer: &str, room: &str) {
    put(out, format_args!("{{\"peer_id\":{peer},\"session_id\":{room},\"timestamp\":"));
}

/// `timestamp` is when the peer was last heard, by the clock of who gets the list.
pub(crate) fn peer_list_entry(out: &mut String, prefix: &str, timestamp: u64) {
    if !out.ends_with('[') {
        out.push(',');
    }
    out.push_str(prefix);
    out.push_str(itoa::Buffer::new().format(timestamp));
    out.push('}');
}

pub(crate) fn peer_list_tail(out: &mut String) {
    out.push_str("]}}");
}

/// Everything up to the value of `body`.
fn start(out: &mut String, kind: EnvelopeKind, head: &Head<'_>) {
    out.push_str("{\"psp_version\":\"1.0\",\"type\":\"");
    out.push_str(kind.name());
    for (name, value) in [
        ("\",\"network\":", head.network),
        (",\"from\":", head.from),
        (",\"to\":", head.to),
        (",\"session_id\":", head.room),
    ] {
        out.push_str(name);
        out.push_str(value);
    }
    put(out, format_args!(",\"message_id\":\"{:016x}\",\"timestamp\":", head.message_id));
    out.push_str(itoa::Buffer::new().format(head.timestamp));
    for (name, value) in [(",\"ttl_ms\":", TTL_MS), (",\"reply_to\":", head.reply_to), (",\"body\":", "")] {
        out.push_str(name);
        out.push_str(value);
    }
}
