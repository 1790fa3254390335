//! What is kept for whoever is lost: between mailboxes, the networks that they remember, and who owns them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::mail::mailboxes::{Full, Mail, Owner, unexpired};
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
        let is_proven = self.grants.has_proven(conn, &id);
        // What has come for it while its mail was under way waits on.
        let kept =
            if self.questions.is_taking(&id) && self.mailboxes.network_of(&id, self.now) == Some(network) {
                self.take_mailbox(&id)
            } else {
                // There is one still where it has proven its id only after its announce.
                self.close_mailbox(&id, MailEnd::Dropped);
                VecDeque::new()
            };
        self.open_mailbox(id, Owner { holder, is_proven }, network);
        for mail in kept {
            let dropped = self.put_mail(id, mail).unwrap_or_default();
            dropped.iter().for_each(|of| self.observe_mails(of, 1, MailEnd::Dropped));
        }
    }

    /// Opens a mailbox where there is none; where there are as many as may be, another one makes room.
    pub(crate) fn open_mailbox(&mut self, id: PeerId, owner: Owner, network: NetKey) {
        if self.mailboxes.len() >= self.limits.mailboxes as usize
            && let Some(given) = self.mailboxes.gives_way(owner.holder)
        {
            self.close_mailbox(&given, MailEnd::Dropped);
        }
        self.networks.add_reference(network);
        self.mailboxes.open(id, owner, network, self.now + self.limits.message_ttl_ms);
        self.mailboxes.arm_sweep(self.now, &self.limits, &mut self.timers);
    }

    /// Puts a mail into a mailbox, and asks the store to keep it unless its owner is coming for it. Returns whose mails have made
    /// room for it.
    pub(crate) fn put_mail(&mut self, to: PeerId, mail: Mail) -> Result<Vec<PeerId>, Full> {
        let id = mail.id;
        let dropped = self.mailboxes.put(&to, mail, &self.limits)?;
        if self.has_store() && !self.is_coming(&to) && !self.questions.is_putting(to, id) {
            self.mailboxes.store_later(to, id);
            self.ask_next();
        }
        Ok(dropped)
    }

    /// Whether a peer is here and its mail is under way to it.
    pub(crate) fn is_coming(&self, id: &PeerId) -> bool {
        self.questions.is_taking(id)
            && self.peers.by_id(id).is_some_and(|slot| self.peers[slot].network().is_some())
    }

    fn take_mailbox(&mut self, id: &PeerId) -> VecDeque<Mail> {
        let Some((network, mails)) = self.mailboxes.close(id) else { return VecDeque::new() };
        self.networks.release(network);
        mails
    }

    /// Makes room for one more network, where there is none: one goes that nobody is in, and the mail for whoever was lost from
    /// it. Returns whether there is room.
    pub(crate) fn make_room_for_network(&mut self, slot: PeerSlot) -> bool {
        if self.networks.len() + self.rooms.len() < self.limits.networks as usize {
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
        if self.has_store() {
            self.sweep_store();
            self.ask_again();
        }
        if self.mailboxes.len() > 0 || self.questions.is_up() {
            self.mailboxes.arm_sweep(self.now, &self.limits, &mut self.timers);
        }
    }
}
