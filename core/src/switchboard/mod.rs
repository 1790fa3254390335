//! The two doors, and the way from one to the other.

mod admission;
mod departure;
mod drain;
pub(crate) mod elsewhere;
pub(crate) mod following;
mod introductions;
mod invariants;
mod keeping;
mod liveness;
mod nodes;
mod replicating;
mod requests;
mod sending;
pub(crate) mod storing;
mod telling;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use crate::cluster::Cluster;
use crate::lobby::{Grants, Lobby, Waiting};
use crate::mail::mailboxes::Mailboxes;
use crate::mail::poll_queue::PollQueues;
use crate::mail::questions::Questions;
use crate::mail::receipts::Receipts;
use crate::mesh::announcement::Overdue;
use crate::mesh::networks::Networks;
use crate::mesh::selection::Selection;
use crate::outbox::Outbox;
use crate::peers::backlogs::Backlogs;
use crate::peers::rate_limiter::{ADDRESS_SHARES, Caused, RateCheck};
use crate::peers::{Peer, PeerSlot, Peers};
use crate::rooms::Rooms;
use crate::timers::{Fired, Timers};
use crate::verbs::psp;
use crate::wire::{self, Dialect, Kind, Message, MessageId, Naming, Outcome, Refusal, Request};
use crate::{
    Census, CloseReason, ConnId, Departure, Event, Input, LimitError, Limits, NodeId, Output, Time,
    TimerKind, UnixMillis, Verb, WallClock,
};
use drain::Draining;

/// Who is here, who knows whom, and what is to be sent to whom.
///
/// The methods come in four kinds: getters ([`census`](Self::census)), `handle` with everything it calls,
/// `poll_*`, and [`check_invariants`](Self::check_invariants).
#[derive(Debug)]
pub struct Switchboard {
    pub(crate) limits: Limits,
    pub(crate) clock: WallClock,
    pub(crate) now: Time,
    pub(crate) peers: Peers,
    pub(crate) networks: Networks,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) rooms: Rooms,
    pub(crate) lobby: Lobby,
    pub(crate) timers: Timers,
    pub(crate) draining: Option<Draining>,
    pub(crate) poll_queues: PollQueues,
    /// What the store of mail was asked.
    pub(crate) questions: Questions,
    /// Acknowledgements that wait for it.
    pub(crate) receipts: Receipts,
    pub(crate) virtual_conns: u64,
    pub(crate) grants: Grants,
    /// What waits for peers who do not take it at once.
    pub(crate) backlogs: Backlogs,
    pub(crate) outbox: Outbox,
    /// Other nodes, if this is one of several.
    pub(crate) cluster: Option<Box<Cluster>>,
    /// What was sent because of the message that is being handled.
    pub(crate) caused: Caused,
    pub(crate) last_message: MessageId,
    pub(crate) naming: Naming,
    /// Who sends what the server itself says in dialect PSP, a JSON string.
    pub(crate) server_id: Box<str>,
    /// Slots chosen for an introduction; empty between two inputs, kept for its capacity.
    pub(crate) chosen: Vec<PeerSlot>,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has not told yet who it is.
    Unregistered,
    /// It waits to be let in.
    Held,
    /// Behind it is the peer in this slot.
    Admitted(PeerSlot),
    /// A request of it waits for what is sent to the peer in this slot.
    Polling(PeerSlot),
    /// A request of it waits for the store of mail, or for another node.
    Asking,
    /// It is over, or was never here.
    Unknown,
}

