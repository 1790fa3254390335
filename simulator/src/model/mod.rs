//! The reference model: what the protocol says comes of every message, slow and obvious.
//!
//! Written from the protocol, never from the core's source. Where the protocol leaves something open, the model
//! takes in what the core does and holds it to the consequences.

mod frames;
mod introductions;
mod links;
mod mail;
mod outcome;
mod pace;
mod shelf;
mod signals;

use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_core::{
    AddressKey, CloseReason, ConnId, Departure, ErrorCode, Event, Input, Limits, MailEnd, NetworkId, PeerId,
    Signal, Spelling, Time, Verb,
};

use crate::client::Frame;
use crate::laws::{Law, Rest, Scene, Verdict, demand};
use crate::watch::{Answer, Said, Sent, is_virtual, peer_id};
use frames::{Ack, Frames, Told};
use introductions::Introductions;
use mail::{Mail, Mailboxes};
use outcome::Outcome;
use pace::Pace;

pub(crate) use outcome::max_peers;

/// The protocol as a law.
#[derive(Debug)]
pub(crate) struct Model {
    limits: Limits,
    paces: BTreeMap<ConnId, Pace>,
    /// What the peers of each address may send together.
    addresses: BTreeMap<AddressKey, Pace>,
    limits_of_address: Limits,
    mailboxes: Mailboxes,
    /// Peers that left without having announced: whether the server remembers them is left open.
    unannounced: BTreeMap<PeerId, Time>,
    introductions: Introductions,
    frames: Frames,
    /// What may come of the message that is being handled.
    current: Option<Current>,
    /// Who has sent a control frame that counts as a message, and whether it may be refused and may pass.
    control: Option<(ConnId, (bool, bool))>,
}

#[derive(Debug)]
struct Current {
    conn: ConnId,
    text: String,
    outcomes: Vec<Outcome>,
    /// It may be refused for the rate limit, and it may pass it.
    limited: (bool, bool),
    /// It was told as accepted.
    accepted: Option<(PeerId, Signal)>,
    /// Its speaker has announced itself, and left its network.
    announced: bool,
    left: bool,
    /// What had been sent when the first thing came of it that makes the server send something.
    before: Option<Sent>,
    /// What was sent since that others have paid for.
    mail: Sent,
    /// Of a refusal, that its target was told to forget its sender.
    struck: bool,
    /// Of a signal to all acquaintances, those who have not got it yet.
    audience: Option<BTreeSet<PeerId>>,
}

impl Current {
    /// How many messages and bytes it costs, and how many bytes more it may cost: it counts as much as what the server has sent
    /// for it, if that is more than itself.
    fn cost(&self, sent: Sent, is_refused: bool, limits: &Limits) -> (usize, usize, usize) {
        let before = self.before.filter(|_| !is_refused).unwrap_or(sent);
        let since = |all: usize, before: usize, mail: usize| all - before - mail;
        let messages = since(sent.messages, before.messages, self.mail.messages);
        let bytes = since(sent.bytes, before.bytes, self.mail.bytes);
        let shelved = since(sent.shelved, before.shelved, self.mail.shelved);
        let longest = self.text.len() + limits.announced_data_bytes as usize + BESIDE_DATA;
        (messages.max(1), bytes.max(self.text.len()), BESIDE_DATA + shelved * longest)
    }

    /// Who reads so slowly that this signal to it may be refused with this code.
    fn too_slow(&self, scene: Scene<'_>, code: ErrorCode) -> Option<PeerId> {
        let Said::Message(message) = Said::read(&self.text) else { return None };
        let to = *outcome::target(&message).ok()?.id();
        let behind = scene.ledger.behind_of(to)?;
        // Half of what signals leave free, which is a quarter.
        let much = behind.waiting + self.text.len() + BESIDE_DATA > behind.capacity * 3 / 8;
        let fits = code == ErrorCode::RateLimited && self.accepted.is_some() && much;
        (fits && self.outcomes.contains(&Outcome::Relay(to))).then_some(to)
    }
}

/// A signal has no more than this beside its data.
const BESIDE_DATA: usize = 2_048;

