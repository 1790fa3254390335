//! Who holds how much of something that all share, and who gives way when it is full.

use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Reverse;

use crate::{AddressKey, ConnId};

/// The party that something shared is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// Everybody with this address together.
    Address(AddressKey),
    /// A connection to which no limit per address applies: by itself, since nothing tells whose others are.
    Connection(ConnId),
}

impl Holder {
    /// Whom something of `conn` is charged to.
    #[must_use]
    pub fn new(address: Option<AddressKey>, conn: ConnId) -> Holder {
        address.map_or(Holder::Connection(conn), Holder::Address)
    }
}

/// What every holder has of one pool: entries, each with an amount (places, bytes).
///
/// Every method costs the logarithm of what there is. Entries say how old they are by their order, and no two are equal.
#[derive(Debug)]
pub struct Holders<E> {
    amounts: BTreeMap<Holder, usize>,
    entries: BTreeSet<(Holder, E)>,
    /// What each holder has, with its oldest entry: the last one gives way.
    ranks: BTreeSet<Rank<E>>,
    total: usize,
}

type Rank<E> = (usize, Reverse<E>);

impl<E: Copy + Ord + Default> Holders<E> {
    /// The sum of all amounts.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Adds an entry that is not there, and not less than the default.
    pub fn add(&mut self, holder: Holder, entry: E, amount: usize) {
        self.change(holder, |holders| {
            let is_new = holders.entries.insert((holder, entry));
            debug_assert!(is_new, "an entry was added twice");
            *holders.amounts.entry(holder).or_default() += amount;
            holders.total += amount;
        });
    }

    /// Removes an entry, with the amount that it was added with.
    pub fn remove(&mut self, holder: Holder, entry: E, amount: usize) {
        self.change(holder, |holders| {
            let was_there = holders.entries.remove(&(holder, entry));
            debug_assert!(was_there, "an entry was removed twice");
            if let Some(of_holder) = holders.amounts.get_mut(&holder) {
                *of_holder -= amount;
            }
            holders.total -= amount;
        });
    }

    /// What goes first where there is no room for `asker`: the oldest entry of whoever holds most, and of several who do, of the one
    /// that has the oldest. That is `asker` itself unless somebody holds more than it would with `more`. `None` where it is
    /// and has nothing.
    #[must_use]
    pub fn gives_way(&self, asker: Holder, more: usize) -> Option<E> {
        let own = self.amounts.get(&asker).copied().unwrap_or_default() + more;
        match self.ranks.last() {
            Some((amount, Reverse(oldest))) if *amount > own => Some(*oldest),
            _ => self.oldest_of(asker),
        }
    }

    fn oldest_of(&self, holder: Holder) -> Option<E> {
        let first = self.entries.range((holder, E::default())..).next();
        first.filter(|(of, _)| *of == holder).map(|(_, entry)| *entry)
    }

    fn rank(&self, holder: Holder) -> Option<Rank<E>> {
        Some((*self.amounts.get(&holder)?, Reverse(self.oldest_of(holder)?)))
    }

    fn change(&mut self, holder: Holder, change: impl FnOnce(&mut Self)) {
        if let Some(rank) = self.rank(holder) {
            self.ranks.remove(&rank);
        }
        change(self);
        match self.rank(holder) {
            Some(rank) => drop(self.ranks.insert(rank)),
            None => drop(self.amounts.remove(&holder)),
        }
    }

    /// # Panics
    ///
    /// When these are not the entries with their amounts, or something else does not match.
    pub fn check(&self, expected: impl Iterator<Item = (Holder, E, usize)>) {
        let (mut amounts, mut count): (BTreeMap<Holder, usize>, _) = (BTreeMap::new(), 0);
        for (holder, entry, amount) in expected {
            assert!(self.entries.contains(&(holder, entry)));
            *amounts.entry(holder).or_default() += amount;
            count += 1;
        }
        assert_eq!(count, self.entries.len());
        assert_eq!(amounts, self.amounts);
        assert_eq!(self.total, amounts.values().sum::<usize>());
        assert_eq!(self.ranks.len(), amounts.len());
        assert!(
            amounts.into_keys().filter_map(|holder| self.rank(holder)).all(|rank| self.ranks.contains(&rank))
        );
    }
}

impl<E> Default for Holders<E> {
    fn default() -> Holders<E> {
        Holders { amounts: BTreeMap::new(), entries: BTreeSet::new(), ranks: BTreeSet::new(), total: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const A: Holder = Holder::Address(AddressKey(7));
    const B: Holder = Holder::Connection(ConnId(7));
    const C: Holder = Holder::Connection(ConnId(8));

    fn holders(entries: &[(Holder, u64, usize)]) -> Holders<u64> {
        let mut holders = Holders::default();
        entries.iter().for_each(|(holder, entry, amount)| holders.add(*holder, *entry, *amount));
        holders
    }

    #[test]
    fn the_oldest_entry_of_whoever_holds_most_gives_way() {
        let holders = holders(&[(A, 1, 3), (B, 2, 2), (B, 3, 2)]);
        assert_eq!(holders.total(), 7);
        for asker in [A, C] {
            assert_eq!(holders.gives_way(asker, 0), Some(2));
        }
        assert_eq!(holders.gives_way(C, 4), None, "nobody holds more than it would");
        assert_eq!(holders.gives_way(A, 1), Some(1), "it would hold as much");
        assert_eq!(holders.gives_way(B, 0), Some(2), "it holds most itself");
    }

    #[test]
    fn of_several_who_hold_as_much_the_one_with_the_oldest_entry_gives_way() {
        for (first, second) in [(A, B), (B, A)] {
            assert_eq!(holders(&[(first, 1, 5), (second, 2, 5)]).gives_way(C, 0), Some(1));
        }
    }

    proptest! {
        /// Against the same sums taken from a list.
        #[test]
        fn it_knows_what_a_list_would_tell(steps in prop::collection::vec((0..4_u64, 0..4_usize, any::<bool>()), 1..60)) {
            let (mut holders, mut list) = (Holders::default(), Vec::new());
            for (entry, (who, amount, adds)) in (1_u64..).zip(steps) {
                if adds || list.is_empty() {
                    let holder = Holder::new((who < 2).then_some(AddressKey(who)), ConnId(who));
                    holders.add(holder, entry, amount);
                    list.push((holder, entry, amount));
                } else {
                    let (holder, entry, amount) = list.remove(amount % list.len());
                    holders.remove(holder, entry, amount);
                }
                holders.check(list.iter().copied());
                let sum = |of: Holder| list.iter().filter(|(holder, ..)| *holder == of).map(|(.., amount)| amount).sum::<usize>();
                let oldest = |of: Holder| list.iter().find(|(holder, ..)| *holder == of).map(|(_, entry, _)| *entry);
                for asker in [A, Holder::Address(AddressKey(0)), Holder::Connection(ConnId(2))] {
                    let most = list.iter().map(|(holder, ..)| sum(*holder)).max().filter(|most| *most > sum(asker) + 1);
                    let largest = most.and_then(|most| list.iter().find(|(holder, ..)| sum(*holder) == most));
                    let expected = largest.map_or(oldest(asker), |(_, entry, _)| Some(*entry));
                    prop_assert_eq!(holders.gives_way(asker, 1), expected);
                }
            }
        }
    }
}
