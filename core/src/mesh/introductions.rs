//! Who is introduced to whom.
//!
//! Both sides are told, always. In a network of a few everybody meets everybody. In larger ones a page meets those to whom it
//! can be linked, its *mates*: others who have room; and where nobody has, a full page that will give up its farthest link for
//! it, so that one who had this link has room for it, too. Only who would know nobody else meets some without that.

use alloc::vec::Vec;

use crate::mesh::following::dials;
use crate::mesh::links::{Links, Stage};
use crate::peers::{Announcement, Overdue, Peer, PeerSlot};
use crate::timers::{Deadline, spread};
use crate::wire::Message;
use crate::{Event, Limit, Limits, Occasion, Switchboard, TimerKind};

/// Peers that are looked at for one to be introduced to.
const LOOKED_AT: usize = 16;

/// So long two who were introduced are given for an offer.
const OFFER_MS: u64 = 6_000;

/// Who would know nobody is introduced to so many, and who has fewer than half of this left looks for others.
pub(crate) const FEW_ACQUAINTANCES: usize = 4;

/// Who has fewer links than this, or than it takes, is looked for again soon.
const FEW_LINKS: usize = 3;

/// How soon; twice as late each time that nobody was found.
const SOON_MS: u64 = 2_500;
const MOST_DOUBLINGS: u8 = 4;

/// After so many looks in vain, two minutes, one who lacks a single link takes the place of somebody else's.
const PATIENT_LOOKS: u8 = 5;

impl Switchboard {
    /// Introduces a peer that has announced itself.
    pub(crate) fn introduce(&mut self, slot: PeerSlot, max_links: u8) {
        self.change_links(slot, |own| own.announce(max_links));
        if self.draining.is_some() {
            return;
        }
        let known = self.peers[slot].announcement().into_iter().flat_map(|own| own.acquaintances.iter());
        let known = known.filter(|other| !self.is_crowded(*other));
        let known: Vec<PeerSlot> = known.take(Limits::MAX_PEERS.into()).collect();
        // Its data may be new.
        for &other in &known {
            self.introduce_pair(slot, other, Occasion::Announce);
        }
        self.look_for_mates(slot, Occasion::Announce);
    }

    /// Introduces a peer to those whom it should know whether a link is possible or not: to everybody in a network of a few, and
    /// in a larger one to some if it knows nobody.
    pub(crate) fn meet_some(&mut self, slot: PeerSlot) {
        let Some(network) = self.peers[slot].network().filter(|_| self.draining.is_none()) else { return };
        let members = self.networks.members(network);
        let few = self.links_of(slot).map_or(0, Links::max).min(self.limits.introductions.into());
        let is_alone = self.peers[slot].announcement().is_some_and(|own| own.acquaintances.len() == 0);
        let most = match members.len() {
            count if count <= few + 1 => few,
            _ if is_alone => FEW_ACQUAINTANCES,
            _ => return,
        };
        let mut strangers = core::mem::take(&mut self.chosen);
        let (me, hash) = (self.peers[slot].spelling, self.peers[slot].conn.0.wrapping_mul(GOLDEN));
        let others = members.beginning_anywhere(me.id(), hash).take(LOOKED_AT.max(few));
        strangers.extend(others.filter(|other| self.can_meet(slot, *other)).take(most));
        for &other in &strangers {
            self.introduce_pair(slot, other, Occasion::Healing);
        }
        strangers.clear();
        self.chosen = strangers;
    }

    /// Whether the two are strangers who both can have one acquaintance more.
    fn can_meet(&self, one: PeerSlot, two: PeerSlot) -> bool {
        !self.are_acquainted(one, two) && self.can_be_acquainted(one, two)
    }

    fn are_acquainted(&self, one: PeerSlot, two: PeerSlot) -> bool {
        self.peers[one].announcement().is_some_and(|own| own.acquaintances.contain(two))
    }

    /// Whether the two are acquainted, or both can have one acquaintance more; and neither is far behind with reading.
    pub(crate) fn can_be_acquainted(&self, one: PeerSlot, two: PeerSlot) -> bool {
        let most = self.limits.acquaintances as usize;
        let has_place = |slot: PeerSlot| {
            self.peers[slot].announcement().is_some_and(|own| own.acquaintances.len() < most)
        };
        !self.is_crowded(one)
            && !self.is_crowded(two)
            && (self.are_acquainted(one, two) || (has_place(one) && has_place(two)))
    }

