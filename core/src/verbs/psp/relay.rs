//! What pages say to each other: passed on as it came, or kept for a while for somebody who dropped out.

use alloc::string::{String, ToString};

use crate::mail::questions::Continuation;
use crate::peers::PeerSlot;
use crate::rooms::{AbsentKey, Kept, MailRefused, MemberKey};
use crate::verbs::psp::Rejection;
use crate::wire;
use crate::wire::psp::{self, Envelope, EnvelopeKind, PspCode};
use crate::{ConnId, Event, Letter, Limit, MailEnd, PeerId, Question, Switchboard};

/// How long a frame that negotiates a link is worth something, where it does not say so itself: a dead offer that comes late
/// costs its receiver an answer into nothing.
const NEGOTIATION_MS: u64 = 10_000;

/// How long others are.
const OTHERS_MS: u64 = 30_000;

const LONGEST_MS: u64 = 120_000;

impl Switchboard {
    /// Passes a frame on within the room of its sender: in order per sender and target, and at most once.
    pub(crate) fn psp_relay(
        &mut self,
        slot: PeerSlot,
        from: MemberKey,
        envelope: &Envelope<'_>,
        text: &str,
    ) -> Result<(), Rejection> {
        let Some(target) = envelope.to.as_deref() else {
            let sentence = "to must name the peer that this is for";
            return Err(Rejection { code: PspCode::InvalidEnvelope, sentence, limit: None });
        };
        if *target == *envelope.from {
            return Ok(());
        }
        let room = self.rooms.member(from).room();
        if let Some(to) = self.rooms.by_id(room, target) {
            return self.psp_pass_on(slot, (from, to), envelope, text);
        }
        match self.rooms.absent(room, target).filter(|absent| self.rooms.is_expected(*absent, self.now)) {
            Some(absent) => self.psp_keep(slot, from, absent, envelope, text),
            // Offers repeat: once a second is enough.
            None if self.rooms.is_missed_again(from, target, self.now) => Ok(()),
            None => Err(PspCode::TargetNotConnected.into()),
        }
    }

    fn psp_pass_on(
        &mut self,
        slot: PeerSlot,
        (from, to): (MemberKey, MemberKey),
        envelope: &Envelope<'_>,
        text: &str,
    ) -> Result<(), Rejection> {
        let Some(target) = self.peers.by_conn(self.rooms.member(to).conn()) else { return Ok(()) };
        if self.rooms.is_mail_coming(to) {
            let kept = self.psp_kept(slot, from, envelope, text);
            self.rooms.signalled(from, to, self.now);
            return self.psp_kept_somewhere(envelope, kept, |board, kept| {
                board.rooms.wait_for_mail(to, kept, &board.limits).map(|()| 0)
            });
        }
        if !self.has_room(slot, target, Some(text)) {
            if self.has_stopped_reading(target) {
                self.look_for_life_soon(target);
            }
            return Err(Rejection { limit: Some(Limit::Queue), ..PspCode::QueueFull.into() });
        }
        let (sender, conn) = (self.peers[slot].conn(), self.peers[target].conn());
        let room = self.rooms.room(self.rooms.member(from).room());
        let bytes = self.outbox.send(conn, |out| write_for(out, text, envelope, room.session_json()));
        self.backlogs.grow(conn, bytes);
        self.backlogs.charge(conn, sender, bytes);
        self.caused.add(bytes);
        self.rooms.signalled(from, to, self.now);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.outbox.observe(Event::PassedOn { from: sender, to: conn, bytes });
        Ok(())
    }

    /// Keeps a frame for somebody absent: in the store, unless older ones wait here.
    fn psp_keep(
        &mut self,
        slot: PeerSlot,
        from: MemberKey,
        absent: AbsentKey,
        envelope: &Envelope<'_>,
        text: &str,
    ) -> Result<(), Rejection> {
        let kept = self.psp_kept(slot, from, envelope, text);
        if self.questions.may_put()
            && self.rooms.has_no_mail(absent)
            && kept.bytes() <= self.limits.mailbox_bytes as usize
        {
            return self.psp_kept_somewhere(envelope, kept, |board, kept| {
                board.psp_store(from, envelope, kept);
                Ok(0)
            });
        }
        self.psp_kept_somewhere(envelope, kept, |board, kept| board.rooms.keep(absent, kept, &board.limits))
    }

