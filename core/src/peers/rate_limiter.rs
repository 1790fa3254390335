//! How fast a peer sends: token buckets of messages and of bytes, each as what is missing in it.
//!
//! What is missing does not depend on the rates: when these change, it fills at the new ones from the last look on.

use crate::{Limits, Time};

/// Refusals in a row, without the buckets filling up in between, that end a connection: a second's worth.
const MIN_REFUSALS: u32 = 10;

/// The rates of all peers of one address together are those of so many peers: as much as a class or an office needs whose
/// pages begin at once, and little for a server.
pub(crate) const ADDRESS_SHARES: u32 = 16;

/// Starts full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimiter {
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
pub(crate) enum RateCheck {
    Within,
    /// Refuse the message and tell the peer.
    TooMany,
    /// The same, since its messages are too large for their number.
    TooMuch,
    /// The same, since all peers of its address together send too much.
    TooManyTogether,
    /// It was told and goes on.
    Disconnect,
}

impl RateLimiter {
    /// One message of so many bytes; a control frame counts as one of none. Where there is an address, its buckets have to hold it,
    /// too. A refused message takes nothing from either.
    pub(crate) fn admit(
        &mut self,
        mut address: Option<&mut RateLimiter>,
        bytes: usize,
        now: Time,
        limits: &Limits,
    ) -> RateCheck {
        if self.rests(now, limits, 1) {
            self.refused = 0;
        }
        let shared = address.as_mut().and_then(|address| address.over(bytes, now, limits, ADDRESS_SHARES));
        let over = match (self.over(bytes, now, limits, 1), shared) {
            (Some(over), _) => over,
            (None, Some(_)) => RateCheck::TooManyTogether,
            (None, None) => {
                let cost = Caused { messages: 1, bytes };
                self.take(cost, limits, 1);
                address.into_iter().for_each(|address| address.take(cost, limits, ADDRESS_SHARES));
                return RateCheck::Within;
            }
        };
        self.refused += 1;
        if self.refused > limits.message_rate_per_second.max(MIN_REFUSALS) {
            RateCheck::Disconnect
        } else {
            over
        }
    }

    /// Whether nothing is missing, where the buckets are those of so many peers.
    pub(crate) fn rests(&mut self, now: Time, limits: &Limits, shares: u32) -> bool {
        self.fill(now, limits, shares);
        self.messages == 0 && self.bytes == 0
    }

    fn over(&mut self, bytes: usize, now: Time, limits: &Limits, shares: u32) -> Option<RateCheck> {
        self.fill(now, limits, shares);
        let has = |missing: u64, amount: usize, bucket: Bucket| {
            missing.saturating_add(thousandths(amount)) <= bucket.capacity
        };
        let of_messages = Bucket::of_messages(limits, shares);
        if of_messages.is_some_and(|bucket| !has(self.messages.into(), 1, bucket)) {
            return Some(RateCheck::TooMany);
        }
        let of_bytes = Bucket::of_bytes(limits, shares);
        of_bytes.is_some_and(|bucket| !has(self.bytes, bytes, bucket)).then_some(RateCheck::TooMuch)
    }

    /// What a message made the server send beyond what it is itself. What the buckets do not hold is a debt that must be filled
    /// before anything else passes.
    pub(crate) fn charge(&mut self, cost: Caused, now: Time, limits: &Limits, shares: u32) {
        self.fill(now, limits, shares);
        self.take(cost, limits, shares);
    }

    fn fill(&mut self, now: Time, limits: &Limits, shares: u32) {
        if self.filled == now {
            return;
        }
        let elapsed = now.since(self.filled);
        let fill =
            |missing: u64, bucket: Bucket| missing.saturating_sub(elapsed.saturating_mul(bucket.per_second));
        self.change(limits, shares, fill, fill);
        self.filled = now;
    }

    fn take(&mut self, cost: Caused, limits: &Limits, shares: u32) {
        self.change(
            limits,
            shares,
            |missing, _| missing.saturating_add(thousandths(cost.messages)),
            |missing, _| missing.saturating_add(thousandths(cost.bytes)),
        );
    }

    /// Changes what is missing; never more than the bucket holds now and one message can cause, and nothing where there is no
    /// limit.
    fn change(
        &mut self,
        limits: &Limits,
        shares: u32,
        messages: impl FnOnce(u64, Bucket) -> u64,
        bytes: impl FnOnce(u64, Bucket) -> u64,
    ) {
        let missing = Bucket::of_messages(limits, shares)
            .map_or(0, |bucket| messages(self.messages.into(), bucket).min(bucket.deepest));
        self.messages = u32::try_from(missing).unwrap_or(u32::MAX);
        self.bytes = Bucket::of_bytes(limits, shares)
            .map_or(0, |bucket| bytes(self.bytes, bucket).min(bucket.deepest));
    }
}

