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

use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_core::{
    CloseReason, ConnId, Departure, ErrorCode, Event, Input, Limits, MailEnd, NetworkId, PeerId, Signal,
    Spelling, Time, Verb,
};

use crate::client::Frame;
use crate::laws::{Law, Rest, Scene, Verdict, demand};
use crate::scenario::Way;
use crate::watch::{Answer, Said, is_virtual, peer_id};
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
    /// How many messages to others it caused that count.
    caused: u64,
    /// Of a refusal, that its target was told to forget its sender.
    struck: bool,
    /// Of a signal to all acquaintances, those who have not got it yet.
    audience: Option<BTreeSet<PeerId>>,
}

impl Model {
    pub(crate) fn new(limits: Limits) -> Model {
        Model {
            paces: BTreeMap::new(),
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
            let limited = self.paces.get_mut(conn).map(|pace| pace.look(text.len(), scene.now, &self.limits));
            let outcomes = self.outcomes(scene, *conn, text);
            let broadcast = outcomes.contains(&Outcome::Broadcast);
            let audience = || scene.ledger.peer_at(*conn).map(|peer| self.introductions.acquaintances(peer));
            self.current = Some(Current {
                conn: *conn,
                text: text.clone(),
                audience: broadcast.then(|| audience().unwrap_or_default()),
                outcomes,
                limited: limited.unwrap_or((false, true)),
                accepted: None,
                announced: false,
                left: false,
                caused: 0,
                struck: false,
            });
        }
    }

    /// What the signal that is being handled is, if it is a refusal: whether its sender says that it is full.
    fn refusal(&self) -> Option<bool> {
        let current = self.current.as_ref()?;
        let said = Said::read(&current.text);
        let (signal, message) = said.signal()?;
        let out_of_turn = message.value("data")["reason"] == "initiator_role_conflict";
        (signal == Signal::ConnectionRejected).then_some(!out_of_turn)
    }

    /// A peer was told to forget another: that one refused its offer, or the other way round, so that it listens.
    fn struck(&mut self, scene: Scene<'_>, peer: PeerId, of: PeerId) -> Verdict {
        let by_full = self.refusal();
        let Some(current) = self.current.as_mut() else {
            return Err(format!("{peer} was told to forget {of}"));
        };
        let from = current.accepted.map(|(from, _)| from);
        let (Some(from), Some(by_full)) = (from, by_full) else {
            return Err(format!("{peer} was told to forget {of} for no refusal"));
        };
        let turn = !by_full && from == peer && current.struck;
        demand!(
            turn || (from == of && !current.struck),
            "{peer} was told to forget {of} by a refusal of {from}"
        );
        let crosses = !by_full && !turn && self.introductions.crosses(from, peer, scene.now);
        demand!(!crosses, "a refusal of {from} to {peer}, which it is dialling itself, was not withheld");
        current.struck = true;
        current.caused += 1;
        self.introductions.struck(peer, of, by_full, scene.now);
        self.frames.struck(scene, peer, of);
        Ok(())
    }

    /// A refusal did not go to its target.
    fn withheld(&mut self, scene: Scene<'_>, from: PeerId, to: PeerId) -> Verdict {
        demand!(self.refusal() == Some(false), "a signal of {from} to {to} was withheld");
        demand!(
            self.introductions.crosses(from, to, scene.now),
            "a refusal of {from} crosses with no offer of it"
        );
        let current = self.end(Outcome::Relay(to))?;
        self.frames.owe(scene, current.conn, Ack::Done);
        Ok(())
    }

