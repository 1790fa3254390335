//! What the pages themselves can see of the protocol, whatever lies between them and the server: the laws that hold at
//! both levels.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peerpigeon_core::{CloseReason, ConnId, Limits, PeerId, Signal, Spelling};
use serde_json::Value;

use crate::client::Frame;
use crate::laws::{Verdict, demand};
use crate::model::max_peers;
use crate::scenario::Way;
use crate::watch::{Kind, Message, Said};

/// Everything that pages have said and heard.
#[derive(Debug)]
pub(super) struct Witness {
    limits: Limits,
    seen: BTreeMap<ConnId, Seen>,
    /// What each peer said to each other, and was neither delivered nor overtaken yet.
    letters: BTreeMap<(PeerId, PeerId), VecDeque<Letter>>,
    /// What each peer said to all of its acquaintances.
    circulars: BTreeMap<PeerId, VecDeque<Letter>>,
}

/// One connection as its page sees it.
#[derive(Debug)]
struct Seen {
    me: Spelling,
    way: Way,
    /// Whether it was let in; nobody tells that to a peer without a connection.
    connected: bool,
    /// Networks that it has announced itself in, or is in without.
    networks: BTreeSet<String>,
    /// Whom it was told of, by network.
    known: BTreeMap<String, BTreeSet<PeerId>>,
    /// Where it is announced, and how many introductions it gets.
    announced: Option<(String, usize)>,
    /// It has left a network, so that it is not told any more who leaves there.
    has_left: bool,
    /// It was frozen, slow or cut off at some time: the server may take it for dead.
    disturbed: bool,
    /// It has said something that ends a connection.
    hostile: bool,
}

#[derive(Debug)]
struct Letter {
    signal: Signal,
    /// `null` where there is none: dialect B does not tell the two apart.
    data: String,
    from: Spelling,
    network: String,
    /// How its sender speaks.
    way: Way,
}

/// Letters remembered per pair.
const REMEMBERED: usize = 5_000;

impl Witness {
    pub(super) fn new(limits: Limits) -> Witness {
        Witness { limits, seen: BTreeMap::new(), letters: BTreeMap::new(), circulars: BTreeMap::new() }
    }

    /// A page opens a connection.
    pub(super) fn opened(&mut self, conn: ConnId, me: Spelling, way: Way) {
        let seen = Seen {
            me,
            way,
            connected: way == Way::Http,
            networks: BTreeSet::from(["global".to_owned()]),
            known: BTreeMap::new(),
            announced: None,
            has_left: false,
            disturbed: false,
            hostile: false,
        };
        self.seen.insert(conn, seen);
    }

    /// A connection is over for its page.
    pub(super) fn over(&mut self, conn: ConnId) {
        self.seen.remove(&conn);
    }

    /// Something happens to a connection that the server may take for death.
    pub(super) fn disturbed(&mut self, conn: ConnId) {
        if let Some(seen) = self.seen.get_mut(&conn) {
            seen.disturbed = true;
        }
    }

    /// A page sends bytes that the server may end the connection for.
    pub(super) fn hostile(&mut self, conn: ConnId) {
        if let Some(seen) = self.seen.get_mut(&conn) {
            seen.hostile = true;
        }
    }

    /// Whether the server has let a connection in, and its page is announced.
    pub(super) fn is_announced(&self, conn: ConnId) -> bool {
        self.seen.get(&conn).is_some_and(|seen| seen.connected && seen.announced.is_some())
    }

