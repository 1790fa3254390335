//! Who is where, as told by the inputs and events of a run: what every law needs to know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peerpigeon_core::{
    AddressKey, CloseReason, ConnId, Departure, Event, Input, NetworkId, Output, PeerId, Spelling, Time,
    WallClock,
};

use serde_json::value::RawValue;

use super::said::{Message, Said};
use super::target;
use crate::host::BOOT;
use crate::scenario::Way;

/// What is known at one moment of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The clock on the wall, once it was set.
    pub(crate) clock: Option<WallClock>,
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
    /// HTTP requests that have not been answered.
    pub(crate) asked: BTreeMap<ConnId, Asked>,
    /// Messages of dialect B that an event has told the end of, and whose acknowledgement is to follow.
    pub(crate) owed: usize,
    /// The address of the last post.
    pub(crate) poster: Option<AddressKey>,
    /// Who has just sent a control frame that nobody had asked for: it counts as a message.
    pub(crate) control: Option<ConnId>,
    /// Who does not read all it is sent at once.
    pub(crate) behind: BTreeMap<ConnId, Behind>,
    /// What the server has sent, and put into inboxes, up to now.
    pub(crate) sent: Sent,
    /// When a deadline was missed last: what a peer said in the meantime may not have been heard yet.
    pub(crate) late: Time,
}

/// Messages from the server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    /// Of the messages, those of which nobody was told how long they are.
    pub(crate) shelved: usize,
    /// Bytes of the last one.
    pub(crate) last: usize,
}

impl Sent {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
        self.last = bytes;
    }
}

/// What waits for a connection, as the driver told and as was sent since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind {
    pub(crate) waiting: usize,
    pub(crate) capacity: usize,
    /// When less waited than before for the last time.
    pub(crate) taken: Time,
}

/// One HTTP request.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// What was posted: who says it, by its own word, for each message; `batch`: in a list.
    Post { speakers: Vec<Option<Spelling>>, batch: bool },
    /// Who is asked for what was sent to whom; `party`: its virtual connection, where there is one.
    Poll { peer: Option<Spelling>, party: Option<ConnId>, at: Time, wait_ms: u64 },
}

