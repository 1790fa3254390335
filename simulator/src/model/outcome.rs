//! What may come of a message, by the protocol.

use peerpigeon_core::{ConnId, ErrorCode, Limits, PeerId, Spelling, Verb};
use serde_json::Value;

use super::Model;
use super::mail::Keeping;
use crate::laws::Scene;
use crate::scenario::Way;
use crate::watch::{Kind, Message, Party, Said, Stage, is_virtual};

/// How a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Relay(PeerId),
    Mail(PeerId),
    Refuse(ErrorCode),
    Handle(Verb),
    /// A signal went to all acquaintances of its sender.
    Broadcast,
    /// A `register` of a peer that is known already.
    Register,
}

impl Model {
    /// Everything that may come of `text` from `conn` now, the rate limit aside. Where several things are wrong with
    /// a message the protocol does not say which one is told.
    pub(super) fn outcomes(&self, scene: Scene<'_>, conn: ConnId, text: &str) -> Vec<Outcome> {
        let message = match Said::read(text) {
            Said::NotJson => return vec![Outcome::Refuse(ErrorCode::InvalidJson)],
            Said::NotObject | Said::TooDeep => return vec![Outcome::Refuse(ErrorCode::InvalidMessage)],
            Said::Message(message) => message,
        };
        if !message.value("type").is_string() {
            return vec![Outcome::Refuse(ErrorCode::InvalidMessage)];
        }
        if scene.ledger.way_of(conn) != Way::A {
            return self.outcomes_in_b(scene, conn, &message);
        }
        let Some(party) = scene.ledger.parties.get(&conn) else { return Vec::new() };
        match message.kind() {
            None => {
                let mut outcomes = vec![Outcome::Refuse(ErrorCode::UnknownType)];
                if message.network().is_err() || !id_or_nothing(&message) {
                    outcomes.push(Outcome::Refuse(ErrorCode::InvalidMessage));
                }
                outcomes
            }
            Some(Kind::Verb(verb)) => self.verb(verb, &message),
            Some(Kind::Signal(_)) => self.signal(scene, party, &message),
        }
    }

    /// The same for dialect B, which is stricter.
    fn outcomes_in_b(&self, scene: Scene<'_>, conn: ConnId, message: &Message<'_>) -> Vec<Outcome> {
        let invalid = vec![Outcome::Refuse(ErrorCode::InvalidMessage)];
        let kind = message.kind();
        if kind.is_none() && !message.is_register() {
            return [vec![Outcome::Refuse(ErrorCode::UnknownType)], invalid].concat();
        }
        let claimed = match id(message, "peerId") {
            Ok(claimed) => claimed,
            Err(()) => return invalid,
        };
        let long = message.network().is_ok_and(|name| name.len() > self.limits.network_name_bytes as usize);
        let data = message.raw("data").filter(|data| *data != "null");
        let signal = matches!(kind, Some(Kind::Signal(_)));
        let shapeless = data.map_or(signal, |data| !data.starts_with('{'));
        let number = message.value("maxPeers").as_f64();
        let many = message.raw("maxPeers").is_some_and(|raw| raw != "null")
            && !number.is_some_and(|number| (1..=Limits::MAX_PEERS).any(|k| f64::from(k) == number));
        let astray = id(message, "targetPeerId").is_err();
        if message.network().is_err() || long || shapeless || many || astray {
            return invalid;
        }
        let newcomer;
        let party = match scene.ledger.parties.get(&conn) {
            Some(party) => party,
            None => {
                let Some(me) = claimed else { return invalid };
                let taken = scene.ledger.by_peer.get(me.id()).is_some_and(|conn| !is_virtual(*conn));
                newcomer = Party { way: Way::Http, ..Party::new(scene.now, Some(me), scene.ledger.poster) };
                if taken || self.no_place(scene, &newcomer) {
                    return invalid;
                }
                &newcomer
            }
        };
        let another = claimed.is_some_and(|me| party.me.is_some_and(|own| own.id() != me.id()));
        if party.stage == Stage::Unregistered || another {
            return invalid;
        }
        match kind {
            None => vec![Outcome::Register],
            Some(Kind::Verb(verb)) => self.verb(verb, message),
            Some(Kind::Signal(_)) => self.signal(scene, party, message),
        }
    }

    fn no_place(&self, scene: Scene<'_>, newcomer: &Party) -> bool {
        let ledger = scene.ledger;
        let most = self.limits.connections_per_address;
        let same = |party: &Party| party.stage == Stage::Admitted && party.address == newcomer.address;
        let crowded = newcomer.address.is_some() && most > 0 && ledger.count(same) >= most as usize;
        ledger.draining.is_some() || crowded || ledger.by_peer.len() >= self.limits.connections as usize
    }

    fn verb(&self, verb: Verb, message: &Message<'_>) -> Vec<Outcome> {
        let handled = Outcome::Handle(verb);
        let invalid = Outcome::Refuse(ErrorCode::InvalidMessage);
        match verb {
            Verb::Announce => {
                let long =
                    message.network().is_ok_and(|name| name.len() > self.limits.network_name_bytes as usize);
                let data = message.raw("data").unwrap_or("null");
                let bulky = data.len() > self.limits.announced_data_bytes as usize;
                let shapeless = !data.starts_with('{') && data != "null";
                let wrong = message.network().is_err() || long || bulky || shapeless;
                if wrong { vec![invalid] } else { vec![handled] }
            }
            Verb::Cleanup => match target(message) {
                Ok(_) => vec![handled],
                Err(code) => vec![Outcome::Refuse(code), invalid],
            },
            // The network of these does not matter; whether a wrong one is told is left open.
            // No message of these dialects.
            Verb::Discover => Vec::new(),
            Verb::Goodbye | Verb::Ping | Verb::CleanupAll => {
                let wrong = message.network().is_err() || !id_or_nothing(message);
                if wrong { vec![handled, invalid] } else { vec![handled] }
            }
        }
    }