impl Switchboard {
    /// An empty switchboard; `boot` is the wall time of `Time(0)`.
    ///
    /// `hash_key` should be a number that peers cannot guess: whoever knows it could choose peer ids that are slow to look
    /// up, and read from message ids how many messages there were. Nothing else depends on it, so a simulation gives any
    /// number.
    ///
    /// # Errors
    ///
    /// Where [`Limits::check`] finds one that is not allowed.
    pub fn new(limits: Limits, boot: UnixMillis, hash_key: u64) -> Result<Self, LimitError> {
        limits.check()?;
        let naming = Naming::new(boot, hash_key);
        let me = NodeId(naming.number(MessageId(0)));
        Ok(Switchboard {
            cluster: (limits.node_timeout_ms > 0).then(|| Box::new(Cluster::new(me, &limits))),
            limits,
            clock: WallClock::new(boot),
            now: Time(0),
            peers: Peers::new(hash_key),
            networks: Networks::default(),
            mailboxes: Mailboxes::default(),
            rooms: Rooms::default(),
            lobby: Lobby::default(),
            timers: Timers::default(),
            draining: None,
            poll_queues: PollQueues::default(),
            questions: Questions::default(),
            receipts: Receipts::default(),
            virtual_conns: 0,
            grants: Grants::default(),
            backlogs: Backlogs::default(),
            outbox: Outbox::default(),
            caused: Caused::default(),
            last_message: MessageId(0),
            naming,
            server_id: server_id(naming),
            chosen: Vec::new(),
        })
    }