    /// Introduces a peer with room to as many as it has room for, and to those whom it should know anyway.
    pub(crate) fn look_for_mates(&mut self, slot: PeerSlot, occasion: Occasion) {
        let (mut found, most) = (0, self.limits.introductions.into());
        while found < most
            && let Some(mate) = self.next_free(slot)
        {
            self.mate(slot, mate, occasion);
            found += 1;
        }
        if found < most
            && let Some(full) = self.page_to_split(slot)
        {
            self.mate(slot, full, occasion);
            found += 1;
        }
        self.arm_look(slot, found);
        self.meet_some(slot);
    }

    /// Introduces two so that they link to each other.
    pub(crate) fn mate(&mut self, slot: PeerSlot, other: PeerSlot, occasion: Occasion) {
        self.tie(slot, other, Stage::Introduced, self.now + OFFER_MS);
        let occasion = if self.are_acquainted(slot, other) { Occasion::Again } else { occasion };
        self.introduce_pair(slot, other, occasion);
    }

    /// Of the next few with room, in a hashed order that begins at the peer itself, so that no two look at the same ones: one
    /// with whom no link is shared before one with whom there is, and who has fewer links before who has more.
    fn next_free(&self, slot: PeerSlot) -> Option<PeerSlot> {
        let peer = &self.peers[slot];
        let own = peer.announcement().filter(|own| own.links.room() > 0)?;
        let next = self.networks.free_after(peer.network()?, peer.conn).take(LOOKED_AT);
        let possible = next
            .filter_map(|conn| self.peers.by_conn(conn))
            .filter(|other| *other != slot && self.could_link(slot, *other));
        possible.min_by_key(|other| {
            self.links_of(*other).map(|other| (own.links.shared_with(other), other.len()))
        })
    }

    /// Whether an introduction could link the two: there is no link yet, and the one that is to dial would hear of the other.
    fn could_link(&self, one: PeerSlot, two: PeerSlot) -> bool {
        let (dialler, other) =
            if dials(&self.peers[one], &self.peers[two]) { (one, two) } else { (two, one) };
        let Some(own) = self.peers[dialler].announcement() else { return false };
        own.links.to(other).is_none()
            && own.acquaintances.would_hear_of(other, self.now)
            && self.can_be_acquainted(one, two)
            && (self.are_acquainted(one, two) || self.have_few_acquaintances(one, two))
            && !self.would_be_an_island(one, two)
    }

    /// Whether both may get to know somebody more for the sake of a link. Pages that never dial would else get to know one after
    /// the other.
    fn have_few_acquaintances(&self, one: PeerSlot, two: PeerSlot) -> bool {
        let beyond_links = usize::from(self.limits.introductions);
        let few = |own: &Announcement| own.acquaintances.len() < own.links.max() + beyond_links;
        [one, two].iter().all(|slot| self.peers[*slot].announcement().is_some_and(few))
    }

    /// Whether a link between the two would make an island of them and of those to whom both are linked: where each has all the
    /// others, and they are not all there are.
    pub(crate) fn would_be_an_island(&self, one: PeerSlot, two: PeerSlot) -> bool {
        let (Some(own), Some(other)) = (self.links_of(one), self.links_of(two)) else { return false };
        let most = own.max().max(other.max());
        most > 1 && own.shared_with(other) + 1 >= most && self.have_a_choice(one, two)
    }

    /// Whether the network of the two has more peers than either can be linked to.
    pub(crate) fn have_a_choice(&self, one: PeerSlot, two: PeerSlot) -> bool {
        let most = [one, two].into_iter().filter_map(|slot| self.links_of(slot)).map(Links::max).max();
        let network = self.peers[one].network().map(|network| self.networks.members(network).len());
        network > most.map(|most| most + 1)
    }

    /// A full page that the peer can dial and that will give up its farthest link for it.
    fn page_to_split(&self, slot: PeerSlot) -> Option<PeerSlot> {
        let peer = &self.peers[slot];
        let own = peer.announcement()?;
        // Two who meet so find links for each other; an odd one waits for somebody like it, but not for ever.
        let has_waited = own.vain_looks >= PATIENT_LOOKS && own.links.room() > 0;
        if own.links.len() >= FEW_LINKS || !(own.links.room() > 1 || has_waited) {
            return None;
        }
        let id = peer.spelling.id();
        let members = self.networks.members(peer.network()?);
        members
            .below(id, peer.conn.0.wrapping_mul(GOLDEN))
            .take(LOOKED_AT)
            .find(|other| self.would_split(slot, *other))
    }

