//! Who is let in, who is held back for a moment, and who is turned away.
//!
//! A refusal comes as a close after the upgrade, since a refused upgrade leaves many clients stuck for ever
//! (observed). A close makes them try again after a second; holding them for a moment slows that down, and
//! often their place or their id becomes free meanwhile.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use crate::inboxes::Inbox;
use crate::pace::Pace;
use crate::peers::{Peer, PeerSlot, Standing, Watch};
use crate::timers::{Deadline, Fired, Patience};
use crate::upgrade::{Comer, read_target};
use crate::wire::{Dialect, Message};
use crate::{
    AddressKey, CloseReason, ConnId, Departure, DuplicatePeer, Event, Grant, Holder, LiveLimits, PeerId,
    Spelling, Switchboard, TimerKind,
};

/// A connection that is held back without an answer.
#[derive(Debug)]
pub(crate) struct Held {
    newcomer: Newcomer,
    /// What it waits for, as the close that it gets in the end if it waits in vain.
    why: CloseReason,
    deadline: Deadline,
    patience: Patience,
    /// What it has sent meanwhile.
    kept: Vec<Box<str>>,
    kept_bytes: usize,
    /// Its control frames.
    heard: u32,
}

/// A connection that has told who is behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer {
    pub(crate) conn: ConnId,
    pub(crate) dialect: Dialect,
    pub(crate) spelling: Spelling,
    pub(crate) address: Option<AddressKey>,
}

impl Switchboard {
    pub(crate) fn opened(&mut self, conn: ConnId, target: &str, address: Option<AddressKey>, grant: &Grant) {
        if self.knows(conn) {
            debug_assert!(false, "{conn:?} was opened twice");
            return;
        }
        self.outbox.observe(Event::Opened { conn });
        let Some(comer) = read_target(target) else {
            return self.turn_away(conn, None, CloseReason::InvalidPeerId);
        };
        if self.draining.is_some() {
            let peer = match comer {
                Comer::Named(spelling) => Some(*spelling.id()),
                Comer::Unnamed => None,
            };
            return self.turn_away(conn, peer, CloseReason::ShuttingDown);
        }
        self.keep_grant(conn, grant);
        match comer {
            Comer::Named(spelling) if !grant.allows_peer(spelling.id()) => {
                self.turn_away(conn, Some(*spelling.id()), CloseReason::PeerNotGranted);
            }
            Comer::Named(spelling) => self.come_in(Newcomer { conn, dialect: Dialect::A, spelling, address }),
            Comer::Unnamed => self.await_registration(conn, address),
        }
    }

    /// A connection has told who is behind it.
    pub(crate) fn come_in(&mut self, newcomer: Newcomer) {
        match self.peers.by_id(newcomer.spelling.id()) {
            Some(incumbent) => self.meet_incumbent(newcomer, incumbent),
            None => self.seat_or_hold(newcomer),
        }
    }

    /// Keeps what a held connection sends until it is let in.
    pub(crate) fn keep_for_later(&mut self, conn: ConnId, text: &str) {
        let Some(held) = self.held.get_mut(&conn) else { return };
        let bytes = held.kept_bytes + text.len();
        let full =
            held.kept.len() >= self.limits.held_messages as usize || bytes > self.limits.held_bytes as usize;
        if full {
            return self.turn_away_waiting(conn, CloseReason::RateLimitExceeded);
        }
        held.kept.push(text.into());
        held.kept_bytes = bytes;
    }

    /// A control frame of a held connection.
    pub(crate) fn heard_from_held(&mut self, conn: ConnId) {
        let Some(held) = self.held.get_mut(&conn) else { return };
        held.heard += 1;
        if held.heard > self.limits.held_messages {
            self.turn_away_waiting(conn, CloseReason::RateLimitExceeded);
        }
    }

    /// The incumbent of a challenged id is alive: whoever waits for that id has lost.
    pub(crate) fn answer_challenge(&mut self, id: &PeerId) {
        if let Some(challenger) = self.challengers.get(id) {
            self.turn_away_waiting(*challenger, CloseReason::PeerAlreadyConnected);
        }
    }

    /// The time of a held connection is over.
    pub(crate) fn hold_ends(&mut self, fired: Fired) {
        let conn = fired.conn;
        let Some(held) = self.held.get_mut(&conn) else {
            debug_assert!(false, "{conn:?} is not held");
            return;
        };
        held.deadline = Deadline::NONE;
        let (id, why) = (*held.newcomer.spelling.id(), held.why);
        let challenged = self.challengers.contains_key(&id) && why == CloseReason::PeerAlreadyConnected;
        if challenged && let Some(due) = held.patience.extend(fired.due, self.now) {
            held.deadline = self.timers.arm(due, TimerKind::Hold, conn);
            return;
        }
        match self.peers.by_id(&id) {
            // Leaving lets its challenger in.
            Some(silent) if challenged => self.close(silent, CloseReason::Replaced),
            _ => self.turn_away_waiting(conn, why),
        }
    }

