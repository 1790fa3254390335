//! What a page does with signals: `SignalingHandler` and `EvictionManager`.

use super::connection::{ANSWER_CALLS, Connection, DESCRIPTION_MS, Role, Signaling, Status};
use super::dialling::CANDIDATES_MS;
use super::{Cause, Output, Page, Timer, Turn};
use crate::mesh::introducer::{End, Message, Reason};
use crate::mesh::key::Key;

const AFTER_REJECTION_MS: u64 = 1_000;

impl Page {
    pub(in super::super) fn signal(&mut self, turn: &mut Turn<'_>, from: Key, message: Message) {
        self.now = turn.now;
        match message {
            Message::Offer { end } => self.offered(turn, from, end),
            Message::Answer { end, to } => self.answered(from, end, to),
            Message::Candidate => self.candidate(turn, from),
            Message::Rejected(_) => self.rejected(turn, from),
        }
    }

    fn offered(&mut self, turn: &mut Turn<'_>, from: Key, end: End) {
        if self.key > from {
            return reject(turn, from, Reason::Role);
        }
        if let Some(connection) = self.connections.iter().find(|one| one.peer == from) {
            // Two have dialled each other: the smaller gives way while its own offer is unanswered.
            if connection.role != Role::Dialler || connection.status() != Status::Connecting {
                return;
            }
            self.close(turn, from, Cause::Other);
        }
        self.known.forget_attempts(from);
        if !self.can_accept(turn.now) && !self.make_room(turn, from) {
            return reject(turn, from, Reason::Full);
        }
        let own = self.open_end(turn.now, Role::Answerer, from, end);
        self.after(ANSWER_CALLS * DESCRIPTION_MS, Timer::AnswerMade(own));
    }

    /// Closes the farthest link or attempt where the one who dials is nearer, or what is broken. Whether there is
    /// room now.
    fn make_room(&mut self, turn: &mut Turn<'_>, newcomer: Key) -> bool {
        if let Some(evicted) = self.evictable(newcomer) {
            self.close(turn, evicted, Cause::Evicted);
            self.known.unmark(evicted);
            return true;
        }
        if self.has_stale(turn.now) {
            self.clean_up_stale(turn);
        }
        self.can_accept(turn.now)
    }

    /// `shouldEvictForPeer`
    fn evictable(&self, newcomer: Key) -> Option<Key> {
        if self.connections.len() < self.capacity {
            return None;
        }
        if self.connected() == 0 {
            return self.connections.first().map(|one| one.peer);
        }
        let lives = |one: &&Connection| one.status() != Status::Disconnected;
        let farthest = self.connections.iter().filter(lives).map(|one| one.peer);
        let farthest = farthest.max_by_key(|peer| peer.distance(self.key))?;
        (newcomer.distance(self.key) < farthest.distance(self.key)).then_some(farthest)
    }

    pub(super) fn answer_made(&mut self, turn: &mut Turn<'_>, end: End) {
        let Some(connection) = self.connections.iter_mut().find(|one| one.end == end) else { return };
        connection.signaling = Signaling::Stable;
        let (peer, other) = (connection.peer, connection.other);
        self.known.unmark(peer);
        turn.outputs.push(Output::Signal { to: peer, message: Message::Answer { end, to: other } });
        CANDIDATES_MS.into_iter().for_each(|ms| self.after(ms, Timer::Candidate(end)));
        self.check(turn, end);
    }

    fn answered(&mut self, from: Key, end: End, to: End) {
        let Some(connection) = self.connections.iter().find(|one| one.peer == from) else { return };
        if connection.signaling != Signaling::Offered {
            return;
        }
        // An answer to an older offer is taken, and never becomes a link.
        let other = if connection.end == to { end } else { 0 };
        let timer = Timer::AnswerRead { end: connection.end, other };
        self.after(DESCRIPTION_MS, timer);
    }

    pub(super) fn answer_read(&mut self, turn: &mut Turn<'_>, end: End, other: End) {
        let Some(connection) = self.connections.iter_mut().find(|one| one.end == end) else { return };
        if connection.signaling == Signaling::Offered {
            (connection.signaling, connection.other) = (Signaling::Stable, other);
            self.check(turn, end);
        }
    }

    fn candidate(&mut self, turn: &mut Turn<'_>, from: Key) {
        let Some(connection) = self.connections.iter_mut().find(|one| one.peer == from) else { return };
        connection.has_candidate = true;
        self.announce_check(turn, from);
    }

    /// Every trace of the attempt is cleared, so that the same peer can be dialled again; whatever there is to that
    /// peer and is no link yet is closed, an answer to its own offer, too.
    fn rejected(&mut self, turn: &mut Turn<'_>, from: Key) {
        self.known.forget_attempts(from);
        let connection = self.connections.iter().find(|one| one.peer == from);
        if connection.is_some_and(|one| one.status() != Status::Connected) {
            self.close(turn, from, Cause::Other);
        }
        self.known.unmark(from);
        if self.connected() > 0 {
            self.after(AFTER_REJECTION_MS, Timer::AfterRejection);
        } else if let Some(next) = self.nearest_but(from) {
            self.connect(turn, next);
        }
    }
}

fn reject(turn: &mut Turn<'_>, to: Key, reason: Reason) {
    turn.outputs.push(Output::Signal { to, message: Message::Rejected(reason) });
}
