//! Sockets between the pages and the server.

use peerpigeon_core::{ConnId, Gone, Grant, Input};

use super::queue::{Arriving, Due, Upward};
use super::{Socket, World};
use crate::client;
use crate::scenario::Way;
use crate::watch::Breach;

/// How long an attempt takes that nobody answers, in ms.
const FAILING_MS: u64 = 1_000;
/// What a page is told of a socket that ended without a close frame (RFC 6455 section 7.1.5).
pub(super) const ABNORMAL_CLOSURE: u16 = 1006;
/// How long ICE takes to notice that the other side is gone (observed), in ms.
const ICE_MS: u64 = 6_000;

impl World<'_> {
    /// The slot and the attempt that a socket belongs to, while its page still has it.
    pub(super) fn owner(&self, conn: ConnId) -> Option<(usize, u64)> {
        let socket = self.sockets.get(&conn)?;
        Some((socket.slot, socket.attempt?))
    }

    /// A page opens a socket.
    pub(super) fn dial(&mut self, slot: usize, attempt: u64, target: &str) {
        if let Some(old) = self.slots[slot].conn.take() {
            self.haunt(slot, old);
        }
        if self.slots[slot].offline {
            self.queue.put(self.now + FAILING_MS, Due::Failed(slot, attempt));
            return;
        }
        let conn = match self.slots[slot].way {
            Way::A => self.open(slot, Some(attempt), target),
            Way::B => self.open(slot, Some(attempt), "/signaling"),
            Way::Http => self.visit(slot, attempt),
        };
        self.slots[slot].conn = Some(conn);
    }

    /// Sends the upgrade of a new connection.
    pub(super) fn open(&mut self, slot: usize, attempt: Option<u64>, target: &str) -> ConnId {
        let way = if attempt.is_some() { self.slots[slot].way } else { Way::A };
        let conn = self.fresh_conn();
        self.sockets.insert(conn, Socket { slot, way, attempt, dead: false, over: false });
        let open = Upward::Open { target: target.to_owned(), address: self.address(slot) };
        self.queue.put(self.now + self.slots[slot].delay, Due::Up(conn, open));
        conn
    }

    /// The page of a slot sends a message, if it has a socket.
    pub(super) fn send(&mut self, slot: usize, text: String) {
        let Some(conn) = self.slots[slot].conn else { return };
        let text = match self.slots[slot].way {
            Way::A => text,
            Way::B => self.in_b(slot, text),
            Way::Http => return self.post(slot, conn, text),
        };
        self.queue.put(self.now + self.slots[slot].delay, Due::Up(conn, Upward::Text(text)));
    }

    /// The page of a slot closes its socket as it should.
    pub(super) fn hang_up(&mut self, slot: usize) {
        if let Some(conn) = self.slots[slot].conn.take() {
            self.end(conn, Gone::Closed);
        }
    }

    /// A socket ends so that the server will see it.
    pub(super) fn end(&mut self, conn: ConnId, how: Gone) {
        let Some(socket) = self.sockets.get_mut(&conn) else { return };
        socket.attempt = None;
        let at = self.now + self.slots[socket.slot].delay;
        self.queue.put(at, Due::Up(conn, Upward::Gone(how)));
    }

    /// A socket ends without the server seeing it.
    pub(super) fn haunt(&mut self, slot: usize, conn: ConnId) {
        let Some(socket) = self.sockets.get_mut(&conn) else { return };
        (socket.attempt, socket.dead) = (None, true);
        if socket.over {
            self.sockets.remove(&conn);
        } else {
            self.slots[slot].ghosts.push(conn);
        }
    }

    /// The page of a slot loses its socket without the server seeing it, and is told at once.
    pub(super) fn cut(&mut self, slot: usize) {
        let Some(conn) = self.slots[slot].conn.take() else { return };
        let attempt = self.owner(conn).map(|(_, attempt)| attempt);
        self.haunt(slot, conn);
        if let Some(attempt) = attempt {
            self.page(slot, client::Input::Closed { attempt, code: ABNORMAL_CLOSURE });
        }
    }

    /// The page of a slot is gone: its links break, at once or as soon as ICE notices.
    pub(super) fn leave(&mut self, slot: usize, noticed: bool) {
        let me = *self.slots[slot].me.id();
        let Some(page) = self.slots[slot].page.take() else { return };
        let wait = if noticed { 0 } else { ICE_MS };
        for peer in page.mesh.links() {
            let others = self.slots_by_peer.get(&peer).cloned().unwrap_or_default();
            for other in others {
                self.queue.put(self.now + wait, Due::LinkLost(other, me));
            }
        }
    }

    /// Something reaches the server; while it does not look, it waits.
    pub(super) fn up(&mut self, conn: ConnId, upward: Upward) -> Result<(), Breach> {
        if let Some(until) = self.asleep {
            self.queue.put(until, Due::Up(conn, upward));
            return Ok(());
        }
        let Some(socket) = self.sockets.get_mut(&conn) else { return Ok(()) };
        let slot = socket.slot;
        if socket.way == Way::Http {
            return self.up_by_http(conn, upward);
        }
        match upward {
            Upward::Post | Upward::Poll => {}
            Upward::Open { target, address } => {
                if socket.way == Way::B {
                    self.register(slot, conn);
                }
                self.queue.put(self.now + self.slots[slot].delay, Due::Opened(conn));
                self.server(Input::Opened { conn, target: &target, address, grant: &Grant::ANY })?;
            }
            // What is still on its way when the page dies does not arrive.
            Upward::Text(_) | Upward::Pong if socket.dead => {}
            Upward::Text(text) => self.server(Input::Text { conn, text: &text })?,
            Upward::Pong => self.server(Input::Heard { conn })?,
            Upward::Gone(cause) => {
                socket.dead = true;
                self.server(Input::Closed { conn, cause })?;
                self.sockets.remove(&conn);
            }
        }
        Ok(())
    }

    /// Something reaches a page.
    pub(super) fn down(&mut self, conn: ConnId, arriving: Arriving) {
        let Some(socket) = self.sockets.get(&conn) else { return };
        let slot = socket.slot;
        if socket.dead {
            return;
        }
        if self.slots[slot].frozen {
            self.slots[slot].inbox.push_back((conn, arriving));
            return;
        }
        let owner = self.owner(conn);
        match arriving {
            Arriving::Reply { poll, status, text } => self.reply(conn, poll, status, &text),
            Arriving::Text(text) => {
                let text = if socket.way == Way::A { Some(text) } else { self.in_a(slot, &text) };
                let Some(text) = text else { return };
                if let Some((slot, attempt)) = owner {
                    self.page(slot, client::Input::Text { attempt, text: &text });
                }
            }
            Arriving::Ping => self.queue.put(self.now + self.slots[slot].delay, Due::Up(conn, Upward::Pong)),
            Arriving::Close(why) => {
                self.sockets.remove(&conn);
                if let Some((slot, attempt)) = owner {
                    self.slots[slot].conn.take_if(|current| *current == conn);
                    self.page(slot, client::Input::Closed { attempt, code: why.code() });
                }
            }
        }
    }
}
