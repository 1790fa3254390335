//! Peers without a connection: they post what they have to say, and fetch what others said to them.
//!
//! To everybody else such a peer is like any other. What is sent to it is kept in its inbox until it asks; a
//! peer that asks while there is nothing can wait for a while (long polling). It is there as long as it posts
//! or asks now and then.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use core::mem;

use crate::lobby::{Newcomer, Poll, read_poll};
use crate::mail::mailboxes::unexpired;
use crate::peers::pace::Verdict;
use crate::peers::{Peer, PeerSlot};
use crate::timers::Deadline;
use crate::wire::{self, Dialect, Kind, Message, Outcome, Recipient, Refusal, post};
use crate::{AddressKey, ConnId, Event, Grant, MailEnd, PeerId, Switchboard, Time, TimerKind};

/// Virtual connections of such peers are numbered from here; drivers never get that far.
const FIRST_VIRTUAL: u64 = 1 << 63;

/// What was sent to a peer since it asked for the last time.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    texts: VecDeque<(Time, Box<str>)>,
    bytes: usize,
    waiting: Option<OpenPoll>,
}

/// A request that is answered as soon as there is something, or when its time is over.
#[derive(Clone, Copy, Debug)]
struct OpenPoll {
    conn: ConnId,
    deadline: Deadline,
}

/// Where something may wait for whoever asks for it.
enum Kept {
    /// In the inbox of the peer in this slot.
    Inbox(PeerSlot),
    /// In the mailbox of a peer that is not here.
    Mailbox,
    Nothing,
}

impl Inbox {
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest text came.
    pub(crate) fn oldest(&self) -> Option<Time> {
        self.texts.front().map(|(arrived, _)| *arrived)
    }
}

impl Switchboard {
    /// One message or a batch, as the body of a request.
    pub(crate) fn posted(&mut self, conn: ConnId, body: &str, address: Option<AddressKey>, grant: &Grant) {
        let mut reply = String::new();
        let status = match post::read(body) {
            Ok(post::Body::One) => self.post_one(&mut reply, conn, body, address, grant),
            Ok(post::Body::Batch(texts)) => {
                reply.push_str("{\"results\":[");
                for (i, text) in texts.into_iter().enumerate() {
                    reply.push_str(if i == 0 { "" } else { "," });
                    self.post_one(&mut reply, conn, text, address, grant);
                }
                reply.push_str("]}");
                200
            }
            Err(refusal) => {
                self.observe_refused(conn, refusal);
                self.write_result(&mut reply, Err(refusal))
            }
        };
        self.outbox.reply(conn, status, &reply);
    }

    /// A request for what was sent to a peer.
    pub(crate) fn polled(&mut self, conn: ConnId, target: &str, grant: &Grant) {
        let Some(Poll { peer, wait_ms }) = read_poll(target) else {
            return self.refuse_poll(conn, Refusal::PeerNotAnId);
        };
        match self.find_mail(peer.id(), grant) {
            Err(refusal) => self.refuse_poll(conn, refusal),
            Ok(Kept::Inbox(slot)) => {
                self.sign_of_life(slot);
                // Of two that wait for the same, the older one has been given up by its client.
                self.answer_poll(slot);
                self.wait_for_mail(slot, conn, wait_ms);
            }
            Ok(Kept::Mailbox) => self.hand_out_mail(conn, &peer),
            Ok(Kept::Nothing) => self.reply_with(conn, post::start()),
        }
    }

    /// Whether a request waits for what is sent to a peer.
    pub(crate) fn is_polled(&self, slot: PeerSlot) -> bool {
        self.peers[slot].inbox().is_some_and(|inbox| inbox.waiting.is_some())
    }

    /// The time of a request that waits is over.
    pub(crate) fn poll_ends(&mut self, slot: PeerSlot) {
        if let Some(waiting) = self.peers[slot].inbox_mut().and_then(|inbox| inbox.waiting.as_mut()) {
            waiting.deadline = Deadline::NONE;
            self.answer_poll(slot);
        }
    }

