//! All connections, and the lists of those that have something to do.

use crate::net::Accepted;
use crate::observe::{FrameKind, Frames};
use crate::server::connection::{Connection, HttpState, Marks, NEVER, Phase};
use crate::server::pool::Pool;
use crate::server::queue::Queue;
use crate::server::slots::Slots;
use crate::websocket::{Decoder, encode};
use peerpigeon_core::{ConnId, Time};
use std::collections::BTreeSet;
use tungstenite::protocol::frame::coding::CloseCode;

/// Every socket, by the key under which it is registered; nothing here is ever searched through in a turn.
#[derive(Debug)]
pub(super) struct Connections<S> {
    pub(super) slots: Slots<S>,
    max_queue_bytes: usize,
    /// What may wait in a queue before it is found out whether the peer reads: any message fits into what is left then.
    much_bytes: usize,
    pub(super) pool: Pool,
    /// Decoders between two incomplete frames.
    spare_decoders: Vec<Decoder>,
    /// Bytes of memory that all connections own beside themselves.
    pub(super) owned_bytes: usize,
    /// Frames that were queued.
    pub(super) sent: Frames,
    /// How many have nothing left to do but to wait for the client's end.
    pub(super) parting: usize,
    /// To be read.
    pub(super) ready: Vec<ConnId>,
    /// Bytes that were queued since everything was flushed.
    pub(super) unflushed_bytes: usize,
    /// To be flushed.
    pub(super) dirty: Vec<ConnId>,
    /// To be closed.
    pub(super) ending: Vec<ConnId>,
    /// A message did not fit into the queue.
    pub(super) overflowed: Vec<ConnId>,
    /// Open WebSockets for which more waits, or less, than the core knows.
    pub(super) behind: Vec<ConnId>,
    /// Deadlines of those in [`Phase::Http`] whose request is under way, or whose first one has not begun.
    handshakes: BTreeSet<(Time, ConnId)>,
    /// Deadlines of the others in that phase: those between two requests.
    idle: BTreeSet<(Time, ConnId)>,
    /// Deadlines of those that are being ended.
    endings: BTreeSet<(Time, ConnId)>,
}

impl<S> Connections<S> {
    pub(crate) fn new(max_queue_bytes: usize, max_message_bytes: usize) -> Connections<S> {
        Connections {
            slots: Slots::new(),
            max_queue_bytes,
            much_bytes: much(max_queue_bytes, max_message_bytes),
            pool: Pool::default(),
            spare_decoders: Vec::new(),
            owned_bytes: 0,
            sent: Frames::default(),
            parting: 0,
            ready: Vec::new(),
            unflushed_bytes: 0,
            dirty: Vec::new(),
            ending: Vec::new(),
            overflowed: Vec::new(),
            behind: Vec::new(),
            handshakes: BTreeSet::new(),
            idle: BTreeSet::new(),
            endings: BTreeSet::new(),
        }
    }

    /// From now on queues may hold so much, and messages be so long.
    pub(super) fn set_max_queue_bytes(&mut self, max_queue_bytes: usize, max_message_bytes: usize) {
        self.max_queue_bytes = max_queue_bytes;
        self.much_bytes = much(max_queue_bytes, max_message_bytes);
    }

    /// All sockets.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Sockets in [`Phase::Http`].
    pub(super) fn handshakes(&self) -> usize {
        self.handshakes.len() + self.idle.len()
    }

    /// All but those who wait for a request, or for the client's end of the connection.
    pub(super) fn unfinished(&self) -> usize {
        self.slots.len() - self.handshakes() - self.parting
    }

    /// Bytes of memory that connections own beside themselves.
    pub(super) fn owned_bytes(&self) -> usize {
        self.owned_bytes
    }

    /// Bytes of memory kept for the next queues.
    pub(super) fn pooled_bytes(&self) -> usize {
        self.pool.owned_bytes()
    }

    /// A connection that is not over.
    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection<S>> {
        self.slots.live_mut(id)
    }

    /// The connection registered under `key`, if it is not over.
    pub(super) fn at_key_mut(&mut self, key: usize) -> Option<&mut Connection<S>> {
        self.slots.at_key_mut(key)
    }

    /// Takes in an accepted socket; the key is what to register it under.
    pub(super) fn insert(&mut self, accepted: Accepted<S>, deadline: Time) -> ConnId {
        let Accepted { socket, remote, listener } = accepted;
        let connection = self.slots.insert(|id| Connection {
            id,
            phase: Phase::Http(Box::new(HttpState { remote, listener, ..HttpState::default() })),
            queue: Queue::default(),
            deadline,
            socket,
            marks: Marks::default(),
        });
        let id = connection.id;
        self.owned_bytes += connection.owned_bytes();
        self.handshakes.insert((deadline, id));
        id
    }

