//! Signals kept for peers that dropped out moments ago.
//!
//! A lost peer is known for `MESSAGE_TTL`: that is what makes it "absent" and not "unknown", and who writes to
//! it does not prolong it. Its mailbox is there until its last mail has expired, too.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::{iter, mem};

use crate::mesh::networks::NetKey;
use crate::timers::{Deadline, NO_CONN, Timers};
use crate::wire::{Message, MessageId};
use crate::worst_case::{ALLOCATION_BYTES, charged, tree};
use crate::{Holder, Holders, Limits, PeerId, Signal, Spelling, Time, TimerKind};

#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) from: Spelling,
    pub(crate) signal: Signal,
    pub(crate) data: Option<Box<str>>,
    pub(crate) arrived: Time,
    /// Whom it is charged to.
    pub(crate) writer: Holder,
    /// What its sender was told it is called; no later mail has a smaller one.
    pub(crate) id: MessageId,
    pub(crate) keeping: Keeping,
}

/// Where a mail is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Nowhere else.
    Here,
    /// The store was asked to keep it, and may do so: only from there it is given out.
    Asked,
}

impl Mail {
    /// What one mail counts beside its data: about what it takes, with its place in the tables.
    pub(crate) const OVERHEAD_BYTES: usize = 512;

    pub(crate) fn message(&self) -> Message<'_> {
        let Mail { from, signal, data, arrived: _, writer: _, id, keeping: _ } = self;
        Message::Signal { signal: *signal, from: *from, data: data.as_deref(), name: (*id).into() }
    }

    fn bytes(&self) -> usize {
        Self::OVERHEAD_BYTES + self.data.as_deref().map_or(0, str::len)
    }

    pub(crate) fn is_expired(&self, now: Time, ttl_ms: u64) -> bool {
        now.since(self.arrived) >= ttl_ms
    }

    /// How much longer it may wait, in milliseconds.
    pub(crate) fn remaining_ms(&self, now: Time, ttl_ms: u64) -> u64 {
        ttl_ms.saturating_sub(now.since(self.arrived))
    }
}

/// Of whom a mailbox is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    /// Whom its place is charged to: where the peer was when it was lost.
    pub(crate) holder: Holder,
    /// The peer had proven its id: nobody else gets at the box.
    pub(crate) is_proven: bool,
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    /// Holds a reference to it.
    pub(crate) network: NetKey,
    owner: Owner,
    /// Until when its owner is known.
    known_until: Time,
    /// Until when anything in it can be delivered.
    expires: Time,
    mails: VecDeque<Mail>,
    bytes: usize,
}

impl Mailbox {
    /// The mail that makes room for one of `writer`: the oldest of whoever holds most, as of all mails together.
    fn gives_way(&self, writer: Holder) -> Option<MessageId> {
        let mut holders: BTreeMap<Holder, (usize, Reverse<MessageId>)> = BTreeMap::new();
        for mail in self.mails.iter().take(MAILS_LOOKED_AT) {
            holders.entry(mail.writer).or_insert((0, Reverse(mail.id))).0 += mail.bytes();
        }
        let own = holders.get(&writer).copied();
        let largest = holders.into_values().max()?;
        let given = own.filter(|(bytes, _)| *bytes >= largest.0).unwrap_or(largest);
        Some(given.1.0)
    }

    fn mail_mut(&mut self, id: MessageId) -> Option<&mut Mail> {
        let position = self.mails.binary_search_by_key(&id, |mail| mail.id).ok()?;
        self.mails.get_mut(position)
    }
}

/// Of a mailbox that is full, so many of the oldest mails say who holds most: the walk has a limit, whatever the setting.
const MAILS_LOOKED_AT: usize = 64;

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
    /// Bytes of all mails, by who wrote them.
    by_writer: Holders<(MessageId, PeerId)>,
    /// Places, by who was lost.
    by_holder: Holders<(Time, PeerId)>,
    /// Mails that the store is to be asked to keep, oldest first.
    to_store: BTreeSet<(MessageId, PeerId)>,
    /// The same, but not before there is a reason to hope that it keeps them.
    set_aside: BTreeSet<(MessageId, PeerId)>,
    /// When those are looked for whose time is over.
    sweep: Deadline,
}

impl Mailboxes {
    pub(crate) fn len(&self) -> usize {
        self.boxes.len()
    }

    pub(crate) fn mails(&self) -> usize {
        self.mails
    }

    pub(crate) fn bytes(&self) -> usize {
        self.by_writer.total()
    }

