//! The peers of this node, as other nodes know them: by numbers.

use alloc::collections::{BTreeMap, BTreeSet};

use super::events::Number;
use crate::PeerId;
use crate::peers::PeerSlot;
use crate::worst_case::tree;

#[derive(Debug, Default)]
pub(crate) struct Residents {
    by_slot: BTreeMap<PeerSlot, Resident>,
    by_number: BTreeMap<Number, PeerSlot>,
    last: Number,
    /// Whose links have changed since they were told.
    changed: BTreeSet<PeerSlot>,
}

/// A peer of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) number: Number,
    /// When it came: wall time, but later than the session that it took the place of.
    pub(crate) stamp: u64,
}

impl Residents {
    pub(crate) fn len(&self) -> usize {
        self.by_slot.len()
    }

    pub(crate) fn get(&self, slot: PeerSlot) -> Option<Resident> {
        self.by_slot.get(&slot).copied()
    }

    pub(crate) fn by_number(&self, number: Number) -> Option<PeerSlot> {
        self.by_number.get(&number).copied()
    }

    /// All of them.
    pub(crate) fn slots(&self) -> impl Iterator<Item = PeerSlot> {
        self.by_slot.keys().copied()
    }

    /// The first one behind this number, in the order of their numbers.
    pub(crate) fn next(&self, after: Number) -> Option<(Number, PeerSlot)> {
        let mut rest = self.by_number.range(after.checked_add(1)?..);
        rest.next().map(|(number, slot)| (*number, *slot))
    }

    /// A peer has come.
    pub(crate) fn come(&mut self, slot: PeerSlot, stamp: u64) -> Resident {
        let resident = Resident { number: self.fresh(slot), stamp };
        self.by_slot.insert(slot, resident);
        resident
    }

    /// Its stay is over, and another begins. Returns both numbers.
    pub(crate) fn renew(&mut self, slot: PeerSlot) -> Option<(Number, Number)> {
        let before = self.get(slot)?.number;
        self.by_number.remove(&before);
        let number = self.fresh(slot);
        self.by_slot.get_mut(&slot)?.number = number;
        Some((before, number))
    }

    pub(crate) fn go(&mut self, slot: PeerSlot) -> Option<Resident> {
        self.changed.remove(&slot);
        let resident = self.by_slot.remove(&slot)?;
        self.by_number.remove(&resident.number);
        Some(resident)
    }

    pub(crate) fn note_changed(&mut self, slot: PeerSlot) {
        if self.by_slot.contains_key(&slot) {
            self.changed.insert(slot);
        }
    }

    /// Takes one whose links have changed.
    pub(crate) fn next_changed(&mut self) -> Option<PeerSlot> {
        self.changed.pop_first()
    }

    fn fresh(&mut self, slot: PeerSlot) -> Number {
        self.last += 1;
        self.by_number.insert(self.last, slot);
        self.last
    }

    /// The most memory that one of them takes.
    pub(crate) const BYTES: u64 = tree(4 + size_of::<Resident>()) + tree(8 + 4) + tree(4);

    /// # Panics
    ///
    /// When a number or a slot is not what it should be; `id_at` tells who is in a slot.
    pub(crate) fn check(&self, id_at: impl Fn(PeerSlot) -> Option<PeerId>) {
        assert_eq!(self.by_slot.len(), self.by_number.len());
        for (slot, resident) in &self.by_slot {
            assert!(id_at(*slot).is_some(), "{slot:?} is told of and is not here");
            assert_eq!(self.by_number(resident.number), Some(*slot));
            assert!(resident.number <= self.last);
        }
        assert!(self.changed.iter().all(|slot| self.by_slot.contains_key(slot)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_a_new_number_for_each_stay_and_none_is_used_again() {
        let mut residents = Residents::default();
        let (one, two) = (PeerSlot::from(1), PeerSlot::from(2));
        assert_eq!(residents.come(one, 1_000), Resident { number: 1, stamp: 1_000 });
        assert_eq!(residents.renew(one), Some((1, 2)));
        assert_eq!(residents.by_number(1), None);
        assert_eq!(residents.by_number(2), Some(one));
        assert_eq!(residents.go(one).map(|resident| resident.number), Some(2));
        assert_eq!(residents.come(two, 1_000).number, 3);
        assert_eq!([residents.next(0), residents.next(3)], [Some((3, two)), None]);
    }

    #[test]
    fn whose_links_change_is_told_once_and_not_if_it_has_gone() {
        let mut residents = Residents::default();
        let (one, two) = (PeerSlot::from(1), PeerSlot::from(2));
        residents.come(one, 0);
        residents.come(two, 0);
        for slot in [one, one, two, PeerSlot::from(3)] {
            residents.note_changed(slot);
        }
        residents.go(two);
        assert_eq!([residents.next_changed(), residents.next_changed()], [Some(one), None]);
    }
}
