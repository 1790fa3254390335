//! Connections that are held back without an answer: often their place or their id becomes free meanwhile.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Arrival, Lobby, TurnedAway, Waiting};
use crate::timers::{Deadline, Fired, Patience, Timers};
use crate::{CloseReason, ConnId, Limits, PeerId, Time, TimerKind};

/// A connection that is held back.
#[derive(Debug)]
pub(crate) struct Held {
    arrival: Arrival,
    /// What it waits for, as the close that it gets in the end if it waits in vain.
    why: CloseReason,
    deadline: Deadline,
    patience: Patience,
    /// What it has sent meanwhile.
    kept: Vec<Box<str>>,
    kept_bytes: usize,
    /// Its control frames.
    control_frames: u32,
}

/// Who is not held any more, with what was kept of it.
#[derive(Debug)]
pub(crate) struct Released {
    pub(crate) arrival: Arrival,
    pub(crate) kept: Vec<Box<str>>,
}

/// What becomes of a held connection whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldEnd {
    /// It waits once more: the driver was late, and the incumbent may have answered.
    Extended,
    /// Nothing was heard from whoever has its id.
    Unanswered(PeerId),
    /// It has waited in vain, and is closed with this.
    InVain(CloseReason),
}

impl Held {
    pub(super) fn waiting(&self) -> Waiting {
        Waiting::Held(*self.arrival.spelling.id())
    }
}

