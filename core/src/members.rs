//! The peers of one network in the order of their ids, and walks through them by XOR distance.
//!
//! Sorted ids are a binary trie laid flat: all ids with a common prefix are one range, and the nearest to an id
//! are next to it. A walk nearest first goes outwards from there, range by range, and halves each at the first bit
//! in which its ends differ. Every step costs two look-ups, so the cost of a choice grows with the logarithm of the
//! number of members.

use alloc::collections::BTreeMap;
use core::ops::{Bound, ControlFlow};

use crate::PeerId;

/// Bits of an id.
const BITS: u32 = 160;

/// Members of one bucket that are put in order as they are; of more the nearest is looked for.
const FEW: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Members(BTreeMap<PeerId, u32>);

impl Members {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PeerId, u32)> {
        self.0.iter().map(|(id, slot)| (id, *slot))
    }

    pub(crate) fn insert(&mut self, id: PeerId, slot: u32) {
        let before = self.0.insert(id, slot);
        debug_assert!(before.is_none(), "{id} is a member already");
    }

    pub(crate) fn remove(&mut self, id: &PeerId) {
        let was = self.0.remove(id);
        debug_assert!(was.is_some(), "{id} is no member");
    }

    /// Visits the slots of all members but `me`, nearest first, until `visit` breaks.
    pub(crate) fn nearest(&self, me: &PeerId, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        let all = (PeerId([0; 20]), PeerId([0xFF; 20]));
        let _ = self.outwards(all, me, &mut |id, slot| {
            if id == me { ControlFlow::Continue(()) } else { visit(slot) }
        });
    }

    /// Visits the distance buckets of `me` from the farthest inwards, each with a walk through its members,
    /// nearest first. Bucket number n holds the ids that differ from `me` first in bit n.
    pub(crate) fn buckets(&self, me: &PeerId, mut visit: impl FnMut(Bucket<'_>) -> ControlFlow<()>) {
        let before = self.0.range(..me).next_back();
        let behind = self.0.range((Bound::Excluded(me), Bound::Unbounded)).next();
        let Some(innermost) = longest_common_prefix(me, before.as_ref(), behind.as_ref()) else { return };
        let _ = (0..=innermost).try_for_each(|bit| visit(Bucket { members: self, me, bit }));
    }

    /// Visits the members within `range`, where `me` lies, in the order of their distance to `me`.
    ///
    /// Those before and behind `me` tell which bucket is the next that is not empty, and the members of a bucket stand beside each
    /// other. So the nearest are found without a way down from all of `range`, and a choice looks for them in each bucket.
    fn outwards(
        &self,
        range: (PeerId, PeerId),
        me: &PeerId,
        visit: &mut impl FnMut(&PeerId, u32) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut seen = (Bound::Included(*me), *me);
        loop {
            let mut before = self.0.range((Bound::Included(range.0), seen.0)).rev().peekable();
            let mut behind = self.0.range((Bound::Excluded(seen.1), Bound::Included(range.1))).peekable();
            let bit = loop {
                let Some(bit) = longest_common_prefix(me, before.peek(), behind.peek()) else {
                    return ControlFlow::Continue(());
                };
                let belongs = |member: &(&PeerId, &u32)| first_difference(member.0, me) == bit;
                let mut few = [None; FEW];
                few.fill_with(|| before.next_if(belongs).or_else(|| behind.next_if(belongs)));
                if before.peek().is_some_and(belongs) || behind.peek().is_some_and(belongs) {
                    break bit;
                }
                few.sort_unstable_by_key(|member| member.map(|(id, _)| id.distance(me)));
                few.into_iter().flatten().try_for_each(|(id, slot)| visit(id, *slot))?;
            };
            self.walk(bucket(me, bit), me, visit)?;
            let (low, high) = common_prefix(me, bit);
            seen = (Bound::Excluded(low), high);
        }
    }

    /// Visits the members within `range` in the order of their distance to `me`.
    fn walk(
        &self,
        range: (PeerId, PeerId),
        me: &PeerId,
        visit: &mut impl FnMut(&PeerId, u32) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut ends = self.0.range(range.0..=range.1);
        let Some((first, slot)) = ends.next() else { return ControlFlow::Continue(()) };
        let Some((last, _)) = ends.next_back() else { return visit(first, *slot) };
        // All ids between agree up to the first bit in which the two ends differ: at most 160 levels.
        let bit = first_difference(first, last);
        let mut halves = [common_prefix(first, bit + 1), common_prefix(last, bit + 1)];
        if bit_of(me, bit) {
            halves.reverse();
        }
        halves.into_iter().try_for_each(|half| self.walk(half, me, visit))
    }
}

