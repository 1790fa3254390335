//! What happens because nothing happened.

use crate::http::{HttpRefusal, Status};
use crate::net::Net;
use crate::server::Server;
use crate::server::connection::Phase;
use peerpigeon_core::{ConnId, Input, Time};

impl<N: Net> Server<N> {
    /// When the next turn must begin at the latest.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let core = self.switchboard.poll_timeout().map(|(when, _)| when);
        let store = self.store.as_ref().and_then(|store| store.deadline());
        let bus = self.bus.as_ref().and_then(|bus| bus.deadline());
        [core, store, bus, self.connections.deadline(), self.acceptor.deadline(), self.drain_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due, in the core and in the loop.
    pub(super) fn fire_deadlines(&mut self) {
        if self.switchboard.poll_timeout().is_some_and(|(when, _)| when <= self.now) {
            self.feed(Input::Tick);
        }
        while let Some(id) = self.connections.late_handshake(self.now) {
            self.end_handshake(id);
        }
        while let Some(id) = self.connections.late_ending(self.now) {
            self.connections.close_at_end_of_turn(id);
        }
        if self.connections.trim(self.now) {
            self.net.give_back_memory();
        }
    }

    /// Half a request is answered with 408 (RFC 9110 section 15.5.9); a silent connection is just ended. That one has
    /// kept a connection for long enough is no limit that was met.
    fn end_handshake(&mut self, id: ConnId) {
        self.loop_counters.late += u64::from(!self.connections.is_idle(id));
        let has_begun = self.connections.get_mut(id).is_some_and(|connection| match &connection.phase {
            Phase::Http(state) => !state.unparsed.is_empty() || !state.body.is_whole(),
            Phase::Open { .. } | Phase::Closing { .. } | Phase::Lingering => false,
        });
        if has_begun {
            let text = "Request was not whole within HANDSHAKE_TIMEOUT";
            self.refuse(id, HttpRefusal::new(Status::RequestTimeout, text), None);
        } else {
            self.connections.close_at_end_of_turn(id);
        }
    }
}
