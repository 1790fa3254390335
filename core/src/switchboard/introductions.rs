//! Introductions: between what the mesh selects, both sides' deadlines, and what they are told. Both sides are told, always.

use alloc::vec::Vec;

use crate::mesh::announcement::Overdue;
use crate::mesh::links::LinkStage;
use crate::mesh::selection::dials;
use crate::peers::PeerSlot;
use crate::wire::Message;
use crate::{Event, Limit, Limits, Occasion, Switchboard};

/// So long two who were introduced are given for an offer.
const OFFER_MS: u64 = 6_000;

impl Switchboard {
    /// Introduces a peer that has announced itself.
    pub(crate) fn introduce(&mut self, slot: PeerSlot, max_links: u8) {
        self.change_links(slot, |own| own.announce(max_links));
        if self.draining.is_some() {
            return;
        }
        let known: Vec<PeerSlot> = self.selection().known(slot).take(Limits::MAX_PEERS.into()).collect();
        // Its data may be new.
        for &other in &known {
            self.introduce_pair(slot, other, Occasion::Announce);
        }
        self.look_for_mates(slot, Occasion::Announce);
    }

    /// Introduces a peer to those whom it should know whether a link is possible or not: to everybody in a network of a few, and
    /// in a larger one to some if it knows nobody. A peer of another node is looked after there.
    pub(crate) fn meet_some(&mut self, slot: PeerSlot) {
        if self.draining.is_some() || !self.peers[slot].is_here() {
            return;
        }
        let mut strangers = core::mem::take(&mut self.chosen);
        strangers.extend(self.selection().strangers(slot));
        for &other in &strangers {
            self.introduce_pair(slot, other, Occasion::Healing);
        }
        strangers.clear();
        self.chosen = strangers;
    }

    /// Introduces a peer with room to as many as it has room for, and to those whom it should know anyway. A peer of another node
    /// is looked after there.
    pub(crate) fn look_for_mates(&mut self, slot: PeerSlot, occasion: Occasion) {
        if !self.peers[slot].is_here() {
            return;
        }
        let (mut found, most) = (0, self.limits.introductions.into());
        while found < most
            && let Some(mate) = self.selection().mate(slot)
        {
            self.mate(slot, mate, occasion);
            found += 1;
        }
        if found < most
            && let Some(full) = self.selection().page_to_split(slot)
        {
            self.mate(slot, full, occasion);
            found += 1;
        }
        self.arm_look(slot, found);
        self.meet_some(slot);
    }

    /// Introduces two so that they link to each other.
    pub(crate) fn mate(&mut self, slot: PeerSlot, other: PeerSlot, occasion: Occasion) {
        if !self.peers[slot].is_here() {
            return;
        }
        self.tie_mates(slot, other);
        let occasion = if self.selection().are_acquainted(slot, other) { Occasion::Again } else { occasion };
        self.acquaint(slot, other, occasion);
        self.tell_of_introduction(slot, other, true, occasion);
    }

    /// A link may come between two.
    pub(crate) fn tie_mates(&mut self, slot: PeerSlot, other: PeerSlot) {
        self.tie(slot, other, LinkStage::Introduced, self.now + OFFER_MS);
    }

    /// A deadline of a peer has fired: nothing came of introductions or offers, pages have noticed that links ended, or it is
    /// time to look again, since pages have forgotten by now whom they were told of.
    pub(crate) fn introductions_are_due(&mut self, slot: PeerSlot, overdue: Overdue) {
        if overdue.has_waited {
            // It may have been asleep, or have lost what it was full of.
            self.set_full(slot, false);
        }
        for tie in overdue.ties {
            if tie.stage == LinkStage::Ended {
                continue;
            }
            self.change_links(tie.peer, |other| other.remove(slot));
            let dialler = if dials(&self.peers[slot], &self.peers[tie.peer]) { slot } else { tie.peer };
            if tie.stage == LinkStage::Introduced {
                // Who could dial and did not has no room.
                self.mark_full(dialler);
            }
            if tie.stage != LinkStage::Introduced || dialler == slot {
                self.look_if_there_is_time(tie.peer);
            }
        }
        self.change_links(slot, |_| ());
        if self.draining.is_some() {
            return;
        }
        self.look_if_there_is_time(slot);
    }

    /// Looks for others for a peer, at once or, where much is to be sent already, in a moment.
    fn look_if_there_is_time(&mut self, slot: PeerSlot) {
        if self.outbox.is_crowded() {
            self.look_soon(slot);
        } else if self.draining.is_none() {
            self.look_for_mates(slot, Occasion::Free);
        }
    }

    /// Sees to it that a peer with room is looked at again.
    pub(crate) fn arm_look(&mut self, slot: PeerSlot, found: usize) {
        let (now, interval) = (self.now, self.limits.reintroduce_interval_ms);
        self.change_due(slot, |peer| {
            let conn = peer.conn();
            if let Some(own) = peer.announcement_mut() {
                own.look_after(found, now, interval, conn);
            }
        });
    }

    /// A peer is looked at again within that time.
    pub(crate) fn look_within(&mut self, slot: PeerSlot, millis: u64) {
        let due = self.now + millis;
        self.change_due(slot, |peer| {
            if let Some(own) = peer.announcement_mut() {
                own.look_by(due);
            }
        });
    }

    /// A peer is looked at again at once, but for what else is to be done.
    pub(crate) fn look_soon(&mut self, slot: PeerSlot) {
        let due = self.now + 1;
        self.change_due(slot, |peer| {
            if let Some(own) = peer.announcement_mut() {
                own.look_at(due);
            }
        });
    }

    pub(crate) fn introduce_pair(&mut self, newcomer: PeerSlot, other: PeerSlot, occasion: Occasion) {
        self.acquaint(newcomer, other, occasion);
        self.tell_of_introduction(newcomer, other, false, occasion);
    }

    /// Two get to know each other, and are told so where they are peers of this node.
    pub(crate) fn acquaint(&mut self, newcomer: PeerSlot, other: PeerSlot, occasion: Occasion) {
        let strangers = !self.selection().are_acquainted(newcomer, other);
        self.networks.note_acquainted(usize::from(strangers));
        for (one, two) in [(newcomer, other), (other, newcomer)] {
            let now = self.now;
            if let Some(own) = self.peers[one].announcement_mut() {
                own.acquaintances_mut().hear_of(two, now);
                if strangers && own.acquaintances().len() >= self.limits.acquaintances as usize {
                    let conn = self.peers[one].conn();
                    self.outbox.observe(Event::Limited { conn, limit: Limit::Acquaintances });
                }
            }
            self.tell_of(one, two);
        }
        let (newcomer, other) = (*self.peers[newcomer].id(), *self.peers[other].id());
        self.outbox.observe(Event::Introduced { newcomer, other, occasion });
    }

    /// Tells `slot` that `other` is there.
    fn tell_of(&mut self, slot: PeerSlot, other: PeerSlot) {
        if !self.peers[slot].is_here() {
            return;
        }
        let peer = self.peers[other].spelling();
        let Some(announcement) = self.peers[other].announcement_mut() else { return };
        let data = announcement.take_data();
        self.send(slot, Message::Discovered { peer, data: &data });
        if let Some(announcement) = self.peers[other].announcement_mut() {
            announcement.set_data(data);
        }
    }
}