    /// Puts a text into the inbox of a peer; the oldest ones make room.
    pub(crate) fn shelve(&mut self, slot: PeerSlot, text: Box<str>) {
        let (max_texts, max_bytes) =
            (self.limits.mailbox_messages as usize, self.limits.mailbox_bytes as usize);
        let (conn, to, holder, now) = {
            let peer = &self.peers[slot];
            (peer.conn(), *peer.id(), peer.holder(), self.now)
        };
        self.outbox.observe(Event::Shelved { to });
        self.change_inbox(slot, |inbox| {
            inbox.bytes += text.len();
            inbox.texts.push_back((now, text));
        });
        while let Some(inbox) = self.peers[slot].inbox()
            && (inbox.texts.len() > max_texts || inbox.bytes > max_bytes)
        {
            self.drop_oldest(slot);
        }
        while self.shelved_by_holder.total() as u64 > self.limits.mailbox_total_bytes
            && let Some((_, given)) = self.shelved_by_holder.gives_way(holder, 0)
            && let Some(given) = self.peers.by_conn(given)
        {
            self.drop_oldest(given);
        }
        let inbox = self.peers[slot].inbox();
        if inbox.is_some_and(|inbox| inbox.waiting.is_some() && !inbox.texts.is_empty()) {
            self.ready.push(conn);
        }
    }

    /// Drops the oldest text of an inbox that has one.
    fn drop_oldest(&mut self, slot: PeerSlot) {
        self.change_inbox(slot, |inbox| {
            if let Some((_, oldest)) = inbox.texts.pop_front() {
                inbox.bytes -= oldest.len();
            }
        });
        let to = *self.peers[slot].id();
        self.outbox.observe(Event::ShelfEnded { to, end: MailEnd::Dropped });
    }

    /// Changes what is in an inbox, and what is known of all of them.
    fn change_inbox<T>(&mut self, slot: PeerSlot, change: impl FnOnce(&mut Inbox) -> T) -> Option<T> {
        let peer = &mut self.peers[slot];
        let (conn, holder, inbox) = (peer.conn(), peer.holder(), peer.inbox_mut()?);
        if let Some(oldest) = inbox.oldest() {
            self.shelved_by_holder.remove(holder, (oldest, conn), inbox.bytes);
        }
        self.shelved -= inbox.len();
        let changed = change(inbox);
        self.shelved += inbox.len();
        if let Some(oldest) = inbox.oldest() {
            self.shelved_by_holder.add(holder, (oldest, conn), inbox.bytes);
        }
        Some(changed)
    }

    /// Answers the requests that were waiting for what has just come.
    pub(crate) fn answer_ready(&mut self) {
        while let Some(conn) = self.ready.pop() {
            // It may have gone meanwhile.
            if let Some(slot) = self.peers.by_conn(conn) {
                self.answer_poll(slot);
            }
        }
    }

    /// A peer is over: so is its inbox.
    pub(crate) fn close_inbox(&mut self, slot: PeerSlot) {
        self.answer_poll(slot);
        self.empty(slot, MailEnd::Dropped);
    }

    fn post_one(
        &mut self,
        reply: &mut String,
        conn: ConnId,
        text: &str,
        address: Option<AddressKey>,
        grant: &Grant,
    ) -> u16 {
        let id = self.next_message_id();
        let mut speaker = conn;
        let result = self.post(id, &mut speaker, text, address, grant).map(|outcome| (id, outcome));
        if let Err(refusal) = result {
            self.observe_refused(speaker, refusal);
        }
        self.write_result(reply, result)
    }

