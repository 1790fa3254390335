//! Dialect A: what today's PeerPigeon clients speak (`peerpigeon` up to 1.1 on npm).
//!
//! In: `{"type", "data"?, "targetPeerId"?, "networkName"?, "maxPeers"?}`, anything else in it ignored.
//! Out: every message has `type`, `fromPeerId`, `targetPeerId`, `networkName` and `timestamp`.

use alloc::string::String;

use super::fields::Fields;
use super::{
    Decoded, Kind, Message, Recipient, Refusal, Request, Stamp, Target, id_member, put, timestamp_and_end,
};
use crate::{Limits, Spelling, Verb};

/// Links that a peer is taken to want when it does not say (what the guide documents).
const DEFAULT_MAX_PEERS: u8 = 10;

/// The sender of what comes from the server itself.
const FROM_SYSTEM: &str = ",\"fromPeerId\":\"system\"";

pub(super) fn decode<'a>(text: &'a str, limits: &Limits) -> Decoded<'a> {
    match Fields::read(text, limits.nesting_levels) {
        Ok(fields) => {
            Decoded { request: interpret(&fields, limits), offending_type: fields.offending_type() }
        }
        Err(refusal) => Decoded { request: Err(refusal), offending_type: None },
    }
}

fn interpret<'a>(fields: &Fields<'a>, limits: &Limits) -> Result<Request<'a>, Refusal> {
    let kind = fields.kind()?;
    let announces = kind == Kind::Verb(Verb::Announce);
    Ok(Request {
        kind,
        data: fields.data,
        target: fields.target(Target::Missing)?,
        network: fields.network(limits.network_name_bytes)?,
        // Clients say it with every signal, too, where it means nothing.
        max_peers: max_peers(announces.then(|| fields.max_peers()).flatten()),
        claimed: None,
    })
}

/// Clamped to 1..=50; what is not a number counts as absent.
fn max_peers(number: Option<f64>) -> u8 {
    let Some(number) = number else { return DEFAULT_MAX_PEERS };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped just before")]
    let number = number.clamp(1.0, f64::from(Limits::MAX_PEERS)) as u8;
    number
}

pub(super) fn write(out: &mut String, to: &Recipient<'_>, message: Message<'_>, stamp: Stamp) {
    let timestamp = stamp.timestamp;
    match message {
        Message::Connected => {
            start(out, "connected");
            id_member(out, ",\"peerId\":\"", to.spelling);
            id_member(out, ",\"data\":{\"peerId\":\"", to.spelling);
            out.push('}');
            finish(out, None, to, timestamp);
        }
        Message::Discovered { peer, data } => {
            start(out, "peer-discovered");
            id_member(out, ",\"data\":{\"peerId\":\"", peer);
            out.push_str(data);
            out.push('}');
            finish(out, None, to, timestamp);
        }
        Message::Signal { signal, from, data, .. } => {
            start(out, signal.name());
            if let Some(data) = data {
                out.push_str(",\"data\":");
                out.push_str(data);
            }
            finish(out, Some(from), to, timestamp);
        }
        Message::Goodbye { from, reason } => {
            start(out, "goodbye");
            departure(out, from, reason, timestamp);
            finish(out, Some(from), to, timestamp);
        }
        Message::Disconnected { peer, reason } => {
            start(out, "peer-disconnected");
            departure(out, peer, reason, timestamp);
            finish(out, None, to, timestamp);
        }
        Message::Pong => {
            start(out, "pong");
            put(out, format_args!(",\"data\":{{\"timestamp\":{timestamp}}}"));
            finish(out, None, to, timestamp);
        }
        Message::Error { refusal, offending_type, .. } => {
            start(out, "error");
            let code = refusal.code().name();
            put(
                out,
                format_args!(
                    ",\"error\":\"{refusal}\",\"data\":{{\"code\":\"{code}\",\"message\":\"{refusal}\""
                ),
            );
            if let Some(offending_type) = offending_type {
                out.push_str(",\"type\":");
                out.push_str(offending_type);
            }
            out.push('}');
            finish(out, None, to, timestamp);
        }
        // Nothing in this dialect says that all is well.
        Message::Done { .. } => {}
    }
}

fn start(out: &mut String, kind: &str) {
    out.push_str("{\"type\":\"");
    out.push_str(kind);
    out.push('"');
}

fn departure(out: &mut String, peer: Spelling, reason: &str, timestamp: u64) {
    id_member(out, ",\"data\":{\"peerId\":\"", peer);
    put(out, format_args!(",\"reason\":\"{reason}\""));
    timestamp_and_end(out, timestamp);
}

