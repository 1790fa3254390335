//! The one exit door.
//!
//! Whatever ends a peer's time in its network goes through [`Switchboard::leave`], and whatever ends a
//! connection through [`Switchboard::forget`]: so acquaintances are told exactly once, whatever the cause.

use crate::lobby::Waiting;
use crate::mesh::announcement::Announcement;
use crate::mesh::selection::FEW_ACQUAINTANCES;
use crate::peers::{PeerSlot, Standing};
use crate::switchboard::Stage;
use crate::wire::Message;
use crate::{CloseReason, ConnId, Departure, Event, Gone, PeerId, Switchboard};

impl Switchboard {
    /// Closes the connection of an admitted peer.
    pub(crate) fn close(&mut self, slot: PeerSlot, why: CloseReason) {
        self.say_close(slot, why);
        self.end(slot, Departure::Closed(why));
    }

    /// Tells an admitted peer why its connection is closed; one without a connection is told nothing.
    pub(crate) fn say_close(&mut self, slot: PeerSlot, why: CloseReason) {
        if self.peers[slot].has_connection() {
            self.outbox.close(self.peers[slot].conn(), why);
        }
    }

    /// Closes a connection, wherever it stands, if it is still there.
    pub(crate) fn close_if_known(&mut self, conn: ConnId, why: CloseReason) {
        match self.stage(conn) {
            Stage::Admitted(slot) => self.close(slot, why),
            Stage::Unregistered | Stage::Held => self.turn_away_waiting(conn, why),
            Stage::Polling(_) | Stage::Asking | Stage::Unknown => {}
        }
    }

    /// The driver has lost a connection. One that the core has closed before is not known any more.
    pub(crate) fn lost(&mut self, conn: ConnId, cause: Departure) {
        match self.stage(conn) {
            Stage::Admitted(slot) => self.end(slot, cause),
            Stage::Unregistered | Stage::Held => {
                let peer = self.lobby.remove(conn, &mut self.timers).and_then(Waiting::peer);
                self.observe_gone(conn, peer, cause);
            }
            Stage::Polling(slot) => {
                self.stop_waiting(slot);
            }
            Stage::Asking => {
                self.questions.end_request(conn);
                self.abandon_elsewhere(conn);
            }
            Stage::Unknown => {}
        }
    }

    /// Ends a connection; whoever waits for its id or its place is next.
    fn end(&mut self, slot: PeerSlot, cause: Departure) {
        if let Some(id) = self.forget(slot, cause) {
            self.id_is_free(&id);
        }
        self.place_is_free();
    }

    /// Forgets a connection and everything that belongs to it. Returns its id, which is free then, if it stood for one peer.
    pub(crate) fn forget(&mut self, slot: PeerSlot, cause: Departure) -> Option<PeerId> {
        if !self.peers[slot].is_here() {
            return self.forget_remote(slot, cause);
        }
        self.tell_of_end(slot, cause);
        let caused = core::mem::take(&mut self.caused);
        self.leave(slot, cause);
        // The connection is over, but not its address, whose next one pays for it.
        let of_leaving = core::mem::replace(&mut self.caused, caused);
        self.peers.charge(slot, of_leaving, self.now, &self.limits);
        self.close_poll_queue(slot);
        self.rooms.take_claim(self.peers[slot].conn());
        let peer = self.peers.remove(slot, self.now);
        self.timers.disarm(peer.next_due(), peer.conn());
        let id = peer.own_id().copied();
        self.observe_gone(peer.conn(), id, cause);
        id
    }

    /// A connection is over for the core, whatever the cause.
    pub(crate) fn observe_gone(&mut self, conn: ConnId, peer: Option<PeerId>, cause: Departure) {
        self.grants.remove(conn);
        self.backlogs.remove(conn);
        self.receipts.remove(conn);
        self.outbox.observe(Event::Gone { conn, peer, cause });
    }

    /// Takes a peer out of its network, if it is in one, and tells its acquaintances.
    pub(crate) fn leave(&mut self, slot: PeerSlot, cause: Departure) {
        if let Some(member) = self.peers[slot].member() {
            return self.psp_leave(slot, member, cause);
        }
        if self.peers[slot].announcement().is_none() {
            return;
        }
        let standing = self.change_due(slot, |peer| peer.stand(Standing::Fresh));
        let Standing::Announced(network, announcement) = standing else { return };
        let spelling = self.peers[slot].spelling();
        self.end_links(slot, network, announcement.links(), cause);
        let holder = self.peers[slot].holder();
        let known = announcement.acquaintances().len();
        self.networks.leave(network, spelling.id(), holder, known);
        let id = self.networks.id(network);
        let told = u32::try_from(known).unwrap_or(u32::MAX);
        if self.peers[slot].is_here() {
            self.outbox.observe(Event::Left { peer: *spelling.id(), network: id, cause, told });
        } else if let Some(cluster) = &mut self.cluster {
            cluster.announced -= 1;
        }
        self.tell_acquaintances(slot, &announcement, cause);
        if self.networks.members(network).is_empty() {
            self.outbox.observe(Event::NetworkClosed { network: id });
        }
        self.remember(slot, network, cause);
        self.networks.release(network);
        self.heal(&announcement);
    }

    fn tell_acquaintances(&mut self, slot: PeerSlot, announcement: &Announcement, cause: Departure) {
        let (peer, reason) = (self.peers[slot].spelling(), reason(cause));
        for acquaintance in announcement.acquaintances().iter() {
            if let Some(other) = self.peers[acquaintance].announcement_mut() {
                other.acquaintances_mut().part_from(slot);
            }
            if !self.peers[acquaintance].is_here() {
                continue;
            }
            // Only of a peer that says so itself: clients cut the link at once.
            if cause == Departure::Goodbye {
                self.send(acquaintance, Message::Goodbye { from: peer, reason });
            }
            self.send(acquaintance, Message::Disconnected { peer, reason });
        }
    }

    /// Whoever has lost more than half of those whom it knew looks for others, whatever it showed before.
    fn heal(&mut self, left: &Announcement) {
        if self.draining.is_some() {
            return;
        }
        for acquaintance in left.acquaintances().iter() {
            if !self.peers[acquaintance].is_here() {
                continue;
            }
            let Some(own) = self.peers[acquaintance].announcement() else { continue };
            let wanted = own.links().max().min(FEW_ACQUAINTANCES);
            if own.acquaintances().len() * 2 < wanted {
                self.set_full(acquaintance, false);
                self.look_soon(acquaintance);
            }
        }
    }
}

/// The `reason` of `goodbye` and `peer-disconnected`.
fn reason(cause: Departure) -> &'static str {
    match cause {
        Departure::Goodbye => "goodbye",
        Departure::Moved => "moved",
        Departure::Lost(Gone::Closed) => "closed",
        Departure::Lost(Gone::Reset) => "reset",
        Departure::Lost(Gone::ProtocolError) => "protocol-error",
        Departure::Lost(Gone::TooBig) => "message-too-big",
        Departure::Closed(why) => match why {
            CloseReason::ShuttingDown => "shutdown",
            CloseReason::InactiveTimeout => "timeout",
            CloseReason::RateLimitExceeded => "rate-limited",
            CloseReason::TooSlow => "too-slow",
            CloseReason::Replaced => "replaced",
            // These are told to connections that are not admitted and have no acquaintances.
            CloseReason::InvalidPeerId
            | CloseReason::PeerNotGranted
            | CloseReason::PeerAlreadyConnected
            | CloseReason::PeerStillConnected
            | CloseReason::MaximumConnections
            | CloseReason::TooManyFromAddress => "refused",
        },
    }
}
