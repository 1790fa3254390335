//! `offer`, `answer`, `ice-candidate` and the other messages from peer to peer.

use alloc::vec::Vec;

use crate::cluster::events::Passed;
use crate::mail::mailboxes::{Keeping, Mail, Owner};
use crate::mesh::networks::{GLOBAL, GLOBAL_JSON, NetKey};
use crate::peers::{PeerSlot, Standing};
use crate::switchboard::following::Passage;
use crate::wire::{Message, MessageId, Outcome, Refusal, Request, Target};
use crate::{Event, Grant, MailEnd, Signal, Spelling, Switchboard};

/// What a signal has beside its data and the name of its network, at most.
const ENVELOPE_BYTES: usize = 320;

/// Where a signal goes.
enum Whereabouts {
    /// To the peer in this slot.
    Here(PeerSlot),
    /// To the peer in this slot, which is at another node.
    There(PeerSlot),
    /// To the peer in this slot, but not before its mail, which is under way.
    Coming(PeerSlot),
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

/// A signal on its way.
#[derive(Clone, Copy)]
struct Outgoing<'a> {
    from: Spelling,
    signal: Signal,
    data: Option<&'a str>,
    id: MessageId,
}

impl Switchboard {
    /// Relays one signal: in order per sender and target, and at most once.
    pub(crate) fn signal(
        &mut self,
        slot: PeerSlot,
        signal: Signal,
        request: &Request<'_>,
        id: MessageId,
    ) -> Result<Outcome, Refusal> {
        let from = self.peers[slot].spelling();
        let reach = self.reach(slot);
        if !self.grants.of(self.peers[slot].conn()).allows_network(&request.network) {
            return Err(Refusal::NetworkNotGranted);
        }
        if reach == Reach::Nowhere {
            return Err(Refusal::NotAnnounced);
        }
        if *request.network != *self.network_name(reach) {
            return Err(Refusal::MessageForOtherNetwork);
        }
        let message = Outgoing { from, signal, data: request.data, id };
        match request.target {
            Target::Missing => Err(Refusal::MissingTarget),
            Target::Peer(target) if target.id() == from.id() => Err(Refusal::TargetIsSender),
            Target::Peer(target) => self.signal_one(slot, &target, reach, &message),
            Target::Acquaintances => {
                let acquaintances =
                    self.peers[slot].announcement().map(|own| own.acquaintances().iter().collect());
                let acquaintances: Vec<PeerSlot> = acquaintances.unwrap_or_default();
                let bytes = request.data.map_or(0, str::len).saturating_mul(acquaintances.len());
                if bytes > self.limits.fan_out_bytes as usize {
                    return Err(Refusal::FanOutTooLarge { bytes: self.limits.fan_out_bytes });
                }
                for to in acquaintances {
                    // One who reads slowly keeps it from nobody else.
                    if self.is_coming(self.peers[to].id()) {
                        self.observe_accepted(&message);
                        // As one who has no room.
                        let _ = self.mail_behind(slot, to, &message);
                    } else if !self.peers[to].is_here() {
                        if self.can_pass_on(to, request.data) {
                            self.observe_accepted(&message);
                            self.pass(to, &message, Passed::Live);
                        }
                    } else if self.has_room(slot, to, request.data) {
                        self.observe_accepted(&message);
                        self.relay(slot, to, &message);
                    }
                }
                Ok(Outcome::Done)
            }
        }
    }

