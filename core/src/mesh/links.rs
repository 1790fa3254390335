//! What is known of the links of one page: those that its signals told of, those that may come, and those that have just
//! ended.
//!
//! Each link that is there or under way takes one of the places that a page has (its `maxPeers`). A page whose places are not
//! all taken has room, and is introduced to others who have. Of many places some are no room, but kept for pages with few links.

use alloc::vec::Vec;

use crate::peers::PeerSlot;
use crate::{Limits, Time};

/// The links of an announced peer, as far as the server knows.
#[derive(Debug, Default)]
pub(crate) struct Links {
    ties: Vec<Tie>,
    /// How many it takes: its `maxPeers`.
    max: u8,
    /// It said or showed that it is full, so it has links that are not known here.
    is_full: bool,
    /// Its network has it on the list of those with room.
    is_listed: bool,
}

/// A link to one other peer, at whatever stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tie {
    pub(crate) peer: PeerSlot,
    pub(crate) stage: LinkStage,
    /// Of a link that is there, since when; of others, until when they are waited for.
    pub(crate) at: Time,
}

/// How far a link is. All but [`LinkStage::Ended`] are the same at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkStage {
    /// The two were introduced for it; the one with the larger id is to dial.
    Introduced,
    /// This slot has sent an offer to the other.
    Offered { by: PeerSlot },
    /// The offer was answered.
    Linked,
    /// It has ended, which its page may not know yet.
    Ended,
}

impl LinkStage {
    /// Whether the page itself has given a place away.
    pub(crate) fn takes_place(self) -> bool {
        matches!(self, LinkStage::Linked | LinkStage::Offered { .. })
    }
}

impl Links {
    /// How many links its peer takes: its `maxPeers`.
    pub(crate) fn max(&self) -> usize {
        self.max.into()
    }

    /// The peer announced itself, with this `maxPeers`: whatever it showed before may not be true any more.
    pub(crate) fn announce(&mut self, max: u8) {
        self.max = max;
        self.is_full = false;
    }

    /// Places that nobody has.
    pub(crate) fn places_left(&self) -> usize {
        if self.is_full { 0 } else { self.max().saturating_sub(self.ties.len()) }
    }

    /// Places that nobody has, but for those that are kept for whoever has few links.
    pub(crate) fn capacity_left(&self) -> usize {
        self.places_left().saturating_sub(self.kept())
    }

    /// Whether it takes more links than are known.
    pub(crate) fn lacks_some(&self) -> bool {
        self.ties.len() < self.max()
    }

    /// Of many places one in seven is kept for whoever has few links: else who has the smallest id waits where all are full.
    fn kept(&self) -> usize {
        self.max() / PLACES_PER_KEPT
    }

    pub(crate) fn len(&self) -> usize {
        self.ties.len()
    }

