//! Signals kept for peers that dropped out moments ago.
//!
//! A lost peer is known for `MESSAGE_TTL`: that is what makes it "absent" and not "unknown", and who writes to
//! it does not prolong it. Its mailbox is there until its last mail has expired, too.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::fault::{self, Fault};
use crate::mesh::networks::NetKey;
use crate::wire::{Message, MessageId};
use crate::{Limits, PeerId, Signal, Spelling, Time};

#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) from: Spelling,
    pub(crate) signal: Signal,
    pub(crate) data: Option<Box<str>>,
    pub(crate) arrived: Time,
    /// What its sender was told it is called.
    pub(crate) id: MessageId,
}

impl Mail {
    /// What one mail counts beside its data: about what it takes, with its place in the tables.
    pub(crate) const OVERHEAD_BYTES: usize = 256;

    pub(crate) fn message(&self) -> Message<'_> {
        let Mail { from, signal, data, arrived: _, id } = self;
        Message::Signal { signal: *signal, from: *from, data: data.as_deref(), id: *id }
    }

    fn bytes(&self) -> usize {
        Self::OVERHEAD_BYTES + self.data.as_deref().map_or(0, str::len)
    }

    fn is_expired(&self, now: Time, ttl_ms: u64) -> bool {
        now.since(self.arrived) >= ttl_ms && !fault::is(Fault::MailPastItsTime)
    }
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    /// Holds a share of it.
    pub(crate) network: NetKey,
    /// Its owner had proven its id: nobody else gets at it.
    is_proven: bool,
    /// Until when its owner is known.
    known_until: Time,
    /// Until when anything in it can be delivered.
    expires: Time,
    mails: VecDeque<Mail>,
    bytes: usize,
}

/// Why a mail was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    boxes: BTreeMap<PeerId, Mailbox>,
    by_expiry: BTreeSet<(Time, PeerId)>,
    by_network: BTreeSet<(NetKey, PeerId)>,
    /// How many mails one peer has in the box of another.
    counts_by_sender: BTreeMap<(PeerId, PeerId), u32>,
    mails: usize,
    bytes: usize,
}

impl Mailboxes {
    pub(crate) fn len(&self) -> usize {
        self.boxes.len()
    }

