//! What is delivered is what was sent: byte for byte, in order, at most once, within one network, to the right
//! spelling.

use std::collections::{BTreeMap, VecDeque};

use peerpigeon_core::{ConnId, Input, PeerId, Signal, Spelling, UnixMillis};
use serde_json::Value;

use super::{Law, Scene, Verdict, demand};
use crate::client::Frame;
use crate::watch::Said;

#[derive(Debug)]
pub(crate) struct Delivery {
    boot: UnixMillis,
    /// What each peer said to each other, in order, and was neither delivered nor overtaken yet.
    said: BTreeMap<(PeerId, PeerId), VecDeque<Letter>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Letter {
    signal: Signal,
    data: Option<String>,
    /// The sender's spelling then.
    from: Spelling,
}

/// Letters remembered per pair. What is older was refused or dropped, or will be told as never said.
const REMEMBERED: usize = 5_000;

impl Delivery {
    pub(crate) fn new(boot: UnixMillis) -> Delivery {
        Delivery { boot, said: BTreeMap::new() }
    }

    /// The letter must be one of those said, and those before it can never come any more.
    fn delivered(&mut self, from: Spelling, to: PeerId, signal: Signal, data: Option<&str>) -> Verdict {
        let Some(letters) = self.said.get_mut(&(*from.id(), to)) else {
            return Err(format!("a {} from {from} reached {to}, who was never told anything", signal.name()));
        };
        let letter = Letter { signal, data: data.map(str::to_owned), from };
        let Some(position) = letters.iter().position(|said| *said == letter) else {
            let text = data.unwrap_or("nothing");
            let text = text.get(..200).unwrap_or(text);
            return Err(format!("{from} never said {} {text} to {to}, or said it earlier", signal.name()));
        };
        letters.drain(..=position);
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

    fn input(&mut self, scene: Scene<'_>, input: &Input<'_>, said: Option<&Said<'_>>) -> Verdict {
        let Input::Text { conn, .. } = *input else { return Ok(()) };
        let Some(from) = scene.ledger.parties.get(&conn).and_then(|party| party.me) else { return Ok(()) };
        let Some((signal, message)) = said.and_then(Said::signal) else { return Ok(()) };
        let Value::String(to) = message.value("targetPeerId") else { return Ok(()) };
        let Some(to) = Spelling::parse(&to) else { return Ok(()) };
        let letters = self.said.entry((*from.id(), *to.id())).or_default();
        letters.push_back(Letter { signal, data: message.raw("data").map(str::to_owned), from });
        if letters.len() > REMEMBERED {
            letters.pop_front();
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
        let wall = self.boot.at(scene.now);
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
