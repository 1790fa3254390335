//! The formats on the wire: what a text asks for, and how an answer is written.
//!
//! One file per dialect, and nothing outside this folder knows which one a peer speaks.

pub(crate) mod a;
mod json;
mod refusal;

use alloc::borrow::Cow;
use alloc::string::String;

pub(crate) use json::{each_member, json_string, read_string};
pub(crate) use refusal::Refusal;

use crate::{Signal, Spelling, Verb};

/// One of the formats; fixed per connection at its upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Today's clients: the peer id is in the query of the upgrade.
    A,
}

/// What a peer asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Request<'a> {
    pub(crate) kind: Kind,
    /// The JSON value of `data`, as it came.
    pub(crate) data: Option<&'a str>,
    /// `None` when missing, `null` or empty.
    pub(crate) target: Option<Spelling>,
    /// The default name when missing, `null` or empty.
    pub(crate) network: Cow<'a, str>,
    /// Links that the peer can have, within 1..=50.
    pub(crate) max_peers: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Signal(Signal),
    Verb(Verb),
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

/// What a peer is told. Slices of JSON are written as they are.
#[derive(Clone, Copy)]
pub(crate) enum Message<'a> {
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
    Error {
        refusal: Refusal,
        offending_type: Option<&'a str>,
    },
}

impl Dialect {
    pub(crate) fn decode<'a>(self, text: &'a str, network_name_bytes: u32) -> Decoded<'a> {
        match self {
            Dialect::A => a::decode(text, network_name_bytes),
        }
    }
}

/// Appends `message` as `to` wants to read it; `timestamp` in milliseconds since 1970.
pub(crate) fn write(out: &mut String, to: &Recipient<'_>, message: Message<'_>, timestamp: u64) {
    match to.dialect {
        Dialect::A => a::write(out, to, message, timestamp),
    }
}