impl Model {
    pub(crate) fn new(limits: Limits) -> Model {
        Model {
            paces: BTreeMap::new(),
            addresses: BTreeMap::new(),
            limits_of_address: pace::of_address(&limits),
            mailboxes: Mailboxes::default(),
            unannounced: BTreeMap::new(),
            introductions: Introductions::new(limits.clone()),
            frames: Frames::default(),
            current: None,
            control: None,
            limits,
        }
    }

    /// Whether the server may remember a peer that never announced, or was in `global` only so.
    fn may_be_remembered(&self, now: Time, network: &str, peer: PeerId) -> bool {
        let recent = |left: &Time| now.since(*left) <= self.limits.message_ttl_ms;
        network == "global" && self.unannounced.get(&peer).is_some_and(recent)
    }

    /// Looks at the message that is handled next, before anything comes of it.
    fn begin(&mut self, scene: Scene<'_>) {
        let Some((conn, text)) = scene.ledger.texts.front() else { return };
        if self.current.is_none() {
            let limited = self.look(scene, *conn, text.len());
            let outcomes = self.outcomes(scene, *conn, text);
            let broadcast = outcomes.contains(&Outcome::Broadcast);
            let audience = || scene.ledger.peer_at(*conn).map(|peer| self.introductions.acquaintances(peer));
            self.current = Some(Current {
                conn: *conn,
                text: text.clone(),
                audience: broadcast.then(|| audience().unwrap_or_default()),
                outcomes,
                limited,
                accepted: None,
                announced: false,
                left: false,
                before: None,
                mail: Sent::default(),
                struck: false,
            });
        }
    }

    /// The message that is being handled ends so.
    fn end(&mut self, scene: Scene<'_>, outcome: Outcome) -> Result<Current, String> {
        let Some(current) = self.current.take() else { return Err(format!("{outcome:?} of no message")) };
        let (may_refuse, may_pass) = current.limited;
        let limited = outcome == Outcome::Refuse(ErrorCode::RateLimited);
        let fits = if limited { may_refuse } else { may_pass && current.outcomes.contains(&outcome) };
        let text = current.text.get(..300).unwrap_or(&current.text);
        demand!(
            fits,
            "{outcome:?} of {text}, allowed is {:?} (limited {:?})",
            current.outcomes,
            current.limited
        );
        if !limited {
            let is_refused = matches!(outcome, Outcome::Refuse(_));
            let cost = current.cost(scene.ledger.sent, is_refused, &self.limits);
            self.spend(scene, current.conn, cost);
        }
        Ok(current)
    }

    /// Whether a message of so many bytes may be refused now for the rates of its sender and of its address, and whether it may
    /// pass.
    fn look(&mut self, scene: Scene<'_>, conn: ConnId, bytes: usize) -> (bool, bool) {
        let own = self.paces.get_mut(&conn).map(|pace| pace.look(bytes, scene.now, &self.limits));
        let limits = &self.limits_of_address;
        let address = scene.ledger.parties.get(&conn).and_then(|party| party.address).map(|address| {
            let pace = self.addresses.entry(address).or_insert_with(|| Pace::new(scene.now, limits));
            pace.look(bytes, scene.now, limits)
        });
        let looks = own.into_iter().chain(address);
        looks.fold((false, true), |all, one| (all.0 || one.0, all.1 && one.1))
    }

    /// A sender and its address pay.
    fn spend(&mut self, scene: Scene<'_>, conn: ConnId, (messages, bytes, doubt): (usize, usize, usize)) {
        let address = scene.ledger.parties.get(&conn).and_then(|party| party.address);
        let address = address.and_then(|address| self.addresses.get_mut(&address));
        let paces = self.paces.get_mut(&conn).into_iter().chain(address);
        paces.for_each(|pace| pace.spend(messages, bytes, doubt));
    }

