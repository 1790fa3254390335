//! Mailboxes, slow and obvious.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use peerpigeon_core::{Holder, Limits, MailEnd, PeerId, Signal, Time};

use crate::laws::{Verdict, demand};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) from: PeerId,
    pub(crate) signal: Signal,
    pub(crate) data: Option<String>,
    pub(crate) at: Time,
    /// Whom it is charged to.
    pub(crate) writer: Holder,
    /// Mails are numbered in the order of their coming.
    pub(crate) number: u64,
}

/// What is kept for one absent peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mailbox {
    pub(crate) left: Time,
    pub(crate) mails: VecDeque<Mail>,
}

/// Mailboxes by network name and peer.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    boxes: BTreeMap<(String, PeerId), Mailbox>,
    /// Those of peers that have just come back in the same network: to be delivered now.
    due: BTreeMap<PeerId, Mailbox>,
    /// Those that have made room for another: to be dropped now.
    surplus: VecDeque<(PeerId, Mail)>,
    /// Mails so far.
    count: u64,
    /// Where more peers were remembered than may be, the server has forgotten some: which ones, is its choice.
    pub(crate) crowded: bool,
}

/// Whether a signal for an absent peer can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    Yes,
    No,
    /// The protocol leaves it open.
    Either,
}

impl Mailboxes {
    /// A peer has dropped out.
    pub(crate) fn dropped_out(&mut self, now: Time, network: &str, peer: PeerId, limits: &Limits) {
        if limits.message_ttl_ms == 0 {
            return;
        }
        let mailbox = self.boxes.entry((network.to_owned(), peer)).or_default();
        mailbox.left = now;
        self.boxes.retain(|_, mailbox| {
            !mailbox.mails.is_empty() || now.since(mailbox.left) <= limits.message_ttl_ms
        });
        self.crowded |= self.boxes.len() > limits.mailboxes as usize;
    }

    /// A peer has announced itself: what is kept in this network is due, what is kept in others is void.
    pub(crate) fn came_back(&mut self, network: &str, peer: PeerId) {
        if let Some(mailbox) = self.boxes.remove(&(network.to_owned(), peer)) {
            self.due.entry(peer).or_default().mails.extend(mailbox.mails);
        }
    }

    /// Somebody asks by HTTP for what is kept for a peer that is not here: all of it is due.
    pub(crate) fn asked_for(&mut self, peer: PeerId) {
        let networks: Vec<String> = self
            .boxes
            .keys()
            .filter(|(_, owner)| *owner == peer)
            .map(|(network, _)| network.clone())
            .collect();
        for network in networks {
            self.came_back(&network, peer);
        }
    }

    /// An empty mailbox of a peer that has said goodbye or gone elsewhere is forgotten.
    pub(crate) fn forget(&mut self, peer: PeerId) -> Verdict {
        let left: usize = self.of(peer).map(|mailbox| mailbox.mails.len()).sum();
        demand!(left == 0, "{left} mails are kept for {peer}, who said goodbye or went to another network");
        self.boxes.retain(|(_, owner), _| *owner != peer);
        Ok(())
    }

    fn of(&self, peer: PeerId) -> impl Iterator<Item = &Mailbox> {
        self.boxes.iter().filter(move |((_, owner), _)| *owner == peer).map(|(_, mailbox)| mailbox)
    }

    /// Whether a peer is remembered in a network.
    pub(crate) fn has(&self, network: &str, peer: PeerId) -> bool {
        self.boxes.contains_key(&(network.to_owned(), peer))
    }

    /// Whether a signal with so much data can be kept for a peer.
    pub(crate) fn keeping(
        &self,
        now: Time,
        network: &str,
        peer: PeerId,
        bytes: usize,
        limits: &Limits,
    ) -> Keeping {
        let Some(mailbox) = self.boxes.get(&(network.to_owned(), peer)) else { return Keeping::No };
        // Nobody is remembered for longer than its mails are kept.
        let age = now.since(mailbox.left);
        let most = limits.mailbox_total_bytes.min(limits.mailbox_bytes.into());
        let fits = u64::try_from(bytes + Mail::OVERHEAD).is_ok_and(|bytes| bytes <= most);
        if age > limits.message_ttl_ms || !fits || limits.mailbox_messages == 0 {
            return Keeping::No;
        }
        if age == limits.message_ttl_ms || self.crowded { Keeping::Either } else { Keeping::Yes }
    }

    /// A signal is kept; what makes room for it is to be dropped at once.
    pub(crate) fn put(&mut self, network: &str, peer: PeerId, mail: Mail, limits: &Limits) {
        let key = (network.to_owned(), peer);
        while let Some(victim) = self.surplus_for(&key, &mail, limits) {
            let taken = self.take_out(victim);
            self.surplus.extend(taken);
        }
        self.count += 1;
        let mail = Mail { number: self.count, ..mail };
        self.boxes.entry(key).or_default().mails.push_back(mail);
    }