    /// Fires every deadline due at or before `now`, then applies `input`. Never fails: a refusal is an output.
    ///
    /// `now` must not lie before the `now` of an earlier call; one that does counts as that earlier one.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.outbox.begin();
        self.now = self.now.max(now);
        while let Some(fired) = self.timers.pop_due(self.now) {
            self.fire(fired);
        }
        // As if the driver had come in time for them: the input must not change what they are answered by.
        self.answer_ready();
        match input {
            Input::Opened { conn, target, address, grant } => self.opened(conn, target, address, grant),
            Input::Text { conn, text } => self.text(conn, text),
            Input::Heard { conn } => self.heard(conn),
            Input::Closed { conn, cause } => self.lost(conn, Departure::Lost(cause)),
            Input::QueueFull { conn } => self.close_if_known(conn, CloseReason::TooSlow),
            Input::Backlog { conn, waiting, capacity } => self.backlog(conn, waiting, capacity),
            Input::Drain { until } => self.start_drain(until),
            Input::Posted { conn, body, address, grant } => self.posted(conn, body, address, grant),
            Input::Polled { conn, target, grant } => self.polled(conn, target, grant),
            Input::Adjust { limits } => self.adjust(limits),
            Input::ClockSet { wall } => self.clock.set(self.now, wall),
            Input::Store { is_up } => self.store_is(is_up),
            Input::Answered { id, answer } => self.answered(id, answer),
            Input::Bus { is_up } => self.bus_is(is_up),
            Input::Frame { frame } => self.frame(frame),
            Input::Flush => self.flush_to_nodes(),
            Input::Tick => {}
        }
        self.answer_ready();
        self.rooms.arm(self.now, &mut self.timers);
        self.questions.arm(&mut self.timers);
        self.arm_cluster();
    }

    /// The next thing to do, first in, first out; does no work. Drain to `None` before the next
    /// [`Switchboard::handle`].
    pub fn poll_output(&mut self) -> Option<Output<'_>> {
        self.outbox.poll()
    }

    /// When to call [`Switchboard::handle`] next at the latest, and why. Always later than the `now` of the
    /// last call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, TimerKind)> {
        self.timers.next()
    }

    /// As whom the server speaks in dialect PSP. Nobody else can have this id; another process has another one.
    #[must_use]
    pub fn psp_server_id(&self) -> &str {
        self.server_id.trim_matches('"')
    }

    /// As which node this switchboard speaks to others, if there is a cluster.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId(self.naming.number(MessageId(0)))
    }

    /// Gauges.
    #[must_use]
    pub fn census(&self) -> Census {
        self.count()
    }

    fn fire(&mut self, fired: Fired) {
        let Fired { due, kind, conn } = fired;
        let slot = self.peers.by_conn(conn);
        let overdue = match (kind, slot) {
            (TimerKind::Liveness | TimerKind::Introduce, Some(slot)) => {
                self.peers.take_due(slot, kind, self.now, &mut self.timers)
            }
            _ => Overdue::default(),
        };
        match (kind, slot) {
            (TimerKind::Register, _) => self.registration_ends(fired),
            (TimerKind::Hold, _) => self.hold_ends(fired),
            (TimerKind::Liveness, Some(slot)) => self.look_for_life(slot, due),
            (TimerKind::Introduce, Some(slot)) => self.introductions_are_due(slot, overdue),
            (TimerKind::Poll, Some(slot)) => self.poll_ends(slot),
            (TimerKind::Sweep, _) => self.sweep(),
            (TimerKind::Drain, _) => self.drain_some(),
            (TimerKind::Rooms, _) => self.rooms_are_due(),
            (TimerKind::Store, _) => self.answers_are_due(fired),
            (TimerKind::Cluster, _) => self.cluster_is_due(),
            (TimerKind::Liveness | TimerKind::Introduce | TimerKind::Poll, None) => {
                debug_assert!(false, "{kind:?} of {conn:?} outlived its connection");
            }
        }
    }

    /// Where a connection stands: the only place that tells.
    pub(crate) fn stage(&self, conn: ConnId) -> Stage {
        if let Some(slot) = self.peers.by_conn(conn) {
            return Stage::Admitted(slot);
        }
        match (self.lobby.waiting(conn), self.poll_queues.polled_by(conn)) {
            (Some(Waiting::Unregistered), _) => Stage::Unregistered,
            (Some(Waiting::Held(_)), _) => Stage::Held,
            (None, Some(slot)) => Stage::Polling(slot),
            (None, None) if self.questions.has_request(conn) || self.is_forwarded(conn) => Stage::Asking,
            (None, None) => Stage::Unknown,
        }
    }

    /// Changes deadlines of a peer, and what the table of deadlines has of them.
    pub(crate) fn change_due<T>(&mut self, slot: PeerSlot, change: impl FnOnce(&mut Peer) -> T) -> T {
        self.peers.change_due(slot, &mut self.timers, change)
    }

    /// What is looked at to tell who is introduced to whom.
    pub(crate) fn selection(&self) -> Selection<'_> {
        let Switchboard { peers, networks, backlogs, limits, now, .. } = self;
        Selection { peers, networks, backlogs, limits, now: *now }
    }

    fn text(&mut self, conn: ConnId, text: &str) {
        match self.stage(conn) {
            Stage::Admitted(slot) => {
                self.sign_of_life(slot);
                self.text_from(slot, text);
            }
            Stage::Unregistered => self.text_from_unregistered(conn, text),
            Stage::Held => self.keep_for_later(conn, text),
            Stage::Polling(_) | Stage::Asking | Stage::Unknown => {}
        }
    }

    fn heard(&mut self, conn: ConnId) {
        match self.stage(conn) {
            Stage::Admitted(slot) => {
                self.sign_of_life(slot);
                self.heard_from(slot);
            }
            Stage::Unregistered => self.heard_from_unregistered(conn),
            Stage::Held => self.heard_from_held(conn),
            Stage::Polling(_) | Stage::Asking | Stage::Unknown => {}
        }
    }

    /// A ping, or a pong that nobody has asked for, counts as a message.
    fn heard_from(&mut self, slot: PeerSlot) {
        let peer = &mut self.peers[slot];
        if peer.answer() {
            return;
        }
        let (conn, is_psp) = (peer.conn(), peer.dialect() == Dialect::Psp);
        let check = self.peers.admit(slot, 0, self.now, &self.limits);
        match check {
            RateCheck::Within => {}
            over @ (RateCheck::TooMany | RateCheck::TooMuch | RateCheck::TooManyTogether) if is_psp => {
                self.psp_refuse(slot, psp::rate_limited(over), psp::Offender::default());
            }
            RateCheck::TooMany | RateCheck::TooMuch | RateCheck::TooManyTogether => {
                let (refusal, id) = (self.over_the_limit(check), self.next_message_id());
                self.send(slot, Message::Error { refusal, offending_type: None, id });
                self.observe_refused(conn, refusal);
            }
            RateCheck::Disconnect => self.close(slot, CloseReason::RateLimitExceeded),
        }
    }

    /// Handles one message of an admitted peer.
    pub(crate) fn text_from(&mut self, slot: PeerSlot, text: &str) {
        if self.peers[slot].dialect() == Dialect::Psp {
            return self.psp_text(slot, text);
        }
        let id = self.next_message_id();
        let peer = &self.peers[slot];
        let (conn, dialect) = (peer.conn(), peer.dialect());
        let decoded = match self.peers.admit(slot, text.len(), self.now, &self.limits) {
            RateCheck::Within => dialect.decode(text, &self.limits),
            over @ (RateCheck::TooMany | RateCheck::TooMuch | RateCheck::TooManyTogether) => {
                wire::Decoded { request: Err(self.over_the_limit(over)), offending_type: None }
            }
            RateCheck::Disconnect => return self.close(slot, CloseReason::RateLimitExceeded),
        };
        let result = match &decoded.request {
            Ok(request) => self.perform(slot, request, id, text.len()),
            Err(refusal) => Err(*refusal),
        };
        let offending_type = decoded.offending_type;
        match result {
            Ok(Outcome::Answered) => {}
            Ok(_) => {
                if dialect.acknowledges() {
                    self.acknowledge(slot, id, result, offending_type);
                }
            }
            Err(refusal) => {
                self.acknowledge(slot, id, result, offending_type);
                self.observe_refused(conn, refusal);
            }
        }
    }

    /// What a sender is told that is over one of its rates.
    pub(crate) fn over_the_limit(&self, over: RateCheck) -> Refusal {
        let limits = &self.limits;
        let (messages, bytes) = (limits.message_rate_per_second, limits.byte_rate_per_second);
        match over {
            RateCheck::TooMuch => Refusal::BytesLimited { per_second: bytes, burst: limits.byte_burst },
            RateCheck::TooManyTogether => Refusal::AddressLimited {
                messages: u64::from(messages) * u64::from(ADDRESS_SHARES),
                bytes: u64::from(bytes) * u64::from(ADDRESS_SHARES),
            },
            RateCheck::TooMany | RateCheck::Within | RateCheck::Disconnect => {
                Refusal::RateLimited { per_second: messages, burst: limits.message_burst }
            }
        }
    }

    pub(crate) fn observe_refused(&mut self, conn: ConnId, refusal: Refusal) {
        self.outbox.observe(Event::Refused { conn, code: refusal.code() });
        if let Some(limit) = refusal.limit() {
            self.outbox.observe(Event::Limited { conn, limit });
        }
    }

    /// Does what an admitted message of so many bytes asks for, and charges its sender with what that makes the server send.
    pub(crate) fn perform(
        &mut self,
        slot: PeerSlot,
        request: &Request<'_>,
        id: MessageId,
        bytes: usize,
    ) -> Result<Outcome, Refusal> {
        self.caused = Caused::default();
        let result = self.do_as_asked(slot, request, id);
        self.peers.charge(slot, self.caused.beyond(bytes), self.now, &self.limits);
        result
    }

    fn do_as_asked(
        &mut self,
        slot: PeerSlot,
        request: &Request<'_>,
        id: MessageId,
    ) -> Result<Outcome, Refusal> {
        let own = *self.peers[slot].id();
        if request.claimed.is_some_and(|claimed| *claimed.id() != own) {
            return Err(Refusal::PeerNotTheSender);
        }
        let verb = match request.kind {
            Kind::Signal(signal) => return self.signal(slot, signal, request, id),
            Kind::Register => {
                self.send(slot, Message::Connected);
                return Ok(Outcome::Answered);
            }
            Kind::Verb(verb) => verb,
        };
        match verb {
            Verb::Announce => self.announce(slot, request)?,
            Verb::Goodbye => self.goodbye(slot),
            Verb::Ping => self.ping(slot),
            Verb::Cleanup => self.cleanup(slot, request)?,
            Verb::CleanupAll => self.cleanup_all(slot),
            // No message of a dialect whose connections stand for one peer.
            Verb::Discover => {}
        }
        self.outbox.observe(Event::Handled { conn: self.peers[slot].conn(), verb });
        Ok(Outcome::Done)
    }
}

/// The id of a server in dialect PSP: another one for each process, and none that a peer could guess before it is told.
fn server_id(naming: Naming) -> Box<str> {
    format!("\"peerpigeon-{:016x}\"", naming.number(MessageId(0))).into()
}