    /// `speaker` becomes the virtual connection of the peer as soon as it is known.
    fn post(
        &mut self,
        id: wire::MessageId,
        speaker: &mut ConnId,
        text: &str,
        address: Option<AddressKey>,
        grant: &Grant,
    ) -> Result<Outcome, Refusal> {
        let request = Dialect::B.decode(text, &self.limits).request?;
        let claimed = request.claimed.ok_or(Refusal::PeerNotAnId)?;
        self.may_speak_for(claimed.id(), grant)?;
        let slot = match self.peers.by_id(claimed.id()) {
            Some(slot) if self.peers[slot].has_connection() => return Err(Refusal::ConnectedElsewhere),
            Some(slot) => slot,
            None => self.seat_without_connection(claimed, address)?,
        };
        *speaker = self.peers[slot].conn();
        self.grants.keep(*speaker, grant);
        // It shows that somebody speaks for this id, not that anybody listens: a challenge is answered by a request that waits.
        self.note_life(slot);
        let verdict = self.peers.admit(slot, text.len(), self.now, &self.limits);
        // What the messages of one batch cause is not worked on all at once, whatever the rate.
        if verdict != Verdict::Within || self.outbox.is_crowded() {
            return Err(self.over_the_limit(verdict));
        }
        if request.kind == Kind::Register {
            return Ok(Outcome::Done);
        }
        self.perform(slot, &request, id, text.len())
    }

    /// Whether the sender of a request may be the peer that it says it is.
    fn may_speak_for(&self, id: &PeerId, grant: &Grant) -> Result<(), Refusal> {
        let is_proven =
            self.peers.by_id(id).is_some_and(|slot| self.grants.has_proven(self.peers[slot].conn(), id));
        if !grant.allows_peer(id) || (is_proven && grant.peer.is_none()) {
            return Err(Refusal::PeerNotGranted);
        }
        Ok(())
    }

    /// The same for one that wants what was sent to that peer. Of one that is or was in a network that the request has no
    /// token for, it is not told that it is there: it is answered as if there had never been such a peer.
    fn find_mail(&self, id: &PeerId, grant: &Grant) -> Result<Kept, Refusal> {
        let slot = self.peers.by_id(id);
        let is_within_reach = match slot {
            Some(slot) => self.may_know_of(slot, grant),
            None => {
                let network = self.mailboxes.network_of(id, self.now);
                network.is_none_or(|network| grant.allows_network(self.networks.name(network)))
            }
        };
        if !is_within_reach && grant.peer.is_none() {
            return Ok(Kept::Nothing);
        }
        self.may_speak_for(id, grant)?;
        if !is_within_reach {
            return Err(Refusal::NetworkNotGranted);
        }
        match slot {
            Some(slot) if self.peers[slot].has_connection() => Err(Refusal::ConnectedElsewhere),
            Some(slot) => Ok(Kept::Inbox(slot)),
            None if self.mailboxes.is_proven(id) && grant.peer.is_none() => Err(Refusal::PeerNotGranted),
            None => Ok(Kept::Mailbox),
        }
    }

    fn seat_without_connection(
        &mut self,
        spelling: crate::Spelling,
        address: Option<AddressKey>,
    ) -> Result<PeerSlot, Refusal> {
        if self.draining.is_some() || self.no_place_for(address).is_some() {
            return Err(Refusal::NoPlace);
        }
        self.virtual_conns += 1;
        let conn = ConnId(FIRST_VIRTUAL + self.virtual_conns);
        self.outbox.observe(Event::Opened { conn });
        Ok(self.seat(Newcomer { conn, dialect: Dialect::B, spelling, address }, Some(Box::default())))
    }

    fn write_result(
        &mut self,
        reply: &mut String,
        result: Result<(wire::MessageId, Outcome), Refusal>,
    ) -> u16 {
        let stamp = self.stamp();
        let (message, status) = match result {
            Ok((id, outcome)) => (Message::Done { id, outcome }, 200),
            Err(refusal) => {
                (Message::Error { refusal, offending_type: None, id: stamp.fresh }, post::status(refusal))
            }
        };
        wire::write(reply, &Recipient::NOBODY, message, stamp);
        status
    }

    fn refuse_poll(&mut self, conn: ConnId, refusal: Refusal) {
        let mut reply = String::new();
        let status = self.write_result(&mut reply, Err(refusal));
        self.outbox.reply(conn, status, &reply);
    }

