//! How fast a peer sends: token buckets of messages and of bytes, each as the time at which it will be full again.

use crate::fault::{self, Fault};
use crate::{Limits, Time};

/// Refusals in a row, without the buckets filling up in between, that end a connection: a second's worth.
const MIN_REFUSALS: u32 = 10;

/// Starts full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    messages: Bucket,
    bytes: Bucket,
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
        let (messages, volume) = (Flow::of_messages(limits), Flow::of_bytes(limits));
        if self.messages.is_full(now) && self.bytes.is_full(now) {
            self.refused = 0;
        }
        let over = if !self.messages.has(1, now, messages) && !fault::is(Fault::RateWithoutLimit) {
            Verdict::TooMany
        } else if !self.bytes.has(bytes, now, volume) {
            Verdict::TooMuch
        } else {
            self.messages.take(1, now, messages);
            self.bytes.take(bytes, now, volume);
            return Verdict::Within;
        };
        self.refused += 1;
        if self.refused > limits.message_rate_per_second.max(MIN_REFUSALS) { Verdict::Hopeless } else { over }
    }

    /// Takes more from the buckets, at most all of it: what a message makes the server send to others is charged
    /// to its sender.
    pub(crate) fn charge(&mut self, messages: usize, bytes: usize, now: Time, limits: &Limits) {
        if fault::is(Fault::ChargeForgotten) {
            return;
        }
        self.messages.take(messages, now, Flow::of_messages(limits));
        self.bytes.take(bytes, now, Flow::of_bytes(limits));
    }
}

/// How fast a bucket is filled, and how much it holds; `None` is no limit.
#[derive(Clone, Copy)]
struct Flow {
    per_second: u64,
    burst: u64,
}

impl Flow {
    fn of_messages(limits: &Limits) -> Option<Flow> {
        Flow::new(limits.message_rate_per_second, limits.message_burst)
    }

    fn of_bytes(limits: &Limits) -> Option<Flow> {
        Flow::new(limits.byte_rate_per_second, limits.byte_burst)
    }

    fn new(per_second: u32, burst: u32) -> Option<Flow> {
        (per_second > 0).then(|| Flow { per_second: per_second.into(), burst: burst.max(1).into() })
    }

    /// How long it takes to fill in so much.
    fn nanos(self, amount: u64) -> u64 {
        amount.saturating_mul(1_000_000_000) / self.per_second
    }
}

/// Nanoseconds since boot at which the bucket is full again (the "theoretical arrival time" of the generic cell rate
/// algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
struct Bucket(u64);

impl Bucket {
    fn is_full(self, now: Time) -> bool {
        self.0 <= nanos_of(now)
    }

    fn has(self, amount: usize, now: Time, flow: Option<Flow>) -> bool {
        flow.is_none_or(|flow| {
            let missing = self.0.saturating_sub(nanos_of(now));
            missing.saturating_add(flow.nanos(amount as u64)) <= flow.nanos(flow.burst)
        })
    }

    /// Takes so much, or all that is in it.
    fn take(&mut self, amount: usize, now: Time, flow: Option<Flow>) {
        let Some(flow) = flow else { return };
        let now = nanos_of(now);
        let empty = now.saturating_add(flow.nanos(flow.burst)).max(self.0);
        self.0 = self.0.max(now).saturating_add(flow.nanos(amount as u64)).min(empty);
    }
}

fn nanos_of(time: Time) -> u64 {
    if fault::is(Fault::RateNotRefilled) { 0 } else { time.0.saturating_mul(1_000_000) }
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

    #[test]
    fn a_charge_empties_the_buckets_but_makes_no_debt() {
        let limits = Limits { byte_rate_per_second: 10, byte_burst: 20, ..limits(10, 20) };
        let mut pace = Pace::default();
        pace.charge(1_000_000, 0, Time(0), &limits);
        assert_eq!(pace.admit(0, Time(0), &limits), Verdict::TooMany);
        pace.charge(0, usize::MAX, Time(0), &limits);
        assert_eq!(pace.admit(1, Time(100), &limits), Verdict::Within);
        assert_eq!(pace.admit(1, Time(199), &limits), Verdict::TooMany);
        assert_eq!(pace.admit(2, Time(200), &limits), Verdict::TooMuch);
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let limits = Limits { byte_rate_per_second: 0, ..limits(0, 1) };
        let mut pace = Pace::default();
        assert!((0..10_000).all(|_| pace.admit(1_000_000, Time(0), &limits) == Verdict::Within));
    }
}