    /// Sees to it that expired state is swept; called whenever there is some.
    pub(crate) fn arm_sweep(&mut self, now: Time, limits: &Limits, timers: &mut Timers) {
        if self.sweep == Deadline::NONE {
            self.sweep = timers.arm(now + limits.cleanup_interval_ms, TimerKind::Sweep, NO_CONN);
        }
    }

    /// The deadline for that has fired.
    pub(crate) fn sweep_begins(&mut self) {
        self.sweep = Deadline::NONE;
    }

    /// The network in which `id` is known as absent.
    pub(crate) fn known_in(&self, id: &PeerId, now: Time) -> Option<NetKey> {
        self.boxes.get(id).filter(|mailbox| mailbox.known_until > now).map(|mailbox| mailbox.network)
    }

    /// The network in which something may wait for `id`.
    pub(crate) fn network_of(&self, id: &PeerId, now: Time) -> Option<NetKey> {
        self.boxes.get(id).filter(|mailbox| mailbox.expires > now).map(|mailbox| mailbox.network)
    }

    /// Whether there is a mailbox of somebody who had proven to be `id`.
    pub(crate) fn is_proven(&self, id: &PeerId) -> bool {
        self.boxes.get(id).is_some_and(|mailbox| mailbox.owner.is_proven)
    }

    /// Opens a mailbox. The caller gives it a reference to `network` and has closed an older one of the same owner.
    pub(crate) fn open(&mut self, id: PeerId, owner: Owner, network: NetKey, known_until: Time) {
        let expires = known_until;
        let mailbox = Mailbox { network, owner, known_until, expires, mails: VecDeque::new(), bytes: 0 };
        let before = self.boxes.insert(id, mailbox);
        debug_assert!(before.is_none());
        self.by_holder.add(owner.holder, (known_until, id), 1);
        self.by_expiry.insert((expires, id));
        self.by_network.insert((network, id));
    }

    /// Ends a mailbox. The caller takes over its reference to the network and says how its mails ended.
    pub(crate) fn close(&mut self, id: &PeerId) -> Option<(NetKey, VecDeque<Mail>)> {
        let mailbox = self.boxes.remove(id)?;
        self.by_expiry.remove(&(mailbox.expires, *id));
        self.by_network.remove(&(mailbox.network, *id));
        self.by_holder.remove(mailbox.owner.holder, (mailbox.known_until, *id), 1);
        for mail in &mailbox.mails {
            self.uncount(mail, id);
        }
        Some((mailbox.network, mailbox.mails))
    }

    /// The mailbox that expires next.
    pub(crate) fn oldest(&self) -> Option<(Time, PeerId)> {
        self.by_expiry.first().copied()
    }

    /// The mailbox that makes room for one more of `holder`, where there are as many as may be: of whoever has most of them, the one
    /// that was opened first; where nobody has more than `holder` would, and that has none, the one that expires next.
    pub(crate) fn gives_way(&self, holder: Holder) -> Option<PeerId> {
        let given = self.by_holder.gives_way(holder, 1).or(self.oldest());
        given.map(|(_, id)| id)
    }

    /// Puts `mail` into the box of `to`, which must be there. Returns whose mails have made room for it, where this box or all
    /// of them together are full: the oldest of whoever holds most there.
    pub(crate) fn put(&mut self, to: &PeerId, mail: Mail, limits: &Limits) -> Result<Vec<PeerId>, Full> {
        let bytes = mail.bytes();
        let most = limits.mailbox_total_bytes.min(limits.mailbox_bytes.into());
        if bytes as u64 > most || limits.mailbox_messages == 0 {
            return Err(Full);
        }
        let dropped = iter::from_fn(|| self.drop_surplus(to, mail.writer, bytes, limits)).collect();
        let mailbox = self.boxes.get_mut(to).ok_or(Full)?;
        self.by_expiry.remove(&(mailbox.expires, *to));
        mailbox.expires = mailbox.expires.max(mail.arrived + limits.message_ttl_ms);
        self.by_expiry.insert((mailbox.expires, *to));
        *self.counts_by_sender.entry((*mail.from.id(), *to)).or_default() += 1;
        self.by_writer.add(mail.writer, (mail.id, *to), bytes);
        mailbox.bytes += bytes;
        self.mails += 1;
        mailbox.mails.push_back(mail);
        Ok(dropped)
    }

    /// A mail that was put is to go to the store.
    pub(crate) fn store_later(&mut self, to: PeerId, id: MessageId) {
        self.to_store.insert((id, to));
    }

