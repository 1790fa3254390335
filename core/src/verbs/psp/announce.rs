//! `announce`: a page joins a room, or says that it is still there.

use alloc::boxed::Box;
use core::mem;

use crate::mail::questions::Continuation;
use crate::peers::{PeerSlot, Standing};
use crate::rooms::{Joining, MemberKey, Scope};
use crate::verbs::psp::{Rejection, Reply};
use crate::wire::psp::{self, Announce, Envelope, PspCode};
use crate::{CloseReason, Departure, Event, Limit, MailEnd, PeerId, Question, Switchboard, Verb};

/// What a page is listed for after it has said something, where it does not say how long.
const LEASE_MS: u64 = 30_000;

const LONGEST_LEASE_MS: u64 = 120_000;

/// Who has been silent for so long is taken to have come back by another connection: pages that are seen speak every second.
const SILENT_MS: u64 = 3_000;

impl Switchboard {
    pub(crate) fn psp_announce(&mut self, slot: PeerSlot, envelope: &Envelope<'_>) -> Result<(), Rejection> {
        let instance = Announce::read(envelope.body).instance_id;
        if instance.is_some_and(|instance| instance != envelope.network) {
            return Err(PspCode::InstanceIdMismatch.into());
        }
        let grant = self.grants.of(self.peers[slot].conn());
        if *envelope.from == *self.psp_server_id() || !grant.allows_member(&envelope.from) {
            return Err(PspCode::NotYourId.into());
        }
        if !grant.allows_network(&envelope.network) {
            return Err(PspCode::OtherScope.into());
        }
        let lease_ms = envelope.ttl_ms.unwrap_or(LEASE_MS).min(LONGEST_LEASE_MS);
        let clock_ahead = self.clock_ahead(envelope.timestamp);
        if let Some(member) =
            self.peers[slot].member().filter(|member| self.check_sender(*member, envelope).is_ok())
        {
            self.rooms.spoke(member, clock_ahead, self.now);
            self.rooms.renew(member, lease_ms);
            self.psp_acknowledge(slot, envelope.message_id);
            return Ok(());
        }
        let scope = Scope { network: (*envelope.network).into(), session: (*envelope.room).into() };
        let id = (*envelope.from).into();
        let message_id = envelope.message_id.into();
        let announcement = Joining { scope, id, lease_ms, clock_ahead, message_id };
        // What it waited for, it does not want any more.
        self.rooms.take_claim(self.peers[slot].conn());
        self.leave(slot, Departure::Moved);
        self.psp_settle(slot, announcement)
    }

    /// Lets a connection join as it has announced, or lets it wait where somebody has its id.
    pub(crate) fn psp_settle(&mut self, slot: PeerSlot, announcement: Joining) -> Result<(), Rejection> {
        let room = self.rooms.find(&announcement.scope);
        if room.is_none() && !self.make_room_for_network(slot) {
            let sentence = "The server has as many networks as it can have";
            let limit = Some(Limit::Networks);
            return Err(Rejection { code: PspCode::RateLimited, sentence, limit });
        }
        if let Some(member) = room.and_then(|room| self.rooms.by_id(room, &announcement.id)) {
            let conn = self.peers[slot].conn();
            let Some(incumbent) = self.peers.by_conn(self.rooms.member(member).conn()) else { return Ok(()) };
            let has_proven = |conn| self.grants.of(conn).names_member(&announcement.id);
            // Who has proven its id is not replaced unheard by somebody who has not.
            let is_proven = has_proven(self.peers[incumbent].conn());
            let is_silent = self.now.since(self.peers[incumbent].last_seen()) >= SILENT_MS;
            if !has_proven(conn) && (is_proven || !is_silent) {
                self.rooms.claim(conn, member, announcement, self.now);
                self.ask_for_life(incumbent);
                return Ok(());
            }
            self.psp_replace(incumbent);
        }
        self.psp_join(slot, announcement);
        Ok(())
    }

    /// Closes who has an id that somebody else came for. Its place is given away later, when that one has joined.
    pub(crate) fn psp_replace(&mut self, incumbent: PeerSlot) {
        self.say_close(incumbent, CloseReason::Replaced);
        self.forget(incumbent, Departure::Closed(CloseReason::Replaced));
    }

