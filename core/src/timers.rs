//! The table of deadlines: at most one per connection, fired in the order of their times.

use alloc::collections::BTreeSet;
use core::num::NonZero;

use crate::{ConnId, Time};

/// What a deadline is for. A driver has nothing to do about it, so there may be more of them in any version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TimerKind {
    /// A connection that has not registered is closed.
    Register,
    /// A held connection is let in or closed.
    Hold,
    /// A silent peer is pinged or closed.
    Liveness,
    /// It is looked for others to whom a peer could be linked.
    Introduce,
    /// An HTTP request that waits for a message is answered.
    Poll,
    /// Expired state is swept; belongs to no connection.
    Sweep,
    /// The next part of a drain; belongs to no connection.
    Drain,
    /// Lists of rooms have changed, or something that was waited for there has come to its end; belongs to no connection.
    Rooms,
    /// The store of mail should have answered; belongs to no connection.
    Store,
    /// Something is due between nodes; belongs to no connection.
    Cluster,
}

impl TimerKind {
    /// All of them, in the order of their numbers.
    const ALL: [TimerKind; 10] = [
        TimerKind::Register,
        TimerKind::Hold,
        TimerKind::Liveness,
        TimerKind::Introduce,
        TimerKind::Poll,
        TimerKind::Sweep,
        TimerKind::Drain,
        TimerKind::Rooms,
        TimerKind::Store,
        TimerKind::Cluster,
    ];
}

/// One of somebody's deadlines, in eight bytes, or none. Its owner keeps it to disarm it by, until it has [fired](Fired).
///
/// None lies at [`Time`] 0: each is later than the moment at which it is armed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deadline(Option<Key>);

impl Deadline {
    pub(crate) const NONE: Deadline = Deadline(None);

    pub(crate) fn at(time: Time, kind: TimerKind) -> Deadline {
        Deadline(Key::new(time, kind))
    }

    pub(crate) fn time(self) -> Option<Time> {
        self.0.map(Key::when)
    }

    /// The earlier of the two.
    pub(crate) fn or_earlier(self, other: Deadline) -> Deadline {
        Deadline([self.0, other.0].into_iter().flatten().min())
    }
}

/// A deadline that has come. The table has it no longer, and whoever kept it has [none](Deadline::NONE) from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fired {
    /// When it was due, which may be long ago.
    pub(crate) due: Time,
    pub(crate) kind: TimerKind,
    pub(crate) conn: ConnId,
}

/// A deadline that fires later than this shows that the driver was not listening meanwhile (a stopped process, a machine
/// asleep).
const LATE_MS: u64 = 1_000;

/// Whether somebody was waited for once more, since the driver had come late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patience {
    #[default]
    Fresh,
    Extended,
}

impl Patience {
    /// Until when whoever was due at `due` is given another chance, if it is: nobody is ended before the driver has listened
    /// for as long as may count as late. Once is enough, since by then it has told what had come meanwhile.
    pub(crate) fn extend(&mut self, due: Time, now: Time) -> Option<Time> {
        if now.since(due) <= LATE_MS || *self == Patience::Extended {
            return None;
        }
        *self = Patience::Extended;
        Some(now + LATE_MS)
    }
}

/// Stands for the connection of a deadline that belongs to none.
pub(crate) const NO_CONN: ConnId = ConnId(u64::MAX);

#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Key, ConnId)>);

/// A time with the kind in its lowest bits: every peer has one of these, so eight bytes each count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(NonZero<u64>);

impl Key {
    fn new(when: Time, kind: TimerKind) -> Option<Key> {
        NonZero::new(when.0.min(Self::LATEST) << Self::KIND_BITS | kind as u64).map(Key)
    }

    fn when(self) -> Time {
        Time(self.0.get() >> Self::KIND_BITS)
    }

    fn kind(self) -> TimerKind {
        TimerKind::ALL[(self.0.get() & ((1 << Self::KIND_BITS) - 1)) as usize]
    }

    const KIND_BITS: u32 = 4;

    /// In 36 million years.
    const LATEST: u64 = u64::MAX >> Self::KIND_BITS;
}