    fn wait_for_mail(&mut self, slot: PeerSlot, conn: ConnId, wait_ms: u64) {
        let peer_conn = self.peers[slot].conn();
        let Some(inbox) = self.peers[slot].inbox_mut() else { return };
        let deadline = self.timers.arm(self.now + wait_ms.max(1), TimerKind::Poll, peer_conn);
        inbox.waiting = Some(OpenPoll { conn, deadline });
        self.polls.insert(conn, slot);
        if wait_ms == 0 || !inbox.texts.is_empty() {
            self.answer_poll(slot);
        }
    }

    /// The request that waits for this inbox is answered, or was given up.
    pub(crate) fn stop_waiting(&mut self, slot: PeerSlot) -> Option<ConnId> {
        let peer = &mut self.peers[slot];
        let waiting = peer.inbox_mut()?.waiting.take()?;
        self.timers.disarm(waiting.deadline, peer.conn());
        self.polls.remove(&waiting.conn);
        // It was there as long as its request waited.
        self.note_life(slot);
        Some(waiting.conn)
    }

    /// Answers the request that waits for this inbox, if there is one, with all there is.
    fn answer_poll(&mut self, slot: PeerSlot) {
        let Some(conn) = self.stop_waiting(slot) else { return };
        let ttl = self.limits.message_ttl_ms;
        let mut reply = post::start();
        if let Some(inbox) = self.peers[slot].inbox() {
            let fresh = |(arrived, _): &&(Time, Box<str>)| ttl == 0 || self.now.since(*arrived) < ttl;
            inbox.texts.iter().filter(fresh).for_each(|(_, text)| post::push(&mut reply, text));
        }
        self.empty(slot, MailEnd::Delivered);
        self.reply_with(conn, reply);
    }

    /// Answers a request with these messages.
    fn reply_with(&mut self, conn: ConnId, mut messages: String) {
        post::finish(&mut messages, self.clock.at(self.now).0);
        self.outbox.reply(conn, 200, &messages);
    }

    fn empty(&mut self, slot: PeerSlot, end: MailEnd) {
        let to = *self.peers[slot].id();
        let ttl = self.limits.message_ttl_ms;
        let texts = self.change_inbox(slot, |inbox| {
            inbox.bytes = 0;
            mem::take(&mut inbox.texts)
        });
        for (arrived, _) in texts.into_iter().flatten() {
            let expired = ttl > 0 && self.now.since(arrived) >= ttl;
            self.outbox.observe(Event::ShelfEnded { to, end: if expired { MailEnd::Expired } else { end } });
        }
    }

    /// What was kept for a peer that is not here at all.
    fn hand_out_mail(&mut self, conn: ConnId, peer: &crate::Spelling) {
        let mut reply = post::start();
        let id: PeerId = *peer.id();
        if let Some((network, mails)) = self.mailboxes.close(&id) {
            self.networks.release(network);
            let (expired, rest) = unexpired(mails, self.now, self.limits.message_ttl_ms);
            self.observe_mails(&id, expired, MailEnd::Expired);
            for mail in rest {
                let to = Recipient { spelling: *peer, ..Recipient::NOBODY };
                let mut text = String::new();
                let stamp = self.stamp();
                wire::write(&mut text, &to, mail.message(), stamp);
                post::push(&mut reply, &text);
                self.observe_mails(&id, 1, MailEnd::Delivered);
            }
        }
        self.reply_with(conn, reply);
    }

    /// # Panics
    ///
    /// When an invariant does not hold. Returns how many deadlines belong to the inbox.
    pub(crate) fn check_inbox(&self, slot: PeerSlot, peer: &Peer) -> usize {
        let Some(inbox) = peer.inbox() else { return 0 };
        assert!(inbox.texts.len() <= self.limits.mailbox_messages as usize);
        assert!(inbox.bytes <= self.limits.mailbox_bytes as usize);
        assert_eq!(inbox.bytes, inbox.texts.iter().map(|(_, text)| text.len()).sum::<usize>());
        let Some(OpenPoll { conn, deadline }) = inbox.waiting else { return 0 };
        assert!(inbox.texts.is_empty(), "a request waits for what is there");
        assert_eq!(self.polls.get(&conn), Some(&slot));
        self.timers.check(deadline, peer.conn())
    }
}