/// What the server sends because of one message, to whomever, but for the answer to its sender.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caused {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Caused {
    /// What this is beyond one message of so many bytes.
    pub(crate) fn beyond(self, bytes: usize) -> Caused {
        Caused { messages: self.messages.saturating_sub(1), bytes: self.bytes.saturating_sub(bytes) }
    }

    pub(crate) fn is_nothing(self) -> bool {
        (self.messages, self.bytes) == (0, 0)
    }

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
    fn of_messages(limits: &Limits, shares: u32) -> Option<Bucket> {
        let bucket =
            Bucket::new(limits.message_rate_per_second, limits.message_burst, Caused::most(limits).messages);
        // So that they can be counted.
        bucket.map(|bucket| bucket.times(shares).with_at_most(u64::from(u32::MAX / 2)))
    }

    fn of_bytes(limits: &Limits, shares: u32) -> Option<Bucket> {
        let bucket = Bucket::new(limits.byte_rate_per_second, limits.byte_burst, Caused::most(limits).bytes);
        bucket.map(|bucket| bucket.times(shares))
    }

    /// That of so many.
    fn times(self, shares: u32) -> Bucket {
        let (per_second, capacity) = (self.per_second * u64::from(shares), self.capacity * u64::from(shares));
        Bucket { per_second, capacity, deepest: capacity + self.deepest - self.capacity }
    }

    fn with_at_most(self, most: u64) -> Bucket {
        let capacity = self.capacity.min(most);
        Bucket { capacity, deepest: capacity + self.deepest - self.capacity, ..self }
    }

    fn new(per_second: u32, burst: u32, most_debt: usize) -> Option<Bucket> {
        let capacity = 1_000 * u64::from(burst);
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
        let mut rate_limiter = RateLimiter::default();
        assert!((0..20).all(|_| rate_limiter.admit(None, 0, Time(5), &limits) == RateCheck::Within));
        assert_eq!(rate_limiter.admit(None, 0, Time(5), &limits), RateCheck::TooMany);
        assert_eq!(rate_limiter.admit(None, 0, Time(104), &limits), RateCheck::TooMany);
        assert_eq!(rate_limiter.admit(None, 0, Time(105), &limits), RateCheck::Within);
        assert_eq!(rate_limiter.admit(None, 0, Time(105), &limits), RateCheck::TooMany);
    }

    #[test]
    fn bytes_have_a_burst_and_a_rate_of_their_own() {
        let limits = of_bytes(1_000, 5_000);
        let mut rate_limiter = RateLimiter::default();
        assert_eq!(rate_limiter.admit(None, 5_000, Time(5), &limits), RateCheck::Within);
        assert_eq!(rate_limiter.admit(None, 1, Time(5), &limits), RateCheck::TooMuch);
        assert_eq!(rate_limiter.admit(None, 0, Time(5), &limits), RateCheck::Within);
        assert_eq!(rate_limiter.admit(None, 300, Time(304), &limits), RateCheck::TooMuch);
        assert_eq!(rate_limiter.admit(None, 300, Time(305), &limits), RateCheck::Within);
        assert_eq!(rate_limiter.admit(None, 5_001, Time(1_000_000), &limits), RateCheck::TooMuch);
    }

    #[test]
    fn a_refused_message_takes_nothing() {
        let limits = of_bytes(1_000, 5_000);
        let mut rate_limiter = RateLimiter::default();
        assert_eq!(rate_limiter.admit(None, 6_000, Time(0), &limits), RateCheck::TooMuch);
        assert_eq!(rate_limiter.admit(None, 5_000, Time(0), &limits), RateCheck::Within);
    }

    #[test]
    fn who_goes_on_after_being_told_is_hopeless_and_who_rests_is_forgiven() {
        for (limits, over) in [(limits(10, 1), RateCheck::TooMany), (of_bytes(10, 1), RateCheck::TooMuch)] {
            let mut rate_limiter = RateLimiter::default();
            assert_eq!(rate_limiter.admit(None, 1, Time(0), &limits), RateCheck::Within);
            assert!((0..10).all(|_| rate_limiter.admit(None, 1, Time(0), &limits) == over));
            assert_eq!(rate_limiter.admit(None, 1, Time(0), &limits), RateCheck::Disconnect);
            assert_eq!(rate_limiter.admit(None, 1, Time(100), &limits), RateCheck::Within);
            assert_eq!(rate_limiter.admit(None, 1, Time(100), &limits), over);
        }
    }

    #[test]
    fn who_keeps_sending_too_much_is_hopeless_however_slowly_its_messages_come() {
        let limits = of_bytes(10, 1_000);
        let mut rate_limiter = RateLimiter::default();
        assert_eq!(rate_limiter.admit(None, 1_000, Time(0), &limits), RateCheck::Within);
        for refusal in 1..=10 {
            assert_eq!(rate_limiter.admit(None, 1_000, Time(1_000 * refusal), &limits), RateCheck::TooMuch);
        }
        assert_eq!(rate_limiter.admit(None, 1_000, Time(11_000), &limits), RateCheck::Disconnect);
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
            let mut rate_limiter = RateLimiter::default();
            assert_eq!(rate_limiter.admit(None, 100, Time(0), &limits), RateCheck::Within);
            rate_limiter.charge(caused.beyond(100), Time(0), &limits, 1);
            assert_eq!(
                (10 - rate_limiter.messages / 1_000, 1_000 - rate_limiter.bytes / 1_000),
                left,
                "{caused:?}"
            );
        }
    }

    #[test]
    fn what_a_message_causes_beyond_the_burst_is_a_debt_that_the_rate_pays() {
        let limits = Limits { byte_rate_per_second: 10, byte_burst: 20, ..limits(10, 20) };
        let mut rate_limiter = RateLimiter::default();
        rate_limiter.charge(caused(20 + 1 + 30, 0).beyond(0), Time(0), &limits, 1);
        assert_eq!(rate_limiter.admit(None, 0, Time(3_099), &limits), RateCheck::TooMany);
        assert_eq!(rate_limiter.admit(None, 0, Time(3_100), &limits), RateCheck::Within);
        rate_limiter.charge(caused(0, 20 + 50).beyond(0), Time(3_100), &limits, 1);
        assert_eq!(rate_limiter.admit(None, 1, Time(8_199), &limits), RateCheck::TooMuch);
        assert_eq!(rate_limiter.admit(None, 1, Time(8_200), &limits), RateCheck::Within);
    }

    #[test]
    fn a_debt_is_no_larger_than_what_one_message_can_cause() {
        let small =
            Limits { acquaintances: 10, announced_data_bytes: 0, network_name_bytes: 0, ..limits(10, 20) };
        let small = Limits { fan_out_bytes: 0, byte_rate_per_second: 1_000, byte_burst: 20, ..small };
        let mut rate_limiter = RateLimiter::default();
        rate_limiter.charge(caused(usize::MAX, usize::MAX).beyond(0), Time(0), &small, 1);
        // 420 messages of 512 bytes.
        assert_eq!((rate_limiter.messages, rate_limiter.bytes), (440_000, 420 * 512_000 + 20_000));
    }

    #[test]
    fn what_is_missing_fills_at_the_new_rate_when_it_has_changed() {
        let slow = Limits { byte_rate_per_second: 1, byte_burst: 1_000, ..limits(1, 1_000) };
        for (new, wait) in [
            (Limits { byte_rate_per_second: 100, ..slow.clone() }, 1_000),
            (Limits { message_rate_per_second: 100, byte_rate_per_second: 100, ..slow.clone() }, 10),
        ] {
            let mut rate_limiter = RateLimiter::default();
            rate_limiter.charge(caused(1_001, 1_000).beyond(0), Time(0), &slow, 1);
            assert_ne!(rate_limiter.admit(None, 1, Time(0), &new), RateCheck::Within, "it is empty");
            assert_ne!(rate_limiter.admit(None, 1, Time(wait - 1), &new), RateCheck::Within);
            assert_eq!(rate_limiter.admit(None, 1, Time(wait), &new), RateCheck::Within, "{wait}");
        }
        let mut rate_limiter = RateLimiter::default();
        rate_limiter.charge(caused(901, 0).beyond(0), Time(0), &slow, 1);
        let new = Limits { message_rate_per_second: 2, ..slow };
        assert!(
            (0..100).all(|_| rate_limiter.admit(None, 0, Time(0), &new) == RateCheck::Within),
            "what was left is left"
        );
        assert_eq!(rate_limiter.admit(None, 0, Time(0), &new), RateCheck::TooMany);
    }

    #[test]
    fn a_limit_that_is_gone_does_not_keep_refusals_from_being_forgiven() {
        let mut rate_limiter = RateLimiter::default();
        rate_limiter.charge(caused(0, 1_000).beyond(0), Time(0), &of_bytes(1, 1_000), 1);
        let free = limits(10, 1);
        let free = Limits { byte_rate_per_second: 0, ..free };
        for second in 0..20 {
            assert_eq!(rate_limiter.admit(None, 0, Time(1_000 * second), &free), RateCheck::Within);
            assert_eq!(rate_limiter.admit(None, 0, Time(1_000 * second), &free), RateCheck::TooMany);
        }
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let limits = Limits { byte_rate_per_second: 0, ..limits(0, 1) };
        let mut rate_limiter = RateLimiter::default();
        assert!(
            (0..10_000).all(|_| rate_limiter.admit(None, 1_000_000, Time(0), &limits) == RateCheck::Within)
        );
    }

    #[test]
    fn the_buckets_of_an_address_hold_sixteen_times_as_much_and_refuse_whoever_comes_then() {
        let limits = Limits { byte_rate_per_second: 100, byte_burst: 1_000, ..limits(10, 20) };
        let mut address = RateLimiter::default();
        let mut send =
            |bytes, now| RateLimiter::default().admit(Some(&mut address), bytes, Time(now), &limits);
        assert!((0..320).all(|_| send(0, 0) == RateCheck::Within));
        assert_eq!(send(0, 6), RateCheck::TooManyTogether);
        assert_eq!(send(0, 7), RateCheck::Within, "160 per second");
        assert!((0..16).all(|_| send(1_000, 10_000) == RateCheck::Within));
        assert_eq!(send(16, 10_009), RateCheck::TooManyTogether);
        assert_eq!(send(16, 10_010), RateCheck::Within, "1,600 bytes per second");
        assert_eq!(send(1_001, 1_000_000), RateCheck::TooMuch, "its own limit");
    }
}
