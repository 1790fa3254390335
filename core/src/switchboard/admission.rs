//! Who is let in, who is held back for a moment, and who is turned away: between the lobby and the table of peers.
//!
//! A refusal comes as a close after the upgrade, since a refused upgrade leaves many clients stuck for ever
//! (observed). A close makes them try again after a second; holding them for a moment slows that down, and
//! often their place or their id becomes free meanwhile.

use alloc::boxed::Box;
use core::mem;

use crate::lobby::{Arrival, ClaimedPeer, HoldEnd, Released, TurnedAway, read_target};
use crate::mail::poll_queue::PollQueue;
use crate::peers::rate_limiter::RateCheck;
use crate::peers::{Peer, PeerSlot};
use crate::switchboard::Stage;
use crate::timers::Fired;
use crate::wire::{self, Dialect, Kind, Message, Recipient, Refusal, psp};
use crate::{
    AddressKey, CloseReason, ConnId, Departure, DuplicatePeer, Event, Grant, Limits, LiveLimits, PeerId,
    Spelling, Switchboard,
};

impl Switchboard {
    pub(crate) fn opened(&mut self, conn: ConnId, target: &str, address: Option<AddressKey>, grant: &Grant) {
        if !matches!(self.stage(conn), Stage::Unknown | Stage::Polling(_)) {
            debug_assert!(false, "{conn:?} was opened twice");
            return;
        }
        self.outbox.observe(Event::Opened { conn });
        let Some(claimed) = read_target(target) else {
            return self.turn_away(conn, None, CloseReason::InvalidPeerId);
        };
        if self.draining.is_some() {
            let peer = match claimed {
                ClaimedPeer::Named(spelling) => Some(*spelling.id()),
                ClaimedPeer::Unnamed(_) => None,
            };
            return self.turn_away(conn, peer, CloseReason::ShuttingDown);
        }
        self.grants.keep(conn, grant);
        match claimed {
            ClaimedPeer::Named(spelling) if !grant.allows_peer(spelling.id()) => {
                self.turn_away(conn, Some(*spelling.id()), CloseReason::PeerNotGranted);
            }
            ClaimedPeer::Named(spelling) => {
                self.come_in(Arrival { conn, dialect: Dialect::A, spelling, address })
            }
            ClaimedPeer::Unnamed(dialect) => {
                let Switchboard { now, limits, timers, .. } = self;
                match self.lobby.await_registration(conn, address, dialect, *now, limits, timers) {
                    Ok(given) => self.close_turned_away(given),
                    Err(refused) => self.close_turned_away(Some(refused)),
                }
            }
        }
    }

    /// A message of a connection that has not told yet who it is.
    pub(crate) fn text_from_unregistered(&mut self, conn: ConnId, text: &str) {
        let check = self.admit_unregistered(conn, text.len());
        let said = || (check == RateCheck::Within).then(|| spoken_in(text, &self.limits)).flatten();
        let dialect = self.lobby.dialect(conn).or_else(said);
        let result = match (check, dialect) {
            (RateCheck::Within, Some(Dialect::Psp)) => return self.begin_psp(conn, text),
            (RateCheck::Within, Some(Dialect::B)) => self.registered_as(conn, text),
            (RateCheck::Within, Some(Dialect::A) | None) => {
                return self.turn_away_waiting(conn, CloseReason::InvalidPeerId);
            }
            (RateCheck::TooMany | RateCheck::TooMuch | RateCheck::TooManyTogether, _) => {
                Err(self.over_the_limit(check))
            }
            (RateCheck::Disconnect, _) => {
                return self.turn_away_waiting(conn, CloseReason::RateLimitExceeded);
            }
        };
        match result {
            Ok(spelling) => {
                if let Some(arrival) = self.lobby.register(conn, spelling, &mut self.timers) {
                    self.come_in(arrival);
                }
            }
            Err(refusal) => {
                let stamp = self.stamp();
                let id = stamp.fresh;
                let message = Message::Error { refusal, offending_type: None, id };
                self.outbox.send(conn, |out| wire::write(out, &Recipient::NOBODY, message, stamp));
                self.observe_refused(conn, refusal);
            }
        }
    }

    /// A control frame of such a connection.
    pub(crate) fn heard_from_unregistered(&mut self, conn: ConnId) {
        if self.admit_unregistered(conn, 0) == RateCheck::Disconnect {
            self.turn_away_waiting(conn, CloseReason::RateLimitExceeded);
        }
    }

    fn admit_unregistered(&mut self, conn: ConnId, bytes: usize) -> RateCheck {
        self.lobby.admit(conn, bytes, self.peers.addresses_mut(), self.now, &self.limits)
    }

