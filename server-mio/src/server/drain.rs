//! The way out.

use crate::net::Net;
use crate::server::Server;
use peerpigeon_core::{Input, Time};

impl<N: Net> Server<N> {
    /// From now on nobody is let in, and everybody is told to go. What is called a second time changes nothing.
    pub(super) fn begin_drain(&mut self) {
        if self.is_draining() {
            return;
        }
        let peers = self.switchboard.census().connections;
        log::info!("shutting down, {peers} connected");
        let by = self.now + self.config.shutdown_timeout_ms;
        self.draining = Some(DrainTimes { by, listens_until: by.min(self.now + GRACE_MS) });
        // The last to be told still need time to answer.
        let farewell_ms = self.config.closing_timeout_ms.min(self.config.shutdown_timeout_ms / 2);
        let until = self.now + (self.config.shutdown_timeout_ms - farewell_ms);
        self.feed(Input::Drain { until });
    }

    /// Whether the end has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// Whether everybody who was connected is gone, or the time for that is over.
    pub fn is_over(&self) -> bool {
        self.draining.is_some_and(|draining| {
            let is_done = self.unfinished() == 0
                && self.switchboard.census().connections == 0
                && self.asked_of_store() == 0;
            self.now >= draining.by || (is_done && !self.expects_requests(draining))
        })
    }

    /// Connections that have not come to their end; at the end of a drain, those that are cut off by `SHUTDOWN_TIMEOUT`.
    pub fn unfinished(&self) -> usize {
        self.connections.unfinished()
    }

    /// Whether a request may be under way from somebody who has just come: it is answered.
    fn expects_requests(&self, draining: DrainTimes) -> bool {
        let patience_ms = self.config.handshake_timeout_ms.saturating_sub(GRACE_MS);
        let newest = self.connections.newest_handshake();
        self.now < draining.listens_until && newest.is_some_and(|deadline| deadline > self.now + patience_ms)
    }

    /// When the end has to be looked at again, since time alone can bring it.
    pub(super) fn drain_deadline(&self) -> Option<Time> {
        let DrainTimes { by, listens_until } = self.draining?;
        Some(if self.now < listens_until { listens_until } else { by })
    }
}

/// The server has been asked to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct DrainTimes {
    /// When the process must have ended.
    by: Time,
    /// Until then it waits for the requests of those who have just connected.
    listens_until: Time,
}

/// From a connection to its request: one round trip, even a long one.
const GRACE_MS: u64 = 250;
