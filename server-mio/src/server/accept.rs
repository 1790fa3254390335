//! New connections.

use crate::net::{Accepted, ListenerKind, Net};
use crate::server::Server;
use crate::server::config::Config;
use crate::server::slots::key_of;
use peerpigeon_core::{ConnId, Time};
use std::io::ErrorKind;

impl<N: Net> Server<N> {
    /// Takes in a bounded number of those who wait.
    pub(super) fn accept_some(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            if !self.acceptor.may_accept(self.now, self.connections.len()) {
                return;
            }
            match self.net.accept() {
                Ok(accepted) => {
                    self.acceptor.note_accepted();
                    self.take_in(accepted);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.acceptor.note_drained(),
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    self.loop_counters.accept_failures += 1;
                    self.make_room();
                    return self.acceptor.note_exhausted(self.now, &error);
                }
            }
        }
    }

    /// When sockets have run out, those who wait to speak are worth more than one who has said nothing for a while.
    fn make_room(&mut self) {
        if let Some((since, silent)) = self.most_silent()
            && self.now.since(since) >= PATIENCE_MS
        {
            self.connections.close_at_end_of_turn(silent);
        }
    }

    fn most_silent(&self) -> Option<(Time, ConnId)> {
        let Config { handshake_timeout_ms, keep_alive_timeout_ms, .. } = self.config;
        self.connections.most_silent(handshake_timeout_ms, keep_alive_timeout_ms)
    }

    fn take_in(&mut self, accepted: Accepted<N::Socket>) {
        if accepted.listener == ListenerKind::Public && !self.policy.admits(self.now, accepted.remote) {
            self.loop_counters.turned_away += 1;
            return self.net.close(accepted.socket);
        }
        let id = self.connections.insert(accepted, self.now + self.config.handshake_timeout_ms);
        if let Some(connection) = self.connections.get_mut(id)
            && let Err(error) = self.net.register(&mut connection.socket, key_of(id))
        {
            if let Some(more) = self.unwatched_lines.pass(self.now) {
                log::warn!("cannot watch a new connection: {error}{more}");
            }
            self.connections.close_at_end_of_turn(id);
        }
        // More than one if a reload has lowered the limit.
        while self.connections.handshakes() > self.config.max_handshakes
            && let Some((_, oldest)) = self.most_silent()
        {
            self.loop_counters.evicted += 1;
            log::debug!("{oldest:?} ended: more than {} handshakes", self.config.max_handshakes);
            self.connections.close_at_end_of_turn(oldest);
        }
    }
}

/// So that a rush of newcomers does not delay those who are connected.
const ACCEPTS_PER_TURN: usize = 64;

/// How long a client may be silent even while sockets have run out.
const PATIENCE_MS: u64 = 1_000;