    fn registered_as(&self, conn: ConnId, text: &str) -> Result<Spelling, Refusal> {
        let request = Dialect::B.decode(text, &self.limits).request?;
        match request.kind {
            Kind::Register => {
                let spelling = request.claimed.ok_or(Refusal::PeerNotAnId)?;
                let is_granted = self.grants.of(conn).allows_peer(spelling.id());
                is_granted.then_some(spelling).ok_or(Refusal::PeerNotGranted)
            }
            Kind::Signal(_) | Kind::Verb(_) => Err(Refusal::NotRegistered),
        }
    }

    /// A connection has said something for the first time, in dialect PSP. It is let in as it is: it tells later who it is.
    fn begin_psp(&mut self, conn: ConnId, text: &str) {
        let Some(arrival) = self.lobby.begin_psp(conn, &mut self.timers) else { return };
        self.come_in(arrival);
        match self.peers.by_conn(conn) {
            Some(slot) => self.text_from(slot, text),
            None => self.keep_for_later(conn, text),
        }
    }

    /// The time to register is over.
    pub(crate) fn registration_ends(&mut self, fired: Fired) {
        let late = self.lobby.registration_ends(fired, self.now, &mut self.timers);
        self.close_turned_away(late);
    }

    /// A connection has told who is behind it.
    fn come_in(&mut self, arrival: Arrival) {
        match arrival.id().and_then(|id| self.peers.by_id(id)) {
            Some(incumbent) => self.meet_incumbent(arrival, incumbent),
            None => self.seat_or_hold(arrival),
        }
    }

    /// Keeps what a held connection sends until it is let in.
    pub(crate) fn keep_for_later(&mut self, conn: ConnId, text: &str) {
        let over = self.lobby.keep(conn, text, &self.limits, &mut self.timers);
        self.close_turned_away(over);
    }

    /// A control frame of a held connection.
    pub(crate) fn heard_from_held(&mut self, conn: ConnId) {
        let over = self.lobby.hear(conn, &self.limits, &mut self.timers);
        self.close_turned_away(over);
    }

    /// The incumbent of a challenged id is alive: whoever waits for that id has lost.
    pub(crate) fn answer_challenge(&mut self, id: &PeerId) {
        if let Some(challenger) = self.lobby.challenger(id) {
            self.turn_away_waiting(challenger, CloseReason::PeerAlreadyConnected);
        }
    }

    /// The time of a held connection is over.
    pub(crate) fn hold_ends(&mut self, fired: Fired) {
        match self.lobby.hold_ends(fired, self.now, &mut self.timers) {
            None | Some(HoldEnd::Extended) => {}
            Some(HoldEnd::InVain(why)) => self.turn_away_waiting(fired.conn, why),
            Some(HoldEnd::Unanswered(id)) => match self.peers.by_id(&id) {
                // Leaving lets its challenger in.
                Some(silent) => self.close(silent, CloseReason::Replaced),
                None => self.turn_away_waiting(fired.conn, CloseReason::PeerAlreadyConnected),
            },
        }
    }

    /// An id has become free: whoever waits for it is next.
    pub(crate) fn id_is_free(&mut self, id: &PeerId) {
        if let Some(conn) = self.lobby.challenger(id) {
            self.seat_held(conn);
        }
    }

    /// A place has become free: the first who can take it is let in.
    pub(crate) fn place_is_free(&mut self) {
        let next = self.lobby.next_for_a_place(|arrival| {
            let is_taken = arrival.id().is_some_and(|id| self.peers.by_id(id).is_some());
            self.no_place_for(arrival.address).is_none() && !is_taken
        });
        if let Some(conn) = next {
            self.seat_held(conn);
        }
    }

    /// Other limits hold from now on. Those who wait for a place that there is now are let in.
    pub(crate) fn adjust(&mut self, limits: LiveLimits) {
        self.peers.limits_change();
        self.limits = mem::take(&mut self.limits).with(limits);
        for _ in 0..self.lobby.held() {
            self.place_is_free();
        }
    }

    /// Closes everybody who has not been admitted.
    pub(crate) fn turn_away_all_waiting(&mut self, why: CloseReason) {
        while let Some(next) = self.lobby.turn_away_next(why, &mut self.timers) {
            self.close_turned_away(Some(next));
        }
    }

    /// Closes a connection that has not been admitted, if it is still there.
    pub(crate) fn turn_away_waiting(&mut self, conn: ConnId, why: CloseReason) {
        let waiting = self.lobby.turn_away(conn, why, &mut self.timers);
        self.close_turned_away(waiting);
    }