    /// Whether its page would dial others by itself.
    pub(crate) fn has_few(&self) -> bool {
        self.ties.len() < FEW_LINKS
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    pub(crate) fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// Notes whether its network has it on the list of those with room, as it should. Returns what is to change there.
    pub(crate) fn list(&mut self) -> Option<bool> {
        let has_room = self.capacity_left() > 0;
        (core::mem::replace(&mut self.is_listed, has_room) != has_room).then_some(has_room)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Tie> {
        self.ties.iter().copied()
    }

    pub(crate) fn to(&self, peer: PeerSlot) -> Option<Tie> {
        self.ties.iter().find(|tie| tie.peer == peer).copied()
    }

    /// Whether there is a place for one more: more than the page takes are followed, since pages are introduced for places
    /// that others have to leave first, and since pages that are dialled say themselves that they are full.
    pub(crate) fn can_follow(&self) -> bool {
        self.ties.len() < self.max() + SPARE_PLACES
    }

    /// The link to `peer` is at this stage now. The caller has seen to it that it [can be followed](Links::can_follow).
    pub(crate) fn set(&mut self, peer: PeerSlot, stage: LinkStage, at: Time) {
        let tie = Tie { peer, stage, at };
        if let Some(known) = self.ties.iter_mut().find(|known| known.peer == peer && peer != PeerSlot::NOBODY)
        {
            *known = tie;
        } else {
            if self.ties.len() == self.ties.capacity() {
                // As many as it will have; those beyond are few and rare.
                let places = if self.ties.is_empty() { self.max() } else { SPARE_PLACES };
                self.ties.reserve_exact(places);
            }
            self.ties.push(tie);
        }
    }

    /// There is no link to `peer` any more. Its page, where it had one, has noticed by `until`, and has a place then, whatever
    /// it said before.
    pub(crate) fn end(&mut self, peer: PeerSlot, until: Time) {
        self.remove(peer);
        self.is_full = false;
        self.set(PeerSlot::NOBODY, LinkStage::Ended, until);
    }

    /// There is no link to `peer`, and its place is free.
    pub(crate) fn remove(&mut self, peer: PeerSlot) -> Option<Tie> {
        let place = self.ties.iter().position(|tie| tie.peer == peer)?;
        let tie = self.ties.swap_remove(place);
        if self.ties.is_empty() {
            self.ties = Vec::new();
        }
        Some(tie)
    }

    /// Takes one of those that nothing came of by `now`.
    pub(crate) fn pop_overdue(&mut self, now: Time) -> Option<Tie> {
        let place = self.ties.iter().position(|tie| tie.stage != LinkStage::Linked && tie.at <= now)?;
        Some(self.ties.swap_remove(place))
    }

    /// The page has shown that it has a place: one of those for which it was thought to be taken by a link that has ended.
    pub(crate) fn forget_ended(&mut self) -> bool {
        let place = self.ties.iter().position(|tie| tie.stage == LinkStage::Ended);
        place.map(|place| self.ties.swap_remove(place)).is_some()
    }

    /// So many of its links have ended, which its page may not know yet, by what its own node tells.
    pub(crate) fn report_ended(&mut self, count: usize) {
        self.ties.retain(|tie| tie.stage != LinkStage::Ended);
        for _ in 0..count.min(usize::from(Limits::MAX_PEERS)) {
            if self.can_follow() {
                self.set(PeerSlot::NOBODY, LinkStage::Ended, Time(0));
            }
        }
    }

    /// When the next of those that are waited for is waited for no longer.
    pub(crate) fn next_overdue(&self) -> Option<Time> {
        self.ties.iter().filter(|tie| tie.stage != LinkStage::Linked).map(|tie| tie.at).min()
    }

    /// Places that its page has given away itself, to others than `peer`: by links, and by offers that it sent or has not
    /// turned away.
    pub(crate) fn taken_but(&self, peer: PeerSlot) -> usize {
        self.ties.iter().filter(|tie| tie.peer != peer && tie.stage.takes_place()).count()
    }

    /// How many are linked to both, or will be: a link between the two would bring nobody nearer to anybody else.
    pub(crate) fn shared_with(&self, other: &Links) -> usize {
        let real = |tie: &&Tie| tie.stage != LinkStage::Ended;
        self.ties.iter().filter(real).filter(|tie| other.to(tie.peer).is_some()).count()
    }

    /// # Panics
    ///
    /// When an invariant does not hold; `of` are the links of another slot.
    pub(crate) fn check<'a>(&self, slot: PeerSlot, of: impl Fn(PeerSlot) -> Option<&'a Links>) {
        assert!(self.ties.len() <= usize::from(Limits::MAX_PEERS) + SPARE_PLACES);
        for tie in &self.ties {
            assert_eq!(tie.peer == PeerSlot::NOBODY, tie.stage == LinkStage::Ended);
            if tie.stage != LinkStage::Ended {
                let back = of(tie.peer).and_then(|other| other.to(slot));
                assert_eq!(back, Some(Tie { peer: slot, ..*tie }), "a link of which one end does not know");
            }
        }
        assert_eq!(self.is_listed, self.capacity_left() > 0);
    }
}

/// Pages with fewer links than this dial others by themselves (`connectivityFloor`, observed).
const FEW_LINKS: usize = 3;

/// Of so many places one is kept for those who have few links.
const PLACES_PER_KEPT: usize = 7;

/// Links that are followed beyond those that a page takes.
pub(crate) const SPARE_PLACES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u32) -> PeerSlot {
        number.into()
    }

    fn links(max: u8, linked_to: impl IntoIterator<Item = u32>) -> Links {
        let mut links = Links::default();
        links.announce(max);
        linked_to.into_iter().for_each(|other| links.set(slot(other), LinkStage::Linked, Time(1)));
        links
    }

    #[test]
    fn every_link_takes_a_place_and_a_page_that_is_full_has_no_room_whatever_is_known() {
        let mut links = links(3, [1]);
        assert_eq!((links.capacity_left(), links.lacks_some()), (2, true));
        links.set(slot(2), LinkStage::Introduced, Time(5));
        links.set(slot(2), LinkStage::Offered { by: slot(2) }, Time(6));
        assert_eq!((links.len(), links.capacity_left()), (2, 1), "the same link at another stage");
        links.set_full(true);
        assert_eq!((links.capacity_left(), links.lacks_some()), (0, true));
        links.announce(2);
        assert_eq!((links.is_full(), links.capacity_left(), links.lacks_some()), (false, 0, false));
    }

    #[test]
    fn of_seven_places_one_is_kept_and_of_six_none() {
        let left = |max, count| {
            let links = links(max, 0..count);
            (links.places_left(), links.capacity_left())
        };
        assert_eq!((left(6, 5), left(6, 6)), ((1, 1), (0, 0)));
        assert_eq!((left(7, 5), left(7, 6), left(7, 7)), ((2, 1), (1, 0), (0, 0)));
        assert_eq!(left(14, 11), (3, 1));
        let mut full = links(7, 0..5);
        full.set_full(true);
        assert_eq!((full.places_left(), full.capacity_left()), (0, 0));
    }

    #[test]
    fn places_that_the_page_gave_away_itself_are_links_and_offers_to_others() {
        let mut links = links(5, [1, 2]);
        links.set(slot(3), LinkStage::Offered { by: slot(9) }, Time(9));
        links.set(slot(4), LinkStage::Introduced, Time(9));
        assert_eq!((links.taken_but(slot(1)), links.taken_but(slot(8))), (2, 3));
    }

    #[test]
    fn a_link_that_has_ended_keeps_its_place_until_the_page_has_noticed_or_shows_that_it_has() {
        let mut links = links(2, [1, 2]);
        links.set_full(true);
        links.end(slot(1), Time(500));
        assert_eq!((links.to(slot(1)), links.is_full(), links.capacity_left()), (None, false, 0));
        assert_eq!(links.next_overdue(), Some(Time(500)));
        assert_eq!(links.pop_overdue(Time(499)), None);
        assert_eq!(links.pop_overdue(Time(500)).map(|tie| tie.stage), Some(LinkStage::Ended));
        assert_eq!(
            (links.capacity_left(), links.pop_overdue(Time(9_999))),
            (1, None),
            "a link is never overdue"
        );
        links.end(slot(2), Time(900));
        assert!(links.forget_ended() && !links.forget_ended());
        assert_eq!(links.capacity_left(), 2);
    }

    #[test]
    fn several_links_can_have_ended() {
        let mut links = links(3, [1, 2]);
        links.end(slot(1), Time(5));
        links.end(slot(2), Time(6));
        assert_eq!(links.len(), 2);
    }

    #[test]
    fn more_links_are_followed_than_a_page_takes_up_to_a_limit() {
        let mut links = links(1, []);
        let followed = (0..).take_while(|other| {
            let can_follow = links.can_follow();
            if can_follow {
                links.set(slot(*other), LinkStage::Introduced, Time(1));
            }
            can_follow
        });
        assert_eq!(followed.count(), 1 + SPARE_PLACES);
    }

    #[test]
    fn those_are_shared_who_are_linked_to_both() {
        let (mut one, two) = (links(4, [1, 2, 3]), links(4, [2, 3, 4]));
        assert_eq!((one.shared_with(&two), two.shared_with(&one)), (2, 2));
        one.end(slot(3), Time(5));
        assert_eq!((one.shared_with(&two), two.shared_with(&one)), (1, 1));
    }

    #[test]
    fn a_page_is_listed_while_it_has_room_and_each_change_is_told_once() {
        let mut links = links(1, []);
        assert_eq!([links.list(), links.list()], [Some(true), None]);
        links.set(slot(1), LinkStage::Linked, Time(1));
        assert_eq!([links.list(), links.list()], [Some(false), None]);
        assert!(!links.is_listed());
    }
}
