//! The one exit door.
//!
//! Whatever ends a peer's time in its network goes through [`Switchboard::leave`], and whatever ends a
//! connection through [`Switchboard::forget`]: so acquaintances are told exactly once, whatever the cause.

use alloc::vec::Vec;

use crate::lobby::Waiting;
use crate::mail::mailboxes::Owner;
use crate::mail::mailboxes::unexpired;
use crate::mesh::announcement::Announcement;
use crate::mesh::networks::NetKey;
use crate::mesh::selection::FEW_ACQUAINTANCES;
use crate::peers::{PeerSlot, Standing};
use crate::switchboard::Stage;
use crate::timers::Deadline;
use crate::wire::Message;
use crate::{CloseReason, ConnId, Departure, Event, Gone, MailEnd, PeerId, Switchboard};

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
            Stage::Polling(_) | Stage::Unknown => {}
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
            Stage::Unknown => {}
        }
    }

    /// Ends a connection; whoever waits for its id or its place is next.
    fn end(&mut self, slot: PeerSlot, cause: Departure) {
        let id = self.forget(slot, cause);
        self.id_is_free(&id);
        self.place_is_free();
    }

    /// Forgets a connection and everything that belongs to it. Returns its id, which is free then.
    pub(crate) fn forget(&mut self, slot: PeerSlot, cause: Departure) -> PeerId {
        let caused = core::mem::take(&mut self.caused);
        self.leave(slot, cause);
        // The connection is over, but not its address, whose next one pays for it.
        let of_leaving = core::mem::replace(&mut self.caused, caused);
        self.peers.charge(slot, of_leaving, self.now, &self.limits);
        self.close_inbox(slot);
        let peer = self.peers.remove(slot, self.now);
        self.timers.disarm(peer.next_due(), peer.conn());
        let id = *peer.id();
        self.observe_gone(peer.conn(), Some(id), cause);
        id
    }

    /// A connection is over for the core, whatever the cause.
    pub(crate) fn observe_gone(&mut self, conn: ConnId, peer: Option<PeerId>, cause: Departure) {
        self.grants.remove(conn);
        self.backlogs.remove(conn);
        self.outbox.observe(Event::Gone { conn, peer, cause });
    }

    /// Takes a peer out of its network, if it is in one, and tells its acquaintances.
    pub(crate) fn leave(&mut self, slot: PeerSlot, cause: Departure) {
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
        self.outbox.observe(Event::Left { peer: *spelling.id(), network: id, cause, told });
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
            let Some(own) = self.peers[acquaintance].announcement() else { continue };
            let wanted = own.links().max().min(FEW_ACQUAINTANCES);
            if own.acquaintances().len() * 2 < wanted {
                self.set_full(acquaintance, false);
                self.look_soon(acquaintance);
            }
        }
    }

    /// Opens a mailbox for a peer that was lost, not for one that left of its own will.
    fn remember(&mut self, slot: PeerSlot, network: NetKey, cause: Departure) {
        let (conn, id) = (self.peers[slot].conn(), *self.peers[slot].id());
        let lost = match cause {
            Departure::Goodbye | Departure::Moved => false,
            Departure::Lost(_) | Departure::Closed(_) => self.draining.is_none(),
        };
        if !lost
            || self.limits.message_ttl_ms == 0
            || self.limits.mailboxes == 0
            || !self.owns_mail(conn, &id)
        {
            return;
        }
        let holder = self.peers[slot].holder();
        // There is one still where it has proven its id only after its announce.
        self.close_mailbox(&id, MailEnd::Dropped);
        if self.mailboxes.len() >= self.limits.mailboxes as usize
            && let Some(given) = self.mailboxes.gives_way(holder)
        {
            self.close_mailbox(&given, MailEnd::Dropped);
        }
        self.networks.share(network);
        let owner = Owner { holder, is_proven: self.grants.has_proven(conn, &id) };
        self.mailboxes.open(id, owner, network, self.now + self.limits.message_ttl_ms);
        self.arm_sweep();
    }

    /// Makes room for one more network, where there is none: one goes that nobody is in, and the mail for whoever was lost from
    /// it. Returns whether there is room.
    pub(crate) fn make_room_for_network(&mut self, slot: PeerSlot) -> bool {
        if self.networks.len() < self.limits.networks as usize {
            return true;
        }
        let Some(network) = self.networks.gives_way(self.peers[slot].holder()) else { return false };
        // Only mailboxes hold shares of it, and it goes with the last one.
        let absent: Vec<PeerId> = self.mailboxes.absent_from(network).copied().collect();
        for id in absent {
            self.close_mailbox(&id, MailEnd::Dropped);
        }
        true
    }

    /// Whether what is kept for `id` is kept for whoever is behind this connection.
    pub(crate) fn owns_mail(&self, conn: ConnId, id: &PeerId) -> bool {
        !self.mailboxes.is_proven(id) || self.grants.has_proven(conn, id)
    }

    /// Ends a mailbox without delivering what is in it; returns how many mails had expired.
    pub(crate) fn close_mailbox(&mut self, id: &PeerId, end: MailEnd) -> u32 {
        let Some((network, mails)) = self.mailboxes.close(id) else { return 0 };
        self.networks.release(network);
        let (expired, rest) = unexpired(mails, self.now, self.limits.message_ttl_ms);
        self.observe_mails(id, expired, MailEnd::Expired);
        self.observe_mails(id, rest.count(), end);
        u32::try_from(expired).unwrap_or(u32::MAX)
    }

    pub(crate) fn observe_mails(&mut self, to: &PeerId, count: usize, end: MailEnd) {
        for _ in 0..count {
            self.outbox.observe(Event::MailEnded { to: *to, end });
        }
    }

    /// Ends every mailbox whose time is over.
    pub(crate) fn sweep(&mut self) {
        self.sweep_deadline = Deadline::NONE;
        let (mut mailboxes, mut mails) = (0, 0);
        while let Some((expires, id)) = self.mailboxes.oldest()
            && expires <= self.now
        {
            mails += self.close_mailbox(&id, MailEnd::Expired);
            mailboxes += 1;
        }
        self.outbox.observe(Event::Swept { mailboxes, mails });
        if self.mailboxes.len() > 0 {
            self.arm_sweep();
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
            | CloseReason::MaximumConnections
            | CloseReason::TooManyFromAddress => "refused",
        },
    }
}