    pub(crate) fn mails(&self) -> usize {
        self.mails
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The network in which `id` is known as absent.
    pub(crate) fn known_in(&self, id: &PeerId, now: Time) -> Option<NetKey> {
        self.boxes.get(id).filter(|mailbox| mailbox.known_until > now).map(|mailbox| mailbox.network)
    }

    /// The network in which something may wait for `id`.
    pub(crate) fn network_of(&self, id: &PeerId, now: Time) -> Option<NetKey> {
        let may_be_late = fault::is(Fault::MailPastItsTime);
        let mailbox = self.boxes.get(id).filter(|mailbox| mailbox.expires > now || may_be_late);
        mailbox.map(|mailbox| mailbox.network)
    }

    /// Whether there is a mailbox of somebody who had proven to be `id`.
    pub(crate) fn is_proven(&self, id: &PeerId) -> bool {
        self.boxes.get(id).is_some_and(|mailbox| mailbox.is_proven)
    }

    /// Opens a mailbox. The caller gives it a share of `network` and has closed an older one of the same owner.
    pub(crate) fn open(&mut self, id: PeerId, is_proven: bool, network: NetKey, known_until: Time) {
        let expires = known_until;
        let mailbox = Mailbox { network, is_proven, known_until, expires, mails: VecDeque::new(), bytes: 0 };
        let before = self.boxes.insert(id, mailbox);
        debug_assert!(before.is_none());
        self.by_expiry.insert((expires, id));
        self.by_network.insert((network, id));
    }

    /// Ends a mailbox. The caller takes over its share of the network and says how its mails ended.
    pub(crate) fn close(&mut self, id: &PeerId) -> Option<(NetKey, VecDeque<Mail>)> {
        let mailbox = self.boxes.remove(id)?;
        self.by_expiry.remove(&(mailbox.expires, *id));
        self.by_network.remove(&(mailbox.network, *id));
        for mail in &mailbox.mails {
            uncount(&mut self.counts_by_sender, mail.from.id(), id);
        }
        self.mails -= mailbox.mails.len();
        self.bytes -= mailbox.bytes;
        Some((mailbox.network, mailbox.mails))
    }

    /// The mailbox that expires next.
    pub(crate) fn oldest(&self) -> Option<(Time, PeerId)> {
        self.by_expiry.first().copied()
    }

    /// Puts `mail` into the box of `to`, which must be there; the oldest of the box make room and are
    /// returned in number.
    pub(crate) fn put(&mut self, to: &PeerId, mail: Mail, limits: &Limits) -> Result<usize, Full> {
        let bytes = mail.bytes();
        let mailbox = self.boxes.get_mut(to).ok_or(Full)?;
        let total = usize::try_from(limits.mailbox_total_bytes).unwrap_or(usize::MAX);
        let (max_mails, max_bytes) = (limits.mailbox_messages as usize, limits.mailbox_bytes as usize);
        // Only mails of this very box may have to go.
        if bytes > max_bytes || max_mails == 0 || self.bytes - mailbox.bytes + bytes > total {
            return Err(Full);
        }
        let mut dropped = 0;
        while !fault::is(Fault::MailboxWithoutCap)
            && (mailbox.mails.len() >= max_mails
                || mailbox.bytes + bytes > max_bytes
                || self.bytes + bytes > total)
        {
            let Some(oldest) = mailbox.mails.pop_front() else { break };
            mailbox.bytes -= oldest.bytes();
            self.bytes -= oldest.bytes();
            self.mails -= 1;
            uncount(&mut self.counts_by_sender, oldest.from.id(), to);
            dropped += 1;
        }
        self.by_expiry.remove(&(mailbox.expires, *to));
        mailbox.expires = mailbox.expires.max(mail.arrived + limits.message_ttl_ms);
        self.by_expiry.insert((mailbox.expires, *to));
        *self.counts_by_sender.entry((*mail.from.id(), *to)).or_default() += 1;
        mailbox.bytes += bytes;
        self.bytes += bytes;
        self.mails += 1;
        mailbox.mails.push_back(mail);
        Ok(dropped)
    }

    /// Takes all mails of `from` out of the box of `to`; returns how many.
    pub(crate) fn forget(&mut self, from: &PeerId, to: &PeerId) -> usize {
        if fault::is(Fault::CleanupIgnored) || self.counts_by_sender.remove(&(*from, *to)).is_none() {
            return 0;
        }
        let Some(mailbox) = self.boxes.get_mut(to) else { return 0 };
        let (mails, bytes) = (mailbox.mails.len(), mailbox.bytes);
        mailbox.mails.retain(|mail| mail.from.id() != from);
        mailbox.bytes = mailbox.mails.iter().map(Mail::bytes).sum();
        self.bytes -= bytes - mailbox.bytes;
        self.mails -= mails - mailbox.mails.len();
        mails - mailbox.mails.len()
    }

    /// Whose boxes hold mail from `from`.
    pub(crate) fn addressees(&self, from: &PeerId) -> Vec<PeerId> {
        let range = (*from, PeerId([0; 20]))..=(*from, PeerId([0xFF; 20]));
        self.counts_by_sender.range(range).map(|((_, to), _)| *to).collect()
    }

    /// Who is known as absent from `network`: each holds a share of it.
    pub(crate) fn absent_from(&self, network: NetKey) -> impl Iterator<Item = &PeerId> {
        let range = (network, PeerId([0; 20]))..=(network, PeerId([0xFF; 20]));
        self.by_network.range(range).map(|(_, id)| id)
    }

    /// # Panics
    ///
    /// When an invariant does not hold.
    pub(crate) fn check(&self, limits: &Limits) {
        assert_eq!(self.boxes.len(), self.by_expiry.len());
        assert_eq!(self.boxes.len(), self.by_network.len());
        assert!(self.boxes.len() <= limits.mailboxes as usize);
        assert!(self.bytes as u64 <= limits.mailbox_total_bytes);
        let mut counts: BTreeMap<(PeerId, PeerId), u32> = BTreeMap::new();
        for (id, mailbox) in &self.boxes {
            assert!(self.by_expiry.contains(&(mailbox.expires, *id)));
            assert!(self.by_network.contains(&(mailbox.network, *id)));
            assert!(mailbox.mails.len() <= limits.mailbox_messages as usize);
            assert!(mailbox.bytes <= limits.mailbox_bytes as usize);
            assert_eq!(mailbox.bytes, mailbox.mails.iter().map(Mail::bytes).sum::<usize>());
            assert!(mailbox.mails.iter().is_sorted_by_key(|mail| mail.arrived));
            for mail in &mailbox.mails {
                *counts.entry((*mail.from.id(), *id)).or_default() += 1;
            }
        }
        assert_eq!(counts, self.counts_by_sender);
        assert_eq!(self.mails, self.boxes.values().map(|mailbox| mailbox.mails.len()).sum::<usize>());
        assert_eq!(self.bytes, self.boxes.values().map(|mailbox| mailbox.bytes).sum::<usize>());
    }
}

/// Splits mails into those that are still worth delivering and the number of those that are not.
pub(crate) fn unexpired(
    mails: VecDeque<Mail>,
    now: Time,
    ttl_ms: u64,
) -> (usize, impl Iterator<Item = Mail>) {
    let expired = mails.iter().take_while(|mail| mail.is_expired(now, ttl_ms)).count();
    (expired, mails.into_iter().skip(expired))
}

fn uncount(counts: &mut BTreeMap<(PeerId, PeerId), u32>, from: &PeerId, to: &PeerId) {
    if let Some(count) = counts.get_mut(&(*from, *to)) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&(*from, *to));
        }
    }
}