    /// An id has become free: whoever waits for it is next.
    pub(crate) fn id_is_free(&mut self, id: &PeerId) {
        if let Some(conn) = self.challengers.get(id).copied()
            && let Some(held) = self.release(conn)
        {
            self.seat_held(held);
        }
    }

    /// A place has become free: the first who can take it is let in.
    pub(crate) fn place_is_free(&mut self) {
        let next = self.held.values().find(|held| {
            held.why != CloseReason::PeerAlreadyConnected
                && self.no_place_for(held.newcomer.address).is_none()
                && self.peers.by_id(held.newcomer.spelling.id()).is_none()
        });
        if let Some(conn) = next.map(|held| held.newcomer.conn)
            && let Some(held) = self.release(conn)
        {
            self.seat_held(held);
        }
    }

    /// Other limits hold from now on. Those who wait for a place that there is now are let in.
    pub(crate) fn adjust(&mut self, limits: LiveLimits) {
        self.overbooked = self.peers.len();
        self.limits = mem::take(&mut self.limits).with(limits);
        for _ in 0..self.held.len() {
            self.place_is_free();
        }
    }

    /// Closes everybody who has not been admitted.
    pub(crate) fn turn_away_all_waiting(&mut self, why: CloseReason) {
        while let Some(conn) = self.held.keys().chain(self.unregistered.keys()).next().copied() {
            self.turn_away_waiting(conn, why);
        }
    }

    /// A connection that was not admitted is over.
    pub(crate) fn release_lost(&mut self, conn: ConnId, cause: Departure) {
        if let Some(held) = self.release(conn) {
            let peer = Some(*held.newcomer.spelling.id());
            self.observe_gone(conn, peer, cause);
        } else if self.release_unregistered(conn).is_some() {
            self.observe_gone(conn, None, cause);
        }
    }

    /// Closes a connection that has not been admitted, if it is still there.
    pub(crate) fn turn_away_waiting(&mut self, conn: ConnId, why: CloseReason) {
        if self.held.contains_key(&conn) || self.unregistered.contains_key(&conn) {
            self.outbox.close(conn, why);
            self.release_lost(conn, Departure::Closed(why));
        }
    }

    pub(crate) fn knows(&self, conn: ConnId) -> bool {
        self.peers.by_conn(conn).is_some()
            || self.held.contains_key(&conn)
            || self.unregistered.contains_key(&conn)
    }

    fn meet_incumbent(&mut self, newcomer: Newcomer, incumbent: PeerSlot) {
        let id = *newcomer.spelling.id();
        if self.has_proven(newcomer.conn, &id) {
            return self.replace(newcomer, incumbent);
        }
        // Who has proven its id is not replaced by somebody who has not.
        let is_proven = self.has_proven(self.peers[incumbent].conn, &id);
        match self.limits.duplicate_peer {
            DuplicatePeer::Replace if !is_proven => self.replace(newcomer, incumbent),
            DuplicatePeer::Challenge | DuplicatePeer::Replace if !self.challengers.contains_key(&id) => {
                if self.hold(newcomer, CloseReason::PeerAlreadyConnected, self.limits.challenge_ms) {
                    self.challengers.insert(id, newcomer.conn);
                    self.ask_for_life(incumbent);
                }
            }
            // One challenger is enough to find out whether the incumbent is alive.
            DuplicatePeer::Challenge | DuplicatePeer::Reject | DuplicatePeer::Replace => {
                self.turn_away(newcomer.conn, Some(id), CloseReason::PeerAlreadyConnected);
            }
        }
    }

    fn replace(&mut self, newcomer: Newcomer, incumbent: PeerSlot) {
        // Whoever waits for the incumbent to fall silent has lost, too.
        self.answer_challenge(newcomer.spelling.id());
        self.say_close(incumbent, CloseReason::Replaced);
        self.forget(incumbent, Departure::Closed(CloseReason::Replaced));
        // Before anybody else can have the place of the incumbent.
        self.seat_or_hold(newcomer);
        self.place_is_free();
    }

    fn seat_or_hold(&mut self, newcomer: Newcomer) {
        match self.no_place_for(newcomer.address) {
            Some(why) => {
                self.hold(newcomer, why, self.limits.hold_for_place_ms);
            }
            None => {
                self.seat(newcomer, None);
            }
        }
    }

    /// Lets in somebody who was held, or tells it that it cannot be.
    fn seat_held(&mut self, held: Held) {
        let Newcomer { conn, spelling, address, .. } = held.newcomer;
        if let Some(why) = self.no_place_for(address) {
            return self.turn_away(conn, Some(*spelling.id()), why);
        }
        self.seat(held.newcomer, None);
        for text in held.kept {
            // What it sent can end it.
            let Some(slot) = self.peers.by_conn(conn) else { break };
            self.text_from(slot, &text);
        }
    }

