//! Peers who read more slowly than others write to them: each sender has a share of what may wait for one.
//!
//! Nothing is kept of a peer that takes whatever it is sent, which is nearly everybody.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{ConnId, Time};

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
    fn grow(&mut self, bytes: usize) {
        self.waiting += bytes;
        self.was_crowded |= self.is_crowded();
    }

    fn is_crowded(&self) -> bool {
        self.waiting > self.capacity / 2
    }

    /// What was sent last is a signal of this sender.
    fn charge(&mut self, sender: ConnId, bytes: usize) {
        let place = self.senders.iter().position(|(other, _)| *other == sender);
        match place.or((self.senders.len() == Backlog::SENDERS).then_some(Backlog::SENDERS - 1)) {
            Some(place) => self.senders[place].1 += bytes,
            None => self.senders.push((sender, bytes)),
        }
    }
}

/// The backlogs of those who have one.
#[derive(Debug, Default)]
pub(crate) struct Backlogs(BTreeMap<ConnId, Backlog>);

impl Backlogs {
    /// So much waits for a connection, and so much may.
    pub(crate) fn update(&mut self, conn: ConnId, waiting: usize, capacity: usize, now: Time) {
        self.0.entry(conn).or_insert_with(|| Backlog::new(now)).update(waiting, capacity, now);
    }

    /// Nothing waits for a connection any more, or it is over. Returns whether more than half of what may wait has waited, so that it
    /// has missed introductions.
    pub(crate) fn remove(&mut self, conn: ConnId) -> bool {
        self.0.remove(&conn).is_some_and(|backlog| backlog.was_crowded)
    }

    /// Something was sent to a connection.
    pub(crate) fn grow(&mut self, conn: ConnId, bytes: usize) {
        if let Some(backlog) = self.0.get_mut(&conn) {
            backlog.grow(bytes);
        }
    }

    /// What was sent last is a signal of this sender.
    pub(crate) fn charge(&mut self, conn: ConnId, sender: ConnId, bytes: usize) {
        if let Some(backlog) = self.0.get_mut(&conn) {
            backlog.charge(sender, bytes);
        }
    }

    /// Whether more than half of what may wait for a connection does.
    pub(crate) fn is_crowded(&self, conn: ConnId) -> bool {
        self.0.get(&conn).is_some_and(Backlog::is_crowded)
    }

    /// Whether a signal with so much data may be sent from one connection to another.
    pub(crate) fn has_room(&self, from: ConnId, to: ConnId, data: Option<&str>) -> bool {
        let bytes = data.map_or(0, str::len) + ENVELOPE_BYTES;
        self.0.get(&to).is_none_or(|backlog| backlog.has_room(from, bytes))
    }

    /// Whether a connection has taken nothing of what waits for it for so long; 0 = it may be as slow as it likes.
    pub(crate) fn has_stopped(&self, conn: ConnId, timeout_ms: u64, now: Time) -> bool {
        let backlog = self.0.get(&conn);
        backlog.is_some_and(|backlog| timeout_ms > 0 && now.since(backlog.taken) >= timeout_ms)
    }

    /// # Panics
    ///
    /// When a backlog outlived its connection, or has forgotten a limit.
    pub(crate) fn check(&self, is_here: impl Fn(ConnId) -> bool) {
        for (conn, backlog) in &self.0 {
            assert!(is_here(*conn), "{conn:?} is gone");
            assert!(backlog.senders.len() <= Backlog::SENDERS);
        }
    }
}
