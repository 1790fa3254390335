//! Bytes in.

use crate::net::Net;
use crate::server::Server;
use crate::server::connection::Phase;
use peerpigeon_core::{ConnId, Gone};
use std::io::ErrorKind;

/// What one read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// So many bytes, perhaps none; `more`: reading again will give something.
    Bytes { count: usize, more: bool },
    /// Nothing will ever come again.
    End(Gone),
}

impl<N: Net> Server<N> {
    /// Reads once from every connection that has something. What this gives others to read is written at the end of the
    /// turn, or earlier where it is so much that it would only lie around.
    pub(super) fn read_ready(&mut self) {
        std::mem::swap(&mut self.reading, &mut self.connections.ready);
        let mut room = std::mem::take(&mut self.input);
        for i in 0..self.reading.len() {
            self.read_one(self.reading[i], &mut room);
            if self.connections.unflushed_bytes > MAX_UNFLUSHED_BYTES {
                self.flush_all();
            }
            self.keep_to_budget();
        }
        self.reading.clear();
        self.input = room;
    }

    fn read_one(&mut self, id: ConnId, room: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.marks.is_ready = false;
        match connection.phase {
            Phase::Http(_) => self.read_http(id, room),
            Phase::Open { .. } | Phase::Closing { .. } => self.read_websocket(id, room),
            Phase::Lingering => self.read_nothing(id, room),
        }
    }

    /// One read into `room`.
    pub(super) fn receive(&mut self, id: ConnId, room: &mut [u8]) -> Received {
        let Some(connection) = self.connections.get_mut(id) else {
            return Received::Bytes { count: 0, more: false };
        };
        let marks = &mut connection.marks;
        match self.net.read(&mut connection.socket, room) {
            Ok(0) if marks.is_broken => Received::End(Gone::Reset),
            Ok(0) => Received::End(Gone::Closed),
            Ok(count) => {
                let more = count == room.len() || marks.has_hangup || marks.is_broken;
                Received::Bytes { count, more }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Received::Bytes { count: 0, more: true },
            Err(error) if error.kind() == ErrorKind::WouldBlock && !marks.is_broken => {
                marks.has_hangup = false;
                Received::Bytes { count: 0, more: false }
            }
            Err(_) => Received::End(Gone::Reset),
        }
    }

    /// Throws away what comes, until the client has ended its direction.
    fn read_nothing(&mut self, id: ConnId, room: &mut [u8]) {
        match self.receive(id, room) {
            Received::Bytes { more: true, .. } => self.connections.mark_ready(id),
            Received::Bytes { more: false, .. } => {}
            Received::End(_) => self.connections.close_at_end_of_turn(id),
        }
    }
}

/// Output that may gather in one turn: enough for one write per receiver in all but the largest turns, and little enough
/// that a burst (thousands who announce at once) leaves no large hole in the heap.
const MAX_UNFLUSHED_BYTES: usize = 128 * 1024;