    /// A page sends a text.
    pub(super) fn said(&mut self, conn: ConnId, text: &str) {
        let Some(seen) = self.seen.get_mut(&conn) else { return };
        let Said::Message(message) = Said::read(text) else { return };
        let Ok(network) = message.network() else { return };
        match message.kind() {
            Some(Kind::Verb(peerpigeon_core::Verb::Announce))
                if is_refused(&message, &network, &self.limits, seen.way) => {}
            Some(Kind::Verb(peerpigeon_core::Verb::Announce)) => {
                let moves = seen.announced.as_ref().is_some_and(|(other, _)| *other != network);
                seen.has_left |= moves;
                seen.networks.insert(network.clone());
                let most = max_peers(&message).min(self.limits.introductions.into());
                seen.announced = Some((network, most));
            }
            Some(Kind::Verb(peerpigeon_core::Verb::Goodbye)) => {
                (seen.announced, seen.has_left) = (None, true)
            }
            Some(Kind::Signal(signal)) => {
                let data = message.raw("data").unwrap_or("null").to_owned();
                let letters = match message.value("targetPeerId") {
                    Value::String(to) if !to.is_empty() => {
                        let Some(to) = Spelling::parse(&to) else { return };
                        self.letters.entry((*seen.me.id(), *to.id())).or_default()
                    }
                    Value::String(_)
                    | Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::Array(_)
                    | Value::Object(_) => self.circulars.entry(*seen.me.id()).or_default(),
                };
                letters.push_back(Letter { signal, data, from: seen.me, network, way: seen.way });
                if letters.len() > REMEMBERED {
                    letters.pop_front();
                }
            }
            Some(Kind::Verb(_)) | None => {}
        }
    }

    /// The server was not looking for so long.
    pub(super) fn overslept(&mut self, ms: u64) {
        // Shorter than any deadline, with the way there and back.
        const NAP_MS: u64 = 500;
        for seen in self.seen.values_mut().filter(|_| ms > NAP_MS) {
            seen.disturbed = true;
        }
    }

    /// A message reaches a page.
    pub(super) fn heard(&mut self, conn: ConnId, text: &str) -> Verdict {
        let Some(seen) = self.seen.get_mut(&conn) else { return Ok(()) };
        let Some(frame) = Frame::parse(text) else { return Err(format!("no client can read this: {text}")) };
        let me = seen.me;
        let same = match seen.way {
            Way::A | Way::B => frame.target == me.to_string(),
            Way::Http => Spelling::parse(&frame.target).is_some_and(|target| target.id() == me.id()),
        };
        demand!(same, "a frame for {me} names {} as its target", frame.target);
        demand!(seen.networks.contains(frame.network.as_ref()), "{me} was never in `{}`", frame.network);
        let first = !core::mem::replace(&mut seen.connected, true);
        demand!(first == (frame.kind == "connected"), "`{}` at the wrong place", frame.kind);
        if let Some(signal) = frame.signal() {
            let way = seen.way;
            return self.delivered(*me.id(), way, signal, &frame);
        }
        let Some(peer) = frame.peer() else { return Ok(()) };
        // Dialect B does not name the network: it is the one that the peer is in.
        let announced = seen.announced.as_ref().map(|(network, _)| network.clone());
        let network = if seen.way == Way::A { None } else { announced };
        let known = seen.known.entry(network.unwrap_or_else(|| frame.network.to_string())).or_default();
        match frame.kind.as_ref() {
            "peer-discovered" => {
                demand!(peer.id() != me.id(), "{me} was told of itself");
                known.insert(*peer.id());
            }
            "peer-disconnected" => {
                // The inbox of a peer without a connection drops the oldest when it is full.
                let knew = known.remove(peer.id()) || seen.has_left || seen.way == Way::Http;
                demand!(knew, "{me} was told that {peer} left, whom it did not know, or not any more");
            }
            _ => {}
        }
        Ok(())
    }

    fn delivered(&mut self, to: PeerId, way: Way, signal: Signal, frame: &Frame<'_>) -> Verdict {
        let from = Spelling::parse(&frame.from);
        let Some(from) = from else { return Err(format!("a {} comes from {}", signal.name(), frame.from)) };
        let data = frame.data.map_or("null", |data| data.get());
        // Dialect B does not name the network.
        let is_it = |said: &Letter| {
            let same_network = way != Way::A || said.network == frame.network;
            // Of those who post under one id, the first one's spelling counts.
            let same_peer = said.way == Way::Http || said.from == from;
            said.signal == signal && said.data == data && same_peer && same_network
        };
        // Two pages with one id are told on ways of their own.
        let is_shared = self.seen.values().filter(|seen| *seen.me.id() == to).count() > 1;
        let key = (*from.id(), to);
        let letters = self.letters.entry(key).or_default();
        match letters.iter().position(is_it) {
            // Requests travel apart, and can overtake each other.
            Some(position) if is_shared || letters[position].way == Way::Http => {
                drop(letters.remove(position));
            }
            Some(position) => drop(letters.drain(..=position)),
            None => {
                let known = self.circulars.get(from.id()).is_some_and(|said| said.iter().any(is_it));
                let data = data.get(..200).unwrap_or(data);
                demand!(known, "{from} never said {} {data} to {to}, or said it earlier", signal.name());
            }
        }
        if self.letters.get(&key).is_some_and(VecDeque::is_empty) {
            self.letters.remove(&key);
        }
        Ok(())
    }

