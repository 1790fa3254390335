//! Every message that goes out is explained by exactly one thing that happened, and everything that happened is
//! told to exactly those whom it concerns.

use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_core::{ConnId, Departure, ErrorCode, PeerId, Signal, Spelling};
use serde_json::{Map, Value};

use crate::client::Frame;
use crate::laws::{Scene, Verdict, demand};
use crate::scenario::Way;
use crate::watch::{Answer, is_virtual};

use super::shelf::Shelves;

/// Messages of one turn, as far as the protocol fixes them.
#[derive(Debug, Default)]
pub(super) struct Frames {
    expected: Vec<(ConnId, Told)>,
    sent: Vec<(ConnId, Told)>,
    /// What may be sent or not.
    allowed: Vec<(ConnId, Told)>,
    /// What is told to peers without a connection.
    pub(super) shelves: Shelves,
    /// Acknowledgements, in order: what they must be, and what they are; those of a post have no connection.
    owed: Vec<(Option<ConnId>, Ack)>,
    acknowledged: Vec<(Option<ConnId>, Ack)>,
    /// What each peer announced.
    announced: BTreeMap<PeerId, Value>,
}

/// How a message is acknowledged in dialect B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    Done,
    Queued,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    Connected,
    /// With the data that goes with it.
    Discovered(PeerId, String),
    Disconnected(PeerId),
    Goodbye(PeerId),
    Pong,
    Error(String),
    Signal(Signal, PeerId, Option<String>),
}

impl Frames {
    pub(super) fn admitted(&mut self, conn: ConnId) {
        if !is_virtual(conn) {
            self.expected.push((conn, Told::Connected));
        }
    }

    /// A message by `conn` must be acknowledged so.
    pub(super) fn owe(&mut self, scene: Scene<'_>, conn: ConnId, ack: Ack) {
        match scene.ledger.way_of(conn) {
            Way::A => {}
            Way::B => self.owed.push((Some(conn), ack)),
            Way::Http => self.owed.push((None, ack)),
        }
    }

    pub(super) fn answered(&mut self, conn: Option<ConnId>, answer: &Answer<'_>) {
        let ack = match (answer.success, answer.queued) {
            (false, _) => Ack::Refused,
            (true, Some(_)) => Ack::Queued,
            (true, None) => Ack::Done,
        };
        self.acknowledged.push((conn, ack));
    }

    pub(super) fn announced(&mut self, peer: PeerId, data: Value) {
        self.announced.insert(peer, data);
    }

    pub(super) fn pong(&mut self, conn: ConnId) {
        self.expected.push((conn, Told::Pong));
    }

    pub(super) fn refused(&mut self, scene: Scene<'_>, conn: ConnId, code: ErrorCode) {
        self.owe(scene, conn, Ack::Refused);
        if scene.ledger.way_of(conn) == Way::A {
            self.expected.push((conn, Told::Error(code.name().to_owned())));
        }
    }

    /// The target of an offer is not here.
    pub(super) fn absent(&mut self, conn: ConnId, target: Spelling) {
        self.expected.push((conn, Told::Goodbye(*target.id())));
    }

    pub(super) fn introduced(&mut self, scene: Scene<'_>, a: PeerId, b: PeerId) {
        for (me, of) in [(a, b), (b, a)] {
            let told = Told::Discovered(of, self.discovery(scene, of));
            self.expect(scene, me, told);
        }
    }

    /// A peer is told to forget another.
    pub(super) fn struck(&mut self, scene: Scene<'_>, me: PeerId, of: PeerId) {
        self.expect(scene, me, Told::Goodbye(of));
    }

    /// What others are told of a peer: what it announced, its own id put in.
    fn discovery(&self, scene: Scene<'_>, peer: PeerId) -> String {
        let spelling = scene.ledger.party_of(peer).and_then(|(_, party)| party.me);
        let mut data = match self.announced.get(&peer) {
            Some(Value::Object(data)) => data.clone(),
            Some(_) | None => Map::new(),
        };
        data.insert("peerId".to_owned(), spelling.map(|me| me.to_string()).into());
        Value::Object(data).to_string()
    }

    pub(super) fn left(&mut self, scene: Scene<'_>, peer: PeerId, cause: Departure, told: &BTreeSet<PeerId>) {
        for other in told {
            self.expect(scene, *other, Told::Disconnected(peer));
            if cause == Departure::Goodbye {
                self.expect(scene, *other, Told::Goodbye(peer));
            }
        }
    }