    fn signal(&self, scene: Scene<'_>, party: &Party, message: &Message<'_>) -> Vec<Outcome> {
        let mine = network_of(scene, party);
        let mut faults = Vec::new();
        if party.said_goodbye {
            faults.push(ErrorCode::NotAnnounced);
        }
        match message.network() {
            Err(()) => faults.push(ErrorCode::InvalidMessage),
            Ok(named) => {
                if named.len() > self.limits.network_name_bytes as usize {
                    faults.push(ErrorCode::InvalidMessage);
                }
                if mine.as_ref() != Some(&named) {
                    faults.push(ErrorCode::OtherNetwork);
                }
            }
        }
        let to = match target(message) {
            Err(ErrorCode::MissingTarget) if party.way != Way::A => {
                if faults.is_empty() {
                    return vec![Outcome::Broadcast];
                }
                return faults.into_iter().map(Outcome::Refuse).collect();
            }
            to => to,
        };
        let to = match (to, faults.is_empty()) {
            (Ok(to), true) => to,
            (to, _) => {
                faults.extend(to.err());
                return faults.into_iter().map(Outcome::Refuse).collect();
            }
        };
        let bytes = message.raw("data").map_or(0, str::len);
        self.routes(scene, party, mine.as_deref().unwrap_or_default(), to, bytes)
    }

    /// What may come of a signal that is right, from a peer in the network `mine`.
    fn routes(
        &self,
        scene: Scene<'_>,
        party: &Party,
        mine: &str,
        to: Spelling,
        bytes: usize,
    ) -> Vec<Outcome> {
        let to = *to.id();
        let gone = Outcome::Refuse(ErrorCode::TargetNotConnected);
        if party.me.is_some_and(|me| *me.id() == to) {
            // The protocol is silent about signals to oneself.
            return vec![Outcome::Relay(to), Outcome::Refuse(ErrorCode::InvalidMessage)];
        }
        let keeping = self.mailboxes.keeping(scene.now, mine, to, bytes, &self.limits);
        let kept = match keeping {
            Keeping::Yes => vec![Outcome::Mail(to)],
            Keeping::No if self.may_be_remembered(scene.now, mine, to) => vec![gone, Outcome::Mail(to)],
            Keeping::No => vec![gone],
            Keeping::Either => vec![gone, Outcome::Mail(to)],
        };
        let Some((_, other)) = scene.ledger.party_of(to) else { return kept };
        match network_of(scene, other) {
            Some(theirs) if theirs == mine => {
                // Back, but not announced yet: what waits in its mailbox must not be overtaken.
                let waiting = other.network.is_none() && self.mailboxes.has(mine, to);
                if waiting { [vec![Outcome::Relay(to)], kept].concat() } else { vec![Outcome::Relay(to)] }
            }
            Some(_) if other.network.is_some() => vec![Outcome::Refuse(ErrorCode::OtherNetwork)],
            // Connected without having announced: it can be reached within `global`; for others it is elsewhere,
            // or still absent.
            Some(_) => [vec![Outcome::Refuse(ErrorCode::OtherNetwork)], kept].concat(),
            None => vec![gone],
        }
    }
}

/// The network that a peer is in: the announced one, `global` before it announced, none after goodbye.
fn network_of(scene: Scene<'_>, party: &Party) -> Option<String> {
    if party.said_goodbye {
        return None;
    }
    let network = party.network.and_then(|network| scene.ledger.networks.get(&network));
    Some(network.map_or_else(|| "global".to_owned(), |network| network.name.clone()))
}

/// The target of a message, or what is wrong with it.
pub(super) fn target(message: &Message<'_>) -> Result<Spelling, ErrorCode> {
    match message.value("targetPeerId") {
        Value::String(id) if id.is_empty() => Err(ErrorCode::MissingTarget),
        Value::String(id) => Spelling::parse(&id).ok_or(ErrorCode::InvalidMessage),
        Value::Null if message.raw("targetPeerId").is_none_or(|raw| raw == "null") => {
            Err(ErrorCode::MissingTarget)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(ErrorCode::InvalidMessage)
        }
    }
}

/// The id in a field, if there is one; `Err` where it is something else.
fn id(message: &Message<'_>, field: &str) -> Result<Option<Spelling>, ()> {
    match (message.raw(field), message.value(field)) {
        (None | Some("null"), _) => Ok(None),
        (_, Value::String(id)) if id.is_empty() => Ok(None),
        (_, Value::String(id)) => Spelling::parse(&id).map(Some).ok_or(()),
        (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Err(()),
    }
}

/// Whether `targetPeerId` is an id, `null`, or missing.
fn id_or_nothing(message: &Message<'_>) -> bool {
    !matches!(target(message), Err(ErrorCode::InvalidMessage))
}

/// How many links the peer takes that sends this announce.
pub(crate) fn max_peers(message: &Message<'_>) -> usize {
    let asked = match message.value("maxPeers") {
        Value::Number(number) => number.as_f64().map_or(10, |asked| {
            // Clamped, and rounded down.
            (1..=Limits::MAX_PEERS).rev().find(|k| f64::from(*k) <= asked).unwrap_or(1)
        }),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => 10,
    };
    usize::from(asked)
}
