//! Requests of peers without a connection: they post what they have to say, and poll for what others said to them.
//!
//! To everybody else such a peer is like any other. It is there as long as it posts or polls now and then.

use alloc::boxed::Box;
use alloc::string::String;

use crate::lobby::{Arrival, Poll, read_poll};
use crate::mail::poll_queue::{PollQueue, Texts};
use crate::mail::questions::{Receipt, Taker};
use crate::peers::PeerSlot;
use crate::peers::rate_limiter::RateCheck;
use crate::wire::{self, Dialect, Kind, Message, Outcome, Recipient, Refusal, post};
use crate::{AddressKey, ConnId, Event, Grant, MailEnd, PeerId, Switchboard, Time};

/// Virtual connections of such peers are numbered from here; drivers never get that far.
const FIRST_VIRTUAL: u64 = 1 << 63;

/// Where something may wait for whoever asks for it.
enum MailSource {
    /// In the queue of the peer in this slot.
    Queue(PeerSlot),
    /// In the mailbox of a peer that is not here.
    Mailbox,
    Nothing,
}

impl Switchboard {
    /// One message or a batch, as the body of a request.
    pub(crate) fn posted(&mut self, conn: ConnId, body: &str, address: Option<AddressKey>, grant: &Grant) {
        if self.post_goes_elsewhere(conn, body, grant) {
            return;
        }
        let mut reply = String::new();
        let mut to_be_kept = 0;
        let status = match post::read(body) {
            Ok(post::Body::One) => self.post_one(&mut reply, &mut to_be_kept, conn, body, address, grant),
            Ok(post::Body::Batch(texts)) => {
                reply.push_str("{\"results\":[");
                for (i, text) in texts.into_iter().enumerate() {
                    reply.push_str(if i == 0 { "" } else { "," });
                    self.post_one(&mut reply, &mut to_be_kept, conn, text, address, grant);
                }
                reply.push_str("]}");
                200
            }
            Err(refusal) => {
                self.observe_refused(conn, refusal);
                self.write_result(&mut reply, Err(refusal))
            }
        };
        if to_be_kept > 0 {
            return self.questions.keep_reply(conn, status, reply, to_be_kept);
        }
        self.reply(conn, status, &reply);
    }

    /// A request for what was sent to a peer.
    pub(crate) fn polled(&mut self, conn: ConnId, target: &str, grant: &Grant) {
        let Some(Poll { peer, wait_ms }) = read_poll(target) else {
            return self.refuse_poll(conn, Refusal::PeerNotAnId);
        };
        if self.poll_goes_elsewhere(conn, &peer, target, grant) {
            return;
        }
        match self.find_mail(peer.id(), grant) {
            Err(refusal) => self.refuse_poll(conn, refusal),
            Ok(MailSource::Queue(slot)) => {
                self.sign_of_life(slot);
                // Of two that wait for the same, the older one has been given up by its client.
                self.answer_poll(slot);
                self.wait_for_mail(slot, conn, wait_ms);
            }
            Ok(MailSource::Mailbox) => self.hand_out_mail(conn, peer, grant),
            Ok(MailSource::Nothing) => self.reply_with(conn, post::start()),
        }
    }

    /// Whether a request waits for what is sent to a peer.
    pub(crate) fn is_polled(&self, slot: PeerSlot) -> bool {
        self.peers[slot].poll_queue().is_some_and(PollQueue::is_polled)
    }

    /// The time of a request that waits is over.
    pub(crate) fn poll_ends(&mut self, slot: PeerSlot) {
        if let Some(queue) = self.peers[slot].poll_queue_mut() {
            queue.poll_ends();
            self.answer_poll(slot);
        }
    }

    /// Puts a text into the queue of a peer; the oldest ones make room.
    pub(crate) fn enqueue(&mut self, slot: PeerSlot, text: Box<str>) {
        let (to, holder) = (*self.peers[slot].id(), self.peers[slot].holder());
        self.outbox.observe(Event::Shelved { to });
        self.poll_queues.push(&mut self.peers[slot], text, self.now);
        while self.poll_queues.drop_surplus(&mut self.peers[slot], &self.limits) {
            self.observe_dropped(slot);
        }
        while let Some(given) = self.poll_queues.gives_way(holder, &self.limits)
            && let Some(given) = self.peers.by_conn(given)
        {
            self.poll_queues.drop_oldest(&mut self.peers[given]);
            self.observe_dropped(given);
        }
        self.poll_queues.note_ready(&self.peers[slot]);
    }

    fn observe_dropped(&mut self, slot: PeerSlot) {
        let to = *self.peers[slot].id();
        self.outbox.observe(Event::ShelfEnded { to, end: MailEnd::Dropped });
    }

    /// Answers the requests that were waiting for what has just come.
    pub(crate) fn answer_ready(&mut self) {
        while let Some(conn) = self.poll_queues.next_ready() {
            // It may have gone meanwhile.
            if let Some(slot) = self.peers.by_conn(conn) {
                self.answer_poll(slot);
            }
        }
    }

