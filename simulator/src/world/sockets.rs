//! Sockets between the pages and the server.

use peerpigeon_core::{ConnId, Gone};

use super::due::Due;
use super::{Socket, World};
use crate::client;
use crate::host::{Downward, Upward};
use crate::laws::Verdict;
use crate::scenario::{Level, Way};
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
        let way = self.slots[slot].way;
        let conn = match way {
            Way::A => self.open(slot, Some(attempt), target),
            Way::B => self.open(slot, Some(attempt), "/signaling"),
            Way::Http => self.visit(slot, attempt),
        };
        self.witness.opened(conn, self.slots[slot].me, way);
        if self.asleep.is_some() || self.slots[slot].frozen {
            self.witness.disturbed(conn);
        }
        self.slots[slot].conn = Some(conn);
    }

    /// Sends the upgrade of a new connection.
    pub(super) fn open(&mut self, slot: usize, attempt: Option<u64>, target: &str) -> ConnId {
        let open = Upward::Open { target: target.to_owned(), address: self.address(slot) };
        self.connect(slot, attempt, open)
    }

    /// Makes a connection that begins with `first`.
    pub(super) fn connect(&mut self, slot: usize, attempt: Option<u64>, first: Upward) -> ConnId {
        let way = if attempt.is_some() { self.slots[slot].way } else { Way::A };
        let conn = self.fresh_conn();
        self.sockets.insert(conn, Socket { slot, way, attempt, dead: false, over: false });
        self.queue.put(self.now + self.slots[slot].delay, Due::Up(conn, first));
        conn
    }

    /// Something happens to the socket of a slot at once, whatever is on its way.
    pub(super) fn suffer(&mut self, slot: usize, upward: Upward) -> Result<(), Breach> {
        let Some(conn) = self.slots[slot].conn else { return Ok(()) };
        self.server(conn, upward)
    }

    /// The page of a slot sends a message, if it has a socket.
    pub(super) fn send(&mut self, slot: usize, text: String) {
        let Some(conn) = self.slots[slot].conn else { return };
        self.witness.said(conn, &text);
        if self.scenario.level == Level::Bytes
            && text.len() + 60 > self.scenario.knobs.bytes.max_message_bytes
        {
            // Longer than allowed, perhaps only with what dialect B adds to it.
            self.witness.hostile(conn);
        }
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
        self.witness.over(conn);
        let at = self.now + self.slots[socket.slot].delay;
        self.queue.put(at, Due::Up(conn, Upward::Gone(how)));
    }

    /// A socket ends without the server seeing it.
    pub(super) fn haunt(&mut self, slot: usize, conn: ConnId) {
        let Some(socket) = self.sockets.get_mut(&conn) else { return };
        (socket.attempt, socket.dead) = (None, true);
        self.witness.over(conn);
        self.host.reads(conn, false);
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
        // What is still on its way when the page dies does not arrive.
        if socket.dead && !matches!(upward, Upward::Gone(_) | Upward::Open { .. }) {
            return Ok(());
        }
        if socket.way == Way::Http {
            return self.visit_ends(conn, &upward);
        }
        if socket.way == Way::B && matches!(upward, Upward::Open { .. }) {
            let slot = socket.slot;
            self.register(slot, conn);
        }
        let Some(socket) = self.sockets.get_mut(&conn) else { return Ok(()) };
        let ends = matches!(upward, Upward::Gone(_));
        socket.dead |= ends;
        self.server(conn, upward)?;
        if ends {
            self.sockets.remove(&conn);
        }
        Ok(())
    }

    /// Something reaches a page.
    pub(super) fn down(&mut self, conn: ConnId, downward: Downward) -> Result<(), Breach> {
        let Some(socket) = self.sockets.get(&conn) else { return Ok(()) };
        let slot = socket.slot;
        if socket.dead {
            return Ok(());
        }
        if self.slots[slot].frozen {
            self.slots[slot].inbox.push_back((conn, downward));
            return Ok(());
        }
        let owner = self.owner(conn);
        match downward {
            Downward::Opened => {
                if let Some((slot, attempt)) = owner {
                    self.page(slot, client::Input::Opened { attempt });
                }
            }
            Downward::Reply { poll, status, text } => self.reply(conn, poll, status, &text)?,
            Downward::Text(text) => {
                let Some(text) = self.in_dialect_a(conn, text) else { return Ok(()) };
                self.witnessed(|world| world.witness.heard(conn, &text))?;
                if let Some((slot, attempt)) = owner {
                    self.page(slot, client::Input::Text { attempt, text: &text });
                }
            }
            Downward::Ping => self.queue.put(self.now + self.slots[slot].delay, Due::Up(conn, Upward::Pong)),
            Downward::Close { code, reason } => {
                self.witnessed(|world| world.witness.closed(conn, code, &reason))?;
                self.lost(conn, code);
            }
            Downward::Lost => self.lost(conn, ABNORMAL_CLOSURE),
        }
        Ok(())
    }

    /// The socket of a page has ended.
    fn lost(&mut self, conn: ConnId, code: u16) {
        let owner = self.owner(conn);
        self.sockets.remove(&conn);
        self.witness.over(conn);
        if let Some((slot, attempt)) = owner {
            self.slots[slot].conn.take_if(|current| *current == conn);
            self.page(slot, client::Input::Closed { attempt, code });
        }
    }

    pub(super) fn witnessed(&mut self, ask: impl FnOnce(&mut Self) -> Verdict) -> Result<(), Breach> {
        ask(self).map_err(|what| Breach { law: "what the pages see".to_owned(), what })
    }
}
