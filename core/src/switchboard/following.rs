//! Following links: what the signals between two peers tell of the link between them, and of the places that their pages
//! have; between their links, their deadlines, and the list of those with room.

use core::ops::RangeInclusive;

use crate::mesh::links::{LinkStage, Links};
use crate::mesh::networks::NetKey;
use crate::mesh::selection::dials;
use crate::peers::PeerSlot;
use crate::wire::{Message, Refused};
use crate::{CloseReason, Departure, Event, Gone, Occasion, Signal, Switchboard, Time};

/// An offer that is not answered for so long is given up by its page (observed).
const ANSWER_MS: u64 = 10_000;

/// A refusal that comes so long after an answer between the same two crossed with it.
const CROSSING_MS: u64 = 5_000;

/// A page that dials again so long after an answer has got no link by it: ICE gives up after fifteen seconds, and the page
/// looks for another link at once or up to fifteen seconds later (observed, 1.1.3 and 1.0.6).
const FAILED_MS: RangeInclusive<u64> = 10_000..=32_000;

/// After so long a page has noticed that a link was closed at its other end.
const CLOSED_MS: u64 = 500;

/// After so long a page gives up a link whose other end vanished: ICE says so after about six seconds, and the page waits
/// five more for it to recover (observed).
const VANISHED_MS: u64 = 12_000;

/// What is done with a signal beside following it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Relay,
    /// Its target must not get it.
    Withhold,
}

impl Switchboard {
    /// A signal is about to be relayed from one peer to another.
    pub(crate) fn follow(
        &mut self,
        from: PeerSlot,
        to: PeerSlot,
        signal: Signal,
        data: Option<&str>,
    ) -> Passage {
        match signal {
            Signal::Offer => return self.follow_offer(from, to),
            Signal::Answer => self.follow_answer(from, to),
            Signal::ConnectionRejected if !self.have_announced(from, to) => {}
            Signal::ConnectionRejected => match Refused::read(data) {
                Refused::ByFullPage => self.follow_full(from, to),
                Refused::OutOfTurn => return self.follow_out_of_turn(from, to),
            },
            Signal::IceCandidate
            | Signal::RenegotiationOffer
            | Signal::RenegotiationAnswer
            | Signal::IceRestartOffer
            | Signal::IceRestartAnswer
            | Signal::RecoveryOffer => {}
        }
        Passage::Relay
    }

    /// Whether both have: who has not is linked to nobody, so that its refusals say nothing, nor do those that it gets.
    fn have_announced(&self, one: PeerSlot, two: PeerSlot) -> bool {
        self.selection().links_of(one).is_some() && self.selection().links_of(two).is_some()
    }

    /// Nobody dials without a place for it, nor whom it is linked to.
    fn follow_offer(&mut self, from: PeerSlot, to: PeerSlot) -> Passage {
        let Some(own) = self.selection().links_of(from) else { return Passage::Relay };
        let tie = own.to(to);
        let has_failed = tie
            .is_some_and(|tie| tie.stage == LinkStage::Linked && FAILED_MS.contains(&self.now.since(tie.at)));
        if has_failed && self.selection().have_a_choice(from, to) {
            self.give_up(from, to);
            return Passage::Withhold;
        }
        let is_surprise = own.taken_but(to) >= own.max();
        self.set_full(from, false);
        if is_surprise {
            self.lose_one(from, to);
        }
        match tie.map(|tie| tie.stage) {
            Some(LinkStage::Offered { by }) if by == from => {}
            // The other is to dial, or has dialled: it is its offer that is waited for, and this one that is refused.
            Some(LinkStage::Introduced | LinkStage::Offered { .. })
                if dials(&self.peers[to], &self.peers[from]) => {}
            _ => self.tie(from, to, LinkStage::Offered { by: from }, self.now + ANSWER_MS),
        }
        Passage::Relay
    }

    /// The two have found no way to each other. They would try again and again; each is introduced to others instead.
    fn give_up(&mut self, from: PeerSlot, to: PeerSlot) {
        self.untie(from, to);
        self.tell_to_strike(from, to);
        for (one, two) in [(from, to), (to, from)] {
            if let Some(own) = self.peers[one].announcement_mut() {
                own.acquaintances_mut().give_up(two);
            }
            self.set_full(one, false);
        }
        self.look_for_mates(from, Occasion::Free);
        self.look_for_mates(to, Occasion::Free);
    }

    /// Who answers has a place for it, or has made one: full pages give up their farthest link for a nearer dialler (observed).
    fn follow_answer(&mut self, from: PeerSlot, to: PeerSlot) {
        self.tie(from, to, LinkStage::Linked, self.now);
        for (page, other) in [(from, to), (to, from)] {
            let has_evicted =
                self.selection().links_of(page).is_some_and(|own| own.taken_but(other) >= own.max());
            if has_evicted {
                self.lose_farthest(page, other);
            }
        }
    }

    /// The dialler is told to take the full one off its list, or it would dial it for ever; and is introduced to others.
    fn follow_full(&mut self, from: PeerSlot, to: PeerSlot) {
        self.untie(from, to);
        self.mark_full(from);
        self.tell_to_strike(to, from);
        self.set_full(to, false);
        self.look_for_mates(to, Occasion::Free);
    }