    fn signal_one(
        &mut self,
        slot: PeerSlot,
        target: &Spelling,
        reach: Reach,
        message: &Outgoing<'_>,
    ) -> Result<Outcome, Refusal> {
        self.observe_accepted(message);
        let whereabouts = self.find(target, reach, self.grants.of(self.peers[slot].conn()))?;
        if let Whereabouts::Here(to) = whereabouts {
            if !self.has_room(slot, to, message.data) {
                return Err(self.refuse_for_want_of_room(to));
            }
            match self.follow(slot, to, message.signal, message.data) {
                Passage::Relay => self.relay(slot, to, message),
                Passage::Withhold => {
                    let (from, to) = (*message.from.id(), *target.id());
                    self.outbox.observe(Event::Withheld { from, to, signal: message.signal });
                }
            }
            return Ok(Outcome::Done);
        }
        if let Whereabouts::There(to) = whereabouts {
            return self.signal_there(slot, to, message);
        }
        if let Whereabouts::Coming(to) = whereabouts {
            return match self.follow(slot, to, message.signal, message.data) {
                Passage::Relay => self.mail_behind(slot, to, message),
                Passage::Withhold => {
                    let (from, to) = (*message.from.id(), *target.id());
                    self.outbox.observe(Event::Withheld { from, to, signal: message.signal });
                    Ok(Outcome::Done)
                }
            };
        }
        // Who dials it has no link to it. Told that it is gone, its page dials the next one at once instead of waiting for an
        // answer (observed).
        if message.signal == Signal::Offer {
            let caused = self.caused;
            self.send(slot, Message::Goodbye { from: *target, reason: "not-connected" });
            // What its sender is told itself is free.
            self.caused = caused;
        }
        match whereabouts {
            Whereabouts::Away => self.mail(slot, target, message),
            Whereabouts::Here(_) | Whereabouts::There(_) | Whereabouts::Coming(_) | Whereabouts::Unknown => {
                Err(Refusal::TargetNotConnected)
            }
        }
    }

    fn relay(&mut self, sender: PeerSlot, to: PeerSlot, message: &Outgoing<'_>) {
        let Outgoing { from, signal, data, id } = *message;
        let bytes = self.send(to, Message::Signal { signal, from, data, name: id.into() });
        self.backlogs.charge(self.peers[to].conn(), self.peers[sender].conn(), bytes);
        self.observe_relayed(to, message, bytes);
    }

    fn observe_relayed(&mut self, to: PeerSlot, message: &Outgoing<'_>, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let (from, to, signal) = (*message.from.id(), *self.peers[to].id(), message.signal);
        self.outbox.observe(Event::Relayed { from, to, signal, bytes });
    }

    /// Relays one signal to a peer of another node. Its end of the link is followed there, so that is told of what is withheld, too.
    fn signal_there(
        &mut self,
        slot: PeerSlot,
        to: PeerSlot,
        message: &Outgoing<'_>,
    ) -> Result<Outcome, Refusal> {
        if !self.can_pass_on(to, message.data) {
            return Err(Refusal::TargetTooSlow);
        }
        self.note_signal_across(slot, to);
        match self.follow(slot, to, message.signal, message.data) {
            Passage::Relay => self.pass(to, message, Passed::Live),
            Passage::Withhold => self.pass(to, message, Passed::Withheld),
        }
        Ok(Outcome::Done)
    }

    /// A signal goes to a peer of another node.
    fn pass(&mut self, to: PeerSlot, message: &Outgoing<'_>, passage: Passed) {
        let Outgoing { from, signal, data, id } = *message;
        let bytes = self.pass_on(to, from, signal, id.into(), data, passage);
        self.caused.add(bytes);
        if passage == Passed::Withheld {
            let to = *self.peers[to].id();
            self.outbox.observe(Event::Withheld { from: *from.id(), to, signal });
        } else {
            self.observe_relayed(to, message, bytes);
        }
    }

    /// Keeps a signal that came from another node until the mail of its target has come.
    pub(crate) fn keep_behind(
        &mut self,
        sender: PeerSlot,
        to: PeerSlot,
        signal: Signal,
        data: Option<&str>,
    ) -> Result<Outcome, Refusal> {
        let (from, id) = (self.peers[sender].spelling(), self.next_message_id());
        self.mail_behind(sender, to, &Outgoing { from, signal, data, id })
    }

    /// Whether a peer can be reached where another is.
    pub(crate) fn share_a_network(&self, one: PeerSlot, other: PeerSlot) -> bool {
        let reach = self.reach(other);
        reach != Reach::Nowhere && reach == self.reach(one)
    }

    fn observe_accepted(&mut self, message: &Outgoing<'_>) {
        let bytes = u32::try_from(message.data.map_or(0, str::len)).unwrap_or(u32::MAX);
        self.outbox.observe(Event::Accepted { from: *message.from.id(), signal: message.signal, bytes });
    }

