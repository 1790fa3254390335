//! Time as data: the core never reads a clock.

use core::ops::Add;

/// Milliseconds since the process started, from a clock that never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// Milliseconds from `earlier` to `self`; 0 when `earlier` lies in the future.
    #[must_use]
    pub fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Time {
    type Output = Time;

    /// `self` plus so many milliseconds; saturates at the end of time.
    fn add(self, millis: u64) -> Time {
        Time(self.0.saturating_add(millis))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub u64);

/// What the clock on the wall shows: every `timestamp` on the wire is taken from it.
///
/// It goes as [`Time`] does until it is [set](Self::set), since it was set outside, or the machine slept. Nothing is measured
/// with it.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    set_at: Time,
    shown: UnixMillis,
}

impl WallClock {
    /// One that shows `boot` at `Time(0)`.
    #[must_use]
    pub fn new(boot: UnixMillis) -> WallClock {
        WallClock { set_at: Time(0), shown: boot }
    }

    /// From `now` on it shows `shown` and goes on from there.
    pub fn set(&mut self, now: Time, shown: UnixMillis) {
        *self = WallClock { set_at: now, shown };
    }

    /// What it shows at `now`, which must not lie before it was set.
    #[must_use]
    pub fn at(&self, now: Time) -> UnixMillis {
        UnixMillis(self.shown.0.saturating_add(now.since(self.set_at)))
    }
}