/// Whether a connection is not one of the driver's: it stands for a peer that has none.
pub(crate) fn is_virtual(conn: ConnId) -> bool {
    conn.0 >= 1 << 63
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Party {
    /// Its upgrade does not tell what it speaks.
    pub(crate) undecided: bool,
    /// The id in its target, where that is one.
    pub(crate) me: Option<Spelling>,
    pub(crate) way: Way,
    pub(crate) address: Option<AddressKey>,
    pub(crate) stage: Stage,
    pub(crate) opened: Time,
    pub(crate) admitted: Time,
    /// When anything came from it last.
    pub(crate) heard: Time,
    /// Pings since then: the first and the last.
    pub(crate) pinged: Option<(Time, Time)>,
    /// A ping was sent and nothing but messages came since.
    pub(crate) asked: bool,
    /// Control frames that came while it was held.
    pub(crate) controls: u32,
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
    /// Has not told yet who is behind it.
    Unregistered,
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
    /// What the clock on the wall shows, in milliseconds since 1970.
    pub(crate) fn wall(&self, now: Time) -> u64 {
        self.clock.unwrap_or(WallClock::new(BOOT)).at(now).0
    }

    /// The admitted connection of a peer.
    pub(crate) fn party_of(&self, peer: PeerId) -> Option<(ConnId, &Party)> {
        let conn = *self.by_peer.get(&peer)?;
        Some((conn, self.parties.get(&conn)?))
    }

    /// What waits for a peer that does not read all it is sent at once.
    pub(crate) fn behind_of(&self, peer: PeerId) -> Option<Behind> {
        self.behind.get(self.by_peer.get(&peer)?).copied()
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
        self.control = None;
        match *input {
            Input::Opened { conn, target, address, .. } => {
                let unnamed = !target::names_peer(target);
                let party = Party {
                    undecided: unnamed && target.split('?').next() != Some("/signaling"),
                    way: if unnamed { Way::B } else { Way::A },
                    stage: if unnamed { Stage::Unregistered } else { Stage::Fresh },
                    ..Party::new(now, target::peer_id(target), address)
                };
                self.parties.insert(conn, party);
            }
            Input::Text { conn, text } => self.text(now, conn, text),
            Input::Heard { conn } => {
                self.heard(now, conn);
                self.control(conn);
            }
            Input::Closed { conn, .. } => {
                if let Some(Asked::Poll { party: Some(party), .. }) = self.asked.remove(&conn) {
                    self.heard(now, party);
                }
                self.set_stage(conn, Stage::Over);
            }
            Input::Posted { conn, body, address, .. } => self.posted(conn, body, address),
            Input::Polled { conn, target, .. } => self.polled(now, conn, target),
            Input::Drain { until } => self.draining = Some(self.draining.unwrap_or(until).min(until)),
            Input::Backlog { conn, waiting: 0, .. } => {
                self.behind.remove(&conn);
            }
            Input::Backlog { conn, waiting, capacity } => {
                let before = self.behind.get(&conn);
                let taken =
                    before.filter(|before| waiting >= before.waiting).map_or(now, |before| before.taken);
                self.behind.insert(conn, Behind { waiting, capacity, taken });
            }
            Input::ClockSet { wall } => {
                self.clock.get_or_insert(WallClock::new(BOOT)).set(now, wall);
            }
            Input::QueueFull { .. }
            | Input::Adjust { .. }
            | Input::Store { .. }
            | Input::Answered { .. }
            | Input::Bus { .. }
            | Input::Frame { .. }
            | Input::Flush
            | Input::Tick => {}
        }
    }

    fn control(&mut self, conn: ConnId) {
        let Some(party) = self.parties.get_mut(&conn) else { return };
        match party.stage {
            Stage::Held(_) => party.controls += 1,
            Stage::Admitted => self.control = (!core::mem::take(&mut party.asked)).then_some(conn),
            Stage::Unregistered => self.control = Some(conn),
            Stage::Fresh | Stage::Over => {}
        }
    }

    fn posted(&mut self, conn: ConnId, body: &str, address: Option<AddressKey>) {
        let texts = posted_texts(body);
        let batch = texts.is_some();
        let texts = texts.unwrap_or_else(|| vec![body]);
        let speakers: Vec<_> = texts.iter().map(|text| Said::read(text).claimed()).collect();
        self.poster = address;
        for (text, speaker) in texts.into_iter().zip(&speakers) {
            let seat =
                speaker.and_then(|me| self.by_peer.get(me.id()).copied()).filter(|conn| is_virtual(*conn));
            self.texts.push_back((seat.unwrap_or(conn), text.to_owned()));
        }
        self.asked.insert(conn, Asked::Post { speakers, batch });
    }

    /// Whether a request waits for what is sent to this peer without a connection.
    pub(crate) fn is_polled(&self, seat: ConnId) -> bool {
        self.asked.values().any(|asked| matches!(asked, Asked::Poll { party, .. } if *party == Some(seat)))
    }

    fn polled(&mut self, now: Time, conn: ConnId, target: &str) {
        let peer = target::peer_id(target);
        let party = peer.and_then(|peer| self.by_peer.get(peer.id()).copied());
        let party = party.filter(|conn| is_virtual(*conn));
        let wait_ms = target::wait_ms(target);
        self.asked.insert(conn, Asked::Poll { peer, party, at: now, wait_ms });
        if let Some(party) = party {
            self.heard(now, party);
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
            Stage::Unregistered => {
                let said = Said::read(text);
                let register = said.message().is_some_and(Message::is_register);
                match said.claimed().filter(|_| register) {
                    Some(me) => (party.me, party.stage, party.opened) = (Some(me), Stage::Fresh, now),
                    None => self.texts.push_back((conn, text.to_owned())),
                }
            }
            Stage::Fresh | Stage::Over => {}
        }
    }

    /// Takes in an output, after the laws have seen it.
    pub(crate) fn output(&mut self, now: Time, output: &Output<'_>) {
        match *output {
            Output::Ping { conn } => {
                if let Some(party) = self.parties.get_mut(&conn) {
                    party.asked = true;
                    party.pinged = Some((party.pinged.map_or(now, |(first, _)| first), now));
                }
            }
            Output::Close { conn, .. } => self.set_stage(conn, Stage::Over),
            Output::Ask { .. } | Output::Publish { .. } => {}
            Output::Observe(event) => self.event(now, *event),
            Output::Reply { conn, .. } => {
                if let Some(Asked::Poll { party: Some(party), .. }) = self.asked.remove(&conn) {
                    self.heard(now, party);
                }
            }
            Output::Send { conn, text } => {
                self.sent.add(text.len());
                if let Some(behind) = self.behind.get_mut(&conn) {
                    behind.waiting += text.len();
                }
            }
        }
    }

    /// One message of dialect B was acknowledged: all that tells the end of some.
    pub(crate) fn answered(&mut self, now: Time, success: bool) {
        if self.owed > 0 && success {
            self.owed -= 1;
        } else if success {
            self.ended(now);
        }
    }

    /// The message that is being handled has ended.
    fn ended(&mut self, now: Time) {
        if let Some((conn, _)) = self.texts.pop_front().filter(|(conn, _)| is_virtual(*conn)) {
            self.heard(now, conn);
        }
    }

    /// Whether the message that is being handled is one of dialect B of which no event tells the end.
    pub(crate) fn is_silent(&self) -> bool {
        let Some((conn, text)) = self.texts.front() else { return false };
        self.way_of(*conn) != Way::A && Said::read(text).is_silent()
    }

    /// How the messages of a connection are to be read; one that is unknown is a request.
    pub(crate) fn way_of(&self, conn: ConnId) -> Way {
        self.parties.get(&conn).map_or(Way::Http, |party| party.way)
    }

    fn event(&mut self, now: Time, event: Event) {
        match event {
            Event::Held { conn, why } => self.set_stage(conn, Stage::Held(why)),
            Event::Shelved { .. } => {
                self.sent.add(0);
                self.sent.shelved += 1;
            }
            Event::Admitted { conn, peer } => {
                self.set_stage(conn, Stage::Admitted);
                self.by_peer.insert(peer, conn);
                if let Some(party) = self.parties.get_mut(&conn) {
                    party.admitted = now;
                    party.heard = if is_virtual(conn) { now } else { party.heard };
                    self.texts.extend(party.kept.drain(..).map(|text| (conn, text)));
                }
            }
            Event::Gone { conn, .. } => self.gone(conn),
            Event::Announced { conn, peer, network } => self.announced(conn, peer, network),
            Event::Left { peer, network, cause, .. } => self.left(peer, network, cause),
            Event::NetworkClosed { network } => {
                self.networks.remove(&network);
            }
            Event::Relayed { .. }
            | Event::Withheld { .. }
            | Event::PassedOn { .. }
            | Event::Listed { .. }
            | Event::Mailed { .. }
            | Event::Refused { .. }
            | Event::Handled { .. } => {
                if let Event::Handled { conn, verb: peerpigeon_core::Verb::Goodbye } = event
                    && let Some(party) = self.parties.get_mut(&conn)
                {
                    party.said_goodbye = true;
                }
                let refused = matches!(event, Event::Refused { .. });
                if refused || !self.is_silent() {
                    let acknowledged =
                        self.texts.front().is_some_and(|(conn, _)| self.way_of(*conn) != Way::A);
                    self.owed += usize::from(acknowledged && !refused);
                    if let Event::Refused { conn, .. } = event
                        && !self.parties.contains_key(&conn)
                    {
                        // Not understood: nobody has said it.
                        self.texts.pop_front();
                    } else {
                        self.ended(now);
                    }
                }
            }
            Event::Opened { conn } if is_virtual(conn) => self.came_by_post(now, conn),
            Event::Opened { .. }
            | Event::NetworkOpened { .. }
            | Event::Introduced { .. }
            | Event::Struck { .. }
            | Event::Accepted { .. }
            | Event::MailEnded { .. }
            | Event::LetterEnded { .. }
            | Event::ShelfEnded { .. }
            | Event::Limited { .. }
            | Event::Arrived { .. }
            | Event::NodeOpened { .. }
            | Event::NodeClosed { .. }
            | Event::FrameRefused
            | Event::Swept { .. } => {}
        }
    }

    /// A peer that posts for the first time.
    fn came_by_post(&mut self, now: Time, conn: ConnId) {
        let me = self.texts.front().and_then(|(_, text)| Said::read(text).claimed());
        for (speaker, text) in &mut self.texts {
            if me.is_some() && Said::read(text).claimed().map(|one| *one.id()) == me.map(|me| *me.id()) {
                *speaker = conn;
            }
        }
        let party = Party { way: Way::Http, ..Party::new(now, me, self.poster) };
        self.parties.insert(conn, party);
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
            Some(Said::NotJson | Said::NotObject | Said::TooDeep) | None => String::new(),
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

impl Party {
    pub(crate) fn new(now: Time, me: Option<Spelling>, address: Option<AddressKey>) -> Party {
        Party {
            me,
            way: Way::A,
            address,
            stage: Stage::Fresh,
            undecided: false,
            opened: now,
            admitted: now,
            heard: now,
            pinged: None,
            asked: false,
            controls: 0,
            network: None,
            said_goodbye: false,
            entered: false,
            kept: Vec::new(),
        }
    }
}

/// The messages of a batch; `None` where the body is no batch.
pub(crate) fn posted_texts(body: &str) -> Option<Vec<&str>> {
    let message: Message<'_> = serde_json::from_str(body).ok()?;
    let texts: Vec<&RawValue> = serde_json::from_str(message.raw("messages")?).ok()?;
    Some(texts.into_iter().map(RawValue::get).collect())
}