    fn announced(&mut self, scene: Scene<'_>, conn: ConnId, peer: PeerId, network: NetworkId) -> Verdict {
        let Some(current) = self.current.as_mut().filter(|current| current.conn == conn) else {
            return Err(format!("{peer} was announced without saying so"));
        };
        let Said::Message(message) = Said::read(&current.text) else { return Ok(()) };
        let name = message.network().unwrap_or_default();
        if let Some(known) = scene.ledger.networks.get(&network) {
            demand!(known.name == name, "{peer} announced itself in `{name}` and got into `{}`", known.name);
        } else {
            let open = scene.ledger.networks.values().any(|other| other.name == name);
            demand!(!open, "{peer} announced itself in `{name}`, of which there is another one");
        }
        current.announced = true;
        current.before.get_or_insert(scene.ledger.sent);
        self.unannounced.remove(&peer);
        self.mailboxes.came_back(&name, peer);
        let (links, data) = (outcome::max_peers(&message), message.value("data"));
        if let Some(me) = scene.ledger.parties.get(&conn).and_then(|party| party.me) {
            self.introductions.announced(scene.now, me, network, links);
        }
        self.frames.announced(peer, data);
        Ok(())
    }

    fn left(
        &mut self,
        scene: Scene<'_>,
        peer: PeerId,
        network: NetworkId,
        cause: Departure,
        told: u32,
    ) -> Verdict {
        let known = scene.ledger.networks.get(&network).filter(|network| network.members.contains(&peer));
        let Some(known) = known else { return Err(format!("{peer} left {network:?}, where it was not")) };
        if let Some(current) = &mut self.current
            && scene.ledger.peer_at(current.conn) == Some(peer)
        {
            current.left = true;
            current.before.get_or_insert(scene.ledger.sent);
        }
        match cause {
            Departure::Goodbye | Departure::Moved => {}
            Departure::Lost(_) | Departure::Closed(_) => {
                self.mailboxes.dropped_out(scene.now, &known.name, peer, &self.limits);
            }
        }
        let acquaintances = self.introductions.left(scene.now, peer, cause);
        demand!(
            usize::try_from(told) == Ok(acquaintances.len()),
            "{peer} left, {told} were told, {} knew it",
            acquaintances.len()
        );
        if let (Some((conn, _)), Departure::Lost(_) | Departure::Closed(_)) =
            (scene.ledger.party_of(peer), cause)
        {
            // Its address pays for what others are told.
            self.look(scene, conn, 0);
            let told = acquaintances.len();
            self.spend(scene, conn, (told, told * 150, told * BESIDE_DATA));
        }
        self.frames.left(scene, peer, cause, &acquaintances);
        Ok(())
    }

    fn gone(&mut self, scene: Scene<'_>, conn: ConnId, peer: Option<PeerId>, cause: Departure) -> Verdict {
        self.paces.remove(&conn);
        self.frames.shelves.gone(conn);
        let limited = cause == Departure::Closed(CloseReason::RateLimitExceeded);
        if let Some((_, (may_refuse, _))) = self.control.take_if(|(who, _)| *who == conn) {
            demand!(!limited || may_refuse, "{conn:?} was closed for its rate, which was allowed");
        }
        if let Some(current) = self.current.take_if(|current| current.conn == conn) {
            let fits = !limited || current.limited.0;
            demand!(fits, "{conn:?} was closed for its rate, which was allowed");
        }
        let admitted = peer.and_then(|peer| scene.ledger.party_of(peer)).filter(|(owner, _)| *owner == conn);
        if let (Some(peer), Some((_, party))) = (peer, admitted)
            && !party.said_goodbye
        {
            self.unannounced.insert(peer, scene.now);
        }
        Ok(())
    }

    fn mail_ended(&mut self, scene: Scene<'_>, to: PeerId, end: MailEnd) -> Verdict {
        let (speaker, other) = self.cleaning(scene);
        let wanted = wanted_by(speaker, other);
        let mail = self.mailboxes.end(scene.now, to, end, &self.limits, &wanted)?;
        if end == MailEnd::Delivered {
            if let Some(current) = &mut self.current {
                let bytes = scene.ledger.sent.last;
                current.mail.messages += 1;
                current.mail.bytes += bytes;
                current.mail.shelved += usize::from(bytes == 0);
            }
            if scene.ledger.by_peer.contains_key(&to) {
                self.frames.signal(scene, to, mail.from, mail.signal, mail.data);
            } else {
                self.frames.handed(to, mail.from, mail.signal, mail.data);
            }
        }
        Ok(())
    }