    fn would_split(&self, slot: PeerSlot, page: PeerSlot) -> bool {
        let (peer, other) = (&self.peers[slot], &self.peers[page]);
        let Some(links) = self.links_of(page) else { return false };
        let distance = |to: &Peer| to.spelling.id().distance(other.spelling.id());
        // One that turned somebody away has other links than it seems to have.
        let all_linked = !links.is_full()
            && links.iter().all(|tie| tie.stage == Stage::Linked)
            && links.len() == links.max();
        let farthest = || self.farthest(page, slot).map(|farthest| distance(&self.peers[farthest]));
        all_linked && dials(peer, other) && self.could_link(slot, page) && farthest() > Some(distance(peer))
    }

    /// A deadline of a peer has fired: nothing came of introductions or offers, pages have noticed that links ended, or it is
    /// time to look again, since pages have forgotten by now whom they were told of.
    pub(crate) fn introductions_are_due(&mut self, slot: PeerSlot, overdue: Overdue) {
        if overdue.has_waited {
            // It may have been asleep, or have lost what it was full of.
            self.set_full(slot, false);
        }
        for tie in overdue.ties {
            if tie.stage == Stage::Ended {
                continue;
            }
            self.change_links(tie.peer, |other| other.remove(slot));
            let dialler = if dials(&self.peers[slot], &self.peers[tie.peer]) { slot } else { tie.peer };
            if tie.stage == Stage::Introduced {
                // Who could dial and did not has no room.
                self.mark_full(dialler);
            }
            if tie.stage != Stage::Introduced || dialler == slot {
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
        let now = self.now;
        let interval = self.limits.reintroduce_interval_ms;
        self.change_due(slot, |peer| {
            let conn = peer.conn;
            let Some(own) = peer.announcement_mut() else { return };
            own.look_due = Deadline::NONE;
            own.vain_looks = if found > 0 { 0 } else { own.vain_looks.saturating_add(1) };
            if interval > 0 && own.links.lacks_some() {
                let soon = SOON_MS << own.vain_looks.min(MOST_DOUBLINGS);
                let is_poor = own.links.len() < FEW_LINKS && own.links.room() > 0;
                let due =
                    if is_poor && soon < interval { now + soon } else { spread(now, interval, 15, conn) };
                own.look_due = Deadline::at(due, TimerKind::Introduce);
            }
        });
    }

    /// A peer is looked at again at once, but for what else is to be done.
    pub(crate) fn look_soon(&mut self, slot: PeerSlot) {
        let due = Deadline::at(self.now + 1, TimerKind::Introduce);
        self.change_due(slot, |peer| {
            if let Some(own) = peer.announcement_mut() {
                own.look_due = due;
            }
        });
    }

    pub(crate) fn introduce_pair(&mut self, newcomer: PeerSlot, other: PeerSlot, occasion: Occasion) {
        let strangers = !self.are_acquainted(newcomer, other);
        self.acquainted += usize::from(strangers);
        for (one, two) in [(newcomer, other), (other, newcomer)] {
            let now = self.now;
            if let Some(own) = self.peers[one].announcement_mut() {
                own.acquaintances.hear_of(two, now);
                if strangers && own.acquaintances.len() >= self.limits.acquaintances as usize {
                    let conn = self.peers[one].conn;
                    self.outbox.observe(Event::Limited { conn, limit: Limit::Acquaintances });
                }
            }
            self.tell_of(one, two);
        }
        let (newcomer, other) = (*self.peers[newcomer].spelling.id(), *self.peers[other].spelling.id());
        self.outbox.observe(Event::Introduced { newcomer, other, occasion });
    }

    /// Tells `slot` that `other` is there.
    fn tell_of(&mut self, slot: PeerSlot, other: PeerSlot) {
        let peer = self.peers[other].spelling;
        let Some(announcement) = self.peers[other].announcement_mut() else { return };
        let data = core::mem::take(&mut announcement.data);
        self.send(slot, Message::Discovered { peer, data: &data });
        if let Some(announcement) = self.peers[other].announcement_mut() {
            announcement.data = data;
        }
    }
}

/// 2^64 divided by the golden ratio (Knuth, multiplicative hashing).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
