//! Peers who read more slowly than others write to them: each sender has a share of what may wait for one.
//!
//! Nothing is kept of a peer that takes whatever it is sent, which is nearly everybody.

use alloc::vec::Vec;

use crate::peers::PeerSlot;
use crate::wire::Refusal;
use crate::{ConnId, Switchboard, Time};

/// What a signal has beside its data, as far as it matters here.
const ENVELOPE_BYTES: usize = 512;

/// What waits for one peer.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// Bytes: those that the driver told of, and what was sent since.
    waiting: usize,
    /// Bytes that may wait.
    capacity: usize,
    /// When the peer took something for the last time.
    taken: Time,
    /// How many of these bytes are signals, and of whom; those beyond [`Backlog::SENDERS`] share the last place.
    senders: Vec<(ConnId, usize)>,
    /// More than half of what may wait has waited, so that the peer has missed introductions.
    was_crowded: bool,
}

impl Backlog {
    /// Senders told apart.
    pub(crate) const SENDERS: usize = 64;

    /// The share of a queue that signals leave alone, for what the server itself has to say: one in so many.
    const RESERVE: usize = 4;

    fn new(now: Time) -> Backlog {
        Backlog { waiting: 0, capacity: 0, taken: now, senders: Vec::new(), was_crowded: false }
    }

    /// So much waits by now. What was taken since is taken off every sender's part alike.
    fn update(&mut self, waiting: usize, capacity: usize, now: Time) {
        if waiting < self.waiting {
            self.taken = now;
            let before = self.waiting as u64;
            for (_, bytes) in &mut self.senders {
                *bytes = usize::try_from(*bytes as u64 * waiting as u64 / before).unwrap_or(usize::MAX);
            }
            self.senders.retain(|(_, bytes)| *bytes > 0);
        }
        (self.waiting, self.capacity) = (waiting, capacity);
        self.was_crowded |= self.is_crowded();
    }

    /// Whether `bytes` more of a sender fit: what waits of it must not become more than what would be left for others (dynamic
    /// thresholds; Choudhury and Hahne, 1998), so that however many fill the queue, one who comes later finds room.
    fn has_room(&self, sender: ConnId, bytes: usize) -> bool {
        let most = self.capacity - self.capacity / Backlog::RESERVE;
        self.of(sender) + bytes <= most.saturating_sub(self.waiting)
    }

    fn of(&self, sender: ConnId) -> usize {
        let own = self.senders.iter().find(|(other, _)| *other == sender);
        let shared = self.senders.last().filter(|_| self.senders.len() == Backlog::SENDERS);
        own.or(shared).map_or(0, |(_, bytes)| *bytes)
    }

    /// Something was sent.
    pub(crate) fn grow(&mut self, bytes: usize) {
        self.waiting += bytes;
        self.was_crowded |= self.is_crowded();
    }

    fn is_crowded(&self) -> bool {
        self.waiting > self.capacity / 2
    }

    /// What was sent last is a signal of this sender.
    pub(crate) fn charge(&mut self, sender: ConnId, bytes: usize) {
        let place = self.senders.iter().position(|(other, _)| *other == sender);
        match place.or((self.senders.len() == Backlog::SENDERS).then_some(Backlog::SENDERS - 1)) {
            Some(place) => self.senders[place].1 += bytes,
            None => self.senders.push((sender, bytes)),
        }
    }
}

impl Switchboard {
    /// The driver tells what waits for a connection; nothing any more where that is 0.
    pub(crate) fn backlog(&mut self, conn: ConnId, waiting: usize, capacity: usize) {
        let slot = self.peers.by_conn(conn);
        if waiting > 0 && slot.is_some() {
            let backlog = self.backlogs.entry(conn).or_insert_with(|| Backlog::new(self.now));
            backlog.update(waiting, capacity, self.now);
        } else if let (Some(backlog), Some(slot)) = (self.backlogs.remove(&conn), slot)
            && backlog.was_crowded
        {
            self.look_soon(slot);
        }
    }

    /// Whether so much waits for a peer that it is introduced to nobody: what is left is for what it must be told.
    pub(crate) fn is_crowded(&self, slot: PeerSlot) -> bool {
        self.backlogs.get(&self.peers[slot].conn).is_some_and(Backlog::is_crowded)
    }

    /// Whether a signal with so much data may be sent from one peer to another.
    pub(crate) fn has_room(&self, from: PeerSlot, to: PeerSlot, data: Option<&str>) -> bool {
        let backlog = self.backlogs.get(&self.peers[to].conn);
        let bytes = data.map_or(0, str::len) + ENVELOPE_BYTES;
        backlog.is_none_or(|backlog| backlog.has_room(self.peers[from].conn, bytes))
    }

    /// Refuses a signal for which a peer has no room. If that peer has stopped reading, its time is over.
    pub(crate) fn refuse_for_want_of_room(&mut self, to: PeerSlot) -> Refusal {
        if self.has_stopped_reading(to) {
            self.look_for_life_soon(to);
        }
        Refusal::TargetTooSlow
    }

    /// Whether a peer has taken nothing of what waits for it for as long as it may be silent after a ping.
    pub(crate) fn has_stopped_reading(&self, slot: PeerSlot) -> bool {
        let (timeout, backlog) = (self.limits.pong_timeout_ms, self.backlogs.get(&self.peers[slot].conn));
        backlog.is_some_and(|backlog| timeout > 0 && self.now.since(backlog.taken) >= timeout)
    }

    /// # Panics
    ///
    /// When a backlog outlived its connection, or has forgotten a limit.
    pub(crate) fn check_backlogs(&self) {
        for (conn, backlog) in &self.backlogs {
            assert!(self.peers.by_conn(*conn).is_some(), "{conn:?} is gone");
            assert!(backlog.senders.len() <= Backlog::SENDERS);
        }
    }
}