    /// A page refuses whoever has the smaller id, since it wants to dial itself: that says nothing of its room. Where its own
    /// offer is under way, the refusal would end just that; otherwise it would dial only if it heard of the other anew.
    fn follow_out_of_turn(&mut self, from: PeerSlot, to: PeerSlot) -> Passage {
        let tie = self.selection().links_of(from).and_then(|own| own.to(to));
        let has_heard = tie.is_some_and(|tie| tie.stage == LinkStage::Introduced);
        let crossing = tie.is_some_and(|tie| match tie.stage {
            LinkStage::Offered { by } => by == from,
            LinkStage::Linked => self.now.since(tie.at) < CROSSING_MS,
            LinkStage::Introduced | LinkStage::Ended => false,
        });
        if crossing {
            return Passage::Withhold;
        }
        self.tell_to_strike(to, from);
        if !has_heard {
            self.untie(from, to);
            let selection = self.selection();
            let have_room = selection.has_place_for(from, to) && selection.has_place_for(to, from);
            let have_given_up =
                self.peers[to].announcement().is_some_and(|own| own.acquaintances().have_given_up(from));
            let is_of_use = !have_given_up && !self.selection().would_be_an_island(to, from);
            if have_room && is_of_use && self.selection().can_be_acquainted(to, from) {
                self.tell_to_strike(from, to);
                self.mate(to, from, Occasion::Free);
            } else {
                self.look_for_mates(to, Occasion::Free);
            }
        }
        Passage::Relay
    }

    /// A page has said or shown that it is full, and is left alone until it shows otherwise, or for a long time since it did so
    /// last. Whom it should know anyway it meets now, since it may do so again and again.
    pub(crate) fn mark_full(&mut self, slot: PeerSlot) {
        self.set_full(slot, true);
        if !self.peers[slot].is_here() {
            return;
        }
        self.arm_look(slot, 0);
        self.meet_some(slot);
    }

    pub(crate) fn set_full(&mut self, slot: PeerSlot, is_full: bool) {
        if self.selection().links_of(slot).is_some_and(|own| own.is_full() != is_full) {
            self.change_links(slot, |own| own.set_full(is_full));
        }
    }

    /// Changes the links of an announced peer, and everything that depends on them.
    pub(crate) fn change_links<T>(
        &mut self,
        slot: PeerSlot,
        change: impl FnOnce(&mut Links) -> T,
    ) -> Option<T> {
        let changed =
            self.change_due(slot, |peer| peer.announcement_mut().map(|own| change(own.links_mut())));
        let peer = &mut self.peers[slot];
        let (conn, network) = (peer.conn(), peer.network());
        if let (Some(network), Some(own)) = (network, peer.announcement_mut())
            && let Some(is_listed) = own.links_mut().list()
        {
            self.networks.list_free(network, conn, is_listed);
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.residents.note_changed(slot);
        }
        changed
    }

    /// The link between two announced peers is at this stage now, if both can be followed so far.
    pub(crate) fn tie(&mut self, one: PeerSlot, two: PeerSlot, stage: LinkStage, at: Time) {
        let follows = |slot: PeerSlot, other: PeerSlot| {
            self.selection().links_of(slot).is_some_and(|own| own.to(other).is_some() || own.can_follow())
        };
        if follows(one, two) && follows(two, one) {
            self.change_links(one, |own| own.set(two, stage, at));
            self.change_links(two, |own| own.set(one, stage, at));
        }
    }

    /// There is no link between the two, nor will one come.
    pub(crate) fn untie(&mut self, one: PeerSlot, two: PeerSlot) {
        self.change_links(one, |own| own.remove(two));
        self.change_links(two, |own| own.remove(one));
    }

    /// A page whose places were thought to be taken dials `but`: it has lost a link, or got a place back sooner than expected.
    fn lose_one(&mut self, page: PeerSlot, but: PeerSlot) {
        if self.change_links(page, Links::forget_ended) != Some(true) {
            self.lose_farthest(page, but);
        }
    }

    /// Of the links of a page, that one has ended which it would give up first.
    fn lose_farthest(&mut self, page: PeerSlot, but: PeerSlot) {
        if !self.peers[page].is_here() {
            return;
        }
        let Some(farthest) = self.selection().farthest(page, but) else { return };
        self.give_up_link(page, farthest);
        self.tell_of_eviction(page, farthest);
    }

    /// A page has given up its link to another, which will notice.
    pub(crate) fn give_up_link(&mut self, page: PeerSlot, other: PeerSlot) {
        self.untie(page, other);
        let until = self.now + CLOSED_MS;
        self.change_links(other, |own| own.end(page, until));
    }

    /// A peer is told to take another off its list, as if that had left: the evidence is a refusal, which only comes where there
    /// is no link.
    fn tell_to_strike(&mut self, slot: PeerSlot, other: PeerSlot) {
        let is_here = self.peers[slot].is_here();
        let Some(own) = self.peers[slot].announcement_mut() else { return };
        own.acquaintances_mut().strike(other);
        if !is_here {
            return;
        }
        let (peer, of) = (*self.peers[slot].id(), self.peers[other].spelling());
        self.send(slot, Message::Goodbye { from: of, reason: "refused" });
        self.outbox.observe(Event::Struck { peer, of: *of.id() });
    }

    /// The links of a peer that leaves end, and it is not free any more.
    pub(crate) fn end_links(&mut self, slot: PeerSlot, network: NetKey, left: &Links, cause: Departure) {
        if left.is_listed() {
            self.networks.list_free(network, self.peers[slot].conn(), false);
        }
        let noticed = match cause {
            Departure::Goodbye | Departure::Moved => CLOSED_MS,
            // Silent for so long that the other end of its links has noticed.
            Departure::Closed(CloseReason::InactiveTimeout) => CLOSED_MS,
            Departure::Lost(Gone::Closed | Gone::Reset | Gone::ProtocolError | Gone::TooBig)
            | Departure::Closed(_) => VANISHED_MS,
        };
        let until = self.now + noticed;
        for tie in left.iter().filter(|tie| tie.stage != LinkStage::Ended) {
            let until = if tie.stage.takes_place() { until } else { self.now + CLOSED_MS };
            self.change_links(tie.peer, |own| own.end(slot, until));
        }
    }
}