    /// Sets when a connection in [`Phase::Http`] is ended whose request is under way.
    pub(super) fn set_handshake_deadline(&mut self, id: ConnId, deadline: Time) {
        if self.replace_deadline(id, deadline) {
            self.handshakes.insert((deadline, id));
        }
    }

    /// Sets when a connection in [`Phase::Http`] is ended that waits for its next request.
    pub(super) fn set_idle_deadline(&mut self, id: ConnId, deadline: Time) {
        if self.replace_deadline(id, deadline) {
            self.idle.insert((deadline, id));
        }
    }

    /// The next request has begun, and has to be whole by `deadline`. If it has begun before, nothing changes.
    pub(super) fn note_begun(&mut self, id: ConnId, deadline: Time) {
        let Some(connection) = self.slots.live_mut(id) else { return };
        let idle_until = connection.deadline;
        if self.idle.contains(&(idle_until, id)) {
            self.set_handshake_deadline(id, deadline.min(idle_until));
        }
    }

    /// Whether a connection waits for its next request.
    pub(super) fn is_idle(&mut self, id: ConnId) -> bool {
        let deadline = self.slots.live_mut(id).map(|connection| connection.deadline);
        deadline.is_some_and(|deadline| self.idle.contains(&(deadline, id)))
    }

    /// Gives a connection in [`Phase::Http`] another deadline, which the caller puts where it belongs. Says whether there
    /// is such a connection.
    fn replace_deadline(&mut self, id: ConnId, deadline: Time) -> bool {
        let Some(connection) = self.slots.live_mut(id) else { return false };
        let before = (connection.deadline, id);
        let is_known = self.handshakes.remove(&before) || self.idle.remove(&before);
        if is_known {
            connection.deadline = deadline;
        }
        is_known
    }

    /// The next phase of a connection; `deadline` is [`NEVER`] for an open WebSocket.
    pub(super) fn advance(&mut self, id: ConnId, phase: Phase, deadline: Time) {
        let Some(connection) = self.slots.live_mut(id) else { return };
        let before = (connection.deadline, id);
        self.handshakes.remove(&before);
        self.idle.remove(&before);
        self.endings.remove(&before);
        let before = connection.owned_bytes();
        connection.phase = phase;
        connection.deadline = deadline;
        self.owned_bytes = self.owned_bytes - before + connection.owned_bytes();
        if deadline != NEVER {
            self.endings.insert((deadline, id));
        }
        self.mark_dirty(id);
    }

