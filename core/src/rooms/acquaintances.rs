//! Who knows whom in a room.
//!
//! In a room of few everybody knows everybody. In a larger one an arrival is put *into* what is there: it is acquainted with
//! members who have a place left, and where nobody has, it steps between two who know each other, so that each of them
//! knows the arrival instead of the other. Nobody's list grows by that, everybody stays reachable over others, and no list
//! changes but those of the few who meet it. (Networks grown that way are random regular graphs: Bourassa and Holt, "SWAN:
//! Small-world wide area networks", 2003.)

use alloc::vec::Vec;

use crate::peers::index::split_mix;
use crate::rooms::lists::{HELD_BACK_MS, JOIN_PUSH_MS, LEAVE_PUSH_MS, RECENT_MS};
use crate::rooms::{MemberKey, RoomKey, Rooms};
use crate::{Limits, Time};

/// Whom a member knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(super) member: MemberKey,
    /// From when on it is on the list.
    pub(super) listed_from: Time,
    /// When a signal passed between the two for the last time.
    pub(super) signalled: Option<Time>,
}

/// Members that one knows, and that a list names, at most: as many as the relay has that pages are made for.
pub(crate) const MOST_KNOWN: usize = 50;

/// Draws for each acquaintance that is wanted.
const DRAWS: usize = 8;

fn wanted(limits: &Limits) -> usize {
    // Stepping between two brings one more than is missing.
    (2 * usize::from(limits.introductions)).clamp(16, MOST_KNOWN - 1)
}

impl Rooms {
    /// Acquaints an arrival with everybody in a room of few, and with twice as many as others are introduced to
    /// in a larger one: its page tries them in an order of its own.
    pub(super) fn acquaint_arrival(&mut self, key: MemberKey, limits: &Limits, now: Time) {
        let room = self.member(key).room;
        if self.room(room).len() <= MOST_KNOWN + 1 {
            for other in self.room(room).drawn.clone() {
                self.acquaint_strangers(key, other, now);
            }
        } else {
            self.acquaint_drawn(key, wanted(limits), now);
        }
    }

    /// Some have lost one whom they knew. In a room of few they know everybody else still, or as soon as the room becomes one;
    /// in a larger one, those who know too few are acquainted with others.
    pub(super) fn heal(&mut self, room: RoomKey, parted: &[MemberKey], limits: &Limits, now: Time) {
        let wanted = wanted(limits);
        let count = self.room(room).len();
        if count == MOST_KNOWN + 1 {
            let members = self.room(room).drawn.clone();
            for (place, &one) in members.iter().enumerate() {
                if self.member(one).known.len() < MOST_KNOWN {
                    members[place + 1..].iter().for_each(|other| self.acquaint_strangers(one, *other, now));
                }
            }
        } else if count > MOST_KNOWN {
            for &one in parted {
                if self.member(one).known.len() * 2 < wanted {
                    self.acquaint_drawn(one, wanted, now);
                }
            }
        }
    }

    /// Acquaints a member with others of a large room, until it knows as many as are wanted.
    fn acquaint_drawn(&mut self, key: MemberKey, wanted: usize, now: Time) {
        let room = self.member(key).room;
        let mut draws = DRAWS * wanted;
        while self.member(key).known.len() < wanted && draws > 0 {
            draws -= 1;
            let one = self.draw(room);
            if one == key || self.are_acquainted(key, one) {
                continue;
            }
            if self.member(one).known.len() < MOST_KNOWN {
                self.acquaint_strangers(key, one, now);
            } else if let Some(two) = self.draw_known(one, key, now) {
                self.part(one, two, now);
                self.acquaint_strangers(key, one, now);
                self.acquaint_strangers(key, two, now);
            }
        }
    }

    /// Two who signal each other know each other from now on, as far as each has a place for one more, or somebody with whom it has
    /// not signalled lately gives it up.
    pub(super) fn meet(&mut self, one: MemberKey, two: MemberKey, now: Time) {
        if one == two || self.are_acquainted(one, two) {
            return;
        }
        for (own, other) in [(one, two), (two, one)] {
            if self.member(own).known.len() >= MOST_KNOWN {
                let Some(given) = self.draw_known(own, other, now) else { return };
                self.part(own, given, now);
            }
        }
        self.acquaint_strangers(one, two, now);
    }

