//! What comes of a signal: it is relayed, kept, withheld or refused.

use peerpigeon_core::{ConnId, ErrorCode, Holder, PeerId, Signal};

use super::frames::Ack;
use super::mail::Mail;
use super::outcome::{self, Outcome};
use super::{BESIDE_DATA, Model};
use crate::laws::{Scene, Verdict, demand};
use crate::scenario::Way;
use crate::watch::{Said, is_virtual};

impl Model {
    /// What the signal that is being handled is, if it is a refusal: whether its sender says that it is full.
    fn refusal(&self) -> Option<bool> {
        let current = self.current.as_ref()?;
        let said = Said::read(&current.text);
        let (signal, message) = said.signal()?;
        let out_of_turn = message.value("data")["reason"] == "initiator_role_conflict";
        (signal == Signal::ConnectionRejected).then_some(!out_of_turn)
    }

    /// A peer was told to forget another.
    pub(super) fn struck(&mut self, scene: Scene<'_>, peer: PeerId, of: PeerId) -> Verdict {
        let by_full = self.refusal();
        let accepted = self.current.as_ref().and_then(|current| current.accepted);
        match (accepted, by_full) {
            (Some((from, _)), Some(by_full)) => self.struck_by_refusal(scene, (peer, of), from, by_full)?,
            (Some((from, Signal::Offer)), None) if from == peer => self.gave_up(scene, peer, of)?,
            _ => return Err(format!("{peer} was told to forget {of} for no refusal and no offer")),
        }
        if let Some(current) = self.current.as_mut() {
            current.struck = true;
        }
        self.frames.struck(scene, peer, of);
        Ok(())
    }

    /// That one refused its offer, or the other way round, so that it listens.
    fn struck_by_refusal(
        &mut self,
        scene: Scene<'_>,
        (peer, of): (PeerId, PeerId),
        from: PeerId,
        by_full: bool,
    ) -> Verdict {
        let struck = self.current.as_ref().is_some_and(|current| current.struck);
        let turn = !by_full && from == peer && struck;
        demand!(turn || (from == of && !struck), "{peer} was told to forget {of} by a refusal of {from}");
        let crosses = !by_full && !turn && self.introductions.crosses(from, peer, scene.now);
        demand!(!crosses, "a refusal of {from} to {peer}, which it is dialling itself, was not withheld");
        self.introductions.struck(peer, of, by_full, scene.now);
        Ok(())
    }

    /// It dials a peer once more after an answer that no link came of.
    fn gave_up(&mut self, scene: Scene<'_>, peer: PeerId, of: PeerId) -> Verdict {
        let struck = self.current.as_ref().is_some_and(|current| current.struck);
        let may = self.introductions.has_failed(scene, peer, of) != Some(false);
        demand!(may && !struck, "{peer} was told to forget {of}, which it dials for no second time");
        self.introductions.give_up(peer, of);
        Ok(())
    }

    /// A signal did not go to its target: a refusal that crosses with an offer of its sender, or an offer that would come to
    /// nothing again.
    pub(super) fn withheld(&mut self, scene: Scene<'_>, from: PeerId, to: PeerId) -> Verdict {
        let refusal = self.refusal();
        let gave_up = self
            .current
            .as_ref()
            .is_some_and(|current| current.accepted == Some((from, Signal::Offer)) && current.struck);
        demand!(refusal == Some(false) || gave_up, "a signal of {from} to {to} was withheld");
        demand!(
            gave_up || self.introductions.crosses(from, to, scene.now),
            "a refusal of {from} crosses with no offer of it"
        );
        let current = self.end(scene, Outcome::Relay(to))?;
        self.frames.owe(scene, current.conn, Ack::Done);
        Ok(())
    }

