//! How fast a peer sends: token buckets of messages and of bytes, each as what is missing in it.
//!
//! What is missing does not depend on the rates: when these change, it fills at the new ones from the last look on.

use crate::fault::{self, Fault};
use crate::{Limits, Time};

/// Refusals in a row, without the buckets filling up in between, that end a connection: a second's worth.
const MIN_REFUSALS: u32 = 10;

/// Starts full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// When it was filled for the last time.
    filled: Time,
    bytes: u64,
    /// Messages and bytes are counted in thousandths: a rate of one per second is one of these per millisecond. This one stops at
    /// 4,294,967 messages.
    messages: u32,
    /// Messages refused since both buckets were full for the last time.
    refused: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Within,
    /// Refuse the message and tell the peer.
    TooMany,
    /// The same, since its messages are too large for their number.
    TooMuch,
    /// It was told and goes on.
    Hopeless,
}

impl Pace {
    /// One message of so many bytes; a control frame counts as one of none.
    pub(crate) fn admit(&mut self, bytes: usize, now: Time, limits: &Limits) -> Verdict {
        self.fill(now, limits);
        if self.messages == 0 && self.bytes == 0 {
            self.refused = 0;
        }
        let has = |missing: u64, amount: usize, bucket: Bucket| {
            missing.saturating_add(thousandths(amount)) <= bucket.capacity
        };
        let over = if Bucket::of_messages(limits).is_some_and(|bucket| !has(self.messages.into(), 1, bucket))
            && !fault::is(Fault::RateWithoutLimit)
        {
            Verdict::TooMany
        } else if Bucket::of_bytes(limits).is_some_and(|bucket| !has(self.bytes, bytes, bucket)) {
            Verdict::TooMuch
        } else {
            self.take(1, bytes, limits);
            return Verdict::Within;
        };
        self.refused += 1;
        if self.refused > limits.message_rate_per_second.max(MIN_REFUSALS) { Verdict::Hopeless } else { over }
    }

    /// A message of so many bytes, which was admitted, made the server send all this: that is what it costs, unless it is more
    /// itself. What the buckets do not hold is a debt that must be filled before anything else passes.
    pub(crate) fn charge(&mut self, bytes: usize, caused: Caused, now: Time, limits: &Limits) {
        let (messages, bytes) = (caused.messages.saturating_sub(1), caused.bytes.saturating_sub(bytes));
        if (messages, bytes) == (0, 0) || fault::is(Fault::ChargeForgotten) {
            return;
        }
        self.fill(now, limits);
        self.take(messages, bytes, limits);
    }

    fn fill(&mut self, now: Time, limits: &Limits) {
        let elapsed = if fault::is(Fault::RateNotRefilled) { 0 } else { now.since(self.filled) };
        let fill =
            |missing: u64, bucket: Bucket| missing.saturating_sub(elapsed.saturating_mul(bucket.per_second));
        self.change(limits, fill, fill);
        self.filled = now;
    }

    fn take(&mut self, messages: usize, bytes: usize, limits: &Limits) {
        self.change(
            limits,
            |missing, _| missing.saturating_add(thousandths(messages)),
            |missing, _| missing.saturating_add(thousandths(bytes)),
        );
    }

    /// Changes what is missing; never more than the bucket holds now and one message can cause, and nothing where there is no
    /// limit.
    fn change(
        &mut self,
        limits: &Limits,
        messages: impl FnOnce(u64, Bucket) -> u64,
        bytes: impl FnOnce(u64, Bucket) -> u64,
    ) {
        let missing = Bucket::of_messages(limits)
            .map_or(0, |bucket| messages(self.messages.into(), bucket).min(bucket.deepest));
        self.messages = u32::try_from(missing).unwrap_or(u32::MAX);
        self.bytes =
            Bucket::of_bytes(limits).map_or(0, |bucket| bytes(self.bytes, bucket).min(bucket.deepest));
    }
}

/// What the server sends because of one message, to whomever, but for the answer to its sender.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caused {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Caused {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    /// More than one message can cause: who moves leaves all acquaintances, and is introduced to as many as possible, both
    /// sides of whom are told; or says something to all of them.
    fn most(limits: &Limits) -> Caused {
        let messages = 2 * limits.acquaintances as usize + 8 * usize::from(Limits::MAX_PEERS);
        let each = limits.announced_data_bytes as usize + 6 * limits.network_name_bytes as usize + 512;
        Caused { messages, bytes: messages * each + limits.fan_out_bytes as usize }
    }
}