    /// Who asks for a cleanup now, and with whom; `None` for everybody.
    fn cleaning(&self, scene: Scene<'_>) -> (Option<PeerId>, Option<PeerId>) {
        let Some(current) = &self.current else { return (None, None) };
        let speaker = scene.ledger.peer_at(current.conn);
        let Said::Message(message) = Said::read(&current.text) else { return (None, None) };
        if current.outcomes.contains(&Outcome::Handle(Verb::CleanupAll)) {
            return (speaker, None);
        }
        let cleans = current.outcomes.contains(&Outcome::Handle(Verb::Cleanup));
        let other = outcome::target(&message).ok().filter(|_| cleans).map(|other| *other.id());
        (speaker.filter(|_| cleans), other)
    }

    fn handled(&mut self, scene: Scene<'_>, conn: ConnId, verb: Verb) -> Verdict {
        let (speaker, other) = self.cleaning(scene);
        let current = self.end(scene, Outcome::Handle(verb))?;
        self.frames.owe(scene, conn, Ack::Done);
        let Some(party) = scene.ledger.parties.get(&conn) else { return Ok(()) };
        let Some(me) = party.me.map(|me| *me.id()) else { return Ok(()) };
        match verb {
            Verb::Announce => {
                demand!(current.announced, "{me} announced itself and nothing came of it");
                self.mailboxes.settled()?;
                self.mailboxes.forget(me)?;
            }
            Verb::Goodbye => {
                demand!(party.network.is_none(), "{me} said goodbye and is still there");
                self.mailboxes.forget(me)?;
                self.unannounced.remove(&me);
            }
            Verb::Ping => self.frames.pong(conn),
            Verb::Discover => return Err(format!("{me} discovered others in a dialect without that")),
            Verb::Cleanup | Verb::CleanupAll => {
                let left = self.mailboxes.count(&wanted_by(speaker, other));
                demand!(left == 0, "{me} cleaned up and {left} of its mails are kept");
            }
        }
        Ok(())
    }
}

/// Which mails a cleanup by `speaker` asks for.
fn wanted_by(speaker: Option<PeerId>, other: Option<PeerId>) -> impl Fn(PeerId, &Mail) -> bool {
    move |to, mail| match (speaker, other) {
        (Some(me), Some(other)) => (mail.from == me && to == other) || (mail.from == other && to == me),
        (Some(me), None) => mail.from == me,
        (None, _) => false,
    }
}