    pub(super) fn mailed(&mut self, scene: Scene<'_>, from: PeerId, to: PeerId) -> Verdict {
        let current = self.end(scene, Outcome::Mail(to))?;
        self.frames.owe(scene, current.conn, Ack::Queued);
        demand!(
            current.accepted.is_some_and(|(who, _)| who == from),
            "a signal of {from} was mailed unheard"
        );
        let said = Said::read(&current.text);
        let Some((signal, message)) = said.signal() else { return Ok(()) };
        if let (Signal::Offer, Ok(absent)) = (signal, outcome::target(message)) {
            self.frames.absent(current.conn, absent);
        }
        let data = message.raw("data").map(str::to_owned);
        let network = scene.ledger.network_name(current.conn).to_owned();
        let address = scene.ledger.parties.get(&current.conn).and_then(|party| party.address);
        let writer = Holder::new(address, current.conn);
        let mail = Mail { from, signal, data, at: scene.now, writer, number: 0 };
        self.mailboxes.put(&network, to, mail, &self.limits);
        Ok(())
    }

    pub(super) fn relayed(&mut self, scene: Scene<'_>, from: PeerId, to: PeerId, signal: Signal) -> Verdict {
        if let Some(behind) = scene.ledger.behind_of(to) {
            let most = behind.capacity - behind.capacity / 4 + BESIDE_DATA;
            demand!(behind.waiting <= most, "{to} is behind and got a signal of {from}: {behind:?}");
        }
        if let Some(current) = self.current.as_mut()
            && let Some(audience) = &mut current.audience
        {
            demand!(
                audience.remove(&to),
                "a signal of {from} to its acquaintances went to {to}, too, or twice"
            );
            demand!(
                current.accepted.take() == Some((from, signal)),
                "{signal:?} of {from} was relayed unheard"
            );
            let said = Said::read(&current.text);
            let data = said.signal().and_then(|(_, message)| message.raw("data")).map(str::to_owned);
            self.frames.signal(scene, to, from, signal, data);
            return Ok(());
        }
        let refusal = self.refusal();
        let here = refusal.is_some() && from != to && self.introductions.are_here(from, to);
        let told = !here || self.current.as_ref().is_some_and(|current| current.struck);
        demand!(told, "{to} was refused by {from} and not told to forget it");
        let has_failed =
            signal == Signal::Offer && self.introductions.has_failed(scene, from, to) == Some(true);
        demand!(
            !has_failed,
            "{from} dials {to} again, to which it cannot link, and was not told to forget it"
        );
        self.introductions.relayed(from, to, signal, scene.now);
        let current = self.end(scene, Outcome::Relay(to))?;
        self.frames.owe(scene, current.conn, Ack::Done);
        demand!(current.accepted == Some((from, signal)), "{signal:?} of {from} was relayed unheard");
        let said = Said::read(&current.text);
        let data = said.signal().and_then(|(_, message)| message.raw("data")).map(str::to_owned);
        self.frames.signal(scene, to, from, signal, data);
        Ok(())
    }

    pub(super) fn refused(&mut self, scene: Scene<'_>, conn: ConnId, code: ErrorCode) -> Verdict {
        if let Some((_, (may_refuse, _))) = self.control.take_if(|(who, _)| *who == conn) {
            demand!(
                may_refuse && code == ErrorCode::RateLimited,
                "a frame of {conn:?} was refused: {code:?}"
            );
            self.frames.refused(scene, conn, code);
            return Ok(());
        }
        let posted = scene.ledger.way_of(conn) == Way::Http && !is_virtual(conn);
        if let Some(current) = self.current.as_mut().filter(|_| posted) {
            // Not understood, so that nobody is charged for it.
            (current.conn, current.limited) = (conn, (false, true));
        }
        let slow = self.current.as_ref().and_then(|current| current.too_slow(scene, code));
        let current = match slow {
            // Within its rate, so that it is charged.
            Some(to) => self.end(scene, Outcome::Relay(to))?,
            None => self.end(scene, Outcome::Refuse(code))?,
        };
        let unmoved = !current.announced && !current.left;
        demand!(unmoved, "a refused message moved its sender: {}", current.text);
        let said = Said::read(&current.text);
        let dialled = said
            .signal()
            .filter(|(signal, _)| *signal == Signal::Offer && code == ErrorCode::TargetNotConnected);
        self.frames.refused(scene, conn, code);
        if let Some(absent) = dialled.and_then(|(_, message)| outcome::target(message).ok()) {
            self.frames.absent(conn, absent);
        }
        Ok(())
    }
}
