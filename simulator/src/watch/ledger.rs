//! Who is where, as told by the inputs and events of a run: what every law needs to know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peerpigeon_core::{
    AddressKey, CloseReason, ConnId, Departure, Event, Input, NetworkId, Output, PeerId, Spelling, Time,
};

use super::said::{Message, Said};
use super::target;

/// What is known at one moment of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Every connection that the core knows.
    pub(crate) parties: BTreeMap<ConnId, Party>,
    /// Those that are held.
    pub(crate) held: BTreeSet<ConnId>,
    /// The admitted connection of each peer.
    pub(crate) by_peer: BTreeMap<PeerId, ConnId>,
    /// Announced peers by network.
    pub(crate) networks: BTreeMap<NetworkId, Network>,
    /// Messages that the core is handling, in order: the one of the input, or those of a connection that was
    /// held and has just been let in.
    pub(crate) texts: VecDeque<(ConnId, String)>,
    /// Whether the server is shutting down, and until when.
    pub(crate) draining: Option<Time>,
    /// When a deadline was missed last: what a peer said in the meantime may not have been heard yet.
    pub(crate) late: Time,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Party {
    /// The id in its target, where that is one.
    pub(crate) me: Option<Spelling>,
    pub(crate) address: Option<AddressKey>,
    pub(crate) stage: Stage,
    pub(crate) opened: Time,
    pub(crate) admitted: Time,
    /// When anything came from it last.
    pub(crate) heard: Time,
    /// Pings since then: the first and the last.
    pub(crate) pinged: Option<(Time, Time)>,
    /// Where it is announced.
    pub(crate) network: Option<NetworkId>,
    pub(crate) said_goodbye: bool,
    /// It was held or let in at some time.
    pub(crate) entered: bool,
    /// What it said while it was held.
    pub(crate) kept: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Known, but neither held nor let in.
    Fresh,
    Held(CloseReason),
    Admitted,
    /// The core has closed it, or the driver has said that it is over.
    Over,
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) name: String,
    pub(crate) members: BTreeSet<PeerId>,
}

impl Ledger {
    /// The admitted connection of a peer.
    pub(crate) fn party_of(&self, peer: PeerId) -> Option<(ConnId, &Party)> {
        let conn = *self.by_peer.get(&peer)?;
        Some((conn, self.parties.get(&conn)?))
    }

    pub(crate) fn peer_at(&self, conn: ConnId) -> Option<PeerId> {
        let party = self.parties.get(&conn)?;
        (party.stage == Stage::Admitted).then_some(*party.me.as_ref()?.id())
    }

    /// The network whose name a frame for this connection must carry.
    pub(crate) fn network_name(&self, conn: ConnId) -> &str {
        let network = self.parties.get(&conn).and_then(|party| party.network);
        network.and_then(|network| self.networks.get(&network)).map_or("global", |network| &network.name)
    }

