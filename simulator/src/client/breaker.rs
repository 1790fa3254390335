//! The circuit breaker: a server that fails again and again is left alone for a while.

use peerpigeon_core::Time;

/// State of a [`Breaker`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Circuit {
    /// The server may be tried.
    #[default]
    Closed,
    /// It is left alone.
    Open {
        /// Until then.
        until: Time,
    },
    /// It is tried once; the outcome decides.
    HalfOpen,
}

/// Counts the failures of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    circuit: Circuit,
    failures: u32,
}

impl Breaker {
    /// Its state.
    #[must_use]
    pub fn circuit(&self) -> Circuit {
        self.circuit
    }

    /// Whether the server may be tried at `now`.
    #[must_use]
    pub fn permits(&self, now: Time) -> bool {
        match self.circuit {
            Circuit::Closed | Circuit::HalfOpen => true,
            Circuit::Open { until } => until <= now,
        }
    }

    /// Until when it is left alone; `None` unless open.
    #[must_use]
    pub fn closed_until(&self) -> Option<Time> {
        match self.circuit {
            Circuit::Open { until } => Some(until),
            Circuit::Closed | Circuit::HalfOpen => None,
        }
    }

    /// The server is being tried: an open circuit becomes half-open.
    pub fn trying(&mut self) {
        if let Circuit::Open { .. } = self.circuit {
            self.circuit = Circuit::HalfOpen;
        }
    }

    /// The server let us in.
    pub fn succeeded(&mut self) {
        *self = Breaker::default();
    }

    /// The server failed: after `threshold` failures in a row, or the first one when half-open, it is left
    /// alone for `open_ms`.
    pub fn failed(&mut self, now: Time, threshold: u32, open_ms: u64) {
        self.failures = self.failures.saturating_add(1);
        if self.circuit == Circuit::HalfOpen || self.failures >= threshold {
            self.circuit = Circuit::Open { until: now + open_ms };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_opens_after_the_threshold_tries_once_and_closes_on_success() {
        let mut breaker = Breaker::default();
        breaker.failed(Time(0), 2, 100);
        assert!(breaker.permits(Time(0)));
        breaker.failed(Time(10), 2, 100);
        assert!(!breaker.permits(Time(109)) && breaker.permits(Time(110)));
        assert_eq!(breaker.closed_until(), Some(Time(110)));
        breaker.trying();
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
        breaker.failed(Time(120), 2, 100);
        assert_eq!(breaker.circuit(), Circuit::Open { until: Time(220) });
        breaker.trying();
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
    }
}
