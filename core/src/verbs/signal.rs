//! `offer`, `answer`, `ice-candidate` and the other messages from peer to peer.

use crate::mailboxes::Mail;
use crate::networks::{GLOBAL, NetKey};
use crate::peers::Standing;
use crate::wire::{Message, Refusal, Request};
use crate::{Event, MailEnd, Signal, Spelling, Switchboard};

/// Where a signal goes.
enum Whereabouts {
    /// To the peer in this slot.
    Here(u32),
    /// Into its mailbox: it was lost moments ago.
    Away,
    /// Nobody knows.
    Unknown,
}

/// Where a peer can send and be reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Network(NetKey),
    /// The global network while nobody is announced in it.
    EmptyGlobal,
    Nowhere,
}

impl Switchboard {
    /// Relays one signal: in order per sender and target, and at most once.
    pub(crate) fn signal(&mut self, slot: u32, signal: Signal, request: &Request<'_>) -> Result<(), Refusal> {
        let from = self.peers[slot].spelling;
        let reach = self.reach(slot);
        if reach == Reach::Nowhere {
            return Err(Refusal::NotAnnounced);
        }
        if *request.network != *self.network_name(reach) {
            return Err(Refusal::MessageForOtherNetwork);
        }
        let target = request.target.ok_or(Refusal::MissingTarget)?;
        if target.id() == from.id() {
            return Err(Refusal::TargetIsSender);
        }
        let bytes = u32::try_from(request.data.map_or(0, str::len)).unwrap_or(u32::MAX);
        self.outbox.observe(Event::Accepted { from: *from.id(), signal, bytes });
        match self.find(&target, reach)? {
            Whereabouts::Here(to) => {
                let bytes = self.send(to, Message::Signal { signal, from, data: request.data });
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                self.outbox.observe(Event::Relayed { from: *from.id(), to: *target.id(), signal, bytes });
                Ok(())
            }
            Whereabouts::Away => self.mail(from, &target, signal, request.data),
            Whereabouts::Unknown => {
                // No link to it can exist yet: told that it is gone, the client dials the next one at once
                // instead of waiting for half a minute (observed).
                if signal == Signal::Offer {
                    self.send(slot, Message::Goodbye { from: target, reason: "not-connected" });
                }
                Err(Refusal::TargetNotConnected)
            }
        }
    }

    fn find(&self, target: &Spelling, reach: Reach) -> Result<Whereabouts, Refusal> {
        let remembered = self.mailboxes.network_of(target.id(), self.now).map(Reach::Network) == Some(reach);
        let Some(slot) = self.peers.by_id(target.id()) else {
            return Ok(if remembered { Whereabouts::Away } else { Whereabouts::Unknown });
        };
        match (&self.peers[slot].standing, self.reach(slot)) {
            // It is back but has not announced itself yet: what comes now must not overtake what waits.
            (Standing::Fresh, _) if remembered => Ok(Whereabouts::Away),
            (_, Reach::Nowhere) => Ok(Whereabouts::Unknown),
            (_, its) if its == reach => Ok(Whereabouts::Here(slot)),
            _ => Err(Refusal::TargetInOtherNetwork),
        }
    }

    fn mail(
        &mut self,
        from: Spelling,
        to: &Spelling,
        signal: Signal,
        data: Option<&str>,
    ) -> Result<(), Refusal> {
        let mail = Mail { from, signal, data: data.map(Into::into), arrived: self.now };
        let dropped = self.mailboxes.put(to.id(), mail, &self.limits).map_err(|_| Refusal::MailboxFull)?;
        self.outbox.observe(Event::Mailed { from: *from.id(), to: *to.id() });
        self.observe_mails(to.id(), dropped, MailEnd::Dropped);
        Ok(())
    }

    fn reach(&self, slot: u32) -> Reach {
        match &self.peers[slot].standing {
            Standing::Fresh => self.networks.find(GLOBAL).map_or(Reach::EmptyGlobal, Reach::Network),
            Standing::Departed => Reach::Nowhere,
            Standing::Announced(announcement) => Reach::Network(announcement.network),
        }
    }

    fn network_name(&self, reach: Reach) -> &str {
        match reach {
            Reach::Network(network) => self.networks.name(network),
            Reach::EmptyGlobal | Reach::Nowhere => GLOBAL,
        }
    }
}
