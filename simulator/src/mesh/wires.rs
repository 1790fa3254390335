//! What lies between two pages: how their ends find each other, and lose each other.
//!
//! The times are those of the laboratory that real clients were measured in.

use peerpigeon_core::Time;

use super::crowd::Crowd;
use super::introducer::{End, Introducer, Leaving};
use super::key::Key;
use super::page::{Cause, Change, Page};
use crate::queue::Queue;
use crate::random::Random;

/// Ends that change at their time.
#[derive(Debug)]
pub(super) struct Wires {
    queue: Queue<Happening>,
    /// Which pairs never find a way to each other.
    seed: u64,
    blocked_percent: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// To one end.
    One { to: (Key, End), change: Change },
    /// To two ends, if both are still there.
    Both { ends: [(Key, End); 2], change: Change },
}

/// From the moment at which a link is possible: ICE, DTLS, the data channel.
const REACHED_MS: u64 = 150;
const SECURED_MS: u64 = REACHED_MS + 100;
const OPENED_MS: u64 = SECURED_MS + 50;

/// Over a link, also for its end.
const MESSAGE_MS: u64 = 40;

/// Until ICE finds that the other end is silent.
const SILENT_MS: u64 = 6_000;

impl Wires {
    pub(super) fn new(seed: u64, blocked_percent: u8) -> Wires {
        Wires { queue: Queue::default(), seed, blocked_percent }
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.queue.next()
    }

    pub(super) fn take(&mut self, now: Time) -> Option<Happening> {
        self.queue.take(now)
    }

    fn pair(&mut self, now: Time, ends: [(Key, End); 2]) {
        let steps =
            [(REACHED_MS, Change::Reached), (SECURED_MS, Change::Secured), (OPENED_MS, Change::Opened)];
        for (ms, change) in steps {
            self.queue.put(now + ms, Happening::Both { ends, change });
        }
    }

    /// The other end of a link closed.
    pub(super) fn closed(&mut self, now: Time, to: (Key, End), cause: Cause) {
        let change = match cause {
            Cause::Evicted => Change::Evicted,
            Cause::Other => Change::Closed,
        };
        self.queue.put(now + MESSAGE_MS, Happening::One { to, change });
    }

    /// The page at the other end of a link left.
    pub(super) fn left(&mut self, now: Time, to: (Key, End), leaving: Leaving) {
        match leaving {
            Leaving::Goodbye => self.closed(now, to, Cause::Other),
            Leaving::Lost => {
                self.queue.put(now + SILENT_MS, Happening::One { to, change: Change::Silent });
            }
        }
    }

    fn is_blocked(&self, one: Key, two: Key) -> bool {
        let pair = one.bits().min(two.bits()) ^ one.bits().max(two.bits()).rotate_left(32);
        self.blocked_percent > 0 && Random::part(self.seed, pair).chance(self.blocked_percent.into())
    }
}

impl<I: Introducer> Crowd<I> {
    fn page(&self, key: Key) -> Option<&Page> {
        self.pages[key.index()].as_deref()
    }

    pub(super) fn has_end(&self, key: Key, end: End) -> bool {
        self.page(key).is_some_and(|page| page.connection(end).is_some())
    }

    /// Whether this end holds its link for up.
    pub(super) fn is_up(&self, key: Key, end: End) -> bool {
        self.page(key).and_then(|page| page.connection(end)).is_some_and(|connection| connection.is_up())
    }

    /// Lets two ends find each other, if both look for each other and one has a candidate.
    pub(super) fn pair(&mut self, one: (Key, End), two: (Key, End)) {
        let end = |(key, end): (Key, End)| self.page(key)?.connection(end).copied();
        let (Some(near), Some(far)) = (end(one), end(two)) else { return };
        let looks = near.looks_for(two.0, two.1) && far.looks_for(one.0, one.1);
        let has_candidate = near.has_candidate() || far.has_candidate();
        if !looks || !has_candidate || self.wires.is_blocked(one.0, two.0) {
            return;
        }
        for (key, end) in [one, two] {
            if let Some(page) = self.pages[key.index()].as_mut() {
                page.pair(end);
            }
        }
        self.wires.pair(self.now, [one, two]);
    }
}
