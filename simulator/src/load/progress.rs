//! A sign of life during long runs.

use std::time::{Duration, Instant};

/// Tells now and then how far a run is, to standard error; short runs pass in silence.
#[derive(Debug)]
pub(super) struct Progress {
    start: Instant,
    total: Duration,
    next: Instant,
}

impl Progress {
    pub(super) fn new(total: Duration) -> Progress {
        let start = Instant::now();
        Progress { start, total, next: start + INTERVAL }
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.total > INTERVAL && now >= self.next {
            self.next = now + INTERVAL;
            let (passed, total) = (now - self.start, self.total);
            eprintln!("  {:.0} of {:.0} s: {}", passed.as_secs_f64(), total.as_secs_f64(), what());
        }
    }
}

const INTERVAL: Duration = Duration::from_secs(10);