    /// The number of the mail that makes room next, where this box is full or all together are too much.
    fn surplus_for(&self, key: &(String, PeerId), mail: &Mail, limits: &Limits) -> Option<u64> {
        let own = || self.boxes.get(key).into_iter().flat_map(|mailbox| &mailbox.mails);
        let bytes = own().map(Mail::bytes).sum::<usize>() + mail.bytes();
        if own().count() >= limits.mailbox_messages as usize || bytes > limits.mailbox_bytes as usize {
            return gives_way(own().take(LOOKED_AT), mail.writer);
        }
        let all = || self.boxes.values().flat_map(|mailbox| &mailbox.mails);
        let bytes = all().map(Mail::bytes).sum::<usize>() + mail.bytes();
        let fits = u64::try_from(bytes).is_ok_and(|bytes| bytes <= limits.mailbox_total_bytes);
        if fits { None } else { gives_way(all(), mail.writer) }
    }

    /// The mail with this number, and whose it is.
    fn take_out(&mut self, number: u64) -> Option<(PeerId, Mail)> {
        self.boxes.iter_mut().find_map(|((_, owner), mailbox)| {
            let position = mailbox.mails.iter().position(|mail| mail.number == number)?;
            Some((*owner, mailbox.mails.remove(position)?))
        })
    }

    /// The mail that has just ended so; `wanted` tells which ones a cleanup asks for.
    pub(crate) fn end(
        &mut self,
        now: Time,
        to: PeerId,
        end: MailEnd,
        limits: &Limits,
        wanted: &dyn Fn(PeerId, &Mail) -> bool,
    ) -> Result<Mail, String> {
        let ttl = limits.message_ttl_ms;
        let due = self.due.get_mut(&to).filter(|mailbox| !mailbox.mails.is_empty());
        if let Some(mailbox) = due {
            let fits = match end {
                MailEnd::Delivered => mailbox.mails.front().is_some_and(|mail| now.since(mail.at) <= ttl),
                MailEnd::Expired => mailbox.expired(now, ttl),
                MailEnd::Dropped | MailEnd::Forgotten | MailEnd::Stored => false,
            };
            demand!(fits, "the first of {} mails for {to}, who is back, was {end:?}", mailbox.mails.len());
            return mailbox.mails.pop_front().ok_or_else(String::new);
        }
        if let Some((owner, mail)) = self.surplus.pop_front() {
            demand!(
                end == MailEnd::Dropped && to == owner,
                "a mail for {to} was {end:?}, one for {owner} was to make room"
            );
            return Ok(mail);
        }
        let mut boxes =
            self.boxes.iter_mut().filter(|((_, owner), _)| *owner == to).map(|(_, mailbox)| mailbox);
        let found = match end {
            MailEnd::Delivered | MailEnd::Stored => None,
            MailEnd::Expired => boxes.find(|mailbox| mailbox.expired(now, ttl)).map(|mailbox| (mailbox, 0)),
            MailEnd::Dropped => boxes.find(|mailbox| !mailbox.mails.is_empty()).map(|mailbox| (mailbox, 0)),
            MailEnd::Forgotten => boxes.find_map(|mailbox| {
                let position = mailbox.mails.iter().position(|mail| wanted(to, mail))?;
                Some((mailbox, position))
            }),
        };
        let mail = found.and_then(|(mailbox, position)| mailbox.mails.remove(position));
        mail.ok_or_else(|| format!("a mail for {to} was {end:?}, but there is none that could be"))
    }

    /// Everything due has been delivered or has expired, and what had to make room was dropped.
    pub(crate) fn settled(&mut self) -> Verdict {
        demand!(self.surplus.is_empty(), "{} mails were to make room and did not", self.surplus.len());
        let left = self.due.iter().find(|(_, mailbox)| !mailbox.mails.is_empty());
        demand!(left.is_none(), "{:?} is back and did not get its mail", left.map(|(peer, _)| peer));
        self.due.clear();
        Ok(())
    }

    /// Mails that `wanted` names.
    pub(crate) fn count(&self, wanted: &dyn Fn(PeerId, &Mail) -> bool) -> usize {
        let all =
            self.boxes.iter().flat_map(|((_, to), mailbox)| mailbox.mails.iter().map(|mail| (*to, mail)));
        all.filter(|(to, mail)| wanted(*to, mail)).count()
    }
}

/// Of these mails, the number of the oldest of whoever holds most; of several who do, of the writer, or else the oldest.
fn gives_way<'a>(mails: impl Iterator<Item = &'a Mail>, writer: Holder) -> Option<u64> {
    let mut holders: BTreeMap<Holder, (usize, Reverse<u64>)> = BTreeMap::new();
    for mail in mails {
        let (bytes, oldest) = holders.entry(mail.writer).or_insert((0, Reverse(mail.number)));
        *bytes += mail.bytes();
        *oldest = (*oldest).max(Reverse(mail.number));
    }
    let own = holders.get(&writer);
    let largest = holders.values().max().filter(|(bytes, _)| *bytes > own.map_or(0, |(bytes, _)| *bytes));
    largest.or(own).map(|(_, Reverse(oldest))| *oldest)
}

/// So many of the oldest mails of a mailbox say who holds most of it.
const LOOKED_AT: usize = 64;

impl Mailbox {
    fn expired(&self, now: Time, ttl: u64) -> bool {
        let absent = now.since(self.left) >= ttl;
        self.mails.front().is_some_and(|mail| absent || now.since(mail.at) >= ttl)
    }
}

impl Mail {
    /// What a mail counts beside its data.
    const OVERHEAD: usize = 512;

    fn bytes(&self) -> usize {
        Mail::OVERHEAD + self.data.as_ref().map_or(0, String::len)
    }
}
