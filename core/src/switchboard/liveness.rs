//! Signs of life, and looking for them: between the table of peers, its deadlines, and whoever challenges an id.

use crate::peers::{LivenessAction, PeerSlot};
use crate::{CloseReason, Switchboard, Time};

impl Switchboard {
    /// Something was heard of a peer.
    pub(crate) fn sign_of_life(&mut self, slot: PeerSlot) {
        self.note_life(slot);
        if self.lobby.has_challengers() {
            let id = self.peers[slot].own_id().copied();
            id.into_iter().for_each(|id| self.answer_challenge(&id));
        }
        if self.cluster.as_ref().is_some_and(|cluster| cluster.has_challenged()) {
            self.tell_that_alive(slot);
        }
    }

    /// The silence of a peer begins anew.
    pub(crate) fn note_life(&mut self, slot: PeerSlot) {
        self.peers[slot].note_life(self.now);
    }

    /// Arms the first look at an arrival.
    pub(crate) fn arm_liveness(&mut self, slot: PeerSlot) {
        let first = self.peers[slot].first_look(&self.limits);
        self.look_again(slot, first);
    }

    /// The deadline for signs of life has fired.
    pub(crate) fn look_for_life(&mut self, slot: PeerSlot, due: Time) {
        if self.outbox.is_crowded() {
            return self.look_again(slot, Some(self.now + 1));
        }
        if self.is_polled(slot) {
            self.note_life(slot);
        }
        if self.has_stopped_reading(slot) {
            return self.close(slot, CloseReason::TooSlow);
        }
        match self.peers[slot].look_for_life(due, self.now, &self.limits) {
            LivenessAction::Again(due) => self.look_again(slot, due),
            LivenessAction::Ping(due) => {
                self.ask_for_life(slot);
                self.look_again(slot, due);
            }
            LivenessAction::Close => self.close(slot, CloseReason::InactiveTimeout),
        }
    }

    /// Looks at a peer before its time, and not before the driver has told what it has heard by now.
    pub(crate) fn look_for_life_soon(&mut self, slot: PeerSlot) {
        if self.peers[slot].may_be_looked_at_soon() {
            self.look_again(slot, Some(self.now + 1));
        }
    }

    /// Pings a peer. One without a connection cannot be pinged: a request of it that waits is the answer, and so is the next
    /// one.
    pub(crate) fn ask_for_life(&mut self, slot: PeerSlot) {
        if !self.peers[slot].is_here() {
            return self.challenge_elsewhere(slot);
        }
        if !self.peers[slot].has_connection() {
            if self.is_polled(slot) {
                self.sign_of_life(slot);
            }
            return;
        }
        let peer = &mut self.peers[slot];
        peer.ask();
        self.outbox.ping(peer.conn());
    }

    fn look_again(&mut self, slot: PeerSlot, due: Option<Time>) {
        self.change_due(slot, |peer| peer.set_look(due));
    }
}
