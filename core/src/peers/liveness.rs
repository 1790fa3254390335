//! Who is still there: silent peers are pinged, and those who stay silent are closed.
//!
//! Any message, ping or pong counts as life. Hearing a peer moves no deadline, since that happens for every
//! message: a deadline that comes too early just looks at the time of the last sign and is armed again.

use crate::peers::{PeerSlot, Watch};
use crate::timers::{Deadline, Patience, around};
use crate::{CloseReason, Switchboard, Time, TimerKind};

/// Silence that ends a peer without a connection where no `PEER_TIMEOUT` is set.
const HTTP_PEER_TIMEOUT_MS: u64 = 300_000;

impl Switchboard {
    /// Arms the first look at a newcomer.
    pub(crate) fn arm_liveness(&mut self, slot: PeerSlot) {
        let peer = &self.peers[slot];
        let ping = self.ping_due(slot, peer.heard);
        let dead = self.dead_at(slot);
        self.look_again(slot, [ping, dead].into_iter().flatten().min());
    }

    /// A deadline armed by this module has fired.
    pub(crate) fn look_for_life(&mut self, slot: PeerSlot, due: Time) {
        if self.outbox.is_crowded() {
            return self.look_again(slot, Some(self.now + 1));
        }
        if self.is_polled(slot) {
            self.note_life(slot);
        }
        let peer = &self.peers[slot];
        let (heard, watch) = (peer.heard, peer.watch);
        if self.has_stopped_reading(slot) {
            return self.close(slot, CloseReason::TooSlow);
        }
        let dead = self.dead_at(slot);
        if watch != Watch::Quiet || dead.is_some_and(|dead| dead <= self.now) {
            return match self.peers[slot].patience.extend(due, self.now) {
                Some(due) => self.look_again(slot, Some(due)),
                None => self.close(slot, CloseReason::InactiveTimeout),
            };
        }
        let next = match self.ping_due(slot, heard) {
            Some(ping_due) if ping_due <= self.now => {
                self.ask_for_life(slot);
                match self.limits.pong_timeout_ms {
                    0 => self.ping_due(slot, self.now),
                    timeout => {
                        self.peers[slot].watch = Watch::Pinged;
                        Some(self.now + timeout)
                    }
                }
            }
            ping_due => ping_due,
        };
        self.look_again(slot, [next, dead].into_iter().flatten().min());
    }

    /// Looks at a peer before its time, and not before the driver has told what it has heard by now.
    pub(crate) fn look_for_life_soon(&mut self, slot: PeerSlot) {
        let soon = Deadline::at(self.now + 1, TimerKind::Liveness);
        let peer = &self.peers[slot];
        // One that was pinged has a deadline already, and must have all of its time.
        if peer.watch == Watch::Quiet && peer.patience == Patience::Fresh {
            self.change_due(slot, |peer| peer.liveness_due = soon);
        }
    }

    /// Pings a peer. One without a connection cannot be pinged: a request of it that waits is the answer, and so is the next
    /// one.
    pub(crate) fn ask_for_life(&mut self, slot: PeerSlot) {
        if self.peers[slot].inbox.is_some() {
            if self.is_polled(slot) {
                self.sign_of_life(slot);
            }
            return;
        }
        let peer = &mut self.peers[slot];
        peer.is_asked = true;
        self.outbox.ping(peer.conn);
    }

    fn look_again(&mut self, slot: PeerSlot, due: Option<Time>) {
        let due = due.map_or(Deadline::NONE, |due| Deadline::at(due, TimerKind::Liveness));
        debug_assert_eq!(self.peers[slot].liveness_due, Deadline::NONE);
        self.change_due(slot, |peer| peer.liveness_due = due);
    }

    /// When a peer is pinged that was heard, or pinged, last at `last`.
    fn ping_due(&self, slot: PeerSlot, last: Time) -> Option<Time> {
        let interval = self.limits.ping_interval_ms;
        let peer = &self.peers[slot];
        (interval > 0 && peer.inbox.is_none()).then(|| around(last, interval, peer.conn))
    }

    /// When a peer that stays silent is closed in any case.
    fn dead_at(&self, slot: PeerSlot) -> Option<Time> {
        let timeout = match self.limits.peer_timeout_ms {
            // Nothing else would ever tell that a peer without a connection is gone.
            0 if self.peers[slot].inbox.is_some() => HTTP_PEER_TIMEOUT_MS,
            timeout => timeout,
        };
        (timeout > 0).then(|| self.peers[slot].heard + timeout)
    }
}
