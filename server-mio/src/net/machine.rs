//! The machine that the process really runs on.

use crate::net::host::{Host, Process};
use crate::net::{heap, proc_files};
use crate::observe::date;
use peerpigeon_core::{Time, UnixMillis};
use std::time::{Duration, Instant};

/// The clocks and the process of this machine, from the moment when it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    start: Instant,
}

impl Machine {
    /// Its clock shows 0.
    pub(super) fn new() -> Machine {
        Machine { start: Instant::now() }
    }

    /// From now to then; nothing where that has passed, `None` where it is further away than clocks go.
    pub(super) fn until(&self, then: Time) -> Option<Duration> {
        let then = self.start.checked_add(Duration::from_millis(then.0))?;
        Some(then.saturating_duration_since(Instant::now()))
    }
}

impl Host for Machine {
    fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn wall_time(&self) -> Option<UnixMillis> {
        Some(date::now())
    }

    fn process(&self) -> Process {
        proc_files::process()
    }

    fn give_back_memory(&mut self) {
        heap::give_back();
    }
}
