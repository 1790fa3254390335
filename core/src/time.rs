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
///
/// Given once, as the wall time of [`Time`] 0. Every `timestamp` on the wire is computed from it, so a
/// wall clock that jumps later moves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The wall time at `now`, with `self` as the wall time of boot.
    #[must_use]
    pub fn at(self, now: Time) -> u64 {
        self.0.saturating_add(now.0)
    }
}
