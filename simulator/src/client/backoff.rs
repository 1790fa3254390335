//! How long to wait before the next attempt.

use crate::random::Random;

/// Waiting times that double from attempt to attempt, spread so that a thousand clients that lost the same
/// server do not come back in the same moment.
///
/// The defaults are those of the JavaScript client (observed): 1 s, 2 s, 4 s up to 30 s for ten attempts, then
/// every 60 s, and three times as long while WebRTC links are up. The spread is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait, in ms.
    pub first_ms: u64,
    /// The longest wait of the doubling, in ms.
    pub longest_ms: u64,
    /// Attempts until the doubling ends.
    pub attempts: u32,
    /// The wait after that, in ms.
    pub patient_ms: u64,
    /// Up to so many percent are added or taken away.
    pub spread_percent: u8,
}

impl Backoff {
    /// The wait after `failures` failures before this one, in ms; `linked`: WebRTC links are up.
    pub fn wait(&self, failures: u32, linked: bool, random: &mut Random) -> u64 {
        let doubled = self.first_ms.saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX));
        let base = if failures < self.attempts { doubled.min(self.longest_ms) } else { self.patient_ms };
        let base = if linked { base.saturating_mul(3) } else { base };
        let spread = base.saturating_mul(u64::from(self.spread_percent.min(100))) / 100;
        random.between(base - spread, base.saturating_add(spread))
    }

    /// The longest wait that can come out, in ms.
    #[must_use]
    pub fn longest(&self) -> u64 {
        let base = self.longest_ms.max(self.patient_ms).saturating_mul(3);
        base.saturating_add(base.saturating_mul(u64::from(self.spread_percent.min(100))) / 100)
    }
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { first_ms: 1_000, longest_ms: 30_000, attempts: 10, patient_ms: 60_000, spread_percent: 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_become_patient_after_ten_attempts() {
        let backoff = Backoff { spread_percent: 0, ..Backoff::default() };
        let mut random = Random::new(1);
        let waits: Vec<u64> = (0..12).map(|failures| backoff.wait(failures, false, &mut random)).collect();
        assert_eq!(
            waits,
            [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000, 60_000, 60_000]
        );
        assert_eq!(backoff.wait(0, true, &mut random), 3_000);
        assert_eq!(backoff.wait(u32::MAX, false, &mut random), 60_000);
    }

    #[test]
    fn a_thousand_clients_spread_over_the_whole_allowed_time() {
        let backoff = Backoff::default();
        let mut random = Random::new(1);
        let waits: Vec<u64> = (0..1_000).map(|_| backoff.wait(0, false, &mut random)).collect();
        assert!(waits.iter().all(|wait| (800..=1_200).contains(wait)));
        assert!(waits.iter().any(|&wait| wait < 820) && waits.iter().any(|&wait| wait > 1_180));
        assert_eq!(backoff.longest(), 216_000);
    }
}