    fn psp_join(&mut self, slot: PeerSlot, mut announcement: Joining) {
        let (conn, holder) = (self.peers[slot].conn(), self.peers[slot].holder());
        let peer = PeerId::label(&announcement.id);
        let room = self.rooms.find(&announcement.scope);
        let absent = room.and_then(|room| self.rooms.absent(room, &announcement.id));
        let mails = absent.map(|absent| self.rooms.take_absent(absent).into_mails()).unwrap_or_default();
        let message_id = mem::take(&mut announcement.message_id);
        let member = self.rooms.join(conn, holder, announcement, &self.limits, self.now);
        self.peers[slot].stand(Standing::Member(member));
        let room = self.rooms.room(self.rooms.member(member).room());
        let (network, is_new) = (room.id(), room.len() == 1);
        if is_new {
            self.outbox.observe(Event::NetworkOpened { network });
        }
        self.outbox.observe(Event::Announced { conn, peer, network });
        self.psp_acknowledge(slot, &message_id);
        self.charge_lists(member);
        let caused = self.caused;
        self.psp_send_list(slot, member, Reply::Nothing);
        if self.psp_fetch_mail(slot, member) {
            self.rooms.mail_is_coming(member, mails);
        } else {
            self.psp_deliver_all(slot, peer, mails);
        }
        // Whoever wrote that has paid for it.
        self.caused = caused;
    }

    /// Fetches what the store has for a member. Returns whether that is under way.
    fn psp_fetch_mail(&mut self, slot: PeerSlot, member: MemberKey) -> bool {
        if !self.has_store() {
            return false;
        }
        let (conn, address) = (self.peers[slot].conn(), self.psp_address(member));
        let may_take = self.questions.may_take();
        if may_take {
            let question = Question::Take { address: address.clone(), is_proven: false };
            self.ask(question, Continuation::TakeFrames { conn, address });
        } else {
            self.questions.owe(Question::Discard { address, is_proven: false }, false);
        }
        may_take
    }

    /// As what the store knows a member.
    fn psp_address(&self, member: MemberKey) -> Box<str> {
        let member = self.rooms.member(member);
        self.rooms.room(member.room()).address_of(member.id())
    }

    /// Every announcement is acknowledged: a page says nothing else before that, and tries another server after some seconds.
    fn psp_acknowledge(&mut self, slot: PeerSlot, message_id: &str) {
        self.psp_send(slot, Reply::Announcement { message_id }, |out, head, _| psp::ack(out, head));
        self.outbox.observe(Event::Handled { conn: self.peers[slot].conn(), verb: Verb::Announce });
    }

    /// Charges whoever joins or leaves with the lists that change: each will be sent once more.
    pub(crate) fn charge_lists(&mut self, member: MemberKey) {
        let (lists, bytes) = self.rooms.cost_of_lists(member);
        self.caused.messages += lists;
        self.caused.bytes += bytes;
    }

    /// A member leaves its room.
    pub(crate) fn psp_leave(&mut self, slot: PeerSlot, member: MemberKey, cause: Departure) {
        self.charge_lists(member);
        let own = self.rooms.member(member);
        let (peer, network) = (PeerId::label(own.id()), self.rooms.room(own.room()).id());
        let is_last = self.rooms.room(own.room()).len() == 1;
        let address = (cause == Departure::Goodbye && self.has_store()).then(|| self.psp_address(member));
        let is_remembered = match cause {
            Departure::Goodbye | Departure::Moved | Departure::Closed(CloseReason::Replaced) => false,
            Departure::Lost(_) | Departure::Closed(_) => self.draining.is_none(),
        };
        self.peers[slot].stand(Standing::Fresh);
        let left = self.rooms.leave(member, is_remembered, &self.limits, self.now);
        let told = u32::try_from(left.told).unwrap_or(u32::MAX);
        self.outbox.observe(Event::Left { peer, network, cause, told });
        if is_last {
            self.outbox.observe(Event::NetworkClosed { network });
        }
        self.observe_mails(&peer, left.waited, MailEnd::Dropped);
        if let Some(address) = address {
            self.ask_in_any_case(|| Question::Discard { address, is_proven: false });
        }
        for absent in left.dropped {
            self.observe_mails(&PeerId::label(absent.id()), absent.mails(), MailEnd::Dropped);
        }
    }
}
