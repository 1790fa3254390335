//! The end of a turn: bytes out, sockets closed.

use crate::net::Net;
use crate::server::connection::Phase;
use crate::server::connections::Connections;
use crate::websocket::encode;
use peerpigeon_core::ConnId;
use std::io::ErrorKind;

impl<S> Connections<S> {
    /// Writes once to every connection that got something in this turn.
    pub(super) fn flush_all<N: Net<Socket = S>>(&mut self, net: &mut N) {
        self.unflushed_bytes = 0;
        while let Some(id) = self.dirty.pop() {
            self.flush(net, id);
        }
    }

    /// Writes what is queued for one connection, as far as the socket takes it, and does what was waiting
    /// for that.
    pub(super) fn flush<N: Net<Socket = S>>(&mut self, net: &mut N, id: ConnId) {
        let Some(connection) = self.slots.any_mut(id) else { return };
        connection.marks.is_dirty = false;
        loop {
            if connection.queue.is_empty() {
                // The newest ping that came while the queue was full.
                let Phase::Open { pong, .. } = &mut connection.phase else { break };
                let Some(payload) = pong.take() else { break };
                encode::pong(connection.queue.room(payload.len() + encode::MAX_HEADER_BYTES), &payload);
                self.owned_bytes = self.owned_bytes - payload.len() + connection.queue.capacity();
            }
            if connection.marks.is_blocked {
                return;
            }
            match net.write(&mut connection.socket, connection.queue.unsent()) {
                Ok(taken) if taken == connection.queue.len() => {}
                Ok(taken) if taken > 0 => {
                    connection.queue.advance(taken);
                    connection.marks.is_blocked = true;
                    return self.note_behind(id);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    connection.marks.is_blocked = true;
                    return self.note_behind(id);
                }
                // What the client sent before it went is still to be read; that will show the end.
                Ok(_) | Err(_) => connection.marks.is_broken = true,
            }
            let is_broken = connection.marks.is_broken;
            self.owned_bytes -= connection.queue.capacity();
            let buffer = connection.queue.take_buffer();
            self.pool.put(buffer);
            if is_broken {
                self.mark_ready(id);
                break;
            }
        }
        self.flushed(net, id);
    }

    /// What waits for a connection has changed, and the socket takes no more.
    fn note_behind(&mut self, id: ConnId) {
        if self.slots.live_mut(id).is_some_and(|connection| connection.marks.is_known) {
            self.behind.push(id);
        }
    }

    /// The queue of a connection is empty.
    fn flushed<N: Net<Socket = S>>(&mut self, net: &mut N, id: ConnId) {
        let Some(connection) = self.slots.live_mut(id) else { return };
        if connection.marks.is_behind {
            self.behind.push(id);
        }
        if matches!(connection.phase, Phase::Lingering) && !connection.marks.has_shut {
            connection.marks.has_shut = true;
            self.parting += 1;
            net.shut_write(&mut connection.socket);
        }
        if connection.marks.ends_when_flushed {
            self.close_at_end_of_turn(id);
        } else if connection.marks.is_held_back {
            connection.marks.is_held_back = false;
            self.mark_ready(id);
        }
    }

    /// Closes the sockets of all connections that are over. Says whether there were any.
    pub(super) fn reap<N: Net<Socket = S>>(&mut self, net: &mut N) -> bool {
        let any = !self.ending.is_empty();
        while let Some(id) = self.ending.pop() {
            let Some(mut connection) = self.slots.remove(id) else { continue };
            self.owned_bytes -= connection.owned_bytes();
            self.parting -= usize::from(connection.marks.has_shut);
            self.pool.put(connection.queue.take_buffer());
            self.pool.note_freed();
            net.close(connection.socket);
        }
        any
    }
}