    /// A frame as it is kept.
    fn psp_kept(&self, slot: PeerSlot, from: MemberKey, envelope: &Envelope<'_>, text: &str) -> Kept {
        let usual = if envelope.kind.is_negotiation() { NEGOTIATION_MS } else { OTHERS_MS };
        let ttl_ms = envelope.ttl_ms.unwrap_or(usual).min(LONGEST_MS);
        let room = self.rooms.room(self.rooms.member(from).room());
        let mut copy = String::with_capacity(text.len());
        write_for(&mut copy, text, envelope, room.session_json());
        Kept {
            from: (*envelope.from).into(),
            // Offers repeat with what they said before and more: the newest is enough. Each candidate is another one.
            kind: (envelope.kind != EnvelopeKind::IceCandidate).then_some(envelope.kind as u8),
            writer: self.peers[slot].holder(),
            expires: self.now + ttl_ms,
            text: copy.into_boxed_str(),
            number: 0,
        }
    }

    /// `keep` keeps a frame and tells how many others made room for it.
    fn psp_kept_somewhere(
        &mut self,
        envelope: &Envelope<'_>,
        kept: Kept,
        keep: impl FnOnce(&mut Switchboard, Kept) -> Result<usize, MailRefused>,
    ) -> Result<(), Rejection> {
        let (from, to) =
            (PeerId::label(&kept.from), PeerId::label(envelope.to.as_deref().unwrap_or_default()));
        let bytes = kept.bytes();
        let Ok(made_room) = keep(self, kept) else {
            return Err(Rejection { limit: Some(Limit::Mailbox), ..PspCode::QueueFull.into() });
        };
        self.caused.add(bytes);
        self.outbox.observe(Event::Mailed { from, to });
        self.observe_mails(&to, made_room, MailEnd::Dropped);
        Ok(())
    }

    /// Asks the store to keep a frame. It is not kept here meanwhile: frames live for seconds, and pages send them again.
    fn psp_store(&mut self, from: MemberKey, envelope: &Envelope<'_>, kept: Kept) {
        let (id, target) = (self.next_message_id(), envelope.to.as_deref().unwrap_or_default());
        let room = self.rooms.room(self.rooms.member(from).room());
        let letter = Letter {
            number: self.naming.number(id),
            address: room.address_of(target),
            sender: room.address_of(&kept.from),
            network: room.scope().network.clone(),
            kind: envelope.kind.name().into(),
            name: self.naming.name(id).to_string().into(),
            data: Some(kept.text),
            ttl_ms: kept.expires.since(self.now),
            is_proven: false,
            is_newest: kept.kind.is_some(),
            from: kept.from,
        };
        self.ask(Question::Put(letter), Continuation::PutFrame { to: PeerId::label(target), id });
    }

    /// Gives a member what the store had for it, and what has waited for that. Of one that has gone again it is lost.
    pub(crate) fn psp_mail_arrives(&mut self, conn: ConnId, letters: &[Letter]) {
        let slot = self.peers.by_conn(conn);
        let Some((slot, member)) = slot.and_then(|slot| Some((slot, self.peers[slot].member()?))) else {
            return self.observe_letters(&PeerId::default(), letters.len(), MailEnd::Dropped);
        };
        let peer = PeerId::label(self.rooms.member(member).id());
        let caused = self.caused;
        for letter in letters {
            let is_json = |text: &&str| wire::is_json(text, self.limits.nesting_levels);
            let text = letter.data.as_deref().filter(|text| letter.ttl_ms > 0 && is_json(text));
            if let Some(text) = text {
                self.psp_deliver(slot, text);
            }
            let end = if text.is_some() { MailEnd::Delivered } else { MailEnd::Expired };
            self.observe_letters(&peer, 1, end);
        }
        let waited = self.rooms.mail_has_come(member);
        self.psp_deliver_all(slot, peer, waited);
        // Whoever wrote that has paid for it.
        self.caused = caused;
    }

    /// Gives out what was kept here.
    pub(crate) fn psp_deliver_all(
        &mut self,
        slot: PeerSlot,
        peer: PeerId,
        frames: impl IntoIterator<Item = Kept>,
    ) {
        for kept in frames {
            let is_late = kept.expires <= self.now;
            if !is_late {
                self.psp_deliver(slot, &kept.text);
            }
            let end = if is_late { MailEnd::Expired } else { MailEnd::Delivered };
            self.outbox.observe(Event::MailEnded { to: peer, end });
        }
    }

    /// Gives out a frame that was kept.
    fn psp_deliver(&mut self, slot: PeerSlot, text: &str) {
        let conn = self.peers[slot].conn();
        let bytes = self.outbox.send(conn, |out| out.push_str(text));
        self.backlogs.grow(conn, bytes);
    }
}

/// Appends what the receiver gets of a frame: its bytes, with the room put in where its sender has named none.
fn write_for(out: &mut String, text: &str, envelope: &Envelope<'_>, room: &str) {
    if envelope.states_room {
        out.push_str(text);
    } else {
        psp::with_room(out, text, room);
    }
}
