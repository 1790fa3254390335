//! What the pages themselves can see of the protocol, whatever lies between them and the server: the laws that hold at
//! both levels.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peerpigeon_core::{CloseReason, ConnId, Limits, PeerId, Signal, Spelling};
use serde_json::Value;

use crate::client::Frame;
use crate::laws::{Verdict, demand};
use crate::model::{choice, is_one_piece, wanted};
use crate::watch::{Kind, Message, Said};

/// Everything that pages have said and heard.
#[derive(Debug)]
pub(super) struct Witness {
    limits: Limits,
    seen: BTreeMap<ConnId, Seen>,
    /// What each peer said to each other, and was neither delivered nor overtaken yet.
    letters: BTreeMap<(PeerId, PeerId), VecDeque<Letter>>,
}

/// One connection as its page sees it.
#[derive(Debug)]
struct Seen {
    me: Spelling,
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

#[derive(Debug, PartialEq, Eq)]
struct Letter {
    signal: Signal,
    data: Option<String>,
    from: Spelling,
    network: String,
}

/// Letters remembered per pair.
const REMEMBERED: usize = 5_000;

impl Witness {
    pub(super) fn new(limits: Limits) -> Witness {
        Witness { limits, seen: BTreeMap::new(), letters: BTreeMap::new() }
    }

    /// A page opens a connection.
    pub(super) fn opened(&mut self, conn: ConnId, me: Spelling) {
        let seen = Seen {
            me,
            connected: false,
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
            Some(Kind::Verb(peerpigeon_core::Verb::Announce)) if is_refused(&message, &network, &self.limits) => {}
            Some(Kind::Verb(peerpigeon_core::Verb::Announce)) => {
                let moves = seen.announced.as_ref().is_some_and(|(other, _)| *other != network);
                seen.has_left |= moves;
                seen.networks.insert(network.clone());
                seen.announced = Some((network, wanted(&message, &self.limits)));
            }
            Some(Kind::Verb(peerpigeon_core::Verb::Goodbye)) => {
                (seen.announced, seen.has_left) = (None, true)
            }
            Some(Kind::Signal(signal)) => {
                let Value::String(to) = message.value("targetPeerId") else { return };
                let Some(to) = Spelling::parse(&to) else { return };
                let data = message.raw("data").map(str::to_owned);
                let letters = self.letters.entry((*seen.me.id(), *to.id())).or_default();
                letters.push_back(Letter { signal, data, from: seen.me, network });
                if letters.len() > REMEMBERED {
                    letters.pop_front();
                }
            }
            Some(Kind::Verb(_)) | None => {}
        }
    }

    /// The server was not looking for so long.
    pub(super) fn overslept(&mut self, ms: u64) {
        // What is heard after that has waited; the silence may have been long enough to end a connection.
        let all = self.limits.peer_timeout_ms > 0 && ms >= self.limits.peer_timeout_ms / 2;
        for seen in self.seen.values_mut() {
            seen.disturbed |= all;
        }
    }

    /// A message reaches a page.
    pub(super) fn heard(&mut self, conn: ConnId, text: &str) -> Verdict {
        let Some(seen) = self.seen.get_mut(&conn) else { return Ok(()) };
        let Some(frame) = Frame::parse(text) else { return Err(format!("no client can read this: {text}")) };
        let me = seen.me;
        demand!(frame.target == me.to_string(), "a frame for {me} names {} as its target", frame.target);
        demand!(seen.networks.contains(frame.network.as_ref()), "{me} was never in `{}`", frame.network);
        let first = !core::mem::replace(&mut seen.connected, true);
        demand!(first == (frame.kind == "connected"), "`{}` at the wrong place", frame.kind);
        if let Some(signal) = frame.signal() {
            return self.delivered(*me.id(), signal, &frame);
        }
        let Some(peer) = frame.peer() else { return Ok(()) };
        let known = seen.known.entry(frame.network.to_string()).or_default();
        match frame.kind.as_ref() {
            "peer-discovered" => {
                demand!(peer.id() != me.id(), "{me} was told of itself");
                known.insert(*peer.id());
            }
            "peer-disconnected" => {
                let knew = known.remove(peer.id()) || seen.has_left;
                demand!(knew, "{me} was told that {peer} left, whom it did not know, or not any more");
            }
            _ => {}
        }
        Ok(())
    }

    fn delivered(&mut self, to: PeerId, signal: Signal, frame: &Frame<'_>) -> Verdict {
        let from = Spelling::parse(&frame.from);
        let Some(from) = from else { return Err(format!("a {} comes from {}", signal.name(), frame.from)) };
        let data = frame.data.map(|data| data.get().to_owned());
        let letter = Letter { signal, data, from, network: frame.network.to_string() };
        let letters = self.letters.entry((*from.id(), to)).or_default();
        let position = letters.iter().position(|said| *said == letter);
        let Some(position) = position else {
            let data = letter.data.unwrap_or_default();
            let data = data.get(..200).unwrap_or(&data);
            return Err(format!("{from} never said {} {data} to {to}, or said it earlier", signal.name()));
        };
        letters.drain(..=position);
        if letters.is_empty() {
            self.letters.remove(&(*from.id(), to));
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

    /// Once calm, acquaintance is mutual, everybody knows its choice and nobody else than who is there, and networks
    /// are one piece.
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
            for (me, seen) in members {
                let mine = known(*me).cloned().unwrap_or_default();
                let gone = mine.iter().find(|peer| !members.contains_key(*peer));
                demand!(gone.is_none() || seen.has_left, "{me} still knows {gone:?}, who is not there");
                let one_sided =
                    mine.iter().find(|peer| !known(**peer).is_some_and(|known| known.contains(me)));
                demand!(
                    one_sided.is_none() || seen.has_left,
                    "{me} knows {one_sided:?}, who does not know it"
                );
                let k = seen.announced.as_ref().map_or(0, |(_, k)| *k);
                let chosen = choice(*me, members.keys().copied(), k);
                let missing = chosen.difference(&mine).next();
                demand!(missing.is_none() || !again, "{me} does not know {missing:?}, who is its choice");
            }
            let wide = members.values().all(|seen| seen.announced.as_ref().is_some_and(|(_, k)| *k >= 16));
            let peers: BTreeSet<PeerId> = members.keys().copied().collect();
            let neighbours = |peer| known(peer).into_iter().flatten().copied().collect();
            let whole = is_one_piece(&peers, neighbours);
            demand!(whole || !wide || !again, "the peers of `{network}` are not one piece");
        }
        Ok(())
    }
}

/// Whether an announce asks for more than there is room for.
fn is_refused(message: &Message<'_>, network: &str, limits: &Limits) -> bool {
    let data = message.raw("data").unwrap_or("null");
    let long = |bytes: usize, most: u32| u32::try_from(bytes).map_or(true, |bytes| bytes > most);
    let shapeless = !data.starts_with('{') && data != "null";
    long(network.len(), limits.network_name_bytes) || long(data.len(), limits.announced_data_bytes) || shapeless
}