    fn meet_incumbent(&mut self, arrival: Arrival, incumbent: PeerSlot) {
        let id = *arrival.spelling.id();
        if self.grants.has_proven(arrival.conn, &id) {
            return self.replace(arrival, incumbent);
        }
        // Who has proven its id is not replaced by somebody who has not.
        let is_proven = self.grants.has_proven(self.peers[incumbent].conn(), &id);
        match self.limits.duplicate_peer {
            DuplicatePeer::Replace if !is_proven => self.replace(arrival, incumbent),
            DuplicatePeer::Challenge | DuplicatePeer::Replace if self.lobby.challenger(&id).is_none() => {
                if self.hold(arrival, CloseReason::PeerAlreadyConnected, self.limits.challenge_ms) {
                    self.ask_for_life(incumbent);
                }
            }
            // One challenger is enough to find out whether the incumbent is alive.
            DuplicatePeer::Challenge | DuplicatePeer::Reject | DuplicatePeer::Replace => {
                self.turn_away(arrival.conn, Some(id), CloseReason::PeerAlreadyConnected);
            }
        }
    }

    fn replace(&mut self, arrival: Arrival, incumbent: PeerSlot) {
        // Whoever waits for the incumbent to fall silent has lost, too.
        self.answer_challenge(arrival.spelling.id());
        self.say_close(incumbent, CloseReason::Replaced);
        self.forget(incumbent, Departure::Closed(CloseReason::Replaced));
        // Before anybody else can have the place of the incumbent.
        self.seat_or_hold(arrival);
        self.place_is_free();
    }

    fn seat_or_hold(&mut self, arrival: Arrival) {
        match self.no_place_for(arrival.address) {
            Some(why) => {
                self.hold(arrival, why, self.limits.hold_for_place_ms);
            }
            None => {
                self.seat(arrival, None);
            }
        }
    }

    /// Holds an arrival, or turns it away at once when too many are held already. Returns whether it is held.
    fn hold(&mut self, arrival: Arrival, why: CloseReason, millis: u64) -> bool {
        match self.lobby.hold(arrival, why, millis, self.now, &self.limits, &mut self.timers) {
            Ok(given) => {
                self.close_turned_away(given);
                self.outbox.observe(Event::Held { conn: arrival.conn, why });
                true
            }
            Err(refused) => {
                self.close_turned_away(Some(refused));
                false
            }
        }
    }

    /// Lets in somebody who was held, or tells it that it cannot be.
    fn seat_held(&mut self, conn: ConnId) {
        let Some(Released { arrival, kept }) = self.lobby.release(conn, &mut self.timers) else { return };
        if let Some(why) = self.no_place_for(arrival.address) {
            return self.turn_away(conn, arrival.id().copied(), why);
        }
        self.seat(arrival, None);
        for text in kept {
            // What it sent can end it.
            let Some(slot) = self.peers.by_conn(conn) else { break };
            self.text_from(slot, &text);
        }
    }

    /// Admits an arrival; one with a `poll_queue` has no connection. Returns its slot.
    pub(crate) fn seat(&mut self, arrival: Arrival, poll_queue: Option<Box<PollQueue>>) -> PeerSlot {
        let Arrival { conn, dialect, spelling, address } = arrival;
        let peer = Peer::new(conn, dialect, spelling, poll_queue, self.now);
        let slot = self.peers.insert(peer, address, self.now, &self.limits);
        self.arm_liveness(slot);
        self.tell_of_arrival(slot);
        self.outbox.observe(Event::Admitted { conn, peer: *spelling.id() });
        if self.peers[slot].has_connection() && dialect.names_peers_by_connection() {
            self.send(slot, Message::Connected);
        }
        slot
    }

    /// Why nobody with this address can be admitted now; `None` where somebody can.
    pub(crate) fn no_place_for(&self, address: Option<AddressKey>) -> Option<CloseReason> {
        self.peers.no_place_for(address, &self.limits)
    }

    fn close_turned_away(&mut self, turned_away: Option<TurnedAway>) {
        if let Some(TurnedAway { conn, peer, why }) = turned_away {
            self.turn_away(conn, peer, why);
        }
    }

    /// Closes a connection that is neither admitted nor in the lobby.
    fn turn_away(&mut self, conn: ConnId, peer: Option<PeerId>, why: CloseReason) {
        self.outbox.close(conn, why);
        self.observe_gone(conn, peer, Departure::Closed(why));
    }
}

/// What the first message of a connection is written in that has not said so before.
fn spoken_in(text: &str, limits: &Limits) -> Option<Dialect> {
    if psp::is_psp(text, limits) {
        return Some(Dialect::Psp);
    }
    let request = Dialect::B.decode(text, limits).request.ok()?;
    (request.kind == Kind::Register).then_some(Dialect::B)
}