    /// The held connections.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (ConnId, &Party)> {
        self.held.iter().filter_map(|conn| Some((*conn, self.parties.get(conn)?)))
    }

    /// How many connections are such.
    pub(crate) fn count(&self, wanted: impl Fn(&Party) -> bool) -> usize {
        self.parties.values().filter(|party| wanted(party)).count()
    }

    pub(crate) fn input(&mut self, now: Time, input: &Input<'_>) {
        match *input {
            Input::Opened { conn, target, address, .. } => {
                let party = Party {
                    me: target::peer_id(target),
                    address,
                    stage: Stage::Fresh,
                    opened: now,
                    admitted: now,
                    heard: now,
                    pinged: None,
                    network: None,
                    said_goodbye: false,
                    entered: false,
                    kept: Vec::new(),
                };
                self.parties.insert(conn, party);
            }
            Input::Text { conn, text } => self.text(now, conn, text),
            Input::Heard { conn } => self.heard(now, conn),
            Input::Closed { conn, .. } => self.set_stage(conn, Stage::Over),
            Input::Drain { until } => self.draining = Some(self.draining.unwrap_or(until).min(until)),
            Input::Posted { .. }
            | Input::Polled { .. }
            | Input::QueueFull { .. }
            | Input::Adjust { .. }
            | Input::Tick => {}
        }
    }

    fn heard(&mut self, now: Time, conn: ConnId) {
        if let Some(party) = self.parties.get_mut(&conn) {
            party.heard = now;
            party.pinged = None;
        }
    }

    fn text(&mut self, now: Time, conn: ConnId, text: &str) {
        self.heard(now, conn);
        let Some(party) = self.parties.get_mut(&conn) else { return };
        match party.stage {
            Stage::Held(_) => party.kept.push(text.to_owned()),
            Stage::Admitted => self.texts.push_back((conn, text.to_owned())),
            Stage::Fresh | Stage::Over => {}
        }
    }

    /// Takes in an output, after the laws have seen it.
    pub(crate) fn output(&mut self, now: Time, output: &Output<'_>) {
        match *output {
            Output::Ping { conn } => {
                if let Some(party) = self.parties.get_mut(&conn) {
                    party.pinged = Some((party.pinged.map_or(now, |(first, _)| first), now));
                }
            }
            Output::Close { conn, .. } => self.set_stage(conn, Stage::Over),
            Output::Observe(event) => self.event(now, event),
            Output::Send { .. } | Output::Reply { .. } => {}
        }
    }

    fn event(&mut self, now: Time, event: Event) {
        match event {
            Event::Held { conn, why } => self.set_stage(conn, Stage::Held(why)),
            Event::Admitted { conn, peer } => {
                self.set_stage(conn, Stage::Admitted);
                self.by_peer.insert(peer, conn);
                if let Some(party) = self.parties.get_mut(&conn) {
                    party.admitted = now;
                    self.texts.extend(party.kept.drain(..).map(|text| (conn, text)));
                }
            }
            Event::Gone { conn, .. } => self.gone(conn),
            Event::Announced { conn, peer, network } => self.announced(conn, peer, network),
            Event::Left { peer, network, cause, .. } => self.left(peer, network, cause),
            Event::NetworkClosed { network } => {
                self.networks.remove(&network);
            }
            Event::Relayed { .. } | Event::Mailed { .. } | Event::Refused { .. } | Event::Handled { .. } => {
                if let Event::Handled { conn, verb: peerpigeon_core::Verb::Goodbye } = event
                    && let Some(party) = self.parties.get_mut(&conn)
                {
                    party.said_goodbye = true;
                }
                self.texts.pop_front();
            }
            Event::Opened { .. }
            | Event::NetworkOpened { .. }
            | Event::Introduced { .. }
            | Event::Accepted { .. }
            | Event::MailEnded { .. }
            | Event::Shelved { .. }
            | Event::ShelfEnded { .. }
            | Event::Swept { .. } => {}
        }
    }

    fn set_stage(&mut self, conn: ConnId, stage: Stage) {
        self.held.remove(&conn);
        if let Stage::Held(_) = stage {
            self.held.insert(conn);
        }
        if let Some(party) = self.parties.get_mut(&conn) {
            party.stage = stage;
            party.entered |= stage != Stage::Over;
        }
    }

    fn gone(&mut self, conn: ConnId) {
        self.texts.retain(|(speaker, _)| *speaker != conn);
        let Some(party) = self.parties.remove(&conn) else { return };
        if let Some(me) = party.me
            && self.by_peer.get(me.id()) == Some(&conn)
        {
            self.by_peer.remove(me.id());
        }
    }

    fn announced(&mut self, conn: ConnId, peer: PeerId, network: NetworkId) {
        let said = self.texts.front().map(|(_, text)| text.as_str()).map(Said::read);
        let name = match said {
            Some(Said::Message(message)) => Message::network(&message).unwrap_or_default(),
            Some(Said::NotJson | Said::NotObject) | None => String::new(),
        };
        let entry = self.networks.entry(network);
        entry.or_insert_with(|| Network { name, members: BTreeSet::new() }).members.insert(peer);
        if let Some(party) = self.parties.get_mut(&conn) {
            party.network = Some(network);
            party.said_goodbye = false;
        }
    }

    fn left(&mut self, peer: PeerId, network: NetworkId, cause: Departure) {
        if let Some(network) = self.networks.get_mut(&network) {
            network.members.remove(&peer);
        }
        if let Some(party) = self.by_peer.get(&peer).and_then(|conn| self.parties.get_mut(conn)) {
            party.network = None;
            party.said_goodbye |= cause == Departure::Goodbye;
        }
    }
}