    /// Any member of a room.
    fn draw(&mut self, room: RoomKey) -> MemberKey {
        let place = self.draw_below(self.room(room).drawn.len());
        self.room(room).drawn[place]
    }

    /// One whom `one` knows and `key` does not, and with whom `one` has not spoken lately.
    fn draw_known(&mut self, one: MemberKey, key: MemberKey, now: Time) -> Option<MemberKey> {
        let start = self.draw_below(self.member(one).known.len());
        let known = &self.member(one).known;
        let (before, behind) = known.split_at(start);
        let found = behind.iter().chain(before).find(|known| {
            let is_recent = known.signalled.is_some_and(|signalled| now.since(signalled) < RECENT_MS);
            known.member != key && !is_recent && !self.are_acquainted(key, known.member)
        });
        found.map(|known| known.member)
    }

    /// A number below `count`, which is not 0.
    fn draw_below(&mut self, count: usize) -> usize {
        self.draws += 1;
        let mut state = self.draws;
        usize::try_from(split_mix(&mut state) % count as u64).unwrap_or_default()
    }

    pub(super) fn are_acquainted(&self, one: MemberKey, other: MemberKey) -> bool {
        self.place_of(one, other).is_ok()
    }

    /// The place of `other` among those whom `one` knows, or where it would be.
    pub(super) fn place_of(&self, one: MemberKey, other: MemberKey) -> Result<usize, usize> {
        self.member(one).known.binary_search_by_key(&other, |known| known.member)
    }

    fn acquaint_strangers(&mut self, one: MemberKey, two: MemberKey, now: Time) {
        if one == two || self.are_acquainted(one, two) {
            return;
        }
        // Of two pages that are told of each other in one moment, each dials the other, and older ones end with two halves of
        // different links (observed). So the one with the smaller id is told first.
        let (first, second) = if self.member(one).id < self.member(two).id { (one, two) } else { (two, one) };
        for (own, other, listed_from) in [(first, second, now), (second, first, now + HELD_BACK_MS)] {
            if let Err(place) = self.place_of(own, other) {
                let known = Known { member: other, listed_from, signalled: None };
                self.members[own.slot()].known.insert(place, known);
            }
            self.list_changes(own, listed_from.max(now + JOIN_PUSH_MS), now);
        }
        self.acquainted += 1;
    }

    fn part(&mut self, one: MemberKey, two: MemberKey, now: Time) {
        for (own, other) in [(one, two), (two, one)] {
            self.strike(own, other, now);
        }
        self.acquainted -= 1;
    }

    /// Nobody knows this member any more. Returns who did.
    pub(super) fn part_from_all(&mut self, key: MemberKey, now: Time) -> Vec<MemberKey> {
        let known: Vec<MemberKey> = self.member(key).known.iter().map(|known| known.member).collect();
        known.iter().for_each(|other| self.strike(*other, key, now));
        self.acquainted -= known.len();
        known
    }

    fn strike(&mut self, own: MemberKey, other: MemberKey, now: Time) {
        if let Ok(place) = self.place_of(own, other) {
            let struck = self.members[own.slot()].known.remove(place);
            // Who was not on the list yet is not missed on it.
            if struck.listed_from <= now {
                self.list_changes(own, now + LEAVE_PUSH_MS, now);
            }
        }
    }

    /// # Panics
    ///
    /// When somebody knows somebody who does not know it, or is in another room.
    pub(super) fn check_acquaintances(&self) {
        let mut acquainted = 0;
        for (slot, member) in &self.members {
            let key = MemberKey::new(slot);
            assert!(member.known.is_sorted_by(|one, two| one.member < two.member));
            assert!(member.known.len() <= MOST_KNOWN);
            for known in &member.known {
                assert!(self.are_acquainted(known.member, key), "acquaintance is not mutual");
                assert_eq!(self.member(known.member).room, member.room, "acquainted across rooms");
            }
            acquainted += member.known.len();
        }
        assert_eq!(acquainted, 2 * self.acquainted);
    }
}
