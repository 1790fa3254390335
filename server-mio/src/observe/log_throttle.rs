//! Log lines that strangers can cause again and again.

use core::fmt;
use peerpigeon_core::Time;

/// Lets one line pass in a second, and counts the others.
#[derive(Debug, Default)]
pub(crate) struct LogThrottle {
    /// Until then nothing passes.
    until: Option<Time>,
    held_back: u64,
}

/// How many lines of the same kind were not written since the last one that was; shown behind a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldBack(u64);

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, " (and {} such lines before)", self.0) }
    }
}

impl LogThrottle {
    /// Whether a line may be written now.
    pub(crate) fn pass(&mut self, now: Time) -> Option<HeldBack> {
        if self.until.is_some_and(|until| now < until) {
            self.held_back += 1;
            return None;
        }
        self.until = Some(now + INTERVAL_MS);
        Some(HeldBack(core::mem::take(&mut self.held_back)))
    }
}

const INTERVAL_MS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_passes_in_a_second_and_says_how_many_did_not() {
        let mut log_throttle = LogThrottle::default();
        let passed: Vec<(u64, String)> = (0..2_500)
            .step_by(100)
            .filter_map(|now| log_throttle.pass(Time(now)).map(|held_back| (now, held_back.to_string())))
            .collect();
        let rest = " (and 9 such lines before)";
        assert_eq!(passed, [(0, String::new()), (1_000, rest.to_owned()), (2_000, rest.to_owned())]);
    }
}