    pub(super) fn signal(
        &mut self,
        scene: Scene<'_>,
        to: PeerId,
        from: PeerId,
        signal: Signal,
        data: Option<String>,
    ) {
        self.expect(scene, to, Told::Signal(signal, from, data));
    }

    /// A mail is handed to somebody who asks by HTTP for the mailbox of a peer that is not here.
    pub(super) fn handed(&mut self, to: PeerId, from: PeerId, signal: Signal, data: Option<String>) {
        self.shelves.handed(to, Told::Signal(signal, from, data).in_b());
    }

    fn expect(&mut self, scene: Scene<'_>, to: PeerId, told: Told) {
        if let Some((conn, party)) = scene.ledger.party_of(to) {
            let told = if party.way == Way::A { told } else { told.in_b() };
            self.expected.push((conn, told));
        }
    }

    pub(super) fn sent(&mut self, conn: ConnId, frame: &Frame<'_>) -> Verdict {
        self.sent.push((conn, Told::read(frame)?));
        Ok(())
    }

    /// What was sent is what was to be sent.
    pub(super) fn settled(&mut self, scene: Scene<'_>) -> Verdict {
        let shelved = self.expected.extract_if(.., |(conn, _)| is_virtual(*conn)).collect();
        let allowed = self.allowed.extract_if(.., |(conn, _)| is_virtual(*conn)).collect();
        self.shelves.settled(scene, shelved, allowed)?;
        for allowed in self.allowed.drain(..) {
            if let Some(position) = self.sent.iter().position(|sent| *sent == allowed) {
                self.sent.swap_remove(position);
            }
        }
        self.expected.sort();
        self.sent.sort();
        let missing = first_missing(&self.expected, &self.sent);
        let surplus = first_missing(&self.sent, &self.expected);
        demand!(missing.is_none(), "not sent: {missing:?}; sent instead: {surplus:?}");
        demand!(surplus.is_none(), "sent without reason: {surplus:?}");
        self.expected.clear();
        self.sent.clear();
        let (owed, acknowledged) = (&self.owed, &self.acknowledged);
        demand!(owed == acknowledged, "the acknowledgements {acknowledged:?} should have been {owed:?}");
        self.owed.clear();
        self.acknowledged.clear();
        Ok(())
    }
}

impl Told {
    /// As dialect B says it, which has no message without `data`.
    fn in_b(self) -> Told {
        if let Told::Signal(signal, from, None) = self {
            return Told::Signal(signal, from, Some("null".to_owned()));
        }
        self
    }

    pub(super) fn read(frame: &Frame<'_>) -> Result<Told, String> {
        let data = frame.data.map(|data| data.get().to_owned());
        if let Some(signal) = frame.signal() {
            let from = Spelling::parse(&frame.from).map(|from| *from.id()).unwrap_or_default();
            return Ok(Told::Signal(signal, from, data));
        }
        let peer = frame.peer().map(|peer| *peer.id());
        Ok(match (frame.kind.as_ref(), peer) {
            ("connected", Some(_)) => Told::Connected,
            ("peer-discovered", Some(peer)) => {
                let data: Value = serde_json::from_str(&data.unwrap_or_default()).unwrap_or(Value::Null);
                Told::Discovered(peer, data.to_string())
            }
            ("peer-disconnected", Some(peer)) => Told::Disconnected(peer),
            ("goodbye", _) => {
                let from = Spelling::parse(&frame.from).map(|from| *from.id());
                Told::Goodbye(from.ok_or_else(|| format!("goodbye from {}", frame.from))?)
            }
            ("pong", _) => Told::Pong,
            ("error", _) => {
                demand!(frame.error.is_some(), "an error without its text");
                Told::Error(frame.code().unwrap_or_default())
            }
            (kind, _) => return Err(format!("`{kind}` was sent, which is no message of the protocol")),
        })
    }
}

/// The first of `wanted` that `there` lacks; both sorted.
fn first_missing<'a>(wanted: &'a [(ConnId, Told)], there: &[(ConnId, Told)]) -> Option<&'a (ConnId, Told)> {
    let mut rest = there.iter().peekable();
    wanted.iter().find(|item| {
        while rest.peek().is_some_and(|other| other < item) {
            rest.next();
        }
        rest.next_if(|other| other == item).is_none()
    })
}
