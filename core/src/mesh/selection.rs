//! Neighbour selection: who is introduced to whom.
//!
//! In a network of a few everybody meets everybody. In larger ones a page meets those to whom it can be linked, its *mates*:
//! others who have room; where nobody has, and it has few links, those with a place that is kept for such pages; and where
//! nobody has that either, a full page that will give up its farthest link for it, so that one who had this link has room
//! for it, too. Only who would know nobody else meets some without that.

use super::announcement::Announcement;
use super::links::{LinkStage, Links};
use super::members::Members;
use super::networks::Networks;
use crate::peers::backlogs::Backlogs;
use crate::peers::{Peer, PeerSlot, Peers};
use crate::{Limits, Time};

/// Peers that are looked at for one to be introduced to.
const LOOKED_AT: usize = 16;

/// Who would know nobody is introduced to so many, and who has fewer than half of this left looks for others.
pub(crate) const FEW_ACQUAINTANCES: usize = 4;

/// 2^64 divided by the golden ratio (Knuth, multiplicative hashing).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Everything that the selection depends on, to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) peers: &'a Peers,
    pub(crate) networks: &'a Networks,
    pub(crate) backlogs: &'a Backlogs,
    pub(crate) limits: &'a Limits,
    pub(crate) now: Time,
}

impl<'a> Selection<'a> {
    /// Whom a peer knows and can be told of: nobody who is far behind with reading.
    pub(crate) fn known(self, slot: PeerSlot) -> impl Iterator<Item = PeerSlot> + use<'a> {
        let known = self.announcement(slot).into_iter().flat_map(|own| own.acquaintances.iter());
        known.filter(move |other| !self.is_crowded(*other))
    }

    /// Whom a peer should meet whether a link is possible or not: everybody in a network of a few, and in a larger one some if it
    /// knows nobody.
    pub(crate) fn strangers(self, slot: PeerSlot) -> impl Iterator<Item = PeerSlot> + use<'a> {
        let few = self.links_of(slot).map_or(0, Links::max).min(self.limits.introductions.into());
        let is_alone = self.announcement(slot).is_some_and(|own| own.acquaintances.len() == 0);
        let members = self.peers[slot].network().map(|network| self.networks.members(network));
        let most = match members.map_or(0, Members::len) {
            0 => 0,
            count if count <= few + 1 => few,
            _ if is_alone => FEW_ACQUAINTANCES,
            _ => 0,
        };
        let (me, hash) = (*self.peers[slot].id(), self.peers[slot].conn().0.wrapping_mul(GOLDEN));
        let members = members.filter(|_| most > 0).into_iter();
        let others = members.flat_map(move |members| members.beginning_anywhere(me, hash));
        others.take(LOOKED_AT.max(few)).filter(move |other| self.can_meet(slot, *other)).take(most)
    }

    /// Whether the two are strangers who both can have one acquaintance more.
    fn can_meet(self, one: PeerSlot, two: PeerSlot) -> bool {
        !self.are_acquainted(one, two) && self.can_be_acquainted(one, two)
    }

    pub(crate) fn are_acquainted(self, one: PeerSlot, two: PeerSlot) -> bool {
        self.announcement(one).is_some_and(|own| own.acquaintances.contain(two))
    }

    /// Whether the two are acquainted, or both can have one acquaintance more; and neither is far behind with reading.
    pub(crate) fn can_be_acquainted(self, one: PeerSlot, two: PeerSlot) -> bool {
        let most = self.limits.acquaintances as usize;
        let has_place = |slot: PeerSlot| self.announcement(slot).is_some_and(|own| own.acquainted() < most);
        !self.is_crowded(one)
            && !self.is_crowded(two)
            && (self.are_acquainted(one, two) || (has_place(one) && has_place(two)))
    }

    /// The links of a peer, if it has announced itself.
    pub(crate) fn links_of(self, slot: PeerSlot) -> Option<&'a Links> {
        self.announcement(slot).map(Announcement::links)
    }

    /// Somebody who can be linked to the peer, if it has room.
    pub(crate) fn mate(self, slot: PeerSlot) -> Option<PeerSlot> {
        self.free_mate(slot).or_else(|| self.mate_with_kept_place(slot))
    }

    /// Of the next few with room, in a hashed order that begins at the peer itself, so that no two look at the same ones: one
    /// with whom no link is shared before one with whom there is, and who has fewer links before who has more.
    fn free_mate(self, slot: PeerSlot) -> Option<PeerSlot> {
        let peer = &self.peers[slot];
        let own = self.announcement(slot).filter(|own| own.links.capacity_left() > 0)?;
        let next = self.networks.free_after(peer.network()?, peer.conn()).take(LOOKED_AT);
        let possible = next
            .filter_map(|conn| self.peers.by_conn(conn))
            .filter(|other| *other != slot && self.could_link(slot, *other));
        possible.min_by_key(|other| {
            self.links_of(*other).map(|other| (own.links.shared_with(other), other.len()))
        })
    }

    /// For one with few links: of the next few members, one with a place that is kept for such.
    fn mate_with_kept_place(self, slot: PeerSlot) -> Option<PeerSlot> {
        let peer = &self.peers[slot];
        let own = self.announcement(slot).filter(|own| own.links.has_few())?;
        let members = self.networks.members(peer.network().filter(|_| own.links.capacity_left() > 0)?);
        let mut next =
            members.beginning_anywhere(*peer.id(), peer.conn().0.wrapping_mul(GOLDEN)).take(LOOKED_AT);
        next.find(|other| self.has_place_for(*other, slot) && self.could_link(slot, *other))
    }

    /// Whether a page has a place that it gives to `other`.
    pub(crate) fn has_place_for(self, page: PeerSlot, other: PeerSlot) -> bool {
        let has_few = self.links_of(other).is_some_and(Links::has_few);
        self.links_of(page)
            .is_some_and(|own| if has_few { own.places_left() } else { own.capacity_left() } > 0)
    }

    /// Whether an introduction could link the two: there is no link yet, and the one that is to dial would hear of the other.
    fn could_link(self, one: PeerSlot, two: PeerSlot) -> bool {
        let (dialler, other) =
            if dials(&self.peers[one], &self.peers[two]) { (one, two) } else { (two, one) };
        let Some(own) = self.announcement(dialler) else { return false };
        own.links.to(other).is_none()
            && own.acquaintances.would_hear_of(other, self.now)
            && self.can_be_acquainted(one, two)
            && (self.are_acquainted(one, two) || self.have_few_acquaintances(one, two))
            && !self.would_be_an_island(one, two)
    }

    /// Whether both may get to know somebody more for the sake of a link. Pages that never dial would else get to know one after
    /// the other.
    fn have_few_acquaintances(self, one: PeerSlot, two: PeerSlot) -> bool {
        let beyond_links = usize::from(self.limits.introductions);
        let few = |own: &Announcement| own.acquainted() < own.links.max() + beyond_links;
        [one, two].iter().all(|slot| self.announcement(*slot).is_some_and(few))
    }

    /// Whether a link between the two would make an island of them and of those to whom both are linked: where each has all the
    /// others, and they are not all there are.
    pub(crate) fn would_be_an_island(self, one: PeerSlot, two: PeerSlot) -> bool {
        let (Some(own), Some(other)) = (self.links_of(one), self.links_of(two)) else { return false };
        let most = own.max().max(other.max());
        most > 1 && own.shared_with(other) + 1 >= most && self.have_a_choice(one, two)
    }

    /// Whether the network of the two has more peers than either can be linked to.
    pub(crate) fn have_a_choice(self, one: PeerSlot, two: PeerSlot) -> bool {
        let most = [one, two].into_iter().filter_map(|slot| self.links_of(slot)).map(Links::max).max();
        let network = self.peers[one].network().map(|network| self.networks.members(network).len());
        network > most.map(|most| most + 1)
    }

    /// A full page that the peer can dial and that will give up its farthest link for it.
    pub(crate) fn page_to_split(self, slot: PeerSlot) -> Option<PeerSlot> {
        let peer = &self.peers[slot];
        let own = self.announcement(slot)?;
        // Two who meet so find links for each other; an odd one waits for somebody like it, but not for ever.
        if !own.links.has_few() || !(own.links.capacity_left() > 1 || own.has_waited_long()) {
            return None;
        }
        let id = peer.id();
        let members = self.networks.members(peer.network()?);
        members
            .below(id, peer.conn().0.wrapping_mul(GOLDEN))
            .take(LOOKED_AT)
            .find(|other| self.would_split(slot, *other))
    }

    fn would_split(self, slot: PeerSlot, page: PeerSlot) -> bool {
        let (peer, other) = (&self.peers[slot], &self.peers[page]);
        let Some(links) = self.links_of(page) else { return false };
        let distance = |to: &Peer| to.id().distance(other.id());
        // One that turned somebody away has other links than it seems to have.
        let all_linked = !links.is_full()
            && links.iter().all(|tie| tie.stage == LinkStage::Linked)
            && links.len() == links.max();
        let farthest = || self.farthest(page, slot).map(|farthest| distance(&self.peers[farthest]));
        all_linked && dials(peer, other) && self.could_link(slot, page) && farthest() > Some(distance(peer))
    }

    /// The end of the farthest link of a page, `but` left out.
    pub(crate) fn farthest(self, page: PeerSlot, but: PeerSlot) -> Option<PeerSlot> {
        let own = &self.peers[page].spelling();
        let ties = self.links_of(page)?.iter();
        let taking = ties.filter(|tie| tie.stage.takes_place());
        let others = taking.map(|tie| tie.peer).filter(|other| *other != but);
        others.max_by_key(|other| own.id().distance(self.peers[*other].id()))
    }

    pub(super) fn announcement(self, slot: PeerSlot) -> Option<&'a Announcement> {
        self.peers[slot].announcement()
    }

    /// Whether so much waits for a peer that it is introduced to nobody.
    fn is_crowded(self, slot: PeerSlot) -> bool {
        self.backlogs.is_crowded(self.peers[slot].conn())
    }
}

/// Whether `one` is the one of two that is to dial: pages compare ids as strings (observed).
pub(crate) fn dials(one: &Peer, two: &Peer) -> bool {
    one.spelling().digits() > two.spelling().digits()
}
