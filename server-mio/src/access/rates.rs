//! How fast one address may come: `CONNECTION_RATE_PER_IP`, and `HTTP_RATE` per `HTTP_WINDOW`.

use peerpigeon_core::{AddressKey, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What was done lately by each address, as far as it counts.
///
/// Bounded: past [`PerAddress::ADDRESSES`] the one that was quiet for the longest time is forgotten, which
/// only means that it starts afresh. An address that keeps trying stays. Each call costs the logarithm of the
/// number of addresses, whatever addresses an attacker picks.
#[derive(Debug)]
pub(crate) struct PerAddress {
    rates: Rates,
    records: BTreeMap<AddressKey, Record>,
    /// The same addresses, the one quiet for the longest time first.
    by_age: BTreeSet<(Time, AddressKey)>,
}

/// How fast one address may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rates {
    /// Connection attempts per second, twice as many at once; 0 = no limit.
    pub connections_per_second: u32,
    /// Requests per window; 0 = no limit.
    pub requests_per_window: u32,
    /// Length of the window in milliseconds. It begins with the first request in it.
    pub window_ms: u64,
}

/// Whether something may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RateVerdict {
    /// It may, and was counted.
    Pass,
    /// It is too much.
    TooFast {
        /// After which the next one would pass.
        wait_ms: u64,
    },
}

impl PerAddress {
    /// Addresses remembered at once. That many cost 2.1 MB (measured: 127 bytes each at worst), and a
    /// [`PerAddress::sweep`] of them all 3 ms.
    pub(crate) const ADDRESSES: usize = 16_384;

    /// Nobody has come yet.
    #[must_use]
    pub(super) fn new(rates: Rates) -> PerAddress {
        PerAddress { rates, records: BTreeMap::new(), by_age: BTreeSet::new() }
    }

    /// Addresses remembered now.
    #[cfg(test)]
    fn addresses(&self) -> usize {
        self.records.len()
    }

    /// A connection attempt; `None` is an address without limits (`LIMIT_EXEMPT`).
    pub(super) fn connection(&mut self, now: Time, address: Option<AddressKey>) -> RateVerdict {
        let rate = u64::from(self.rates.connections_per_second);
        match address {
            Some(address) if rate != 0 => self.record(now, address).attempts.take(now, rate),
            Some(_) | None => RateVerdict::Pass,
        }
    }

    /// A plain HTTP request; `None` is an address without limits (`LIMIT_EXEMPT`).
    pub(super) fn request(&mut self, now: Time, address: Option<AddressKey>) -> RateVerdict {
        let Rates { requests_per_window, window_ms, .. } = self.rates;
        match address {
            Some(address) if requests_per_window != 0 => {
                self.record(now, address).window.take(now, requests_per_window, window_ms)
            }
            Some(_) | None => RateVerdict::Pass,
        }
    }

    /// Forgets the addresses whose record says nothing any more. Nothing depends on it but memory.
    pub(super) fn sweep(&mut self, now: Time) {
        let matters_ms = BURST_SECONDS.saturating_mul(1_000).max(self.rates.window_ms);
        while let Some((seen, address)) = self.by_age.first().copied()
            && now.since(seen) >= matters_ms
        {
            self.by_age.pop_first();
            self.records.remove(&address);
        }
    }

    /// The record of `address`, which is now the one that was quiet for the shortest time.
    fn record(&mut self, now: Time, address: AddressKey) -> &mut Record {
        if let Some(record) = self.records.get(&address) {
            self.by_age.remove(&(record.seen, address));
        } else if self.records.len() >= Self::ADDRESSES
            && let Some((_, stalest)) = self.by_age.pop_first()
        {
            self.records.remove(&stalest);
        }
        self.by_age.insert((now, address));
        let record = self.records.entry(address).or_insert_with(|| Record {
            seen: now,
            attempts: AddressBucket { spent: 0, at: now },
            window: Window { began: now, requests: 0 },
        });
        record.seen = now;
        record
    }
}

#[derive(Debug)]
struct Record {
    /// Its place in `by_age`.
    seen: Time,
    attempts: AddressBucket,
    window: Window,
}

/// A token bucket, in thousandths of an attempt, so that a rate per second is one per millisecond.
#[derive(Debug)]
struct AddressBucket {
    /// What is missing from the full bucket.
    spent: u64,
    at: Time,
}

