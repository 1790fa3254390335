//! The rate limits, slow and obvious: buckets of messages and of bytes that fill with time.

use peerpigeon_core::{Limits, Time};

/// Thousandths of a message or a byte: a rate of one per second adds one each ms. Less than nothing is a debt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    left: i64,
    /// What there can be at most.
    most_left: i64,
    bytes_left: i64,
    most_bytes_left: i64,
    at: Time,
}

/// The protocol does not say how finely the bucket counts: within one message of the limit both are right.
const DOUBT: i64 = 1_000;

impl Pace {
    pub(crate) fn new(now: Time, limits: &Limits) -> Pace {
        Pace {
            left: i64::from(limits.message_burst) * 1_000,
            most_left: i64::from(limits.message_burst) * 1_000 + DOUBT,
            bytes_left: i64::from(limits.byte_burst) * 1_000,
            most_bytes_left: i64::from(limits.byte_burst) * 1_000,
            at: now,
        }
    }

    fn refill(&mut self, now: Time, limits: &Limits) {
        let elapsed = i64::try_from(now.since(self.at)).unwrap_or(i64::MAX);
        let fill = |left: i64, rate: u32, most: i64| {
            left.saturating_add(elapsed.saturating_mul(rate.into())).min(most)
        };
        let (rate, most) = (limits.message_rate_per_second, i64::from(limits.message_burst) * 1_000);
        self.left = fill(self.left, rate, most);
        self.most_left = fill(self.most_left, rate, most + DOUBT);
        let (rate, most) = (limits.byte_rate_per_second, i64::from(limits.byte_burst) * 1_000);
        self.bytes_left = fill(self.bytes_left, rate, most);
        self.most_bytes_left = fill(self.most_bytes_left, rate, most);
        self.at = now;
    }

    /// Whether a message of so many bytes may be refused now, and whether it may pass.
    pub(crate) fn look(&mut self, bytes: usize, now: Time, limits: &Limits) -> (bool, bool) {
        self.refill(now, limits);
        let bytes = thousandths(bytes);
        // Within another message of this size both are right.
        let refused = limits.byte_rate_per_second > 0 && self.bytes_left < 2 * bytes;
        let passes = limits.byte_rate_per_second == 0 || 2 * self.most_bytes_left >= bytes;
        if limits.message_rate_per_second == 0 {
            return (refused, passes);
        }
        (refused || self.left < 1_000 + DOUBT, passes && self.most_left >= 1_000)
    }

    /// A message passed, and cost so many messages and bytes, with what it made the server send; `doubt`: bytes that it may
    /// have cost beside these.
    pub(crate) fn spend(&mut self, messages: usize, bytes: usize, doubt: usize) {
        let (messages, most_bytes) = (thousandths(messages), thousandths(bytes + doubt));
        self.left = self.left.saturating_sub(messages);
        self.most_left = self.most_left.saturating_sub(messages);
        self.bytes_left = self.bytes_left.saturating_sub(most_bytes);
        self.most_bytes_left = self.most_bytes_left.saturating_sub(thousandths(bytes));
    }
}

/// What all peers of one address may send together: as much as sixteen of them.
pub(crate) fn of_address(limits: &Limits) -> Limits {
    Limits {
        message_rate_per_second: 16 * limits.message_rate_per_second,
        message_burst: 16 * limits.message_burst,
        byte_rate_per_second: limits.byte_rate_per_second.saturating_mul(16),
        byte_burst: limits.byte_burst.saturating_mul(16),
        ..limits.clone()
    }
}

fn thousandths(amount: usize) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX).saturating_mul(1_000)
}