    /// The message that is being handled ends so.
    fn end(&mut self, outcome: Outcome) -> Result<Current, String> {
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
        if !limited && let Some(pace) = self.paces.get_mut(&current.conn) {
            let times =
                1 + current.audience.as_ref().map_or(0, |_| usize::try_from(current.caused).unwrap_or(0));
            pace.spend(current.text.len() * times, current.caused);
        }
        Ok(current)
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
        let current = self.end(Outcome::Handle(verb))?;
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
            Verb::Cleanup | Verb::CleanupAll => {
                let left = self.mailboxes.count(&wanted_by(speaker, other));
                demand!(left == 0, "{me} cleaned up and {left} of its mails are kept");
            }
        }
        Ok(())
    }

    fn mailed(&mut self, scene: Scene<'_>, from: PeerId, to: PeerId) -> Verdict {
        let current = self.end(Outcome::Mail(to))?;
        self.frames.owe(scene, current.conn, Ack::Queued);
        demand!(
            current.accepted.is_some_and(|(who, _)| who == from),
            "a signal of {from} was mailed unheard"
        );
        let said = Said::read(&current.text);
        let Some((signal, message)) = said.signal() else { return Ok(()) };
        let data = message.raw("data").map(str::to_owned);
        let network = scene.ledger.network_name(current.conn).to_owned();
        self.mailboxes.put(&network, to, Mail { from, signal, data, at: scene.now });
        Ok(())
    }

    fn relayed(&mut self, scene: Scene<'_>, from: PeerId, to: PeerId, signal: Signal) -> Verdict {
        if let Some(current) = self.current.as_mut()
            && let Some(audience) = &mut current.audience
        {
            demand!(
                audience.remove(&to),
                "a signal of {from} to its acquaintances went to {to}, too, or twice"
            );
            demand!(
                current.accepted.take() == Some((from, signal)),
                "{signal:?} of {from} was relayed unheard"
            );
            current.caused += 1;
            let said = Said::read(&current.text);
            let data = said.signal().and_then(|(_, message)| message.raw("data")).map(str::to_owned);
            self.frames.signal(scene, to, from, signal, data);
            return Ok(());
        }
        let refusal = self.refusal();
        let here = refusal.is_some() && from != to && self.introductions.are_here(from, to);
        let told = !here || self.current.as_ref().is_some_and(|current| current.struck);
        demand!(told, "{to} was refused by {from} and not told to forget it");
        self.introductions.relayed(from, to, signal, scene.now);
        let current = self.end(Outcome::Relay(to))?;
        self.frames.owe(scene, current.conn, Ack::Done);
        demand!(current.accepted == Some((from, signal)), "{signal:?} of {from} was relayed unheard");
        let said = Said::read(&current.text);
        let data = said.signal().and_then(|(_, message)| message.raw("data")).map(str::to_owned);
        self.frames.signal(scene, to, from, signal, data);
        Ok(())
    }

    fn refused(&mut self, scene: Scene<'_>, conn: ConnId, code: ErrorCode) -> Verdict {
        if let Some((_, (may_refuse, _))) = self.control.take_if(|(who, _)| *who == conn) {
            demand!(
                may_refuse && code == ErrorCode::RateLimited,
                "a frame of {conn:?} was refused: {code:?}"
            );
            self.frames.refused(scene, conn, code, None, false);
            return Ok(());
        }
        let posted = scene.ledger.way_of(conn) == Way::Http && !is_virtual(conn);
        if let Some(current) = self.current.as_mut().filter(|_| posted) {
            // Not understood, so that nobody is charged for it.
            (current.conn, current.limited) = (conn, (false, true));
        }
        let current = self.end(Outcome::Refuse(code))?;
        let unmoved = !current.announced && !current.left;
        demand!(unmoved, "a refused message moved its sender: {}", current.text);
        let said = Said::read(&current.text);
        let dialled = said
            .signal()
            .filter(|(signal, _)| *signal == Signal::Offer && code == ErrorCode::TargetNotConnected);
        let absent = dialled.and_then(|(_, message)| outcome::target(message).ok());
        let network = scene.ledger.network_name(conn);
        let remembered = absent.is_some_and(|absent| self.mailboxes.has(network, *absent.id()));
        self.frames.refused(scene, conn, code, absent, remembered);
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
        self.control = scene.ledger.control.and_then(|conn| {
            let pace = self.paces.get_mut(&conn)?;
            Some((conn, pace.look(0, scene.now, &self.limits)))
        });
        self.introductions.pass(scene.now);
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
        let current = self.end(if broadcast { Outcome::Broadcast } else { Outcome::Register })?;
        let left = current.audience.filter(|audience| !audience.is_empty());
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
                let handled =
                    self.current.as_mut().filter(|current| current.announced || current.accepted.is_some());
                let announcing = handled.as_ref().is_some_and(|current| current.announced);
                if let Some(current) = handled {
                    current.caused += 2;
                }
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
            Event::Held { .. } | Event::Limited { .. } | Event::Swept { .. } => {}
        }
        Ok(())
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        let silent = self.current.take().map(|current| current.text);
        demand!(silent.is_none(), "nothing came of {silent:?}");
        if let Some((conn, (_, may_pass))) = self.control.take() {
            demand!(may_pass, "{conn:?} sent one frame more than its rate allows");
            if let Some(pace) = self.paces.get_mut(&conn) {
                pace.spend(0, 0);
            }
        }
        self.frames.settled(scene)?;
        self.mailboxes.settled()?;
        if rest.thorough { self.introductions.in_time(scene) } else { Ok(()) }
    }

    fn calm(&mut self, scene: Scene<'_>, _: &Rest) -> Verdict {
        self.introductions.in_time(scene)
    }
}
