//! How fast a peer sends: a token bucket as the time at which it will be full again.

use crate::{Limits, Time};

/// Refusals in a row, without the bucket filling up in between, that end a connection: a second's worth.
const MIN_REFUSALS: u32 = 10;

/// Starts full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// Microseconds since boot at which the bucket is full again (the "theoretical arrival time" of the
    /// generic cell rate algorithm, ITU-T I.371).
    full_at_micros: u64,
    /// Messages refused since the bucket was full for the last time.
    refused: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Within,
    /// Refuse the message and tell the peer.
    Over,
    /// It was told and goes on.
    Hopeless,
}

impl Pace {
    pub(crate) fn admit(&mut self, now: Time, limits: &Limits) -> Verdict {
        let Some(cost) = cost_micros(limits) else { return Verdict::Within };
        let now_micros = now.0.saturating_mul(1000);
        if self.full_at_micros <= now_micros {
            self.full_at_micros = now_micros;
            self.refused = 0;
        }
        let behind = self.full_at_micros - now_micros + cost;
        if behind <= cost.saturating_mul(u64::from(limits.message_burst.max(1))) {
            self.full_at_micros += cost;
            return Verdict::Within;
        }
        self.refused += 1;
        if self.refused > limits.message_rate_per_second.max(MIN_REFUSALS) {
            Verdict::Hopeless
        } else {
            Verdict::Over
        }
    }

    /// Takes so many messages more from the bucket, at most all of it: what a message makes the server send
    /// to others is charged to its sender.
    pub(crate) fn charge(&mut self, messages: usize, now: Time, limits: &Limits) {
        let Some(cost) = cost_micros(limits) else { return };
        let messages = u64::try_from(messages).unwrap_or(u64::MAX);
        let now_micros = now.0.saturating_mul(1000);
        let empty = now_micros.saturating_add(cost.saturating_mul(u64::from(limits.message_burst.max(1))));
        let charged = self.full_at_micros.max(now_micros).saturating_add(cost.saturating_mul(messages));
        self.full_at_micros = charged.min(empty.max(self.full_at_micros));
    }
}

/// What one message takes, in microseconds of filling; `None` when there is no limit.
fn cost_micros(limits: &Limits) -> Option<u64> {
    1_000_000_u64.checked_div(u64::from(limits.message_rate_per_second)).map(|cost| cost.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(rate: u32, burst: u32) -> Limits {
        Limits { message_rate_per_second: rate, message_burst: burst, ..Limits::default() }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_counts() {
        let limits = limits(10, 20);
        let mut pace = Pace::default();
        assert!((0..20).all(|_| pace.admit(Time(5), &limits) == Verdict::Within));
        assert_eq!(pace.admit(Time(5), &limits), Verdict::Over);
        assert_eq!(pace.admit(Time(104), &limits), Verdict::Over);
        assert_eq!(pace.admit(Time(105), &limits), Verdict::Within);
        assert_eq!(pace.admit(Time(105), &limits), Verdict::Over);
    }

    #[test]
    fn who_goes_on_after_being_told_is_hopeless_and_who_rests_is_forgiven() {
        let limits = limits(10, 1);
        let mut pace = Pace::default();
        assert_eq!(pace.admit(Time(0), &limits), Verdict::Within);
        assert!((0..10).all(|_| pace.admit(Time(0), &limits) == Verdict::Over));
        assert_eq!(pace.admit(Time(0), &limits), Verdict::Hopeless);
        assert_eq!(pace.admit(Time(100), &limits), Verdict::Within);
        assert_eq!(pace.admit(Time(100), &limits), Verdict::Over);
    }

    #[test]
    fn a_charge_empties_the_bucket_but_makes_no_debt() {
        let limits = limits(10, 20);
        let mut pace = Pace::default();
        pace.charge(1_000_000, Time(0), &limits);
        assert_eq!(pace.admit(Time(0), &limits), Verdict::Over);
        assert_eq!(pace.admit(Time(100), &limits), Verdict::Within);
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let limits = limits(0, 1);
        let mut pace = Pace::default();
        assert!((0..10_000).all(|_| pace.admit(Time(0), &limits) == Verdict::Within));
    }
}
