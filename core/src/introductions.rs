//! Who is introduced to whom.
//!
//! Whom a peer should know is decided in [`crate::choice`]; here both sides are told, on an announce and when a
//! peer has lost too many acquaintances, and each of them again now and then.

use crate::choice::Choice;
use crate::fault::{self, Fault};
use crate::peers::Standing;
use crate::timers::{Due, around};
use crate::wire::Message;
use crate::{Event, Limit, Occasion, Switchboard, Time};

/// Within an interval a peer is told of its choice again in so many parts: pages that are told of everybody at the same moment have
/// nobody to dial when a link ends later on (measured, see docs/MESH.md).
const PARTS: u8 = 2;

impl Switchboard {
    /// Introduces an announced peer to its current choice. Those whom it knows are told of it again on an announce, for its
    /// `data` may be new, and not otherwise. Returns how large the choice was.
    pub(crate) fn introduce(&mut self, slot: u32, occasion: Occasion) -> usize {
        self.choose(slot);
        let mut chosen = core::mem::take(&mut self.chosen);
        let part = u32::from(self.peers[slot].part);
        for &other in &chosen {
            let known = self.peers[slot].announcement().is_some_and(|announcement| announcement.knows(other));
            match (occasion, known) {
                (Occasion::Again, true) if other % u32::from(PARTS) == part => self.remind(slot, other),
                (Occasion::Again | Occasion::Healing, true) => {}
                (Occasion::Announce | Occasion::Free, _) | (_, false) => {
                    self.introduce_pair(slot, other, occasion);
                }
            }
        }
        let count = chosen.len();
        chosen.clear();
        self.chosen = chosen;
        count
    }

    /// Introduces a peer that has lost acquaintances to those of its choice that it does not know yet.
    pub(crate) fn introduce_healing(&mut self, slot: u32) {
        let Standing::Announced(network, announcement) = &self.peers[slot].standing else { return };
        if announcement.acquaintances.len() + 1 < self.networks.members(*network).len() {
            self.introduce(slot, Occasion::Healing);
        }
    }

    /// A deadline armed by [`Switchboard::arm_reintroduction`] has fired: the peer is told of a part of its choice again, since
    /// clients forget peers that they did not dial within five minutes (observed). Those whom it knows are told of theirs at a
    /// time of their own: so an idle crowd is written to once each and not seventeen times.
    pub(crate) fn reintroduce(&mut self, slot: u32) {
        if self.outbox.is_crowded() {
            return self.reintroduce_soon(slot);
        }
        self.introduce(slot, Occasion::Again);
        if !fault::is(Fault::RemindersStuck) {
            self.peers[slot].part = (self.peers[slot].part + 1) % PARTS;
        }
        if !fault::is(Fault::ReintroductionNotRearmed) {
            self.arm_reintroduction(slot);
        }
    }

    /// Arms the next part of the re-introduction of an announced peer: at the latest a tenth to a fifth later than it should
    /// come. Most are pinged before that, and get it together with the ping.
    pub(crate) fn arm_reintroduction(&mut self, slot: u32) {
        let part_ms = self.part_ms();
        if self.limits.reintroduce_interval_ms > 0 {
            let due = around(self.now + part_ms / 10 * 9, part_ms / 4, self.peers[slot].conn);
            self.reintroduce_at(slot, due);
        }
    }

    /// An announced peer is being pinged: what it is soon to be told again goes out in the same write.
    pub(crate) fn reintroduce_with_ping(&mut self, slot: u32) {
        let due =
            self.peers[slot].announcement().and_then(|announcement| announcement.reintroduce_due.time());
        if due.is_some_and(|due| due.since(self.now) <= self.part_ms() / 4) {
            self.reintroduce(slot);
        }
    }

    /// How far apart the parts of a re-introduction are.
    fn part_ms(&self) -> u64 {
        self.limits.reintroduce_interval_ms / u64::from(PARTS)
    }

    /// The same for a moment later, when so much is to be sent that more of it should wait.
    pub(crate) fn reintroduce_soon(&mut self, slot: u32) {
        self.reintroduce_at(slot, self.now + 1);
    }

    fn reintroduce_at(&mut self, slot: u32, due: Time) {
        let due = Due::at(Some(due));
        self.change_due(slot, |peer| {
            if let Some(announcement) = peer.announcement_mut() {
                announcement.reintroduce_due = due;
            }
        });
    }

    pub(crate) fn introduce_pair(&mut self, newcomer: u32, other: u32, occasion: Occasion) {
        let strangers =
            self.peers[newcomer].announcement().is_some_and(|announcement| !announcement.knows(other));
        self.acquainted += usize::from(strangers);
        for (one, two) in [(newcomer, other), (other, newcomer)] {
            if let Some(announcement) = self.peers[one].announcement_mut() {
                announcement.meet(two);
                if strangers && announcement.acquaintances.len() >= self.limits.acquaintances as usize {
                    let conn = self.peers[one].conn;
                    self.outbox.observe(Event::Limited { conn, limit: Limit::Acquaintances });
                }
            }
            if one == newcomer || !fault::is(Fault::OneSidedIntroduction) {
                self.tell_of(one, two);
            }
        }
        let (newcomer, other) = (*self.peers[newcomer].spelling.id(), *self.peers[other].spelling.id());
        self.outbox.observe(Event::Introduced { newcomer, other, occasion });
    }

    fn remind(&mut self, slot: u32, other: u32) {
        let (peer, of) = (*self.peers[slot].spelling.id(), *self.peers[other].spelling.id());
        self.outbox.observe(Event::Reminded { peer, of });
        self.tell_of(slot, other);
    }

    /// Tells `slot` that `other` is there.
    fn tell_of(&mut self, slot: u32, other: u32) {
        let peer = self.peers[other].spelling;
        let Some(announcement) = self.peers[other].announcement_mut() else { return };
        let data = core::mem::take(&mut announcement.data);
        self.send(slot, Message::Discovered { peer, data: &data });
        if let Some(announcement) = self.peers[other].announcement_mut() {
            announcement.data = data;
        }
    }

    /// Fills `self.chosen` with the choice of an announced peer.
    fn choose(&mut self, slot: u32) {
        let mut chosen = core::mem::take(&mut self.chosen);
        chosen.clear();
        if let Standing::Announced(network, announcement) = &self.peers[slot].standing {
            let members = self.networks.members(*network);
            let id = self.peers[slot].spelling.id();
            Choice::new(&self.peers, announcement, &self.limits, &mut chosen).make(id, members);
        }
        self.chosen = chosen;
    }
}