impl AddressBucket {
    fn take(&mut self, now: Time, rate: u64) -> RateVerdict {
        self.spent = self.spent.saturating_sub(now.since(self.at).saturating_mul(rate));
        self.at = now;
        let after = self.spent + ATTEMPT;
        let excess = after.saturating_sub(rate * BURST_SECONDS * ATTEMPT);
        if excess == 0 {
            self.spent = after;
            RateVerdict::Pass
        } else {
            RateVerdict::TooFast { wait_ms: excess.div_ceil(rate) }
        }
    }
}

#[derive(Debug)]
struct Window {
    began: Time,
    requests: u32,
}

impl Window {
    fn take(&mut self, now: Time, most: u32, length_ms: u64) -> RateVerdict {
        if now.since(self.began) >= length_ms || self.requests == 0 {
            *self = Window { began: now, requests: 0 };
        }
        if self.requests < most {
            self.requests += 1;
            RateVerdict::Pass
        } else {
            RateVerdict::TooFast { wait_ms: (self.began + length_ms).since(now) }
        }
    }
}

/// How many seconds' worth of attempts may come at once.
const BURST_SECONDS: u64 = 2;
const ATTEMPT: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<AddressKey> = Some(AddressKey(1));
    const B: Option<AddressKey> = Some(AddressKey(2));

    fn per_address(connections_per_second: u32, requests_per_window: u32, window_ms: u64) -> PerAddress {
        PerAddress::new(Rates { connections_per_second, requests_per_window, window_ms })
    }

    fn check_invariants(table: &PerAddress) {
        assert!(table.records.len() <= PerAddress::ADDRESSES);
        assert_eq!(table.records.len(), table.by_age.len());
        for (address, record) in &table.records {
            assert!(table.by_age.contains(&(record.seen, *address)));
        }
    }

    #[test]
    fn twice_the_rate_passes_at_once_and_then_the_rate() {
        let mut table = per_address(50, 0, 1_000);
        for attempt in 0..100 {
            assert_eq!(table.connection(Time(5), A), RateVerdict::Pass, "attempt {attempt}");
        }
        assert_eq!(table.connection(Time(5), A), RateVerdict::TooFast { wait_ms: 20 });
        assert_eq!(table.connection(Time(15), A), RateVerdict::TooFast { wait_ms: 10 });
        assert_eq!(table.connection(Time(25), A), RateVerdict::Pass);
        assert_eq!(table.connection(Time(25), A), RateVerdict::TooFast { wait_ms: 20 });
        let passed = (25..1_025).filter(|ms| table.connection(Time(*ms), A) == RateVerdict::Pass).count();
        assert_eq!(passed, 49, "one every 20 ms, the first of them at 45 ms");
        check_invariants(&table);
    }

    #[test]
    fn who_waited_has_the_whole_burst_again_and_no_more() {
        let mut table = per_address(3, 0, 1_000);
        let burst = |table: &mut PerAddress, now| {
            (0..100).filter(|_| table.connection(Time(now), A) == RateVerdict::Pass).count()
        };
        assert_eq!(burst(&mut table, 0), 6);
        assert_eq!(burst(&mut table, 1_000), 3);
        assert_eq!(burst(&mut table, 3_000), 6);
        assert_eq!(burst(&mut table, u64::MAX), 6);
    }

    #[test]
    fn waiting_as_long_as_told_is_enough_and_less_is_not() {
        for rate in [1, 3, 7, 50, 999, 1_000_000] {
            let mut table = per_address(rate, 0, 1_000);
            let now = Time(9);
            let wait_ms = loop {
                match table.connection(now, A) {
                    RateVerdict::Pass => {}
                    RateVerdict::TooFast { wait_ms } => break wait_ms,
                }
            };
            assert!(wait_ms > 0);
            let early = table.connection(now + (wait_ms - 1), A);
            assert!(matches!(early, RateVerdict::TooFast { .. }), "rate {rate}");
            assert_eq!(table.connection(now + wait_ms, A), RateVerdict::Pass, "rate {rate}");
        }
    }

    #[test]
    fn a_window_holds_so_many_requests_and_begins_with_the_first() {
        let mut table = per_address(0, 3, 1_000);
        for ms in [700, 800, 900] {
            assert_eq!(table.request(Time(ms), A), RateVerdict::Pass);
        }
        assert_eq!(table.request(Time(1_000), A), RateVerdict::TooFast { wait_ms: 700 });
        assert_eq!(table.request(Time(1_699), A), RateVerdict::TooFast { wait_ms: 1 });
        for ms in [1_700, 1_800, 2_699] {
            assert_eq!(table.request(Time(ms), A), RateVerdict::Pass);
        }
        assert_eq!(table.request(Time(2_699), A), RateVerdict::TooFast { wait_ms: 1 });
    }

    #[test]
    fn a_window_does_not_begin_with_a_connection() {
        let mut table = per_address(1, 1, 1_000);
        assert_eq!(table.connection(Time(0), A), RateVerdict::Pass);
        assert_eq!(table.request(Time(900), A), RateVerdict::Pass);
        assert_eq!(table.request(Time(1_000), A), RateVerdict::TooFast { wait_ms: 900 });
    }

    #[test]
    fn addresses_do_not_share_and_attempts_are_no_requests() {
        let mut table = per_address(1, 1, 60_000);
        for address in [A, B] {
            assert_eq!(table.request(Time(0), address), RateVerdict::Pass);
            assert_eq!(table.connection(Time(0), address), RateVerdict::Pass);
            assert_eq!(table.connection(Time(0), address), RateVerdict::Pass);
            assert_eq!(table.connection(Time(0), address), RateVerdict::TooFast { wait_ms: 1_000 });
            assert_eq!(table.request(Time(0), address), RateVerdict::TooFast { wait_ms: 60_000 });
        }
    }

    #[test]
    fn zero_is_no_limit_and_so_is_an_exempt_address() {
        let (mut unlimited, mut strict) = (per_address(0, 0, 1_000), per_address(1, 1, 1_000));
        for _ in 0..1_000 {
            assert_eq!(unlimited.connection(Time(0), A), RateVerdict::Pass);
            assert_eq!(unlimited.request(Time(0), A), RateVerdict::Pass);
            assert_eq!(strict.connection(Time(0), None), RateVerdict::Pass);
            assert_eq!(strict.request(Time(0), None), RateVerdict::Pass);
        }
        assert_eq!((unlimited.addresses(), strict.addresses()), (0, 0), "nothing is kept for them");
    }

    #[test]
    fn past_the_cap_the_one_that_was_quiet_for_the_longest_time_goes() {
        let mut table = per_address(1, 0, 1_000);
        let limited = |table: &mut PerAddress, now, address| {
            assert_eq!(table.connection(now, address), RateVerdict::Pass);
            assert_eq!(table.connection(now, address), RateVerdict::Pass);
            assert!(matches!(table.connection(now, address), RateVerdict::TooFast { .. }));
        };
        limited(&mut table, Time(0), A);
        limited(&mut table, Time(1), B);
        assert!(matches!(table.connection(Time(2), A), RateVerdict::TooFast { .. }), "A is heard of again");
        for other in 0..PerAddress::ADDRESSES - 1 {
            table.connection(Time(3), Some(AddressKey(1_000 + other as u64)));
            assert!(table.addresses() <= PerAddress::ADDRESSES);
        }
        assert_eq!(table.addresses(), PerAddress::ADDRESSES);
        check_invariants(&table);
        assert!(matches!(table.connection(Time(4), A), RateVerdict::TooFast { .. }), "A is remembered");
        assert_eq!(table.connection(Time(4), B), RateVerdict::Pass, "B was forgotten");
        check_invariants(&table);
    }

    #[test]
    fn who_keeps_trying_is_not_forgotten_in_a_flood_of_others() {
        let mut table = per_address(1, 1, 1_000_000);
        assert_eq!(table.request(Time(0), A), RateVerdict::Pass);
        for other in 0..3 * PerAddress::ADDRESSES as u64 {
            table.request(Time(other), Some(AddressKey(1_000 + other)));
            if other % 1_000 == 0 {
                assert!(matches!(table.request(Time(other), A), RateVerdict::TooFast { .. }));
            }
        }
        check_invariants(&table);
    }

    #[test]
    fn a_sweep_forgets_what_says_nothing_any_more_and_nothing_else() {
        let mut table = per_address(1, 1, 5_000);
        table.request(Time(0), A);
        table.request(Time(1_000), B);
        table.sweep(Time(4_999));
        assert_eq!(table.addresses(), 2);
        table.sweep(Time(5_000));
        assert_eq!(table.addresses(), 1);
        assert!(matches!(table.request(Time(5_999), B), RateVerdict::TooFast { .. }));
        table.sweep(Time(10_999));
        assert_eq!(table.addresses(), 0);
        check_invariants(&table);

        let mut short_window = per_address(1, 1, 100);
        short_window.connection(Time(0), A);
        short_window.sweep(Time(1_999));
        assert_eq!(short_window.addresses(), 1, "the bucket fills in two seconds");
        short_window.sweep(Time(2_000));
        assert_eq!(short_window.addresses(), 0);
    }
}