    /// Looks for a target on behalf of a sender with this reach and grant.
    fn find(&self, target: &Spelling, reach: Reach, grant: &Grant) -> Result<Whereabouts, Refusal> {
        let is_known = || self.mailboxes.known_in(target.id(), self.now).map(Reach::Network) == Some(reach);
        let has_mail = || self.mailboxes.network_of(target.id(), self.now).map(Reach::Network) == Some(reach);
        let Some(slot) = self.peers.by_id(target.id()) else {
            return Ok(if is_known() { Whereabouts::Away } else { Whereabouts::Unknown });
        };
        match (self.peers[slot].standing(), self.reach(slot)) {
            // It is back but has not announced itself yet.
            (Standing::Fresh, _) if is_known() => Ok(Whereabouts::Away),
            // What comes now must not overtake what waits.
            (Standing::Fresh, its) if its == reach && has_mail() => Ok(Whereabouts::Away),
            (_, Reach::Nowhere) => Ok(Whereabouts::Unknown),
            (_, its) if its == reach && self.is_coming(target.id()) => Ok(Whereabouts::Coming(slot)),
            (_, its) if its == reach && !self.peers[slot].is_here() => Ok(Whereabouts::There(slot)),
            (_, its) if its == reach => Ok(Whereabouts::Here(slot)),
            _ if !self.may_know_of(slot, grant) => Ok(Whereabouts::Unknown),
            _ => Err(Refusal::TargetInOtherNetwork),
        }
    }

    /// Whether the bearer of this grant may know that the peer in this slot is there: only who may be where it is. One that
    /// has not announced itself is in the global network, or where its own token allows.
    pub(crate) fn may_know_of(&self, slot: PeerSlot, grant: &Grant) -> bool {
        let peer = &self.peers[slot];
        match (peer.network(), &self.grants.of(peer.conn()).networks) {
            (Some(network), _) => grant.allows_network(self.networks.name(network)),
            (None, None) => grant.allows_network(GLOBAL),
            (None, Some(names)) => names.iter().any(|name| grant.allows_network(name)),
        }
    }

    fn mail(&mut self, slot: PeerSlot, to: &Spelling, message: &Outgoing<'_>) -> Result<Outcome, Refusal> {
        let Outgoing { from, signal, data, id } = *message;
        let writer = self.peers[slot].holder();
        let (data, keeping) = (data.map(Into::into), Keeping::Here);
        let mail = Mail { from, signal, data, arrived: self.now, writer, id, keeping };
        let dropped = self.put_mail(*to.id(), mail).map_err(|_| Refusal::MailboxFull)?;
        let data = message.data;
        self.caused.add(data.map_or(0, str::len) + self.network_json(to).len() + ENVELOPE_BYTES);
        self.outbox.observe(Event::Mailed { from: *from.id(), to: *to.id() });
        dropped.iter().for_each(|of| self.observe_mails(of, 1, MailEnd::Dropped));
        Ok(Outcome::Queued)
    }

    /// Keeps a signal for a peer that is here, until its mail has come.
    fn mail_behind(
        &mut self,
        slot: PeerSlot,
        to: PeerSlot,
        message: &Outgoing<'_>,
    ) -> Result<Outcome, Refusal> {
        let target = self.peers[to].spelling();
        if self.mailboxes.network_of(target.id(), self.now).is_none()
            && let Some(network) = self.peers[to].network()
        {
            // One whose time is over may still be there.
            self.close_mailbox(target.id(), MailEnd::Expired);
            let is_proven = self.grants.has_proven(self.peers[to].conn(), target.id());
            let holder = self.peers[to].holder();
            self.open_mailbox(*target.id(), Owner { holder, is_proven }, network);
        }
        self.mail(slot, &target, message)
    }

    /// The network that a mailbox is of.
    fn network_json(&self, addressee: &Spelling) -> &str {
        let network = self.mailboxes.network_of(addressee.id(), self.now);
        network.map_or(GLOBAL_JSON, |network| self.networks.json(network))
    }

    fn reach(&self, slot: PeerSlot) -> Reach {
        match self.peers[slot].standing() {
            Standing::Fresh if !self.grants.of(self.peers[slot].conn()).allows_network(GLOBAL) => {
                Reach::Nowhere
            }
            Standing::Fresh => self.networks.find(GLOBAL).map_or(Reach::EmptyGlobal, Reach::Network),
            Standing::Departed | Standing::Member(_) => Reach::Nowhere,
            Standing::Announced(network, _) => Reach::Network(*network),
        }
    }

