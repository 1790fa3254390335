//! The way out.

use crate::net::Net;
use crate::server::Server;
use peerpigeon_core::Input;

impl<N: Net> Server<N> {
    /// From now on nobody is let in, and everybody is told to go. What is called a second time changes nothing.
    pub(super) fn begin_drain(&mut self) {
        if self.drained_by.is_some() {
            return;
        }
        let peers = self.switchboard.census().connections;
        log::info!("shutting down, {peers} connected");
        self.drained_by = Some(self.now + self.config.shutdown_timeout_ms);
        // The last to be told still need time to answer.
        let farewell_ms = self.config.closing_timeout_ms.min(self.config.shutdown_timeout_ms / 2);
        let until = self.now + (self.config.shutdown_timeout_ms - farewell_ms);
        self.feed(Input::Drain { until });
    }

    /// Whether the end has begun.
    pub fn is_draining(&self) -> bool {
        self.drained_by.is_some()
    }

    /// Whether everybody who was connected is gone, or the time for that is over.
    pub fn is_over(&self) -> bool {
        self.drained_by.is_some_and(|deadline| {
            let is_done = self.connections.are_done() && self.switchboard.census().connections == 0;
            self.now >= deadline || is_done
        })
    }
}
