//! Frames of a WebSocket.

use crate::net::Net;
use crate::observe::FrameKind;
use crate::server::Server;
use crate::server::connection::Phase;
use crate::server::read::Received;
use crate::websocket::{Found, Violation};
use peerpigeon_core::{ConnId, Gone, Input};
use tungstenite::protocol::frame::coding::CloseCode;

impl<N: Net> Server<N> {
    pub(super) fn read_websocket(&mut self, id: ConnId, room: &mut [u8]) {
        match self.receive(id, room) {
            Received::Bytes { count, more } => {
                self.decode(id, &mut room[..count]);
                if more {
                    self.connections.mark_ready(id);
                }
            }
            Received::End(cause) => {
                self.tell_gone(id, cause);
                self.connections.close_at_end_of_turn(id);
            }
        }
    }

    /// Acts on every frame in `input`, and keeps what is incomplete at its end.
    pub(super) fn decode(&mut self, id: ConnId, input: &mut [u8]) {
        let Some(mut decoder) = self.connections.take_decoder(id) else { return };
        let mut at = 0;
        while self.is_hearing(id) {
            match decoder.next(input, &mut at, self.config.max_message_bytes) {
                Ok(Some(found)) => {
                    self.hear(id, found);
                    self.keep_to_budget();
                }
                Ok(None) => break,
                Err(violation) => {
                    self.refuse_frame(id, violation);
                    return;
                }
            }
        }
        self.connections.return_decoder(id, decoder);
    }

    /// Whether frames of this connection still matter.
    fn is_hearing(&mut self, id: ConnId) -> bool {
        self.connections
            .get_mut(id)
            .is_some_and(|connection| matches!(connection.phase, Phase::Open { .. } | Phase::Closing { .. }))
    }

    fn hear(&mut self, conn: ConnId, found: Found<'_>) {
        // What comes after our own close frame is not heard any more, but for the client's.
        let is_open = self
            .connections
            .get_mut(conn)
            .is_some_and(|connection| matches!(connection.phase, Phase::Open { .. }));
        match found {
            Found::Text(text) => self.loop_counters.received.count_message(text.len()),
            Found::Binary(bytes) => self.loop_counters.received.count_message(bytes.len()),
            Found::Ping(_) => self.loop_counters.received.count(FrameKind::Ping),
            Found::Pong => self.loop_counters.received.count(FrameKind::Pong),
            Found::Close(_) => self.loop_counters.received.count(FrameKind::Close),
        }
        match found {
            Found::Close(code) => self.hear_close(conn, code, is_open),
            Found::Text(text) if is_open => self.feed(Input::Text { conn, text }),
            // As long, so that its sender is charged for it, and nothing that could be JSON.
            Found::Binary(bytes) if is_open => {
                self.feed(Input::Text { conn, text: &"?".repeat(bytes.len()) })
            }
            Found::Ping(payload) if is_open => {
                self.connections.queue_pong(conn, payload);
                self.feed(Input::Heard { conn });
            }
            Found::Pong if is_open => self.feed(Input::Heard { conn }),
            Found::Text(_) | Found::Binary(_) | Found::Ping(_) | Found::Pong => {}
        }
    }

    /// Both sides have said goodbye as soon as our frame is out; then the server ends the connection (RFC
    /// 6455 section 7.1.1).
    fn hear_close(&mut self, conn: ConnId, code: Option<CloseCode>, is_open: bool) {
        if is_open {
            self.tell_gone(conn, Gone::Closed);
            self.connections.queue_close(conn, code, "");
            let deadline = self.now + self.config.closing_timeout_ms;
            self.connections.advance(conn, Phase::Closing { decoder: Default::default() }, deadline);
        }
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.marks.ends_when_flushed = true;
            self.connections.mark_dirty(conn);
        }
    }

    /// RFC 6455 section 7.1.7: fails the connection. Nobody knows where the next frame begins, so nothing
    /// is read any more.
    fn refuse_frame(&mut self, conn: ConnId, violation: Violation) {
        log::debug!("{conn:?}: {violation}");
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if matches!(connection.phase, Phase::Open { .. }) {
            let cause = if violation == Violation::TooBig { Gone::TooBig } else { Gone::ProtocolError };
            // Deadlines that are due fire first, and what they bring may not follow the close frame.
            self.tell_gone(conn, cause);
            self.connections.queue_close(conn, Some(violation.close_code()), violation.text());
        }
        let deadline = self.now + self.config.closing_timeout_ms;
        self.connections.advance(conn, Phase::Lingering, deadline);
    }
}
