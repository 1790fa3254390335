//! PSP 1.0, the Peer Signaling Protocol: what PeerPigeon V4 (FreeRTC) speaks.
//!
//! Every message is an envelope, in both directions: `{"psp_version", "type", "network", "from", "to", "session_id",
//! "message_id", "timestamp", "ttl_ms", "reply_to", "body"}`. What peers tell each other is relayed as it came, so
//! reading one borrows from its text, and nothing is relayed that its receiver could read otherwise than the server.

mod bodies;
mod code;
mod read;
mod room;
mod values;
mod write;

use alloc::borrow::Cow;

pub(crate) use bodies::{Announce, Discover};
pub(crate) use code::PspCode;
pub(crate) use read::{is_psp, read};
pub(crate) use room::with_room;
pub(crate) use write::{
    Head, NULL, ack, error, peer_list_entry, peer_list_head, peer_list_prefix, peer_list_tail, pong,
};

/// Bytes of an id, of the name of a network or a room, and of a message id, escapes resolved. Clients use 16 to 64.
pub(crate) const NAME_BYTES: usize = 128;

/// A message of a client, as far as the server has to understand it.
#[derive(Debug, PartialEq)]
pub(crate) struct Envelope<'a> {
    pub(crate) kind: EnvelopeKind,
    pub(crate) network: Cow<'a, str>,
    /// `session_id` without the blanks around it. Absent, `null` or blank, it is the network, where clients of all kinds
    /// meet then.
    pub(crate) room: Cow<'a, str>,
    /// Whether `session_id` names the room. Where it does not, [`with_room`] writes it into what is relayed.
    pub(crate) states_room: bool,
    pub(crate) from: Cow<'a, str>,
    /// `None` when absent or `null`.
    pub(crate) to: Option<Cow<'a, str>>,
    /// A JSON string, as it came: for `reply_to`.
    pub(crate) message_id: &'a str,
    /// Milliseconds since 1970 by the sender's clock, from 0 to [`Envelope::LATEST`].
    pub(crate) timestamp: u64,
    /// How long the sender wants this to count, in milliseconds: at least 1, and at most [`Envelope::LATEST`]. `None` when it is
    /// not a positive number.
    pub(crate) ttl_ms: Option<u64>,
    /// A JSON object, as it came.
    pub(crate) body: Option<&'a str>,
}

impl Envelope<'_> {
    /// The largest number whose neighbours every client can tell apart (`Number.MAX_SAFE_INTEGER`).
    pub(crate) const LATEST: u64 = (1 << 53) - 1;
}

/// A message that is refused, as far as it could be read.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed<'a> {
    pub(crate) flaw: Flaw,
    /// A JSON string, as it came: for `reply_to`.
    pub(crate) message_id: Option<&'a str>,
    /// The `type`: a JSON string, as it came, and short enough to be repeated in an error.
    pub(crate) kind: Option<&'a str>,
    /// A JSON string, as it came: for the `to` of an error.
    pub(crate) from: Option<&'a str>,
}

/// Why a text is no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It is not a JSON object, or it is nested too deep.
    Json,
    /// This member is missing or wrong.
    Member(EnvelopeMember),
    UnknownType,
}

/// A member of an envelope that can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnvelopeMember {
    PspVersion,
    Type,
    Network,
    From,
    To,
    SessionId,
    MessageId,
    Timestamp,
    Body,
}

/// The `type` of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnvelopeKind {
    Announce,
    Withdraw,
    Discover,
    PeerList,
    Redirect,
    ConnectRequest,
    ConnectAccept,
    ConnectReject,
    Offer,
    Answer,
    IceCandidate,
    IceEnd,
    Renegotiate,
    Ping,
    Pong,
    Bye,
    Error,
    Ack,
    Ext,
}

impl EnvelopeKind {
    pub(crate) const ALL: [EnvelopeKind; 19] = [
        EnvelopeKind::Announce,
        EnvelopeKind::Withdraw,
        EnvelopeKind::Discover,
        EnvelopeKind::PeerList,
        EnvelopeKind::Redirect,
        EnvelopeKind::ConnectRequest,
        EnvelopeKind::ConnectAccept,
        EnvelopeKind::ConnectReject,
        EnvelopeKind::Offer,
        EnvelopeKind::Answer,
        EnvelopeKind::IceCandidate,
        EnvelopeKind::IceEnd,
        EnvelopeKind::Renegotiate,
        EnvelopeKind::Ping,
        EnvelopeKind::Pong,
        EnvelopeKind::Bye,
        EnvelopeKind::Error,
        EnvelopeKind::Ack,
        EnvelopeKind::Ext,
    ];

    /// On the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            EnvelopeKind::Announce => "announce",
            EnvelopeKind::Withdraw => "withdraw",
            EnvelopeKind::Discover => "discover",
            EnvelopeKind::PeerList => "peer_list",
            EnvelopeKind::Redirect => "redirect",
            EnvelopeKind::ConnectRequest => "connect_request",
            EnvelopeKind::ConnectAccept => "connect_accept",
            EnvelopeKind::ConnectReject => "connect_reject",
            EnvelopeKind::Offer => "offer",
            EnvelopeKind::Answer => "answer",
            EnvelopeKind::IceCandidate => "ice_candidate",
            EnvelopeKind::IceEnd => "ice_end",
            EnvelopeKind::Renegotiate => "renegotiate",
            EnvelopeKind::Ping => "ping",
            EnvelopeKind::Pong => "pong",
            EnvelopeKind::Bye => "bye",
            EnvelopeKind::Error => "error",
            EnvelopeKind::Ack => "ack",
            EnvelopeKind::Ext => "ext",
        }
    }

    /// `None` for a name that is no type.
    pub(crate) fn named(name: &str) -> Option<EnvelopeKind> {
        EnvelopeKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the protocol lets peers tell this to each other. What the server refuses to pass on of it is not decided here.
    pub(crate) fn is_relayed(self) -> bool {
        !matches!(
            self,
            EnvelopeKind::Announce
                | EnvelopeKind::Withdraw
                | EnvelopeKind::Discover
                | EnvelopeKind::Ping
                | EnvelopeKind::Pong
        )
    }

    /// Whether it negotiates a link: useless to its receiver when it comes late.
    pub(crate) fn is_negotiation(self) -> bool {
        matches!(
            self,
            EnvelopeKind::ConnectRequest
                | EnvelopeKind::ConnectAccept
                | EnvelopeKind::ConnectReject
                | EnvelopeKind::Offer
                | EnvelopeKind::Answer
                | EnvelopeKind::IceCandidate
                | EnvelopeKind::IceEnd
                | EnvelopeKind::Renegotiate
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_found_by_its_name() {
        for kind in EnvelopeKind::ALL {
            assert_eq!(EnvelopeKind::named(kind.name()), Some(kind));
        }
        for name in ["", "Offer", "offer ", "ice-candidate"] {
            assert_eq!(EnvelopeKind::named(name), None, "{name}");
        }
    }

    #[test]
    fn what_negotiates_links_is_relayed_and_what_is_for_the_server_is_not() {
        let relayed = EnvelopeKind::ALL.into_iter().filter(|kind| kind.is_relayed());
        assert_eq!(relayed.clone().count(), 14);
        assert_eq!(relayed.filter(|kind| kind.is_negotiation()).count(), 8);
        assert_eq!(EnvelopeKind::ALL.into_iter().filter(|kind| kind.is_negotiation()).count(), 8);
    }
}
