//! What is kept for whoever is lost: between mailboxes, the networks that they remember, and who owns them.

use alloc::vec::Vec;

use crate::mail::mailboxes::{Owner, unexpired};
use crate::mesh::networks::NetKey;
use crate::peers::PeerSlot;
use crate::{ConnId, Departure, Event, MailEnd, PeerId, Switchboard};

impl Switchboard {
    /// Opens a mailbox for a peer that was lost, not for one that left of its own will.
    pub(crate) fn remember(&mut self, slot: PeerSlot, network: NetKey, cause: Departure) {
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
        self.networks.add_reference(network);
        let owner = Owner { holder, is_proven: self.grants.has_proven(conn, &id) };
        self.mailboxes.open(id, owner, network, self.now + self.limits.message_ttl_ms);
        self.mailboxes.arm_sweep(self.now, &self.limits, &mut self.timers);
    }

    /// Makes room for one more network, where there is none: one goes that nobody is in, and the mail for whoever was lost from
    /// it. Returns whether there is room.
    pub(crate) fn make_room_for_network(&mut self, slot: PeerSlot) -> bool {
        if self.networks.len() < self.limits.networks as usize {
            return true;
        }
        let Some(network) = self.networks.gives_way(self.peers[slot].holder()) else { return false };
        // Only mailboxes hold references to it, and it goes with the last one.
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
        self.mailboxes.sweep_begins();
        let (mut mailboxes, mut mails) = (0, 0);
        while let Some((expires, id)) = self.mailboxes.oldest()
            && expires <= self.now
        {
            mails += self.close_mailbox(&id, MailEnd::Expired);
            mailboxes += 1;
        }
        self.outbox.observe(Event::Swept { mailboxes, mails });
        if self.mailboxes.len() > 0 {
            self.mailboxes.arm_sweep(self.now, &self.limits, &mut self.timers);
        }
    }
}
