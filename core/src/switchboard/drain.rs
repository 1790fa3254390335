//! Shutting down: nobody is let in any more, and everybody is told to come back later.
//!
//! Thousands who were told in one moment would come back to the next server in one moment too: so they are
//! told in parts, as far as the deadline allows. No part is more than what one turn of the driver can bear: what is missing of
//! it follows at once.

use crate::timers::{Deadline, NO_CONN};
use crate::{CloseReason, Switchboard, Time, TimerKind};

/// Time between two parts.
const STEP_MS: u64 = 50;

/// The fewest peers of one part.
const STEP_PEERS: usize = 250;

/// Peers that are told by one input, at most: with its output, each takes the driver some microseconds.
const MOST_PEERS: usize = 5_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Draining {
    until: Time,
    /// When the next part is due.
    pub(crate) deadline: Deadline,
    /// Peers of the last part that are still to be told.
    missing: usize,
    /// Places of peers that are done with: nobody takes one any more.
    looked_at: usize,
}

impl Switchboard {
    /// A second call can only bring the deadline nearer.
    pub(crate) fn start_drain(&mut self, until: Time) {
        match &mut self.draining {
            Some(draining) => draining.until = draining.until.min(until),
            None => {
                self.draining = Some(Draining { until, deadline: Deadline::NONE, missing: 0, looked_at: 0 });
                self.turn_away_all_waiting(CloseReason::ShuttingDown);
                self.drain_some();
            }
        }
    }

    /// Closes one part of the peers, or what was missing of the last one, and arms the next one while there are more.
    pub(crate) fn drain_some(&mut self) {
        let Some(Draining { until, missing, mut looked_at, .. }) = self.draining else { return };
        let steps_left = usize::try_from(until.since(self.now) / STEP_MS).unwrap_or(usize::MAX);
        let part =
            if missing > 0 { missing } else { self.peers.len().div_ceil(steps_left.max(1)).max(STEP_PEERS) };
        let mut told = 0;
        while told < part.min(MOST_PEERS)
            && !self.outbox.is_crowded()
            && let Some(slot) = self.peers.next(&mut looked_at)
        {
            self.close(slot, CloseReason::ShuttingDown);
            told += 1;
        }
        let missing = part - told;
        let wait = if missing > 0 { 1 } else { STEP_MS };
        let deadline = match self.peers.len() {
            0 => Deadline::NONE,
            _ => self.timers.arm(self.now + wait, TimerKind::Drain, NO_CONN),
        };
        self.draining = Some(Draining { until, deadline, missing, looked_at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConnId, Gone, Grant, Input, Limits, UnixMillis};
    use alloc::format;

    /// Handles an input at a time, and everything that comes of it.
    fn handle(board: &mut Switchboard, now: Time, input: Input<'_>) {
        board.handle(now, input);
        while board.poll_output().is_some() {}
    }

    #[test]
    fn every_place_is_looked_at_once_however_many_parts_there_are_and_whoever_leaves_meanwhile() {
        const PEERS: u32 = 20_000;
        let limits = Limits { connections: PEERS, ..Limits::default() };
        let mut board = Switchboard::new(limits, UnixMillis(0), 0).unwrap();
        for conn in 0..PEERS {
            let (target, conn) = (format!("/?peerId={conn:040x}"), ConnId(conn.into()));
            let opened = Input::Opened { conn, target: &target, address: None, grant: &Grant::ANY };
            handle(&mut board, Time(1), opened);
        }
        handle(&mut board, Time(1), Input::Drain { until: Time(2_001) });
        let (mut parts, mut before) = (0, 0);
        while let Some(Draining { deadline, looked_at, .. }) = board.draining
            && let Some(due) = deadline.time()
        {
            assert!(looked_at > before, "from {before} to {looked_at}");
            (before, parts) = (looked_at, parts + 1);
            let last = ConnId(u64::from(PEERS) - parts);
            let now = board.now;
            handle(&mut board, now, Input::Closed { conn: last, cause: Gone::Reset });
            handle(&mut board, due, Input::Tick);
        }
        assert_eq!(board.peers.len(), 0);
        assert_eq!(parts, 39, "the last of 40 is not followed by another one");
        assert!(before <= PEERS as usize, "{before}");
    }
}
