//! Whom a peer was told of, and whether it would listen if it were told again.

use alloc::vec::Vec;

use crate::Time;
use crate::peers::PeerSlot;

/// A page ignores what it is told of a peer that is on its list, and takes a peer off its list 300 to 330 s after it first
/// heard of it (observed, all versions up to 1.1.3).
pub(crate) const LISTED_MS: u64 = 331_000;

/// The acquaintances of one announced peer; each of them has this peer in its own.
#[derive(Debug, Default)]
pub(crate) struct Acquaintances(Vec<Acquaintance>);

#[derive(Clone, Copy, Debug)]
struct Acquaintance {
    peer: PeerSlot,
    /// The second after that in which its page heard of the peer; 0 = the page does not have it on its list; [`NEVER`].
    heard: u32,
}

impl Acquaintances {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Slots, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = PeerSlot> {
        self.0.iter().map(|acquaintance| acquaintance.peer)
    }

    pub(crate) fn contain(&self, peer: PeerSlot) -> bool {
        self.place(peer).is_ok()
    }

    /// Whether the page would act on being told of `peer`: it does not have it on its list.
    pub(crate) fn would_hear_of(&self, peer: PeerSlot, now: Time) -> bool {
        let listed = self.place(peer).map_or(0, |place| self.0[place].heard);
        listed == 0 || (listed != NEVER && now.0 >= u64::from(listed) * 1_000 + LISTED_MS)
    }

    /// The page is told of `peer` now.
    pub(crate) fn hear_of(&mut self, peer: PeerSlot, now: Time) {
        let heard = u32::try_from(now.0 / 1_000 + 1).unwrap_or(u32::MAX);
        let would_hear = self.would_hear_of(peer, now);
        match self.place(peer) {
            Ok(place) if would_hear => self.0[place].heard = heard,
            // It is on the list with the time at which it was first heard of.
            Ok(_) => {}
            Err(place) => {
                if self.0.len() == self.0.capacity() {
                    // In steps instead of doubling: this list is much of what an announced peer costs. With the usual
                    // header of eight bytes each size is a whole number of the sixteen that allocators count in.
                    let step = if self.0.is_empty() { FIRST_PLACES } else { MORE_PLACES };
                    self.0.reserve_exact(step);
                }
                self.0.insert(place, Acquaintance { peer, heard });
            }
        }
    }

    /// The page was told to take `peer` off its list; the two stay acquainted.
    pub(crate) fn strike(&mut self, peer: PeerSlot) {
        if let Ok(place) = self.place(peer)
            && self.0[place].heard != NEVER
        {
            self.0[place].heard = 0;
        }
    }

    /// The two have found no way to each other: they stay acquainted, and are not introduced again.
    pub(crate) fn give_up(&mut self, peer: PeerSlot) {
        if let Ok(place) = self.place(peer) {
            self.0[place].heard = NEVER;
        }
    }

    /// Whether the two have [given up](Acquaintances::give_up).
    pub(crate) fn have_given_up(&self, peer: PeerSlot) -> bool {
        self.place(peer).is_ok_and(|place| self.0[place].heard == NEVER)
    }

    /// The two are not acquainted any more.
    pub(crate) fn part_from(&mut self, peer: PeerSlot) {
        let place = self.place(peer);
        debug_assert!(place.is_ok(), "acquaintance is not mutual");
        if let Ok(place) = place {
            self.0.remove(place);
        }
    }

    fn place(&self, peer: PeerSlot) -> Result<usize, usize> {
        self.0.binary_search_by_key(&peer, |acquaintance| acquaintance.peer)
    }
}

/// Instead of when a page heard of a peer: the two have given up, and it would listen in vain.
const NEVER: u32 = u32::MAX;

/// Places that a list begins with, and by which it grows.
const FIRST_PLACES: usize = 7;
const MORE_PLACES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_hears_of_strangers_of_the_struck_and_of_those_whom_its_list_has_lost() {
        let mut own = Acquaintances::default();
        let other = PeerSlot::from(7);
        assert!(own.would_hear_of(other, Time(0)));
        own.hear_of(other, Time(0));
        assert!(own.contain(other) && !own.would_hear_of(other, Time(331_999)));
        // Told in vain: the entry keeps its time.
        own.hear_of(other, Time(300_000));
        assert!(own.would_hear_of(other, Time(332_000)));
        own.hear_of(other, Time(332_000));
        assert!(!own.would_hear_of(other, Time(600_000)));
        own.strike(other);
        assert!(own.contain(other) && own.would_hear_of(other, Time(600_000)));
        own.part_from(other);
        assert!(!own.contain(other));
    }

    #[test]
    fn the_list_is_ascending_and_grows_by_four() {
        let mut own = Acquaintances::default();
        let mut grown = Vec::new();
        for other in (0..17).rev().map(PeerSlot::from) {
            own.hear_of(other, Time(0));
            own.hear_of(other, Time(0));
            if grown.last() != Some(&own.0.capacity()) {
                grown.push(own.0.capacity());
            }
        }
        assert_eq!(grown, [7, 11, 15, 19]);
        assert!(own.iter().eq((0..17).map(PeerSlot::from)));
    }
}