impl Lobby {
    /// Connections that are held.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Bytes kept for them.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held.values().map(|held| held.kept_bytes).sum()
    }

    /// Whether anybody waits for the id of somebody who is here.
    pub(crate) fn has_challengers(&self) -> bool {
        !self.challengers.is_empty()
    }

    /// Who waits for this id.
    pub(crate) fn challenger(&self, id: &PeerId) -> Option<ConnId> {
        self.challengers.get(id).copied()
    }

    /// Holds an arrival until so many milliseconds are over, or turns it away at once when too many are held already. One that is held
    /// may have taken the place of another, which is returned.
    pub(crate) fn hold(
        &mut self,
        arrival: Arrival,
        why: CloseReason,
        millis: u64,
        now: Time,
        limits: &Limits,
        timers: &mut Timers,
    ) -> Result<Option<TurnedAway>, TurnedAway> {
        let (conn, holder) = (arrival.conn, arrival.holder());
        let is_full = self.held.len() >= limits.held_connections as usize;
        let given = self.held_by_holder.gives_way(holder, 1).filter(|_| is_full);
        if millis == 0 || (is_full && given.is_none()) {
            return Err(arrival.turned_away(why));
        }
        let given = given.and_then(|given| self.held.get(&given)).map(|held| (held.arrival.conn, held.why));
        let given = given.and_then(|(given, why)| self.turn_away(given, why, timers));
        self.held_by_holder.add(holder, conn, 1);
        if why == CloseReason::PeerAlreadyConnected {
            self.challengers.insert(*arrival.spelling.id(), conn);
        }
        let deadline = timers.arm(now + millis, TimerKind::Hold, conn);
        let (patience, kept) = (Patience::Fresh, Vec::new());
        let held = Held { arrival, why, deadline, patience, kept, kept_bytes: 0, control_frames: 0 };
        self.held.insert(conn, held);
        Ok(given)
    }

    /// Keeps what a held connection sends until it is let in. One that sends too much is turned away.
    pub(crate) fn keep(
        &mut self,
        conn: ConnId,
        text: &str,
        limits: &Limits,
        timers: &mut Timers,
    ) -> Option<TurnedAway> {
        let held = self.held.get_mut(&conn)?;
        let bytes = held.kept_bytes + text.len();
        if held.kept.len() >= limits.held_messages as usize || bytes > limits.held_bytes as usize {
            return self.turn_away(conn, CloseReason::RateLimitExceeded, timers);
        }
        held.kept.push(text.into());
        held.kept_bytes = bytes;
        None
    }

    /// A control frame of a held connection. One that sends too many is turned away.
    pub(crate) fn hear(&mut self, conn: ConnId, limits: &Limits, timers: &mut Timers) -> Option<TurnedAway> {
        let held = self.held.get_mut(&conn)?;
        held.control_frames += 1;
        if held.control_frames <= limits.held_messages {
            return None;
        }
        self.turn_away(conn, CloseReason::RateLimitExceeded, timers)
    }

    /// The time of a held connection is over. It is still here, whatever becomes of it.
    pub(crate) fn hold_ends(&mut self, fired: Fired, now: Time, timers: &mut Timers) -> Option<HoldEnd> {
        let held = self.held.get_mut(&fired.conn);
        debug_assert!(held.is_some(), "{:?} is not held", fired.conn);
        let held = held?;
        held.deadline = Deadline::NONE;
        if held.why != CloseReason::PeerAlreadyConnected {
            return Some(HoldEnd::InVain(held.why));
        }
        if let Some(due) = held.patience.extend(fired.due, now) {
            held.deadline = timers.arm(due, TimerKind::Hold, fired.conn);
            return Some(HoldEnd::Extended);
        }
        Some(HoldEnd::Unanswered(*held.arrival.spelling.id()))
    }

    /// The first of those who wait for a place that `can_have` one.
    pub(crate) fn next_for_a_place(&self, can_have: impl Fn(&Arrival) -> bool) -> Option<ConnId> {
        let mut waiting = self.held.values().filter(|held| held.why != CloseReason::PeerAlreadyConnected);
        waiting.find(|held| can_have(&held.arrival)).map(|held| held.arrival.conn)
    }

    /// Somebody is held no longer, and gets an answer.
    pub(crate) fn release(&mut self, conn: ConnId, timers: &mut Timers) -> Option<Released> {
        let Held { arrival, kept, .. } = self.remove_held(conn, timers)?;
        Some(Released { arrival, kept })
    }

    pub(super) fn remove_held(&mut self, conn: ConnId, timers: &mut Timers) -> Option<Held> {
        let held = self.held.remove(&conn)?;
        self.held_by_holder.remove(held.arrival.holder(), conn, 1);
        timers.disarm(held.deadline, conn);
        let id = held.arrival.spelling.id();
        if self.challengers.get(id) == Some(&conn) {
            self.challengers.remove(id);
        }
        Some(held)
    }

    /// # Panics
    ///
    /// When somebody waits for what is free: an id, unless `is_here`, or a place that `can_have` says there is.
    pub(crate) fn check_free(&self, is_here: impl Fn(&PeerId) -> bool, can_have: impl Fn(&Arrival) -> bool) {
        for (conn, held) in &self.held {
            let is_here = is_here(held.arrival.spelling.id());
            let challenges = held.why == CloseReason::PeerAlreadyConnected;
            assert!(!challenges || is_here, "{conn:?} waits for an id that is free");
            assert!(
                is_here || challenges || !can_have(&held.arrival),
                "{conn:?} waits for a place that is free"
            );
        }
    }

    pub(super) fn check_held(&self, limits: &Limits, timers: &Timers) -> usize {
        assert!(self.held.len() <= limits.held_connections as usize);
        self.held_by_holder.check(self.held.iter().map(|(conn, held)| (held.arrival.holder(), *conn, 1)));
        for (conn, held) in &self.held {
            assert_eq!(*conn, held.arrival.conn);
            assert!(held.kept.len() <= limits.held_messages as usize);
            assert!(held.kept_bytes <= limits.held_bytes as usize);
            assert_eq!(held.kept_bytes, held.kept.iter().map(|text| text.len()).sum::<usize>());
            assert_eq!(timers.check(held.deadline, *conn), 1);
            let challenges = held.why == CloseReason::PeerAlreadyConnected;
            assert_eq!(challenges, self.challenger(held.arrival.spelling.id()) == Some(*conn));
        }
        assert!(self.challengers.values().all(|conn| self.held.contains_key(conn)));
        self.held.len()
    }
}
