//! The rate limit, slow and obvious: a bucket of messages that fills with time.

use peerpigeon_core::{Limits, Time};

/// Thousandths of a message: a rate of one per second adds one each ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    left: u64,
    at: Time,
}

/// The protocol does not say how finely the bucket counts: within one message of the limit both are right.
const DOUBT: u64 = 1_000;

impl Pace {
    pub(crate) fn new(now: Time, limits: &Limits) -> Pace {
        Pace { left: u64::from(limits.message_burst) * 1_000, at: now }
    }

    fn refill(&mut self, now: Time, limits: &Limits) {
        let more = now.since(self.at).saturating_mul(limits.message_rate_per_second.into());
        self.left = self.left.saturating_add(more).min(u64::from(limits.message_burst) * 1_000);
        self.at = now;
    }

    /// Whether a message may be refused now, and whether it may pass.
    pub(crate) fn look(&mut self, now: Time, limits: &Limits) -> (bool, bool) {
        if limits.message_rate_per_second == 0 {
            return (false, true);
        }
        self.refill(now, limits);
        (self.left < 1_000 + DOUBT, self.left + DOUBT >= 1_000)
    }

    /// A message passed, and made the server send so many others: an announce counts with its introductions.
    pub(crate) fn spend(&mut self, caused: u64) {
        self.charge(1 + caused);
    }

    /// So many messages more.
    pub(crate) fn charge(&mut self, messages: u64) {
        self.left = self.left.saturating_sub(1_000 * messages);
    }
}