    /// A close frame reaches a page.
    pub(super) fn closed(&mut self, conn: ConnId, code: u16, reason: &str) -> Verdict {
        let Some(seen) = self.seen.remove(&conn) else { return Ok(()) };
        let why = CloseReason::ALL.into_iter().find(|why| why.code() == code && why.text() == reason);
        let faulted = matches!(code, 1002 | 1007 | 1009) && seen.hostile;
        demand!(why.is_some() || faulted, "{} was closed with {code} `{reason}`", seen.me);
        let alive = why == Some(CloseReason::InactiveTimeout) && !seen.disturbed;
        let pinged = self.limits.ping_interval_ms > 0;
        demand!(!alive || !pinged, "{} was closed as inactive, but answers every ping at once", seen.me);
        Ok(())
    }

    /// Once calm, acquaintance is mutual, everybody knows nobody else than who is there, and in a network of a few everybody.
    pub(super) fn calm(&self) -> Verdict {
        let mut networks: BTreeMap<&str, BTreeMap<PeerId, &Seen>> = BTreeMap::new();
        for seen in self.seen.values().filter(|seen| seen.connected) {
            if let Some((network, _)) = &seen.announced {
                networks.entry(network).or_default().insert(*seen.me.id(), seen);
            }
        }
        let again = self.limits.reintroduce_interval_ms > 0;
        for (network, members) in &networks {
            let known = |peer: PeerId| members.get(&peer).and_then(|seen| seen.known.get(*network));
            // What is dropped from a full inbox is never heard of, and what is older stays known.
            let hears_all = |peer: &PeerId| members.get(peer).is_none_or(|seen| seen.way != Way::Http);
            for (me, seen) in members.iter().filter(|(me, _)| hears_all(me)) {
                let mine = known(*me).cloned().unwrap_or_default();
                let gone = mine.iter().find(|peer| !members.contains_key(*peer));
                demand!(gone.is_none() || seen.has_left, "{me} still knows {gone:?}, who is not there");
                let mut one_sided = mine.iter().filter(|peer| hears_all(peer));
                let one_sided = one_sided.find(|peer| !known(**peer).is_some_and(|known| known.contains(me)));
                demand!(
                    one_sided.is_none() || seen.has_left,
                    "{me} knows {one_sided:?}, who does not know it"
                );
                let most = seen.announced.as_ref().map_or(0, |(_, most)| *most);
                let few = again && members.len() <= most + 1;
                let missing = members.keys().find(|other| *other != me && !mine.contains(other));
                demand!(missing.is_none() || !few, "{me} does not know {missing:?}, though they are few");
            }
        }
        Ok(())
    }
}

/// Whether an announce asks for more than there is room for.
fn is_refused(message: &Message<'_>, network: &str, limits: &Limits, way: Way) -> bool {
    let data = message.raw("data").unwrap_or("null");
    let long = |bytes: usize, most: u32| u32::try_from(bytes).map_or(true, |bytes| bytes > most);
    let shapeless = !data.starts_with('{') && data != "null";
    let links = message.value("maxPeers");
    let fits = || links.as_f64().is_some_and(|links| (1..=Limits::MAX_PEERS).any(|k| f64::from(k) == links));
    // Dialect A clamps what dialect B refuses.
    let many = way != Way::A && message.raw("maxPeers").is_some_and(|raw| raw != "null") && !fits();
    many || long(network.len(), limits.network_name_bytes)
        || long(data.len(), limits.announced_data_bytes)
        || shapeless
}