impl Timers {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn next(&self) -> Option<(Time, TimerKind)> {
        self.0.first().map(|(key, _)| (key.when(), key.kind()))
    }

    /// How many deadlines this is: one, or none.
    ///
    /// # Panics
    ///
    /// When it is one that the table does not have.
    pub(crate) fn check(&self, deadline: Deadline, conn: ConnId) -> usize {
        assert!(
            deadline.0.is_none_or(|key| self.0.contains(&(key, conn))),
            "{deadline:?} of {conn:?} is not armed"
        );
        usize::from(deadline.0.is_some())
    }

    /// Arms a deadline that is not armed.
    #[must_use]
    pub(crate) fn arm(&mut self, time: Time, kind: TimerKind, conn: ConnId) -> Deadline {
        let deadline = Deadline::at(time, kind);
        self.change(Deadline::NONE, deadline, conn);
        deadline
    }

    /// Disarms a deadline, unless it has fired.
    pub(crate) fn disarm(&mut self, deadline: Deadline, conn: ConnId) {
        self.change(deadline, Deadline::NONE, conn);
    }

    /// Arms one deadline in place of another.
    pub(crate) fn change(&mut self, before: Deadline, after: Deadline, conn: ConnId) {
        if before == after {
            return;
        }
        if let Some(key) = before.0 {
            let was = self.0.remove(&(key, conn));
            debug_assert!(was, "{before:?} of {conn:?} was not armed");
        }
        if let Some(key) = after.0 {
            let new = self.0.insert((key, conn));
            debug_assert!(new, "{after:?} of {conn:?} is armed already");
        }
    }

    /// Takes the earliest deadline that is due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Fired> {
        let (key, conn) = *self.0.first()?;
        if key.when() > now {
            return None;
        }
        self.0.pop_first();
        Some(Fired { due: key.when(), kind: key.kind(), conn })
    }
}

/// When `interval` milliseconds since `from` are over, give or take 20 %, always the same for one connection: without that
/// everybody who came back after a restart would be due at the same moment for ever.
///
/// Those who are due within a tenth of a second are due together. A server of many idle peers then wakes up ten times a
/// second, and not once for each ping and once for each pong.
pub(crate) fn around(from: Time, interval: u64, conn: ConnId) -> Time {
    /// 2^64 divided by the golden ratio: neighbouring numbers land far apart (Knuth, multiplicative hashing).
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    const TOGETHER_MS: u64 = 100;
    let per_mille = 800 + (conn.0.wrapping_mul(GOLDEN) >> 32) % 397;
    let spread = (interval.saturating_mul(per_mille) / 1000).max(1);
    // At most the four per mille that are left of the 20 %.
    let step = (interval / 250).clamp(1, TOGETHER_MS);
    let due = from.0.saturating_add(spread);
    Time(due.checked_next_multiple_of(step).unwrap_or(u64::MAX))
}