    /// Admits a newcomer; one with an `inbox` has no connection. Returns its slot.
    pub(crate) fn seat(&mut self, newcomer: Newcomer, inbox: Option<Box<Inbox>>) -> PeerSlot {
        let Newcomer { conn, dialect, spelling, address } = newcomer;
        let address = address.map(|key| self.addresses.come(key, self.now, &self.limits));
        let slot = self.peers.insert(Peer {
            conn,
            address,
            heard: self.now,
            liveness_due: Deadline::NONE,
            pace: Pace::default(),
            standing: Standing::Fresh,
            spelling,
            watch: Watch::Quiet,
            patience: Patience::Fresh,
            is_asked: false,
            dialect,
            inbox,
        });
        self.arm_liveness(slot);
        self.outbox.observe(Event::Admitted { conn, peer: *spelling.id() });
        if self.peers[slot].inbox.is_none() {
            self.send(slot, Message::Connected);
        }
        slot
    }

    pub(crate) fn no_place_for(&self, address: Option<AddressKey>) -> Option<CloseReason> {
        let per_address = self.limits.connections_per_address;
        let of_address = address.map_or(0, |address| self.addresses.peers(address));
        if self.peers.len() >= self.limits.connections as usize {
            Some(CloseReason::MaximumConnections)
        } else if per_address > 0 && of_address >= per_address {
            Some(CloseReason::TooManyFromAddress)
        } else {
            None
        }
    }

    /// Holds a newcomer, or turns it away at once when too many are held already.
    fn hold(&mut self, newcomer: Newcomer, why: CloseReason, millis: u64) -> bool {
        let conn = newcomer.conn;
        let holder = newcomer.holder();
        let is_full = self.held.len() >= self.limits.held_connections as usize;
        let given = self.held_by_holder.gives_way(holder, 1).filter(|_| is_full);
        if millis == 0 || (is_full && given.is_none()) {
            self.turn_away(conn, Some(*newcomer.spelling.id()), why);
            return false;
        }
        if let Some(given) = given {
            self.stop_holding(given);
        }
        self.held_by_holder.add(holder, conn, 1);
        let deadline = self.timers.arm(self.now + millis, TimerKind::Hold, conn);
        let (patience, kept) = (Patience::Fresh, Vec::new());
        let held = Held { newcomer, why, deadline, patience, kept, kept_bytes: 0, heard: 0 };
        self.held.insert(conn, held);
        self.outbox.observe(Event::Held { conn, why });
        true
    }

    /// Turns away a held connection before its time, which makes room for another.
    fn stop_holding(&mut self, conn: ConnId) {
        if let Some(held) = self.held.get(&conn) {
            self.turn_away_waiting(conn, held.why);
        }
    }

    fn release(&mut self, conn: ConnId) -> Option<Held> {
        let held = self.held.remove(&conn)?;
        self.held_by_holder.remove(held.newcomer.holder(), conn, 1);
        self.timers.disarm(held.deadline, conn);
        let id = held.newcomer.spelling.id();
        if self.challengers.get(id) == Some(&conn) {
            self.challengers.remove(id);
        }
        Some(held)
    }

    pub(crate) fn turn_away(&mut self, conn: ConnId, peer: Option<PeerId>, why: CloseReason) {
        self.outbox.close(conn, why);
        self.observe_gone(conn, peer, Departure::Closed(why));
    }
}

impl Newcomer {
    fn holder(&self) -> Holder {
        Holder::new(self.address, self.conn)
    }
}

impl Held {
    pub(crate) fn holder(&self) -> Holder {
        self.newcomer.holder()
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// # Panics
    ///
    /// When an invariant does not hold.
    pub(crate) fn check(&self, conn: ConnId, board: &Switchboard) {
        assert_eq!(conn, self.newcomer.conn);
        assert!(self.kept.len() <= board.limits.held_messages as usize);
        assert!(self.kept_bytes <= board.limits.held_bytes as usize);
        assert_eq!(self.kept_bytes, self.kept.iter().map(|text| text.len()).sum::<usize>());
        assert_eq!(board.timers.check(self.deadline, conn), 1);
        let id = self.newcomer.spelling.id();
        let challenges = self.why == CloseReason::PeerAlreadyConnected;
        assert_eq!(challenges, board.challengers.get(id) == Some(&conn));
        assert!(!challenges || board.peers.by_id(id).is_some(), "{conn:?} waits for an id that is free");
        assert!(
            challenges
                || board.no_place_for(self.newcomer.address).is_some()
                || board.peers.by_id(id).is_some()
        );
    }
}
