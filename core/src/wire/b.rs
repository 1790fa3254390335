//! Dialect B: the older guide's, at `/signaling`.
//!
//! In: `{"type", "peerId"?, "data", "targetPeerId"?, "networkName"?, "maxPeers"?}`, `register` first. Every
//! message is answered by one acknowledgement; what comes from others looks alike, whoever sent it.

use alloc::string::String;

use super::fields::Fields;
use super::{
    Decoded, Kind, Message, Outcome, Recipient, Refusal, Request, SignalName, Stamp, Target, id_member, put,
    timestamp_and_end,
};
use crate::{Limits, Spelling, Verb};

/// `maxPeers` of a peer that does not say.
const DEFAULT_MAX_PEERS: u8 = 10;

/// The sender of what comes from the server itself.
const FROM_SYSTEM: &str = ",\"fromPeerId\":\"system\"";

pub(super) fn decode<'a>(text: &'a str, limits: &Limits) -> Decoded<'a> {
    let request = Fields::read(text, limits.nesting_levels).and_then(|fields| interpret(&fields, limits));
    Decoded { request, offending_type: None }
}

fn interpret<'a>(fields: &Fields<'a>, limits: &Limits) -> Result<Request<'a>, Refusal> {
    let kind = if fields.kind == Some("\"register\"") { Kind::Register } else { fields.kind()? };
    let data = fields.data.filter(|data| *data != "null");
    if data.map_or(matches!(kind, Kind::Signal(_)), |data| !data.starts_with('{')) {
        return Err(Refusal::DataRequired);
    }
    let absent = if let Kind::Signal(_) = kind { Target::Acquaintances } else { Target::Missing };
    Ok(Request {
        kind,
        data,
        target: fields.target(absent)?,
        network: fields.network(limits.network_name_bytes)?,
        max_peers: max_peers(fields)?,
        claimed: fields.peer()?,
    })
}

fn max_peers(fields: &Fields<'_>) -> Result<u8, Refusal> {
    match (fields.max_peers, fields.max_peers()) {
        (None | Some("null"), _) => Ok(DEFAULT_MAX_PEERS),
        (Some(_), Some(number)) => {
            let whole = (1..=Limits::MAX_PEERS).find(|whole| f64::from(*whole) == number);
            whole.ok_or(Refusal::MaxPeersOutOfRange)
        }
        (Some(_), None) => Err(Refusal::MaxPeersOutOfRange),
    }
}

pub(super) fn write(out: &mut String, to: &Recipient<'_>, message: Message<'_>, stamp: Stamp) {
    let delivery = Delivery { to: to.spelling, stamp };
    match message {
        Message::Connected => out.push_str(r#"{"success":true,"type":"registered"}"#),
        Message::Discovered { peer, data } => {
            delivery.start(out, stamp.fresh.into(), Some(peer), Verb::Announce.name());
            id_member(out, "{\"peerId\":\"", peer);
            out.push_str(data);
            out.push('}');
            delivery.finish(out);
        }
        Message::Signal { signal, from, data, name } => {
            delivery.start(out, name, Some(from), signal.name());
            out.push_str(data.unwrap_or("null"));
            delivery.finish(out);
        }
        Message::Goodbye { from, reason } => {
            delivery.start(out, stamp.fresh.into(), Some(from), Verb::Goodbye.name());
            departure(out, from, reason, stamp);
            delivery.finish(out);
        }
        Message::Disconnected { peer, reason } => {
            delivery.start(out, stamp.fresh.into(), None, "peer-disconnected");
            departure(out, peer, reason, stamp);
            delivery.finish(out);
        }
        Message::Pong => {
            delivery.start(out, stamp.fresh.into(), None, "pong");
            put(out, format_args!("{{\"timestamp\":{}}}", stamp.timestamp));
            delivery.finish(out);
        }
        Message::Done { id, outcome } => {
            out.push_str("{\"success\":true");
            message_id(out, ",\"messageId\":\"", stamp, id.into());
            if outcome == Outcome::Queued {
                out.push_str(",\"queued\":true");
            }
            timestamp_and_end(out, stamp.timestamp);
        }
        Message::Error { refusal, id, offending_type: _ } => {
            put(out, format_args!("{{\"success\":false,\"error\":\"{refusal}\""));
            message_id(out, ",\"messageId\":\"", stamp, id.into());
            out.push('}');
        }
    }
}

/// The frame around the `data` of whatever is delivered.
struct Delivery {
    to: Spelling,
    stamp: Stamp,
}

impl Delivery {
    /// `from` is the server where it is `None`.
    fn start(&self, out: &mut String, name: SignalName, from: Option<Spelling>, kind: &str) {
        message_id(out, "{\"messageId\":\"", self.stamp, name);
        match from {
            Some(from) => id_member(out, ",\"fromPeerId\":\"", from),
            None => out.push_str(FROM_SYSTEM),
        }
        id_member(out, ",\"targetPeerId\":\"", self.to);
        put(out, format_args!(",\"type\":\"{kind}\",\"data\":"));
    }

    fn finish(&self, out: &mut String) {
        timestamp_and_end(out, self.stamp.timestamp);
    }
}

fn departure(out: &mut String, peer: Spelling, reason: &str, stamp: Stamp) {
    id_member(out, "{\"peerId\":\"", peer);
    put(out, format_args!(",\"reason\":\"{reason}\""));
    timestamp_and_end(out, stamp.timestamp);
}

fn message_id(out: &mut String, before: &str, stamp: Stamp, name: SignalName) {
    put(out, format_args!("{before}{}\"", stamp.naming.signal(name)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_violation_is_named() {
        for (text, refusal) in [
            ("x", Refusal::NotJson),
            (r#"{"type":"offer","data":[]}"#, Refusal::DataRequired),
            (r#"{"type":"offer"}"#, Refusal::DataRequired),
            (r#"{"type":"announce","data":"x"}"#, Refusal::DataRequired),
            (r#"{"type":"announce","maxPeers":0}"#, Refusal::MaxPeersOutOfRange),
            (r#"{"type":"announce","maxPeers":51}"#, Refusal::MaxPeersOutOfRange),
            (r#"{"type":"announce","maxPeers":1.5}"#, Refusal::MaxPeersOutOfRange),
            (r#"{"type":"announce","maxPeers":"3"}"#, Refusal::MaxPeersOutOfRange),
            (r#"{"type":"announce","peerId":7}"#, Refusal::PeerNotAnId),
            (r#"{"type":"announce","targetPeerId":"7"}"#, Refusal::TargetNotAnId),
            (r#"{"type":"nope"}"#, Refusal::UnknownType),
        ] {
            assert_eq!(decode(text, &Limits::default()).request, Err(refusal), "{text}");
        }
    }

    #[test]
    fn a_signal_without_a_target_is_for_all_acquaintances() {
        let request = decode(r#"{"type":"offer","data":{}}"#, &Limits::default()).request.unwrap();
        assert_eq!((request.target, request.max_peers), (Target::Acquaintances, 10));
        let request = decode(r#"{"type":"cleanup","maxPeers":50}"#, &Limits::default()).request.unwrap();
        assert_eq!((request.target, request.max_peers), (Target::Missing, 50));
    }
}