impl Law for Model {
    fn name(&self) -> &'static str {
        "protocol model"
    }

    fn input(&mut self, scene: Scene<'_>, input: &Input<'_>, _: Option<&Said<'_>>) -> Verdict {
        if let Input::Polled { target, .. } = *input
            && let Some(peer) = peer_id(target).filter(|peer| !scene.ledger.by_peer.contains_key(peer.id()))
        {
            self.mailboxes.asked_for(*peer.id());
        }
        // A control frame of whoever has not registered counts against its address.
        if let Some(conn) = scene.ledger.control.filter(|conn| !self.paces.contains_key(conn))
            && self.look(scene, conn, 0).1
        {
            self.spend(scene, conn, (1, 0, 0));
        }
        let control = scene.ledger.control.filter(|conn| self.paces.contains_key(conn));
        self.control = control.map(|conn| (conn, self.look(scene, conn, 0)));
        self.introductions.pass(scene.now);
        for conn in scene.ledger.behind.keys() {
            scene
                .ledger
                .peer_at(*conn)
                .into_iter()
                .for_each(|peer| self.introductions.behind(scene.now, peer));
        }
        self.begin(scene);
        Ok(())
    }

    fn sent(&mut self, _: Scene<'_>, conn: ConnId, frame: &Frame<'_>) -> Verdict {
        self.frames.sent(conn, frame)
    }

    fn answered(&mut self, scene: Scene<'_>, conn: Option<ConnId>, answer: &Answer<'_>) -> Verdict {
        self.frames.answered(conn, answer);
        if !answer.success || scene.ledger.owed > 0 {
            return Ok(());
        }
        // No event tells the end of this message.
        self.begin(scene);
        let broadcast = self.current.as_ref().is_some_and(|current| current.audience.is_some());
        let current = self.end(scene, if broadcast { Outcome::Broadcast } else { Outcome::Register })?;
        let in_time = |peer: &PeerId| scene.ledger.behind_of(*peer).is_none();
        let left = current.audience.filter(|audience| audience.iter().any(in_time));
        demand!(left.is_none(), "a signal to all acquaintances did not go to {left:?}");
        self.frames.owe(scene, current.conn, Ack::Done);
        Ok(())
    }

    fn fetched(&mut self, _: Scene<'_>, me: Spelling, party: Option<ConnId>, frame: &Frame<'_>) -> Verdict {
        self.frames.shelves.fetched(*me.id(), party, frame.timestamp, Told::read(frame)?);
        Ok(())
    }

    fn event(&mut self, scene: Scene<'_>, event: Event) -> Verdict {
        self.begin(scene);
        match event {
            Event::Admitted { conn, .. } => {
                self.paces.insert(conn, Pace::new(scene.now, &self.limits));
                self.frames.admitted(conn);
            }
            Event::Announced { conn, peer, network } => self.announced(scene, conn, peer, network)?,
            Event::Introduced { newcomer, other, occasion } => {
                // What a message causes, and not a deadline that came before it.
                let announcing = self.current.as_ref().is_some_and(|current| current.announced);
                self.introductions.introduced(scene, (newcomer, other), occasion, announcing)?;
                self.frames.introduced(scene, newcomer, other);
            }
            Event::Struck { peer, of } => self.struck(scene, peer, of)?,
            Event::Withheld { from, to, .. } => self.withheld(scene, from, to)?,
            Event::Left { peer, network, cause, told } => self.left(scene, peer, network, cause, told)?,
            Event::Gone { conn, peer, cause } => self.gone(scene, conn, peer, cause)?,
            Event::Accepted { from, signal, .. } => {
                if let Some(current) = &mut self.current {
                    current.accepted = Some((from, signal));
                    current.before.get_or_insert(scene.ledger.sent);
                }
            }
            Event::Relayed { from, to, signal, .. } => self.relayed(scene, from, to, signal)?,
            Event::Mailed { from, to } => self.mailed(scene, from, to)?,
            Event::MailEnded { to, end } => self.mail_ended(scene, to, end)?,
            Event::Refused { conn, code } => self.refused(scene, conn, code)?,
            Event::Handled { conn, verb } => self.handled(scene, conn, verb)?,
            Event::NetworkOpened { network } => {
                let known = scene.ledger.networks.contains_key(&network);
                demand!(!known, "{network:?} was opened twice");
            }
            Event::NetworkClosed { network } => {
                let left = scene.ledger.networks.get(&network).map(|network| network.members.len());
                demand!(left == Some(0), "{network:?} was closed with {left:?} members");
            }
            Event::Opened { conn } => {
                // Whoever posts for the first time gets a place before its message is handled.
                if let Some(current) = self.current.as_mut().filter(|_| is_virtual(conn)) {
                    current.conn = conn;
                }
            }
            Event::Shelved { to } => {
                if let Some((conn, _)) = scene.ledger.party_of(to) {
                    self.frames.shelves.shelved(conn);
                }
            }
            Event::ShelfEnded { to, end } => {
                if let Some((conn, _)) = scene.ledger.party_of(to) {
                    self.frames.shelves.ended(conn, end)?;
                }
            }
            Event::PassedOn { .. } | Event::Listed { .. } => {
                return Err("somebody speaks PSP here".into());
            }
            Event::LetterEnded { .. } => return Err("there is no store here".into()),
            Event::Held { .. }
            | Event::Limited { .. }
            | Event::Swept { .. }
            // A server of its own.
            | Event::Arrived { .. }
            | Event::NodeOpened { .. }
            | Event::NodeClosed { .. }
            | Event::FrameRefused => {}
        }
        Ok(())
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        let silent = self.current.take().map(|current| current.text);
        demand!(silent.is_none(), "nothing came of {silent:?}");
        if let Some((conn, (_, may_pass))) = self.control.take() {
            demand!(may_pass, "{conn:?} sent one frame more than its rate allows");
            self.spend(scene, conn, (1, 0, 0));
        }
        self.frames.settled(scene)?;
        self.mailboxes.settled()?;
        if rest.thorough { self.introductions.in_time(scene) } else { Ok(()) }
    }

    fn calm(&mut self, scene: Scene<'_>, _: &Rest) -> Verdict {
        self.introductions.in_time(scene)
    }
}