/// How fast a bucket is filled, how many thousandths it holds, and how many can be missing; `None` is no limit.
#[derive(Clone, Copy)]
struct Bucket {
    per_second: u64,
    capacity: u64,
    deepest: u64,
}

impl Bucket {
    fn of_messages(limits: &Limits) -> Option<Bucket> {
        Bucket::new(limits.message_rate_per_second, limits.message_burst, Caused::most(limits).messages)
    }

    fn of_bytes(limits: &Limits) -> Option<Bucket> {
        Bucket::new(limits.byte_rate_per_second, limits.byte_burst, Caused::most(limits).bytes)
    }

    fn new(per_second: u32, burst: u32, most_debt: usize) -> Option<Bucket> {
        let capacity = 1_000 * u64::from(burst.max(1));
        let deepest = capacity + thousandths(most_debt);
        (per_second > 0).then(|| Bucket { per_second: per_second.into(), capacity, deepest })
    }
}

fn thousandths(amount: usize) -> u64 {
    (amount as u64).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(rate: u32, burst: u32) -> Limits {
        Limits { message_rate_per_second: rate, message_burst: burst, ..Limits::default() }
    }

    fn of_bytes(rate: u32, burst: u32) -> Limits {
        Limits { byte_rate_per_second: rate, byte_burst: burst, ..limits(10, 1_000_000) }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_counts() {
        let limits = limits(10, 20);
        let mut pace = Pace::default();
        assert!((0..20).all(|_| pace.admit(0, Time(5), &limits) == Verdict::Within));
        assert_eq!(pace.admit(0, Time(5), &limits), Verdict::TooMany);
        assert_eq!(pace.admit(0, Time(104), &limits), Verdict::TooMany);
        assert_eq!(pace.admit(0, Time(105), &limits), Verdict::Within);
        assert_eq!(pace.admit(0, Time(105), &limits), Verdict::TooMany);
    }

    #[test]
    fn bytes_have_a_burst_and_a_rate_of_their_own() {
        let limits = of_bytes(1_000, 5_000);
        let mut pace = Pace::default();
        assert_eq!(pace.admit(5_000, Time(5), &limits), Verdict::Within);
        assert_eq!(pace.admit(1, Time(5), &limits), Verdict::TooMuch);
        assert_eq!(pace.admit(0, Time(5), &limits), Verdict::Within);
        assert_eq!(pace.admit(300, Time(304), &limits), Verdict::TooMuch);
        assert_eq!(pace.admit(300, Time(305), &limits), Verdict::Within);
        assert_eq!(pace.admit(5_001, Time(1_000_000), &limits), Verdict::TooMuch);
    }

    #[test]
    fn a_refused_message_takes_nothing() {
        let limits = of_bytes(1_000, 5_000);
        let mut pace = Pace::default();
        assert_eq!(pace.admit(6_000, Time(0), &limits), Verdict::TooMuch);
        assert_eq!(pace.admit(5_000, Time(0), &limits), Verdict::Within);
    }

    #[test]
    fn who_goes_on_after_being_told_is_hopeless_and_who_rests_is_forgiven() {
        for (limits, over) in [(limits(10, 1), Verdict::TooMany), (of_bytes(10, 1), Verdict::TooMuch)] {
            let mut pace = Pace::default();
            assert_eq!(pace.admit(1, Time(0), &limits), Verdict::Within);
            assert!((0..10).all(|_| pace.admit(1, Time(0), &limits) == over));
            assert_eq!(pace.admit(1, Time(0), &limits), Verdict::Hopeless);
            assert_eq!(pace.admit(1, Time(100), &limits), Verdict::Within);
            assert_eq!(pace.admit(1, Time(100), &limits), over);
        }
    }

    #[test]
    fn who_keeps_sending_too_much_is_hopeless_however_slowly_its_messages_come() {
        let limits = of_bytes(10, 1_000);
        let mut pace = Pace::default();
        assert_eq!(pace.admit(1_000, Time(0), &limits), Verdict::Within);
        for refusal in 1..=10 {
            assert_eq!(pace.admit(1_000, Time(1_000 * refusal), &limits), Verdict::TooMuch);
        }
        assert_eq!(pace.admit(1_000, Time(11_000), &limits), Verdict::Hopeless);
    }

    fn caused(messages: usize, bytes: usize) -> Caused {
        Caused { messages, bytes }
    }

    #[test]
    fn a_message_costs_what_it_is_or_what_it_causes_whichever_is_more() {
        let limits = Limits { byte_rate_per_second: 1, byte_burst: 1_000, ..limits(1, 10) };
        for (caused, left) in [
            (caused(0, 0), (9, 900)),
            (caused(1, 100), (9, 900)),
            (caused(1, 101), (9, 899)),
            (caused(2, 0), (8, 900)),
            (caused(10, 1_000), (0, 0)),
        ] {
            let mut pace = Pace::default();
            assert_eq!(pace.admit(100, Time(0), &limits), Verdict::Within);
            pace.charge(100, caused, Time(0), &limits);
            assert_eq!((10 - pace.messages / 1_000, 1_000 - pace.bytes / 1_000), left, "{caused:?}");
        }
    }

    #[test]
    fn what_a_message_causes_beyond_the_burst_is_a_debt_that_the_rate_pays() {
        let limits = Limits { byte_rate_per_second: 10, byte_burst: 20, ..limits(10, 20) };
        let mut pace = Pace::default();
        pace.charge(0, caused(20 + 1 + 30, 0), Time(0), &limits);
        assert_eq!(pace.admit(0, Time(3_099), &limits), Verdict::TooMany);
        assert_eq!(pace.admit(0, Time(3_100), &limits), Verdict::Within);
        pace.charge(0, caused(0, 20 + 50), Time(3_100), &limits);
        assert_eq!(pace.admit(1, Time(8_199), &limits), Verdict::TooMuch);
        assert_eq!(pace.admit(1, Time(8_200), &limits), Verdict::Within);
    }

    #[test]
    fn a_debt_is_no_larger_than_what_one_message_can_cause() {
        let small =
            Limits { acquaintances: 10, announced_data_bytes: 0, network_name_bytes: 0, ..limits(10, 20) };
        let small = Limits { fan_out_bytes: 0, byte_rate_per_second: 1_000, byte_burst: 20, ..small };
        let mut pace = Pace::default();
        pace.charge(0, caused(usize::MAX, usize::MAX), Time(0), &small);
        // 420 messages of 512 bytes.
        assert_eq!((pace.messages, pace.bytes), (440_000, 420 * 512_000 + 20_000));
    }

    #[test]
    fn what_is_missing_fills_at_the_new_rate_when_it_has_changed() {
        let slow = Limits { byte_rate_per_second: 1, byte_burst: 1_000, ..limits(1, 1_000) };
        for (new, wait) in [
            (Limits { byte_rate_per_second: 100, ..slow.clone() }, 1_000),
            (Limits { message_rate_per_second: 100, byte_rate_per_second: 100, ..slow.clone() }, 10),
        ] {
            let mut pace = Pace::default();
            pace.charge(0, caused(1_001, 1_000), Time(0), &slow);
            assert_ne!(pace.admit(1, Time(0), &new), Verdict::Within, "it is empty");
            assert_ne!(pace.admit(1, Time(wait - 1), &new), Verdict::Within);
            assert_eq!(pace.admit(1, Time(wait), &new), Verdict::Within, "{wait}");
        }
        let mut pace = Pace::default();
        pace.charge(0, caused(901, 0), Time(0), &slow);
        let new = Limits { message_rate_per_second: 2, ..slow };
        assert!((0..100).all(|_| pace.admit(0, Time(0), &new) == Verdict::Within), "what was left is left");
        assert_eq!(pace.admit(0, Time(0), &new), Verdict::TooMany);
    }

    #[test]
    fn a_limit_that_is_gone_does_not_keep_refusals_from_being_forgiven() {
        let mut pace = Pace::default();
        pace.charge(0, caused(0, 1_000), Time(0), &of_bytes(1, 1_000));
        let free = limits(10, 1);
        let free = Limits { byte_rate_per_second: 0, ..free };
        for second in 0..20 {
            assert_eq!(pace.admit(0, Time(1_000 * second), &free), Verdict::Within);
            assert_eq!(pace.admit(0, Time(1_000 * second), &free), Verdict::TooMany);
        }
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let limits = Limits { byte_rate_per_second: 0, ..limits(0, 1) };
        let mut pace = Pace::default();
        assert!((0..10_000).all(|_| pace.admit(1_000_000, Time(0), &limits) == Verdict::Within));
    }
}
