//! The rate limits, slow and obvious: buckets of messages and of bytes that fill with time.

use peerpigeon_core::{Limits, Time};

/// Thousandths of a message or a byte: a rate of one per second adds one each ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    left: u64,
    /// What there can be at most.
    most_left: u64,
    bytes_left: u64,
    at: Time,
}

/// The protocol does not say how finely the bucket counts: within one message of the limit both are right.
const DOUBT: u64 = 1_000;

impl Pace {
    pub(crate) fn new(now: Time, limits: &Limits) -> Pace {
        Pace {
            left: u64::from(limits.message_burst) * 1_000,
            most_left: u64::from(limits.message_burst) * 1_000 + DOUBT,
            bytes_left: u64::from(limits.byte_burst) * 1_000,
            at: now,
        }
    }

    fn refill(&mut self, now: Time, limits: &Limits) {
        let elapsed = now.since(self.at);
        let fill = |left: u64, rate: u32, burst: u32| {
            left.saturating_add(elapsed.saturating_mul(rate.into())).min(u64::from(burst) * 1_000)
        };
        let rate = limits.message_rate_per_second;
        self.left = fill(self.left, rate, limits.message_burst);
        let most = u64::from(limits.message_burst) * 1_000 + DOUBT;
        self.most_left = self.most_left.saturating_add(elapsed.saturating_mul(rate.into())).min(most);
        self.bytes_left = fill(self.bytes_left, limits.byte_rate_per_second, limits.byte_burst);
        self.at = now;
    }

    /// Whether a message of so many bytes may be refused now, and whether it may pass.
    pub(crate) fn look(&mut self, bytes: usize, now: Time, limits: &Limits) -> (bool, bool) {
        self.refill(now, limits);
        let bytes = bytes as u64 * 1_000;
        // Within another message of this size both are right.
        let refused = limits.byte_rate_per_second > 0 && self.bytes_left < 2 * bytes;
        let passes = limits.byte_rate_per_second == 0 || 2 * self.bytes_left >= bytes;
        if limits.message_rate_per_second == 0 {
            return (refused, passes);
        }
        (refused || self.left < 1_000 + DOUBT, passes && self.most_left >= 1_000)
    }

    /// A message passed, and made the server send so many others: an announce counts with its introductions.
    pub(crate) fn spend(&mut self, bytes: usize, caused: u64) {
        self.charge(1 + caused);
        self.bytes_left = self.bytes_left.saturating_sub(bytes as u64 * 1_000);
    }

    /// So many messages more.
    pub(crate) fn charge(&mut self, messages: u64) {
        self.left = self.left.saturating_sub(1_000 * messages);
        self.most_left = self.most_left.saturating_sub(1_000 * messages);
    }
}
