//! The formats on the wire: what a text asks for, and how an answer is written.
//!
//! One file per dialect, and nothing outside this folder knows which one a peer speaks.

mod a;
mod b;
mod fields;
mod json;
mod message_id;
pub(crate) mod post;
// Until the rest of the core speaks it.
#[allow(dead_code, unused_imports, reason = "not spoken yet")]
pub(crate) mod psp;
mod refusal;
mod scan;

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write as _;

pub(crate) use json::{each_member, is_json, json_string, says};
pub(crate) use message_id::{MessageId, Name, Naming, SignalName};
pub(crate) use refusal::Refusal;

use crate::mesh::networks::GLOBAL_JSON;
use crate::{Limits, Signal, Spelling, Verb};

/// One of the formats; fixed per connection at its upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Today's clients: the peer id is in the query of the upgrade.
    A,
    /// The older guide: `register` first, and every message is answered.
    B,
    /// PSP 1.0: pages name themselves in every message, and are told of each other by lists. What its messages mean and what
    /// answers them is in `verbs/psp`.
    Psp,
}

/// What a peer asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Request<'a> {
    pub(crate) kind: Kind,
    /// The JSON value of `data`, as it came.
    pub(crate) data: Option<&'a str>,
    pub(crate) target: Target,
    /// The default name when missing, `null` or empty.
    pub(crate) network: Cow<'a, str>,
    /// Links that the peer can have, within 1..=50; counts in an announce.
    pub(crate) max_peers: u8,
    /// Who the sender says it is, where the dialect lets it say so.
    pub(crate) claimed: Option<Spelling>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Tells who is behind the connection.
    Register,
    Signal(Signal),
    Verb(Verb),
}

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Peer(Spelling),
    /// Everybody whom the sender was introduced to.
    Acquaintances,
    Missing,
}

/// A text, read as far as it could be.
pub(crate) struct Decoded<'a> {
    pub(crate) request: Result<Request<'a>, Refusal>,
    /// The JSON value of `type`, as it came, if there was one short enough to be repeated in an error.
    pub(crate) offending_type: Option<&'a str>,
}

/// Who gets a message.
#[derive(Clone, Copy)]
pub(crate) struct Recipient<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) spelling: Spelling,
    /// Its network as a JSON string.
    pub(crate) network: &'a str,
}

impl Recipient<'_> {
    /// For what says nothing about its receiver.
    pub(crate) const NOBODY: Recipient<'static> =
        Recipient { dialect: Dialect::B, spelling: Spelling::NOBODY, network: GLOBAL_JSON };
}

/// When and as what a message goes out.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    /// Milliseconds since 1970.
    pub(crate) timestamp: u64,
    pub(crate) naming: Naming,
    /// For a message that has no id of its own.
    pub(crate) fresh: MessageId,
}

/// What a peer is told. Slices of JSON are written as they are.
#[derive(Clone, Copy)]
pub(crate) enum Message<'a> {
    /// It may speak.
    Connected,
    Discovered {
        peer: Spelling,
        /// Members of the announced `data` but `peerId`, each with a comma before it.
        data: &'a str,
    },
    Signal {
        signal: Signal,
        from: Spelling,
        data: Option<&'a str>,
        name: SignalName,
    },
    /// A peer left its network of its own will: clients cut their link to it.
    Goodbye {
        from: Spelling,
        reason: &'static str,
    },
    /// A peer is not there any more.
    Disconnected {
        peer: Spelling,
        reason: &'static str,
    },
    Pong,
    /// Its message was handled.
    Done {
        id: MessageId,
        outcome: Outcome,
    },
    /// Its message was refused.
    Error {
        refusal: Refusal,
        offending_type: Option<&'a str>,
        id: MessageId,
    },
}

/// Why a page turns a dialler away, by the `data` of its `connection-rejected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// `max_peers_reached`, and whatever else somebody may say.
    ByFullPage,
    /// `initiator_role_conflict`: the page wants to be the one that dials. Says nothing of its room.
    OutOfTurn,
}

impl Refused {
    pub(crate) fn read(data: Option<&str>) -> Refused {
        let mut refused = Refused::ByFullPage;
        // Clients send no other reasons than these two (observed). What is no object says nothing.
        let _ = each_member(data.unwrap_or_default(), u32::MAX, |member| {
            if member.key() == "\"reason\"" && member.value() == "\"initiator_role_conflict\"" {
                refused = Refused::OutOfTurn;
            }
        });
        refused
    }
}

/// How a message was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Its target is away: it waits in a mailbox.
    Queued,
    /// Nothing more is to be said about it.
    Answered,
}

impl Dialect {
    pub(crate) fn decode<'a>(self, text: &'a str, limits: &Limits) -> Decoded<'a> {
        match self {
            Dialect::A => a::decode(text, limits),
            Dialect::B => b::decode(text, limits),
            Dialect::Psp => Decoded { request: Err(Refusal::UnknownType), offending_type: None },
        }
    }

    /// Whether a peer is told that its message was handled.
    pub(crate) fn acknowledges(self) -> bool {
        match self {
            Dialect::A | Dialect::Psp => false,
            Dialect::B => true,
        }
    }

    /// Whether a connection stands for one peer, with an id that no other one has; else it says in which room it is who.
    pub(crate) fn names_peers_by_connection(self) -> bool {
        match self {
            Dialect::A | Dialect::B => true,
            Dialect::Psp => false,
        }
    }
}

/// Appends `message` as `to` wants to read it.
pub(crate) fn write(out: &mut String, to: &Recipient<'_>, message: Message<'_>, stamp: Stamp) {
    match to.dialect {
        Dialect::A => a::write(out, to, message, stamp),
        Dialect::B => b::write(out, to, message, stamp),
        Dialect::Psp => debug_assert!(false, "what pages of rooms are told is written by verbs/psp"),
    }
}

/// Appends `before`, the digits and a quote.
fn id_member(out: &mut String, before: &str, spelling: Spelling) {
    out.push_str(before);
    // Hex digits are UTF-8.
    out.push_str(core::str::from_utf8(&spelling.digits()).unwrap_or_default());
    out.push('"');
}

/// Appends the last member of an object, and the end of it.
fn timestamp_and_end(out: &mut String, timestamp: u64) {
    out.push_str(",\"timestamp\":");
    out.push_str(itoa::Buffer::new().format(timestamp));
    out.push('}');
}

fn put(out: &mut String, what: core::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = out.write_fmt(what);
}
