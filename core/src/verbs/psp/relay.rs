//! What pages say to each other: passed on as it came, or kept for a while for somebody who dropped out.

use alloc::string::String;

use crate::peers::PeerSlot;
use crate::rooms::{AbsentKey, Kept, MemberKey};
use crate::verbs::psp::Rejection;
use crate::wire::psp::{self, Envelope, EnvelopeKind, PspCode};
use crate::{Event, Limit, MailEnd, PeerId, Switchboard};

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
            Some(absent) => self.psp_keep(slot, absent, envelope, text),
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

    fn psp_keep(
        &mut self,
        slot: PeerSlot,
        absent: AbsentKey,
        envelope: &Envelope<'_>,
        text: &str,
    ) -> Result<(), Rejection> {
        let usual = if envelope.kind.is_negotiation() { NEGOTIATION_MS } else { OTHERS_MS };
        let ttl_ms = envelope.ttl_ms.unwrap_or(usual).min(LONGEST_MS);
        let member = self.peers[slot].member().map(|member| self.rooms.member(member).room());
        let mut copy = String::with_capacity(text.len());
        match member {
            Some(room) => write_for(&mut copy, text, envelope, self.rooms.room(room).session_json()),
            None => copy.push_str(text),
        }
        let kept = Kept {
            from: (*envelope.from).into(),
            // Offers repeat with what they said before and more: the newest is enough. Each candidate is another one.
            kind: (envelope.kind != EnvelopeKind::IceCandidate).then_some(envelope.kind as u8),
            writer: self.peers[slot].holder(),
            expires: self.now + ttl_ms,
            text: copy.into_boxed_str(),
            number: 0,
        };
        let (from, to) =
            (PeerId::label(&kept.from), PeerId::label(envelope.to.as_deref().unwrap_or_default()));
        let bytes = kept.bytes();
        let Ok(made_room) = self.rooms.keep(absent, kept, &self.limits) else {
            return Err(Rejection { limit: Some(Limit::Mailbox), ..PspCode::QueueFull.into() });
        };
        self.caused.add(bytes);
        self.outbox.observe(Event::Mailed { from, to });
        self.observe_mails(&to, made_room, MailEnd::Dropped);
        Ok(())
    }

    /// Gives out a frame that was kept.
    pub(crate) fn psp_deliver(&mut self, slot: PeerSlot, text: &str) {
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
