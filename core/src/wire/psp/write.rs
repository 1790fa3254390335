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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::wire::psp::{Envelope, read};
    use alloc::borrow::Cow;
    use serde_json::{Value, json};

    const HEAD: Head<'_> = Head {
        network: "\"n\\\"\"",
        from: "\"server\"",
        to: "\"peer\"",
        room: "\"r\"",
        message_id: 0xab,
        timestamp: 1_700_000_000_123,
        reply_to: "\"\\u0061\"",
    };

    fn value(write: impl FnOnce(&mut String)) -> Value {
        let mut out = String::new();
        write(&mut out);
        serde_json::from_str(&out).unwrap()
    }

    fn expected(kind: &str, body: Value) -> Value {
        json!({
            "psp_version": "1.0",
            "type": kind,
            "network": "n\"",
            "from": "server",
            "to": "peer",
            "session_id": "r",
            "message_id": "00000000000000ab",
            "timestamp": 1_700_000_000_123_u64,
            "ttl_ms": 30_000,
            "reply_to": "a",
            "body": body,
        })
    }

    #[test]
    fn what_the_server_says_is_a_whole_envelope() {
        let acked = value(|out| ack(out, &HEAD));
        assert_eq!(acked, expected("ack", json!({"status": "ok", "action": "announce"})));
        assert_eq!(value(|out| pong(out, &HEAD)), expected("pong", json!({})));
        let nowhere = Head { network: NULL, room: NULL, to: NULL, reply_to: NULL, ..HEAD };
        let lost = value(|out| error(out, &nowhere, PspCode::InvalidJson, "Why", None));
        assert_eq!(lost["body"], json!({"error": "Why", "code": "invalid_json", "reason": "Why"}));
        for member in ["network", "session_id", "to", "reply_to"] {
            assert_eq!(lost[member], Value::Null, "{member}");
        }
    }

    #[test]
    fn an_error_says_what_it_is_about() {
        let refused = value(|out| error(out, &HEAD, PspCode::UnknownType, "Why", Some(r#""\u0074""#)));
        let body = json!({"error": "Why", "code": "unknown_type", "reason": "Why", "type": "t"});
        assert_eq!(refused, expected("error", body));
    }

    #[test]
    fn a_list_has_an_entry_for_each_peer_and_may_be_empty() {
        let list = |times: &[u64]| {
            value(|out| {
                let mut prefix = String::new();
                peer_list_prefix(&mut prefix, "\"p\\n\"", "\"r\"");
                peer_list_head(out, &HEAD);
                times.iter().for_each(|time| peer_list_entry(out, &prefix, *time));
                peer_list_tail(out);
            })
        };
        let entry = |time: u64| json!({"peer_id": "p\n", "session_id": "r", "timestamp": time});
        assert_eq!(list(&[]), expected("peer_list", json!({"peers": []})));
        assert_eq!(list(&[1, 2]), expected("peer_list", json!({"peers": [entry(1), entry(2)]})));
    }

    #[test]
    fn what_the_server_says_is_read_as_it_was_meant() {
        let mut out = String::new();
        pong(&mut out, &HEAD);
        let expected = Envelope {
            kind: EnvelopeKind::Pong,
            network: Cow::Borrowed("n\""),
            room: Cow::Borrowed("r"),
            states_room: true,
            from: Cow::Borrowed("server"),
            to: Some(Cow::Borrowed("peer")),
            message_id: "\"00000000000000ab\"",
            timestamp: 1_700_000_000_123,
            ttl_ms: Some(30_000),
            body: Some("{}"),
        };
        assert_eq!(read(&out, &Limits::default()), Ok(expected));
    }

    #[test]
    fn a_ping_is_read_and_answered_without_an_allocation() {
        let mut out = String::with_capacity(1_000);
        let ping = r#"{"psp_version":"1.0","type":"ping","network":"n","from":"peer","to":null,"session_id":"r","message_id":"0123456789abcdef","timestamp":1700000000000,"ttl_ms":null,"reply_to":null,"body":{"nonce":"1"}}"#;
        let counted = allocation_counter::measure(|| {
            let ping = read(ping, &Limits::default()).unwrap();
            assert_eq!(ping.kind, EnvelopeKind::Ping);
            pong(&mut out, &Head { reply_to: ping.message_id, ..HEAD });
        });
        assert_eq!(counted.count_total, 0);
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["reply_to"], "0123456789abcdef");
    }

    #[test]
    fn everything_but_a_ping_is_written_without_an_allocation_too() {
        let mut out = String::with_capacity(4_000);
        let prefix = r#"{"peer_id":"p","session_id":"r","timestamp":"#;
        let counted = allocation_counter::measure(|| {
            ack(&mut out, &HEAD);
            error(&mut out, &HEAD, PspCode::RateLimited, PspCode::RateLimited.sentence(), Some("\"offer\""));
            peer_list_head(&mut out, &HEAD);
            peer_list_entry(&mut out, prefix, 7);
            peer_list_tail(&mut out);
            peer_list_prefix(&mut out, "\"p\"", "\"r\"");
        });
        assert_eq!(counted.count_total, 0);
    }
}