/// The members at one distance of a newcomer, give or take a factor of two.
pub(crate) struct Bucket<'a> {
    members: &'a Members,
    me: &'a PeerId,
    bit: u32,
}

impl Bucket<'_> {
    /// Visits the slots of its members, nearest first, until `visit` breaks.
    pub(crate) fn nearest(&self, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        let nearest = flipped(self.me, self.bit);
        let range = bucket(self.me, self.bit);
        let _ = self.members.outwards(range, &nearest, &mut |_, slot| visit(slot));
    }
}

/// Number of the first bit in which two ids differ, or that of all bits where they are the same.
fn first_difference(a: &PeerId, b: &PeerId) -> u32 {
    let mut bits = 0;
    for byte in a.distance(b) {
        bits += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    bits
}

fn bit_of(id: &PeerId, bit: u32) -> bool {
    id.0[bit as usize / 8] >> (7 - bit % 8) & 1 == 1
}

fn flipped(id: &PeerId, bit: u32) -> PeerId {
    let mut flipped = *id;
    if let Some(byte) = flipped.0.get_mut(bit as usize / 8) {
        *byte ^= 0x80 >> (bit % 8);
    }
    flipped
}

/// The number of bits that `me` shares with that one of two neighbours with which it shares more.
fn longest_common_prefix(
    me: &PeerId,
    one: Option<&(&PeerId, &u32)>,
    two: Option<&(&PeerId, &u32)>,
) -> Option<u32> {
    [one, two].into_iter().flatten().map(|(id, _)| first_difference(id, me)).max()
}

/// The lowest and the highest id that differ from `me` first in this bit; for a bit behind the last, `me`.
fn bucket(me: &PeerId, bit: u32) -> (PeerId, PeerId) {
    common_prefix(&flipped(me, bit), bit + 1)
}

/// The lowest and the highest id whose first `bits` bits are those of `id`.
fn common_prefix(id: &PeerId, bits: u32) -> (PeerId, PeerId) {
    let (mut low, mut high) = (*id, *id);
    for (i, (low, high)) in low.0.iter_mut().zip(high.0.iter_mut()).enumerate() {
        let kept = bits.saturating_sub(8 * u32::try_from(i).unwrap_or(BITS)).min(8);
        let free = u8::MAX.checked_shr(kept).unwrap_or(0);
        *low &= !free;
        *high |= free;
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn members(ids: &[[u8; 20]]) -> Members {
        let mut members = Members::default();
        for (slot, id) in ids.iter().enumerate() {
            if !members.0.contains_key(&PeerId(*id)) {
                members.insert(PeerId(*id), u32::try_from(slot).unwrap());
            }
        }
        members
    }

    /// Ids that share long prefixes now and then, so that deep buckets are met.
    fn id() -> impl Strategy<Value = [u8; 20]> {
        (any::<[u8; 20]>(), 0_usize..=20, any::<u8>()).prop_map(|(mut id, prefix, last)| {
            id[..prefix].fill(0xA5);
            id[19] = last;
            id
        })
    }

    proptest! {
        #[test]
        fn a_walk_is_in_the_order_of_the_distances(ids in prop::collection::vec(id(), 0..60), me in id()) {
            let members = members(&ids);
            let mut seen = Vec::new();
            members.nearest(&PeerId(me), |slot| { seen.push(ids[slot as usize]); ControlFlow::Continue(()) });
            let mut expected: Vec<_> = members.0.keys().filter(|id| id.0 != me).collect();
            expected.sort_by_key(|id| id.distance(&PeerId(me)));
            prop_assert_eq!(seen, expected.iter().map(|id| id.0).collect::<Vec<_>>());
        }

        #[test]
        fn the_buckets_hold_everybody_else_once_farthest_bucket_first(ids in prop::collection::vec(id(), 0..60), me in id()) {
            let members = members(&ids);
            let me = PeerId(me);
            let mut seen = Vec::new();
            members.buckets(&me, |bucket| {
                let before = seen.len();
                bucket.nearest(|slot| { seen.push(PeerId(ids[slot as usize])); ControlFlow::Continue(()) });
                let numbers: Vec<_> = seen[before..].iter().map(|id| first_difference(id, &me)).collect();
                assert!(numbers.windows(2).all(|pair| pair[0] == pair[1]));
                ControlFlow::Continue(())
            });
            prop_assert!(seen.is_sorted_by_key(|id| first_difference(id, &me)));
            seen.sort();
            let expected: Vec<_> = members.0.keys().filter(|id| **id != me).copied().collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