    /// Takes the oldest mail that is to go to the store, and how it is to be kept there: the network, and whether its addressee
    /// had proven its id.
    pub(crate) fn next_to_store(&mut self) -> Option<(PeerId, &Mail, NetKey, bool)> {
        let (id, to) = self.to_store.pop_first()?;
        let mailbox = self.boxes.get_mut(&to)?;
        let (network, is_proven) = (mailbox.network, mailbox.owner.is_proven);
        let mail = mailbox.mail_mut(id)?;
        mail.keeping = Keeping::Asked;
        Some((to, mail, network, is_proven))
    }

    /// The store has a mail: it is kept here no longer. Returns whether it was.
    pub(crate) fn stored(&mut self, to: &PeerId, id: MessageId) -> bool {
        self.remove(to, id)
    }

    /// The store does not have a mail, for sure or perhaps. It will be asked again, but not at once.
    pub(crate) fn not_stored(&mut self, to: &PeerId, id: MessageId, is_certain: bool) {
        let Some(mail) = self.boxes.get_mut(to).and_then(|mailbox| mailbox.mail_mut(id)) else { return };
        if is_certain {
            mail.keeping = Keeping::Here;
        }
        self.set_aside.insert((id, *to));
    }

    /// The store may keep now what it did not.
    pub(crate) fn try_again(&mut self) {
        self.to_store.append(&mut self.set_aside);
    }

    /// What waits for `to` is not to go to the store any more: its owner comes for it.
    pub(crate) fn hold(&mut self, to: &PeerId) {
        let Some(mailbox) = self.boxes.get(to) else { return };
        for mail in &mailbox.mails {
            self.to_store.remove(&(mail.id, *to));
            self.set_aside.remove(&(mail.id, *to));
        }
    }

    /// Takes the oldest mail out of the box of `to`, unless the store may have it.
    pub(crate) fn pop(&mut self, to: &PeerId) -> Option<Mail> {
        let mailbox = self.boxes.get_mut(to)?;
        let is_here = mailbox.mails.front().is_some_and(|mail| mail.keeping == Keeping::Here);
        let mail = mailbox.mails.pop_front_if(|_| is_here)?;
        mailbox.bytes -= mail.bytes();
        self.uncount(&mail, to);
        Some(mail)
    }

    /// Whether the store may have some of what waits for `to`.
    pub(crate) fn has_asked(&self, to: &PeerId) -> bool {
        let mails = self.boxes.get(to).map(|mailbox| &mailbox.mails);
        mails.is_some_and(|mails| mails.iter().any(|mail| mail.keeping == Keeping::Asked))
    }

    /// Whether nothing waits for `to`.
    pub(crate) fn is_empty(&self, to: &PeerId) -> bool {
        self.boxes.get(to).is_none_or(|mailbox| mailbox.mails.is_empty())
    }

    /// Takes one mail out of the box of `to`. Returns whether it was there.
    fn remove(&mut self, to: &PeerId, id: MessageId) -> bool {
        let Some(mailbox) = self.boxes.get_mut(to) else { return false };
        let Ok(position) = mailbox.mails.binary_search_by_key(&id, |mail| mail.id) else { return false };
        let Some(mail) = mailbox.mails.remove(position) else { return false };
        mailbox.bytes -= mail.bytes();
        self.uncount(&mail, to);
        true
    }

    /// Drops one mail where the box of `to`, or all boxes together, have no room for so much of `writer`. Returns whose it was.
    fn drop_surplus(&mut self, to: &PeerId, writer: Holder, bytes: usize, limits: &Limits) -> Option<PeerId> {
        let mailbox = self.boxes.get(to)?;
        let (max_mails, max_bytes) = (limits.mailbox_messages as usize, limits.mailbox_bytes as usize);
        let (id, of) = if mailbox.mails.len() >= max_mails || mailbox.bytes + bytes > max_bytes {
            (mailbox.gives_way(writer)?, *to)
        } else if (self.bytes() + bytes) as u64 > limits.mailbox_total_bytes {
            self.by_writer.gives_way(writer, 0)?
        } else {
            return None;
        };
        self.remove(&of, id).then_some(of)
    }

    /// Takes all mails of `from` out of the box of `to`; returns how many.
    pub(crate) fn forget(&mut self, from: &PeerId, to: &PeerId) -> usize {
        if !self.counts_by_sender.contains_key(&(*from, *to)) {
            return 0;
        }
        let Some(mailbox) = self.boxes.get_mut(to) else { return 0 };
        let is_theirs = |mail: &Mail| mail.from.id() == from;
        let (forgotten, kept): (Vec<Mail>, Vec<Mail>) =
            mem::take(&mut mailbox.mails).into_iter().partition(is_theirs);
        mailbox.mails = kept.into();
        mailbox.bytes -= forgotten.iter().map(Mail::bytes).sum::<usize>();
        forgotten.iter().for_each(|mail| self.uncount(mail, to));
        forgotten.len()
    }