/// When `interval` milliseconds since `from` are over, give or take so many per mille, always the same for one connection.
pub(crate) fn spread(from: Time, interval: u64, per_mille: u64, conn: ConnId) -> Time {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let factor = 1_000 - per_mille + (conn.0.wrapping_mul(GOLDEN) >> 32) % (2 * per_mille + 1);
    Time(from.0.saturating_add((interval.saturating_mul(factor) / 1_000).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(due: u64, kind: TimerKind, conn: ConnId) -> Fired {
        Fired { due: Time(due), kind, conn }
    }

    #[test]
    fn one_deadline_takes_the_place_of_another_and_none_is_nothing() {
        let mut timers = Timers::default();
        timers.disarm(Deadline::NONE, ConnId(1));
        let early = timers.arm(Time(5), TimerKind::Poll, ConnId(1));
        let late = Deadline::at(Time(9), TimerKind::Liveness);
        timers.change(early, late, ConnId(1));
        assert_eq!((timers.len(), timers.pop_due(Time(8))), (1, None));
        assert_eq!(timers.check(late, ConnId(1)), 1);
        timers.disarm(late, ConnId(1));
        assert_eq!((timers.len(), timers.check(Deadline::NONE, ConnId(1))), (0, 0));
        assert_eq!(late.or_earlier(early).or_earlier(Deadline::NONE), early);
    }

    #[test]
    fn whoever_is_due_gets_another_second_once_if_the_driver_came_more_than_one_late() {
        let mut patience = Patience::default();
        assert_eq!(patience.extend(Time(5_000), Time(6_000)), None);
        assert_eq!(patience.extend(Time(5_000), Time(6_001)), Some(Time(7_001)));
        assert_eq!(patience.extend(Time(7_001), Time(60_000)), None, "it was waited for once more");
    }

    #[test]
    fn deadlines_come_in_the_order_of_their_times() {
        let mut timers = Timers::default();
        let _ = timers.arm(Time(30), TimerKind::Liveness, ConnId(1));
        let _ = timers.arm(Time(10), TimerKind::Introduce, ConnId(2));
        let _ = timers.arm(Time(10), TimerKind::Hold, ConnId(3));
        assert_eq!(timers.next(), Some((Time(10), TimerKind::Hold)));
        assert_eq!(timers.pop_due(Time(9)), None);
        let (hold, introduce) =
            (fired(10, TimerKind::Hold, ConnId(3)), fired(10, TimerKind::Introduce, ConnId(2)));
        assert_eq!(timers.pop_due(Time(10)), Some(hold));
        assert_eq!(timers.pop_due(Time(10)), Some(introduce));
        assert_eq!(timers.pop_due(Time(29)), None);
    }

    #[test]
    fn a_deadline_keeps_its_time_and_kind() {
        for (number, kind) in TimerKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            let mut timers = Timers::default();
            assert_eq!(timers.arm(Time(123), kind, NO_CONN).time(), Some(Time(123)));
            assert_eq!(timers.pop_due(Time(123)), Some(fired(123, kind, NO_CONN)));
            let last = timers.arm(Time(u64::MAX), kind, NO_CONN);
            assert_eq!(timers.check(last, NO_CONN), 1);
            assert_eq!(timers.pop_due(Time(1 << 59)), None);
        }
    }

    #[test]
    fn a_deadline_beyond_all_times_never_comes() {
        let mut timers = Timers::default();
        let deadline = timers.arm(Time(1 << 62), TimerKind::Sweep, NO_CONN);
        assert_eq!(timers.pop_due(Time(1 << 59)), None);
        assert_eq!(deadline, Deadline::at(Time(1 << 63), TimerKind::Sweep));
        timers.disarm(deadline, NO_CONN);
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn the_interval_of_a_connection_is_always_the_same() {
        let due = [0, 1, 2, 1_000_000, u64::MAX].map(|conn| around(Time(0), 25_000, ConnId(conn)).0);
        assert_eq!(due, [20_000, 22_000, 29_600, 25_100, 22_300]);
        assert_eq!(around(Time(5), 0, ConnId(1)), Time(6));
        assert_eq!(around(Time(0), u64::MAX, ConnId(1)), Time(18_446_744_073_709_600));
        assert_eq!(around(Time(u64::MAX - 1), 1_000, ConnId(1)), Time(u64::MAX));
    }

    #[test]
    fn an_interval_stays_within_a_fifth_and_differs_between_neighbours() {
        for (interval, conn) in
            [240_000, 25_000, 1_000, 249, 7].into_iter().flat_map(|i| (0..1000).map(move |c| (i, c)))
        {
            let millis = around(Time(12_345), interval, ConnId(conn)).since(Time(12_345));
            assert!(millis >= interval * 4 / 5 && millis <= interval * 6 / 5, "{millis} of {interval}");
            let next = around(Time(12_345), interval, ConnId(conn + 1)).since(Time(12_345));
            assert!(interval < 100 || millis != next, "{millis} of {interval}");
        }
    }

    #[test]
    fn those_who_are_due_within_a_tenth_of_a_second_are_due_together() {
        let moments = |interval| {
            let due = (0..10_000).map(|conn| around(Time(12_345), interval, ConnId(conn)));
            due.collect::<BTreeSet<_>>().len()
        };
        assert_eq!([25_000, 1_000, 249].map(moments), [100, 100, 99]);
        assert_eq!(moments(240_000), 397);
    }
}