    /// The first in [`Phase::Http`] whose time is up.
    pub(super) fn late_handshake(&self, now: Time) -> Option<ConnId> {
        let firsts = [self.handshakes.first(), self.idle.first()];
        firsts.into_iter().flatten().find(|(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }

    /// The first being ended whose time is up.
    pub(super) fn late_ending(&self, now: Time) -> Option<ConnId> {
        self.endings.first().filter(|(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }

    /// The one in [`Phase::Http`] that has been silent for longest, and since when, given how long a request and the
    /// silence between two of them may last.
    pub(super) fn most_silent(&self, handshake_ms: u64, idle_ms: u64) -> Option<(Time, ConnId)> {
        let since = |deadline: Time, length_ms: u64| Time(deadline.0.saturating_sub(length_ms));
        let handshake = self.handshakes.first().map(|(deadline, id)| (since(*deadline, handshake_ms), *id));
        let idle = self.idle.first().map(|(deadline, id)| (since(*deadline, idle_ms), *id));
        handshake.into_iter().chain(idle).min()
    }

    /// The deadline of the one that has come, or begun a request, last.
    pub(super) fn newest_handshake(&self) -> Option<Time> {
        self.handshakes.last().map(|(deadline, _)| *deadline)
    }

    /// When something here is due at the latest.
    pub(super) fn deadline(&self) -> Option<Time> {
        let first = |set: &BTreeSet<(Time, ConnId)>| set.first().map(|(deadline, _)| *deadline);
        [first(&self.handshakes), first(&self.idle), first(&self.endings), self.pool.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Frees buffers that were not needed for a while, and places of many who have gone. Says whether the system should get memory back now.
    #[must_use]
    pub(super) fn trim(&mut self, now: Time) -> bool {
        let has_freed = self.pool.trim(now);
        if has_freed {
            self.slots.shrink();
        }
        has_freed
    }

    /// Has it read in this or the next turn.
    pub(super) fn mark_ready(&mut self, id: ConnId) {
        let Some(connection) = self.slots.any_mut(id) else { return };
        if !connection.marks.is_ready && !connection.marks.is_doomed {
            connection.marks.is_ready = true;
            self.ready.push(id);
        }
    }

    /// Has it flushed at the end of this turn.
    pub(super) fn mark_dirty(&mut self, id: ConnId) {
        let Some(connection) = self.slots.any_mut(id) else { return };
        if !connection.marks.is_dirty && !connection.marks.is_doomed {
            connection.marks.is_dirty = true;
            self.dirty.push(id);
        }
    }

    /// The connection is over: its socket is closed at the end of this turn, after a last flush.
    pub(super) fn close_at_end_of_turn(&mut self, id: ConnId) {
        let Some(connection) = self.slots.live_mut(id) else { return };
        connection.marks.is_doomed = true;
        let deadline = (connection.deadline, id);
        self.handshakes.remove(&deadline);
        self.idle.remove(&deadline);
        self.endings.remove(&deadline);
        self.ending.push(id);
    }

    /// Appends to the queue, whatever it holds already.
    pub(super) fn queue(&mut self, id: ConnId, bytes_at_most: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(connection) = self.slots.any_mut(id) else { return };
        if connection.marks.is_broken || connection.marks.is_doomed {
            return;
        }
        let before = connection.queue.capacity();
        if connection.queue.has_no_buffer() {
            connection.queue.give_buffer(self.pool.take());
        }
        write(connection.queue.room(bytes_at_most));
        self.unflushed_bytes += bytes_at_most;
        self.owned_bytes = self.owned_bytes - before + connection.queue.capacity();
        if !connection.marks.is_dirty && !connection.marks.is_blocked {
            connection.marks.is_dirty = true;
            self.dirty.push(id);
        }
    }

    /// Appends a text message, unless the queue would pass its limit: then it says so.
    #[must_use]
    pub(super) fn queue_text(&mut self, id: ConnId, text: &str) -> Fit {
        let frame_bytes = text.len() + encode::MAX_HEADER_BYTES;
        let (max_queue_bytes, much_bytes) = (self.max_queue_bytes, self.much_bytes);
        match self.slots.live_mut(id) {
            // The core is about to be told; what came after the lost message must not be sent without it.
            Some(connection) if connection.marks.has_overflowed => Fit::Fits,
            Some(connection) if connection.queue.len() + frame_bytes > max_queue_bytes => Fit::TooMuch,
            connection => {
                let is_much = connection.is_some_and(|connection| {
                    !connection.marks.is_blocked && connection.queue.len() + frame_bytes > much_bytes
                });
                self.sent.count_message(text.len());
                self.queue(id, frame_bytes, |out| encode::text(out, text));
                if is_much { Fit::Much } else { Fit::Fits }
            }
        }
    }

    /// The next connection of which the core is to be told what waits for it, and what may.
    pub(super) fn next_behind(&mut self) -> Option<(ConnId, usize, usize)> {
        let id = self.behind.pop()?;
        let waiting = self.slots.live_mut(id).map_or(0, |connection| {
            connection.marks.is_behind = !connection.queue.is_empty();
            connection.queue.len()
        });
        Some((id, waiting, self.max_queue_bytes))
    }

    /// Notes that a message did not fit, once.
    pub(super) fn note_overflow(&mut self, id: ConnId) {
        let Some(connection) = self.slots.live_mut(id) else { return };
        if !connection.marks.has_overflowed {
            connection.marks.has_overflowed = true;
            self.overflowed.push(id);
        }
    }

    /// Answers a ping: at once where earlier output has gone out, else only the newest one, later (RFC
    /// 6455 section 5.5.3).
    pub(super) fn queue_pong(&mut self, id: ConnId, payload: &[u8]) {
        let Some(connection) = self.slots.any_mut(id) else { return };
        self.sent.count(FrameKind::Pong);
        if connection.marks.is_blocked {
            if let Phase::Open { pong, .. } = &mut connection.phase {
                let before = pong.as_ref().map_or(0, |payload| payload.len());
                *pong = Some(payload.into());
                self.owned_bytes = self.owned_bytes - before + payload.len();
            }
        } else {
            self.queue(id, payload.len() + encode::MAX_HEADER_BYTES, |out| encode::pong(out, payload));
        }
    }

    /// Appends a close frame.
    pub(super) fn queue_close(&mut self, id: ConnId, code: Option<CloseCode>, reason: &str) {
        self.sent.count(FrameKind::Close);
        self.queue(id, encode::MAX_CONTROL_BYTES + encode::MAX_HEADER_BYTES, |out| {
            encode::close(out, code, reason);
        });
    }

    /// Takes the decoder out, so that what it finds can be acted on.
    pub(super) fn take_decoder(&mut self, id: ConnId) -> Option<Decoder> {
        let connection = self.slots.live_mut(id)?;
        let decoder = match &mut connection.phase {
            Phase::Open { decoder, .. } | Phase::Closing { decoder } => std::mem::take(decoder),
            Phase::Http(_) | Phase::Lingering => return None,
        };
        if decoder.owned_bytes() == 0 {
            return Some(self.spare_decoders.pop().unwrap_or(decoder));
        }
        self.owned_bytes -= decoder.owned_bytes();
        Some(decoder)
    }

    /// Puts the decoder back if something is incomplete; else it will serve the next connection.
    pub(super) fn return_decoder(&mut self, id: ConnId, mut returned: Decoder) {
        if returned.is_idle() {
            if returned.owned_bytes() > 0 && self.spare_decoders.len() < MAX_SPARE_DECODERS {
                self.spare_decoders.push(returned);
            }
            return;
        }
        let Some(connection) = self.slots.live_mut(id) else { return };
        if let Phase::Open { decoder, .. } | Phase::Closing { decoder } = &mut connection.phase {
            self.owned_bytes += returned.owned_bytes();
            *decoder = returned;
        }
    }

    /// Takes the HTTP state out, so that requests can be answered; [`Connections::return_http`] or
    /// [`Connections::advance`] must follow.
    pub(super) fn take_http(&mut self, id: ConnId) -> Option<Box<HttpState>> {
        let connection = self.slots.live_mut(id)?;
        if !matches!(connection.phase, Phase::Http(_)) {
            return None;
        }
        let before = connection.owned_bytes();
        let Phase::Http(state) = std::mem::replace(&mut connection.phase, Phase::Lingering) else {
            return None;
        };
        let after = connection.owned_bytes();
        self.owned_bytes = self.owned_bytes - before + after;
        Some(state)
    }

    /// Puts the HTTP state back.
    pub(super) fn return_http(&mut self, id: ConnId, state: Box<HttpState>) {
        let Some(connection) = self.slots.any_mut(id) else { return };
        let before = connection.owned_bytes();
        connection.phase = Phase::Http(state);
        self.owned_bytes = self.owned_bytes - before + connection.owned_bytes();
    }

    /// The connection that owns most memory.
    pub(super) fn largest(&self) -> Option<ConnId> {
        let largest = self.slots.iter_live().max_by_key(|connection| connection.owned_bytes())?;
        Some(largest.id)
    }

    /// Frees all that a connection owns beside itself.
    pub(super) fn drop_buffers(&mut self, id: ConnId) {
        let Some(connection) = self.slots.any_mut(id) else { return };
        self.owned_bytes -= connection.owned_bytes();
        connection.queue.take_buffer();
        connection.phase = Phase::Lingering;
    }
}

/// What became of a message that was to be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is queued, or the connection is as good as over.
    Fits,
    /// It is queued, and so much waits now that it should go out at once.
    Much,
    /// It is not queued.
    TooMuch,
}

/// Half of what a queue has beyond the longest message.
fn much(max_queue_bytes: usize, max_message_bytes: usize) -> usize {
    max_queue_bytes.saturating_sub(max_message_bytes) / 2
}

/// A frame that is cut by a read is rare, and each of these takes a few KiB.
const MAX_SPARE_DECODERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_message_that_did_not_fit() {
        let mut connections: Connections<()> = Connections::new(100, 0);
        let accepted = Accepted { socket: (), remote: None, listener: Default::default() };
        let id = connections.insert(accepted, Time(0));
        assert_eq!(connections.queue_text(id, "first"), Fit::Fits);
        assert_eq!(connections.queue_text(id, &"x".repeat(100)), Fit::TooMuch);
        connections.note_overflow(id);
        connections.note_overflow(id);
        assert_eq!(connections.overflowed, [id]);
        assert_eq!(connections.queue_text(id, "small"), Fit::Fits);
        assert_eq!(connections.get_mut(id).unwrap().queue.unsent(), b"\x81\x05first");
    }
}