    /// A mail has left the box of `to`.
    fn uncount(&mut self, mail: &Mail, to: &PeerId) {
        self.mails -= 1;
        self.by_writer.remove(mail.writer, (mail.id, *to), mail.bytes());
        self.to_store.remove(&(mail.id, *to));
        self.set_aside.remove(&(mail.id, *to));
        let key = (*mail.from.id(), *to);
        if let Some(count) = self.counts_by_sender.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.counts_by_sender.remove(&key);
            }
        }
    }

    /// Whose boxes hold mail from `from`.
    pub(crate) fn addressees(&self, from: &PeerId) -> Vec<PeerId> {
        let range = (*from, PeerId([0; 20]))..=(*from, PeerId([0xFF; 20]));
        self.counts_by_sender.range(range).map(|((_, to), _)| *to).collect()
    }

    /// Who is known as absent from `network`: each holds a reference to it.
    pub(crate) fn absent_from(&self, network: NetKey) -> impl Iterator<Item = &PeerId> {
        let range = (network, PeerId([0; 20]))..=(network, PeerId([0xFF; 20]));
        self.by_network.range(range).map(|(_, id)| id)
    }

    /// Each mail counts [`Mail::OVERHEAD_BYTES`] within the limit, and takes more than that where it is alone in its box.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        let boxes = u64::from(limits.mailboxes);
        let mails = limits
            .mailbox_total_bytes
            .div_ceil(Mail::OVERHEAD_BYTES as u64)
            .min(boxes * u64::from(limits.mailbox_messages));
        let alone = 4 * size_of::<Mail>() as u64
            + 2 * ALLOCATION_BYTES
            + tree(44)
            + charged(size_of::<(MessageId, PeerId)>());
        let each =
            tree(20 + size_of::<Mailbox>()) + tree(28) + tree(24) + charged(size_of::<(Time, PeerId)>());
        boxes * each + limits.mailbox_total_bytes + mails * alone.saturating_sub(Mail::OVERHEAD_BYTES as u64)
    }

    /// Checks every invariant; returns how many deadlines there are.
    ///
    /// # Panics
    ///
    /// When one does not hold.
    pub(crate) fn check(&self, limits: &Limits, timers: &Timers) -> usize {
        assert!(self.boxes.is_empty() || self.sweep != Deadline::NONE, "mailboxes that nobody sweeps");
        assert_eq!(self.boxes.len(), self.by_expiry.len());
        assert_eq!(self.boxes.len(), self.by_network.len());
        assert!(self.boxes.len() <= limits.mailboxes as usize);
        assert!(self.bytes() as u64 <= limits.mailbox_total_bytes);
        let mut counts: BTreeMap<(PeerId, PeerId), u32> = BTreeMap::new();
        for (id, mailbox) in &self.boxes {
            assert!(self.by_expiry.contains(&(mailbox.expires, *id)));
            assert!(self.by_network.contains(&(mailbox.network, *id)));
            assert!(mailbox.mails.len() <= limits.mailbox_messages as usize);
            assert!(mailbox.bytes <= limits.mailbox_bytes as usize);
            assert_eq!(mailbox.bytes, mailbox.mails.iter().map(Mail::bytes).sum::<usize>());
            assert!(mailbox.mails.iter().is_sorted_by_key(|mail| (mail.arrived, mail.id)));
            for mail in &mailbox.mails {
                *counts.entry((*mail.from.id(), *id)).or_default() += 1;
            }
        }
        for (id, to) in self.to_store.iter().chain(&self.set_aside) {
            assert!(
                self.boxes.get(to).is_some_and(|mailbox| mailbox.mails.iter().any(|mail| mail.id == *id))
            );
        }
        assert!(self.to_store.is_disjoint(&self.set_aside));
        assert_eq!(counts, self.counts_by_sender);
        assert_eq!(self.mails, self.boxes.values().map(|mailbox| mailbox.mails.len()).sum::<usize>());
        let mails = self.boxes.iter().flat_map(|(id, mailbox)| mailbox.mails.iter().map(|mail| (*id, mail)));
        self.by_writer.check(mails.map(|(to, mail)| (mail.writer, (mail.id, to), mail.bytes())));
        self.by_holder.check(
            self.boxes.iter().map(|(id, mailbox)| (mailbox.owner.holder, (mailbox.known_until, *id), 1)),
        );
        timers.check(self.sweep, NO_CONN)
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
