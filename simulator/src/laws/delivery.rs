//! What is delivered is what was sent: byte for byte, in order, at most once, within one network, to the right
//! spelling.

use std::collections::{BTreeMap, VecDeque};

use peerpigeon_core::{ConnId, Limits, PeerId, Signal, Spelling};
use serde_json::Value;

use super::{Given, Law, Rest, Scene, Verdict, demand};
use crate::client::Frame;
use crate::scenario::Way;
use crate::watch::Said;

#[derive(Debug)]
pub(crate) struct Delivery {
    /// What each peer said to each other, in order, and was neither delivered nor overtaken yet.
    said: BTreeMap<(PeerId, PeerId), VecDeque<Letter>>,
    /// The id of the message that is told next, where it has one.
    id: Option<String>,
    /// Ids that were acknowledged, to whom, and those that must have been by the end of the input.
    acknowledged: BTreeMap<String, PeerId>,
    owed: Vec<(String, PeerId)>,
    /// Acknowledgements may come later than the message.
    has_store: bool,
}

#[derive(Debug)]
struct Letter {
    way: Way,
    signal: Signal,
    data: Option<String>,
    /// The sender's spelling then.
    from: Spelling,
}

/// Letters remembered per pair. What is older was refused or dropped, or will be told as never said.
const REMEMBERED: usize = 5_000;

impl Delivery {
    pub(crate) fn new(limits: &Limits) -> Delivery {
        let has_store = limits.store_timeout_ms > 0;
        Delivery {
            said: BTreeMap::new(),
            id: None,
            acknowledged: BTreeMap::new(),
            owed: Vec::new(),
            has_store,
        }
    }

    /// The letter must be one of those said, and those before it can never come any more.
    fn delivered(&mut self, from: Spelling, to: PeerId, signal: Signal, data: Option<&str>) -> Verdict {
        let Some(letters) = self.said.get_mut(&(*from.id(), to)) else {
            return Err(format!("a {} from {from} reached {to}, who was never told anything", signal.name()));
        };
        // Dialect B has no message without `data`.
        let in_b = self.id.is_some();
        let same = |said: &str| if in_b { said == data.unwrap_or("null") } else { Some(said) == data };
        let is_it = |said: &Letter| {
            let data = said.data.as_deref().map_or(in_b && data == Some("null") || data.is_none(), same);
            said.signal == signal && said.from == from && data
        };
        let Some(position) = letters.iter().position(is_it) else {
            let text = data.unwrap_or("nothing");
            let text = text.get(..200).unwrap_or(text);
            return Err(format!("{from} never said {} {text} to {to}, or said it earlier", signal.name()));
        };
        // Two slots can share an id and speak in different ways: then letters that look alike tell nothing.
        let is_acknowledged = letters.iter().all(|letter| letter.way != Way::A);
        letters.drain(..=position);
        if let (Some(id), true) = (self.id.take(), is_acknowledged) {
            self.owed.push((id, *from.id()));
        }
        if letters.is_empty() {
            self.said.remove(&(*from.id(), to));
        }
        Ok(())
    }
}

impl Law for Delivery {
    fn name(&self) -> &'static str {
        "delivery"
    }

    fn spoke(&mut self, scene: Scene<'_>, from: Spelling, way: Way, said: &Said<'_>) -> Verdict {
        let Some((signal, message)) = said.signal() else { return Ok(()) };
        let to: Vec<PeerId> = if way != Way::A && message.is_broadcast() {
            let network = scene.ledger.party_of(*from.id()).and_then(|(_, party)| party.network);
            let members = network.and_then(|network| scene.ledger.networks.get(&network));
            members.map(|network| network.members.iter().copied().collect()).unwrap_or_default()
        } else {
            let Value::String(to) = message.value("targetPeerId") else { return Ok(()) };
            Spelling::parse(&to).map(|to| *to.id()).into_iter().collect()
        };
        for to in to {
            let letters = self.said.entry((*from.id(), to)).or_default();
            letters.push_back(Letter { way, signal, data: message.raw("data").map(str::to_owned), from });
            if letters.len() > REMEMBERED {
                letters.pop_front();
            }
        }
        Ok(())
    }

    fn named(&mut self, _: Scene<'_>, id: &str, given: Given) -> Verdict {
        self.id = None;
        match given {
            Given::Answer(Some(whose)) => {
                self.acknowledged.insert(id.to_owned(), whose);
            }
            Given::Signal(_) => self.id = Some(id.to_owned()),
            Given::Answer(None) | Given::Other => {}
        }
        Ok(())
    }

    fn fetched(
        &mut self,
        scene: Scene<'_>,
        me: Spelling,
        party: Option<ConnId>,
        frame: &Frame<'_>,
    ) -> Verdict {
        let seated = party.and_then(|conn| scene.ledger.parties.get(&conn)).and_then(|party| party.me);
        let me = seated.unwrap_or(me);
        demand!(frame.target == me.to_string(), "a frame for {me} names {} as its target", frame.target);
        let Some(signal) = frame.signal() else { return Ok(()) };
        let Some(from) = Spelling::parse(&frame.from) else {
            return Err(format!("a {} comes from `{}`, which is nobody", signal.name(), frame.from));
        };
        self.delivered(from, *me.id(), signal, frame.data.map(serde_json::value::RawValue::get))
    }

    fn rest(&mut self, _: Scene<'_>, _: &Rest) -> Verdict {
        for (id, from) in self.owed.drain(..).filter(|_| !self.has_store) {
            let told = self.acknowledged.get(&id);
            demand!(told == Some(&from), "a signal of {from} has the id {id}, which is that of {told:?}");
        }
        Ok(())
    }

    fn sent(&mut self, scene: Scene<'_>, conn: ConnId, frame: &Frame<'_>) -> Verdict {
        let Some(me) = scene.ledger.parties.get(&conn).and_then(|party| party.me) else {
            return Err(format!("`{}` was sent to {conn:?}, who is nobody", frame.kind));
        };
        demand!(frame.target == me.to_string(), "a frame for {me} names {} as its target", frame.target);
        let network = scene.ledger.network_name(conn);
        demand!(frame.network == network, "a frame for {me} in `{network}` names `{}`", frame.network);
        let wall = scene.ledger.wall(scene.now);
        demand!(frame.timestamp == wall, "a frame sent at {wall} says {}", frame.timestamp);
        let Some(signal) = frame.signal() else {
            let system = frame.from == "system" || frame.kind == "goodbye";
            demand!(system, "a `{}` comes from {}", frame.kind, frame.from);
            return Ok(());
        };
        let Some(from) = Spelling::parse(&frame.from) else {
            return Err(format!("a {} comes from `{}`, which is nobody", signal.name(), frame.from));
        };
        self.delivered(from, *me.id(), signal, frame.data.map(serde_json::value::RawValue::get))
    }
}
