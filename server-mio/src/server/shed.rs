//! The memory budget.

use crate::net::Net;
use crate::server::Server;
use peerpigeon_core::{Gone, Input};

impl<N: Net> Server<N> {
    /// Called wherever memory may have grown in the middle of a turn: a turn reads from hundreds of connections, and
    /// what one message becomes can be much more than the message.
    pub(super) fn keep_to_budget(&mut self) {
        if self.connections.owned_bytes() > self.config.memory_budget_bytes {
            self.flush_and_shed();
        }
    }

    /// Sends what the sockets take. If what is left is more memory than there may be, the connection that
    /// takes most is ended, and so on.
    pub(super) fn flush_and_shed(&mut self) {
        self.flush_all();
        while self.connections.owned_bytes() > self.config.memory_budget_bytes {
            let Some(conn) = self.connections.largest() else { break };
            log::debug!("{conn:?} ended: buffers take {} bytes", self.connections.owned_bytes());
            self.loop_counters.shed += 1;
            self.feed(Input::QueueFull { conn });
            self.tell_gone(conn, Gone::Reset);
            // No close frame: it would have to wait behind what must be freed now.
            self.connections.drop_buffers(conn);
            self.connections.close_at_end_of_turn(conn);
            self.flush_all();
        }
    }
}
