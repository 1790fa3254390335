//! Shutting down: nobody is let in any more, and everybody is told to come back later.
//!
//! Thousands who were told in one moment would come back to the next server in one moment too: so they are
//! told in parts, as far as the deadline allows.

use crate::fault::{self, Fault};
use crate::timers::NO_CONN;
use crate::{CloseReason, Switchboard, Time, TimerKind};

/// Time between two parts.
const STEP_MS: u64 = 50;

/// Peers that are told at once.
const STEP_PEERS: usize = 250;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Draining {
    until: Time,
    /// When the next part is due.
    pub(crate) due: Option<Time>,
}

impl Switchboard {
    /// A second call can only bring the deadline nearer.
    pub(crate) fn start_drain(&mut self, until: Time) {
        match &mut self.draining {
            Some(draining) => draining.until = draining.until.min(until),
            None => {
                self.draining = Some(Draining { until, due: None });
                if !fault::is(Fault::DrainForgetsHeld) {
                    self.turn_away_all_waiting(CloseReason::ShuttingDown);
                }
                self.drain_some();
            }
        }
    }

    /// Closes one part of the peers, and arms the next one while there are more.
    pub(crate) fn drain_some(&mut self) {
        let Some(draining) = self.draining else { return };
        let steps_left = usize::try_from(draining.until.since(self.now) / STEP_MS).unwrap_or(usize::MAX);
        let part = self.peers.len().div_ceil(steps_left.max(1)).max(STEP_PEERS);
        for _ in 0..part {
            if steps_left > 1 && self.outbox.is_crowded() {
                break;
            }
            let Some(slot) = self.peers.any() else { break };
            self.close(slot, CloseReason::ShuttingDown);
        }
        let due = (self.peers.len() > 0).then(|| self.now + STEP_MS);
        self.draining = Some(Draining { due, ..draining });
        if let Some(due) = due {
            self.timers.arm(due, TimerKind::Drain, NO_CONN);
        }
    }
}
