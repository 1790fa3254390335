//! Messages of the server, read where they lie.

use std::borrow::Cow;

use peerpigeon_core::{Signal, Spelling};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Event;

/// One message of the server. Fields that the protocol does not know are ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct Frame<'a> {
    /// `type`
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// `networkName`: the receiver's.
    #[serde(rename = "networkName", borrow)]
    pub network: Cow<'a, str>,
    /// `fromPeerId`: `system` or the sender.
    #[serde(rename = "fromPeerId", borrow)]
    pub from: Cow<'a, str>,
    /// `targetPeerId`: the receiver.
    #[serde(rename = "targetPeerId", borrow)]
    pub target: Cow<'a, str>,
    /// ms since 1970.
    pub timestamp: u64,
    /// As it came.
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
    /// The text of an `error`.
    #[serde(borrow, default)]
    pub error: Option<Cow<'a, str>>,
}

/// What the `data` of the server's own messages can hold.
#[derive(Deserialize)]
struct Details<'a> {
    #[serde(rename = "peerId", borrow, default)]
    peer: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
}

impl<'a> Frame<'a> {
    /// Reads one message; `None` where a field is missing or of a wrong kind.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Frame<'a>> {
        serde_json::from_str(text).ok()
    }

    /// The signal that this is, if it is one.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.name() == self.kind)
    }

    /// `data.peerId`, where it is an id.
    #[must_use]
    pub fn peer(&self) -> Option<Spelling> {
        Spelling::parse(self.details()?.peer?.as_ref())
    }

    /// `data.code` of an `error`.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        Some(self.details()?.code?.into_owned())
    }

    fn details(&self) -> Option<Details<'a>> {
        serde_json::from_str(self.data?.get()).ok()
    }

    /// What a program is told of it; `None` where something essential is missing.
    pub(super) fn event(&self) -> Option<Event> {
        let data = self.data.map_or_else(String::new, |data| data.get().to_owned());
        if let Some(signal) = self.signal() {
            return Some(Event::Signal { from: Spelling::parse(&self.from)?, signal, data });
        }
        match self.kind.as_ref() {
            "peer-discovered" => Some(Event::Discovered { peer: self.peer()?, data }),
            "peer-disconnected" => Some(Event::Disconnected { peer: self.peer()? }),
            "goodbye" => Some(Event::Goodbye { peer: Spelling::parse(&self.from)? }),
            "pong" => Some(Event::Pong),
            "error" => {
                let message = self.error.as_ref()?.to_string();
                Some(Event::Refused { code: self.code()?, message })
            }
            _ => None,
        }
    }
}
