//! Dialect A: what today's PeerPigeon clients speak (`peerpigeon` up to 1.1 on npm).
//!
//! In: `{"type", "data"?, "targetPeerId"?, "networkName"?, "maxPeers"?}`, anything else in it ignored.
//! Out: every message has `type`, `fromPeerId`, `targetPeerId`, `networkName` and `timestamp`.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write as _;

use super::json::{self, NotAnObject};
use super::{Decoded, Kind, Message, Recipient, Refusal, Request};
use crate::networks::GLOBAL;
use crate::{Limits, Signal, Spelling, Verb};

/// A longer `type` is not repeated in the error about it.
const OFFENDING_TYPE_BYTES: usize = 66;

/// Links that a peer is taken to want when it does not say (what the guide documents).
const DEFAULT_MAX_PEERS: u8 = 10;

/// The sender of what comes from the server itself.
const SYSTEM: &str = "system";

pub(super) fn decode(text: &str, network_name_bytes: u32) -> Decoded<'_> {
    let fields = match Fields::read(text) {
        Ok(fields) => fields,
        Err(refusal) => return Decoded { request: Err(refusal), offending_type: None },
    };
    let offending_type = fields.kind.filter(|raw| raw.starts_with('"') && raw.len() <= OFFENDING_TYPE_BYTES);
    Decoded { request: fields.interpret(network_name_bytes), offending_type }
}

/// The members that mean something, each as it came. Of a key that comes twice the last one counts.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<&'a str>,
    data: Option<&'a str>,
    target: Option<&'a str>,
    network: Option<&'a str>,
    max_peers: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn read(text: &'a str) -> Result<Fields<'a>, Refusal> {
        let mut fields = Fields::default();
        let object = json::each_member(text, |key, value| {
            let Some(key) = json::read_string(key) else { return };
            let field = match &*key {
                "type" => &mut fields.kind,
                "data" => &mut fields.data,
                "targetPeerId" => &mut fields.target,
                "networkName" => &mut fields.network,
                "maxPeers" => &mut fields.max_peers,
                _ => return,
            };
            *field = Some(value);
        });
        match object {
            Ok(()) => Ok(fields),
            Err(NotAnObject::NotJson) => Err(Refusal::NotJson),
            Err(NotAnObject::OtherJson) => Err(Refusal::NotAnObject),
        }
    }

    fn interpret(&self, network_name_bytes: u32) -> Result<Request<'a>, Refusal> {
        let kind = self.kind.and_then(json::read_string).ok_or(Refusal::TypeNotAString)?;
        let kind = kind_named(&kind).ok_or(Refusal::UnknownType)?;
        Ok(Request {
            kind,
            data: self.data,
            target: target(self.target)?,
            network: network(self.network, network_name_bytes)?,
            max_peers: max_peers(self.max_peers),
        })
    }
}

fn kind_named(name: &str) -> Option<Kind> {
    let signal = Signal::ALL.into_iter().find(|signal| signal.name() == name).map(Kind::Signal);
    signal.or_else(|| Verb::ALL.into_iter().find(|verb| verb.name() == name).map(Kind::Verb))
}

fn target(raw: Option<&str>) -> Result<Option<Spelling>, Refusal> {
    match raw {
        None | Some("null" | "\"\"") => Ok(None),
        Some(raw) => {
            let text = json::read_string(raw).ok_or(Refusal::TargetNotAnId)?;
            Spelling::parse(&text).map(Some).ok_or(Refusal::TargetNotAnId)
        }
    }
}

fn network(raw: Option<&str>, max_bytes: u32) -> Result<Cow<'_, str>, Refusal> {
    match raw {
        None | Some("null" | "\"\"") => Ok(Cow::Borrowed(GLOBAL)),
        Some(raw) => {
            let name = json::read_string(raw).ok_or(Refusal::NetworkNotAString)?;
            if name.len() > max_bytes as usize {
                return Err(Refusal::NetworkTooLong { bytes: max_bytes });
            }
            Ok(name)
        }
    }
}

/// Clamped to 1..=50; what is not a number counts as absent.
fn max_peers(raw: Option<&str>) -> u8 {
    let Some(raw) = raw else { return DEFAULT_MAX_PEERS };
    if !raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return DEFAULT_MAX_PEERS;
    }
    // A number that no f64 holds is out of range on the side of its sign.
    let number = serde_json::from_str(raw).unwrap_or(if raw.starts_with('-') { f64::MIN } else { f64::MAX });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped just before")]
    let number = number.clamp(1.0, f64::from(Limits::MAX_PEERS)) as u8;
    number
}

pub(super) fn write(out: &mut String, to: &Recipient<'_>, message: Message<'_>, timestamp: u64) {
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
        Message::Signal { signal, from, data } => {
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
        Message::Error { refusal, offending_type } => {
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
    }
}

fn start(out: &mut String, kind: &str) {
    out.push_str("{\"type\":\"");
    out.push_str(kind);
    out.push('"');
}

/// Appends `before`, the digits and a quote.
fn id_member(out: &mut String, before: &str, spelling: Spelling) {
    out.push_str(before);
    // Hex digits are UTF-8.
    out.push_str(core::str::from_utf8(&spelling.digits()).unwrap_or_default());
    out.push('"');
}

fn departure(out: &mut String, peer: Spelling, reason: &str, timestamp: u64) {
    id_member(out, ",\"data\":{\"peerId\":\"", peer);
    put(out, format_args!(",\"reason\":\"{reason}\",\"timestamp\":{timestamp}}}"));
}

/// The members that every message ends with; `from` is the server where it is `None`.
fn finish(out: &mut String, from: Option<Spelling>, to: &Recipient<'_>, timestamp: u64) {
    match from {
        Some(from) => id_member(out, ",\"fromPeerId\":\"", from),
        None => put(out, format_args!(",\"fromPeerId\":\"{SYSTEM}\"")),
    }
    id_member(out, ",\"targetPeerId\":\"", to.spelling);
    out.push_str(",\"networkName\":");
    out.push_str(to.network);
    put(out, format_args!(",\"timestamp\":{timestamp}}}"));
}

fn put(out: &mut String, what: core::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = out.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<Request<'_>, Refusal> {
        decode(text, 16).request
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let expected = Request {
            kind: Kind::Verb(Verb::Announce),
            data: None,
            target: None,
            network: Cow::Borrowed("global"),
            max_peers: 10,
        };
        assert_eq!(request(r#"{"type":"announce"}"#), Ok(expected));
        let text = r#"{"type":"announce","networkName":null,"targetPeerId":null,"maxPeers":"x","n":[{}]}"#;
        assert_eq!(request(text).unwrap().network, "global");
        assert_eq!(request(r#"{"type":"ping","networkName":""}"#).unwrap().network, "global");
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
        ] {
            assert_eq!(max_peers(Some(raw)), expected, "{raw}");
        }
        for raw in ["null", "\"3\"", "true", "[]", "{}"] {
            assert_eq!(max_peers(Some(raw)), 10, "{raw}");
        }
    }
}
