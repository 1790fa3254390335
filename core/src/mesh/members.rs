//! The peers of one network, in the order of their ids.

use alloc::collections::BTreeMap;

use crate::PeerId;
use crate::peers::PeerSlot;

#[derive(Debug, Default)]
pub(crate) struct Members(BTreeMap<PeerId, PeerSlot>);

impl Members {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PeerId, PeerSlot)> {
        self.0.iter().map(|(id, slot)| (id, *slot))
    }

    pub(crate) fn insert(&mut self, id: PeerId, slot: PeerSlot) {
        let before = self.0.insert(id, slot);
        debug_assert!(before.is_none(), "{id} is a member already");
    }

    pub(crate) fn remove(&mut self, id: &PeerId) {
        let was = self.0.remove(id);
        debug_assert!(was.is_some(), "{id} is no member");
    }

    /// The slots of all members but `me`, beginning at a place that `hash` tells.
    pub(crate) fn beginning_anywhere(&self, me: PeerId, hash: u64) -> impl Iterator<Item = PeerSlot> {
        let start = starting_with(hash);
        let (behind, before) = (self.0.range(start..), self.0.range(..start));
        behind.chain(before).filter(move |(id, _)| **id != me).map(|(_, slot)| *slot)
    }

    /// The slots of all members with a smaller id than `me`, beginning at a place that `hash` tells.
    pub(crate) fn below(&self, me: &PeerId, hash: u64) -> impl Iterator<Item = PeerSlot> {
        let first = me.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let part = (u128::from(first) * u128::from(hash)) >> u64::BITS;
        let start = starting_with(u64::try_from(part).unwrap_or(u64::MAX)).min(*me);
        self.0.range(start..*me).chain(self.0.range(..start)).map(|(_, slot)| *slot)
    }
}

/// The lowest id with these first 64 bits.
fn starting_with(first: u64) -> PeerId {
    let mut id = PeerId([0; 20]);
    id.0[..8].copy_from_slice(&first.to_be_bytes());
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn members(first_bytes: &[u8]) -> Members {
        let mut members = Members::default();
        for &byte in first_bytes {
            members.insert(id(byte), slot(byte));
        }
        members
    }

    fn slot(byte: u8) -> PeerSlot {
        u32::from(byte).into()
    }

    fn id(first: u8) -> PeerId {
        let mut id = PeerId([0; 20]);
        id.0[0] = first;
        id
    }

    #[test]
    fn everybody_else_is_visited_once_from_any_place() {
        let members = members(&[10, 20, 30, 40]);
        let visited = |hash| members.beginning_anywhere(id(30), hash).collect::<Vec<_>>();
        assert_eq!(visited(0), [10, 20, 40].map(slot));
        assert_eq!(visited(15 << 56), [20, 40, 10].map(slot));
        assert_eq!(visited(u64::MAX), [10, 20, 40].map(slot));
    }

    #[test]
    fn those_below_are_visited_once_from_any_place_below() {
        let members = members(&[10, 20, 30, 40]);
        let visited = |hash| members.below(&id(30), hash).collect::<Vec<_>>();
        assert_eq!(visited(0), [10, 20].map(slot));
        assert_eq!(visited(u64::MAX / 2), [20, 10].map(slot));
        assert_eq!(visited(u64::MAX), [10, 20].map(slot));
        assert_eq!(members.below(&id(10), u64::MAX).count(), 0);
    }
}