/// The members that every message ends with; `from` is the server where it is `None`.
fn finish(out: &mut String, from: Option<Spelling>, to: &Recipient<'_>, timestamp: u64) {
    match from {
        // Hex digits are UTF-8.
        Some(from) => out.push_str(str::from_utf8(&from_to(from, to.spelling)).unwrap_or_default()),
        None => {
            out.push_str(FROM_SYSTEM);
            id_member(out, ",\"targetPeerId\":\"", to.spelling);
        }
    }
    out.push_str(",\"networkName\":");
    out.push_str(to.network);
    timestamp_and_end(out, timestamp);
}

/// Both ids of a message from peer to peer. In one piece, since every relayed message has them.
fn from_to(from: Spelling, to: Spelling) -> [u8; FROM_TO.len()] {
    let mut members = *FROM_TO;
    members[FROM_AT..FROM_AT + Spelling::DIGITS].copy_from_slice(&from.digits());
    members[TO_AT..TO_AT + Spelling::DIGITS].copy_from_slice(&to.digits());
    members
}

const FROM_TO: &[u8; 114] = b",\"fromPeerId\":\"0000000000000000000000000000000000000000\",\
    \"targetPeerId\":\"0000000000000000000000000000000000000000\"";

const FROM_AT: usize = 15;

const TO_AT: usize = FROM_TO.len() - 1 - Spelling::DIGITS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Signal;
    use alloc::borrow::Cow;

    fn request(text: &str) -> Result<Request<'_>, Refusal> {
        decode(text, &Limits { network_name_bytes: 16, ..Limits::default() }).request
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let expected = Request {
            kind: Kind::Verb(Verb::Announce),
            data: None,
            target: Target::Missing,
            network: Cow::Borrowed("global"),
            max_peers: 10,
            claimed: None,
        };
        assert_eq!(request(r#"{"type":"announce"}"#), Ok(expected));
        let text = r#"{"type":"announce","networkName":null,"targetPeerId":null,"maxPeers":"x","n":[{}]}"#;
        assert_eq!(request(text).unwrap().network, "global");
        assert_eq!(request(r#"{"type":"ping","networkName":""}"#).unwrap().network, "global");
        let longest = r#"{"type":"ping","networkName":"1234567890123456"}"#;
        assert_eq!(request(longest).unwrap().network, "1234567890123456");
    }

    #[test]
    fn escaped_keys_and_values_mean_the_same_and_the_last_of_two_counts() {
        let text =
            r#"{"type":"answer","t\u0079pe":"\u006fffer","data":1,"data": {"a":1} ,"networkName":"\u00e4"}"#;
        let request = request(text).unwrap();
        assert_eq!(request.kind, Kind::Signal(Signal::Offer));
        assert_eq!(request.data, Some(r#"{"a":1}"#));
        assert_eq!(request.network, "ä");
    }

    #[test]
    fn each_field_that_is_wrong_is_named() {
        for (text, refusal) in [
            ("x", Refusal::NotJson),
            ("[]", Refusal::NotAnObject),
            ("{}", Refusal::TypeNotAString),
            (r#"{"type":7}"#, Refusal::TypeNotAString),
            (r#"{"type":"toString"}"#, Refusal::UnknownType),
            (r#"{"type":"connected"}"#, Refusal::UnknownType),
            (r#"{"type":"offer","targetPeerId":5}"#, Refusal::TargetNotAnId),
            (r#"{"type":"offer","targetPeerId":"abc"}"#, Refusal::TargetNotAnId),
            (r#"{"type":"offer","networkName":5}"#, Refusal::NetworkNotAString),
            (r#"{"type":"offer","networkName":"12345678901234567"}"#, Refusal::NetworkTooLong { bytes: 16 }),
        ] {
            assert_eq!(request(text), Err(refusal), "{text}");
        }
    }

    #[test]
    fn only_a_type_that_is_a_string_and_not_too_long_is_repeated_in_the_error_about_it() {
        let offending = |kind: &str| {
            let text = alloc::format!(r#"{{"type":{kind}}}"#);
            decode(&text, &Limits::default()).offending_type.map(String::from)
        };
        let quoted = |bytes: usize| alloc::format!("\"{}\"", "x".repeat(bytes));
        assert_eq!(offending(&quoted(64)), Some(quoted(64)));
        assert_eq!(offending(&quoted(65)), None);
        assert_eq!((offending("7"), offending("null")), (None, None));
        assert_eq!(decode("{}", &Limits::default()).offending_type, None);
    }

    #[test]
    fn max_peers_is_clamped() {
        for (raw, expected) in [
            ("1", 1),
            ("3", 3),
            ("7.9", 7),
            ("50", 50),
            ("51", 50),
            ("0", 1),
            ("-3", 1),
            ("1e400", 50),
            ("-1e400", 1),
            ("null", 10),
            ("\"3\"", 10),
            ("true", 10),
            ("[]", 10),
            ("{}", 10),
        ] {
            let text = alloc::format!(r#"{{"type":"announce","maxPeers":{raw}}}"#);
            assert_eq!(request(&text).unwrap().max_peers, expected, "{raw}");
        }
    }
}