    fn network_name(&self, reach: Reach) -> &str {
        match reach {
            Reach::Network(network) => self.networks.name(network),
            Reach::EmptyGlobal | Reach::Nowhere => GLOBAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConnId, Gone, Input, Limits, Time, UnixMillis};
    use alloc::format;

    fn spelling(number: u64) -> Spelling {
        Spelling::parse(&format!("{number:040x}")).unwrap()
    }

    fn handle(board: &mut Switchboard, input: Input<'_>) {
        board.handle(Time(1), input);
        while board.poll_output().is_some() {}
    }

    fn open(board: &mut Switchboard, conn: u64, peer: u64) {
        let target = format!("/?peerId={}", spelling(peer));
        let opened = Input::Opened { conn: ConnId(conn), target: &target, address: None, grant: &Grant::ANY };
        handle(board, opened);
    }

    fn say(board: &mut Switchboard, conn: u64, text: &str) {
        handle(board, Input::Text { conn: ConnId(conn), text });
    }

    fn announce(board: &mut Switchboard, conn: u64, network: &str) {
        say(board, conn, &format!(r#"{{"type":"announce","networkName":"{network}"}}"#));
    }

    /// What a sender in network `a` finds, by the connection where there is one.
    fn find(board: &Switchboard, target: u64) -> Result<Option<ConnId>, &'static str> {
        let reach = Reach::Network(board.networks.find("a").unwrap());
        match board.find(&spelling(target), reach, &Grant::ANY) {
            Ok(Whereabouts::Here(slot)) => Ok(Some(board.peers[slot].conn())),
            Ok(Whereabouts::There(_)) => Err("at another node"),
            Ok(Whereabouts::Coming(_)) => Err("not yet"),
            Ok(Whereabouts::Away) => Ok(None),
            Ok(Whereabouts::Unknown) => Err("unknown"),
            Err(_) => Err("in another network"),
        }
    }

    #[test]
    fn a_target_is_here_or_away_or_elsewhere_or_unknown_until_it_has_announced_itself_again() {
        let mut board = Switchboard::new(Limits::default(), UnixMillis(0), 0).unwrap();
        (1..=3).for_each(|peer| open(&mut board, peer, peer));
        announce(&mut board, 1, "a");
        assert_eq!(find(&board, 2), Err("in another network"), "it is in the global one");
        announce(&mut board, 2, "a");
        announce(&mut board, 3, "b");
        assert_eq!([find(&board, 2), find(&board, 3)], [Ok(Some(ConnId(2))), Err("in another network")]);
        assert_eq!(find(&board, 9), Err("unknown"));
        handle(&mut board, Input::Closed { conn: ConnId(2), cause: Gone::Reset });
        assert_eq!(find(&board, 2), Ok(None));
        open(&mut board, 4, 2);
        assert_eq!(find(&board, 2), Ok(None), "it is back and has not said where");
        announce(&mut board, 4, "a");
        assert_eq!(find(&board, 2), Ok(Some(ConnId(4))));
        say(&mut board, 4, r#"{"type":"goodbye"}"#);
        assert_eq!(find(&board, 2), Err("unknown"));
    }

    #[test]
    fn a_peer_reaches_the_global_network_first_then_its_own_and_none_after_goodbye() {
        let mut board = Switchboard::new(Limits::default(), UnixMillis(0), 0).unwrap();
        open(&mut board, 1, 1);
        let reach = |board: &Switchboard| board.reach(board.peers.by_conn(ConnId(1)).unwrap());
        assert!(reach(&board) == Reach::EmptyGlobal);
        announce(&mut board, 1, "a");
        let network = reach(&board);
        assert!(network == Reach::Network(board.networks.find("a").unwrap()));
        assert_eq!(board.network_name(network), "a");
        say(&mut board, 1, r#"{"type":"goodbye"}"#);
        assert!(reach(&board) == Reach::Nowhere);
        assert_eq!(board.network_name(Reach::Nowhere), GLOBAL);
    }
}