    /// A peer is over: so is its queue.
    pub(crate) fn close_poll_queue(&mut self, slot: PeerSlot) {
        self.answer_poll(slot);
        let texts = self.poll_queues.take(&mut self.peers[slot]);
        self.observe_ended(slot, &texts, MailEnd::Dropped);
    }

    /// Counts in `to_be_kept` where it is not known yet whether the store keeps it.
    fn post_one(
        &mut self,
        reply: &mut String,
        to_be_kept: &mut usize,
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
        *to_be_kept += usize::from(self.questions.tell_when_kept(id, Receipt::Post(conn)));
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
            Some(slot) if self.peers[slot].poll_queue().is_none() => return Err(Refusal::ConnectedElsewhere),
            Some(slot) => slot,
            None => self.seat_without_connection(claimed, address)?,
        };
        *speaker = self.peers[slot].conn();
        self.grants.keep(*speaker, grant);
        // It shows that somebody speaks for this id, not that anybody listens: a challenge is answered by a request that waits.
        self.note_life(slot);
        let check = self.peers.admit(slot, text.len(), self.now, &self.limits);
        // What the messages of one batch cause is not worked on all at once, whatever the rate.
        if check != RateCheck::Within || self.outbox.is_crowded() {
            return Err(self.over_the_limit(check));
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
    fn find_mail(&self, id: &PeerId, grant: &Grant) -> Result<MailSource, Refusal> {
        let slot = self.peers.by_id(id);
        let is_within_reach = match slot {
            Some(slot) => self.may_know_of(slot, grant),
            None => {
                let network = self.mailboxes.network_of(id, self.now);
                network.is_none_or(|network| grant.allows_network(self.networks.name(network)))
            }
        };
        if !is_within_reach && grant.peer.is_none() {
            return Ok(MailSource::Nothing);
        }
        self.may_speak_for(id, grant)?;
        if !is_within_reach {
            return Err(Refusal::NetworkNotGranted);
        }
        match slot {
            Some(slot) if self.peers[slot].poll_queue().is_none() => Err(Refusal::ConnectedElsewhere),
            Some(slot) => Ok(MailSource::Queue(slot)),
            None if self.mailboxes.is_proven(id) && grant.peer.is_none() => Err(Refusal::PeerNotGranted),
            None => Ok(MailSource::Mailbox),
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
        Ok(self.seat(Arrival { conn, dialect: Dialect::B, spelling, address }, Some(Box::default())))
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

    pub(crate) fn refuse_poll(&mut self, conn: ConnId, refusal: Refusal) {
        let mut reply = String::new();
        let status = self.write_result(&mut reply, Err(refusal));
        self.reply(conn, status, &reply);
    }

    fn wait_for_mail(&mut self, slot: PeerSlot, conn: ConnId, wait_ms: u64) {
        let until = self.now + wait_ms.max(1);
        let has_some = self.poll_queues.wait(slot, &mut self.peers[slot], conn, until, &mut self.timers);
        if wait_ms == 0 || has_some {
            self.answer_poll(slot);
        }
    }

    /// The request that waits for a queue is answered, or was given up.
    pub(crate) fn stop_waiting(&mut self, slot: PeerSlot) -> Option<ConnId> {
        let conn = self.poll_queues.stop_waiting(&mut self.peers[slot], &mut self.timers)?;
        // It was there as long as its request waited.
        self.note_life(slot);
        Some(conn)
    }

    /// Answers the request that waits for this queue, if there is one, with all there is.
    fn answer_poll(&mut self, slot: PeerSlot) {
        let Some(conn) = self.stop_waiting(slot) else { return };
        let ttl = self.limits.message_ttl_ms;
        let mut reply = post::start();
        let texts = self.poll_queues.take(&mut self.peers[slot]);
        let fresh = |(arrived, _): &&(Time, Box<str>)| ttl == 0 || self.now.since(*arrived) < ttl;
        texts.iter().filter(fresh).for_each(|(_, text)| post::push(&mut reply, text));
        self.observe_ended(slot, &texts, MailEnd::Delivered);
        self.reply_with(conn, reply);
    }

    /// Answers a request with these messages.
    pub(crate) fn reply_with(&mut self, conn: ConnId, mut messages: String) {
        post::finish(&mut messages, self.clock.at(self.now).0);
        self.reply(conn, 200, &messages);
    }

    fn observe_ended(&mut self, slot: PeerSlot, texts: &Texts, end: MailEnd) {
        let (to, ttl) = (*self.peers[slot].id(), self.limits.message_ttl_ms);
        for (arrived, _) in texts {
            let expired = ttl > 0 && self.now.since(*arrived) >= ttl;
            self.outbox.observe(Event::ShelfEnded { to, end: if expired { MailEnd::Expired } else { end } });
        }
    }

    /// What was kept for a peer that is not here at all.
    fn hand_out_mail(&mut self, conn: ConnId, peer: crate::Spelling, grant: &Grant) {
        let taker = Taker::Poll { conn, peer, grant: Box::new(grant.clone()) };
        if self.questions.is_taking(peer.id()) {
            // Whoever came first gets it.
            return self.reply_with(conn, post::start());
        }
        if !self.fetch_mail(*peer.id(), taker) {
            self.mail_arrives_for_request(Some(conn), &peer, grant, &[]);
        }
    }
}
