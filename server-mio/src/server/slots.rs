//! From an id to a connection, without a search.

use crate::server::connection::Connection;
use peerpigeon_core::ConnId;
use slab::Slab;

/// Connections by slot. The slot is also the key under which a socket is registered; it is used again, the
/// id never is.
#[derive(Debug)]
pub(super) struct Slots<S> {
    slab: Slab<Connection<S>>,
    /// Counts connections since the start.
    serial: u64,
}

impl<S> Slots<S> {
    pub(crate) fn new() -> Slots<S> {
        Slots { slab: Slab::new(), serial: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Takes in what `make` builds for a new id.
    pub(super) fn insert(&mut self, make: impl FnOnce(ConnId) -> Connection<S>) -> &mut Connection<S> {
        if self.slab.len() == self.slab.capacity() {
            // In steps instead of doubling: nearly all of what an idle connection costs here is its place.
            self.slab.reserve_exact((self.slab.len() / 8).max(16));
        }
        let entry = self.slab.vacant_entry();
        assert!(entry.key() < MAX_SLOTS, "the acceptor keeps to the number of slots");
        self.serial += 1;
        let id = ConnId(self.serial << SLOT_BITS | entry.key() as u64);
        entry.insert(make(id))
    }

    /// Frees the places behind the last connection if more than half of all places are empty.
    pub(super) fn shrink(&mut self) {
        if self.slab.capacity() > 2 * self.slab.len() + 16 {
            self.slab.shrink_to_fit();
        }
    }

    /// A connection, over or not.
    pub(super) fn any_mut(&mut self, id: ConnId) -> Option<&mut Connection<S>> {
        self.slab.get_mut(key_of(id)).filter(|connection| connection.id == id)
    }

    /// A connection that is not over.
    pub(super) fn live_mut(&mut self, id: ConnId) -> Option<&mut Connection<S>> {
        self.any_mut(id).filter(|connection| !connection.marks.is_doomed)
    }

    /// The connection registered under `key`, if it is not over.
    pub(super) fn at_key_mut(&mut self, key: usize) -> Option<&mut Connection<S>> {
        self.slab.get_mut(key).filter(|connection| !connection.marks.is_doomed)
    }

    /// Takes a connection out, over or not.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Connection<S>> {
        self.any_mut(id)?;
        self.slab.try_remove(key_of(id))
    }

    /// All that are not over: only for what happens rarely.
    pub(super) fn iter_live(&self) -> impl Iterator<Item = &Connection<S>> {
        self.slab.iter().map(|(_, connection)| connection).filter(|connection| !connection.marks.is_doomed)
    }
}

/// The key under which the socket of this connection is registered.
#[expect(clippy::cast_possible_truncation, reason = "cut to 24 bits before")]
pub(super) fn key_of(id: ConnId) -> usize {
    (id.0 & (MAX_SLOTS as u64 - 1)) as usize
}

/// Bits of a [`ConnId`] that hold the slot; the rest is a growing number, so that no id comes twice. At
/// 25,000 connections a second that number lasts for more than a year.
const SLOT_BITS: u32 = 24;

/// Sockets that the slots can tell apart.
pub(super) const MAX_SLOTS: usize = 1 << SLOT_BITS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::connection::{Marks, NEVER, Phase};
    use crate::server::queue::Queue;

    fn connection(id: ConnId) -> Connection<()> {
        let (phase, queue, marks) = (Phase::Lingering, Queue::default(), Marks::default());
        Connection { id, phase, queue, deadline: NEVER, socket: (), marks }
    }

    #[test]
    fn an_id_never_comes_again_though_its_slot_does() {
        let mut slots = Slots::new();
        let first = slots.insert(connection).id;
        assert!(slots.remove(first).is_some());
        let second = slots.insert(connection).id;
        assert_eq!(key_of(first), key_of(second));
        assert!(second > first);
        assert!(slots.any_mut(first).is_none());
        assert!(slots.remove(first).is_none());
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn after_a_crowd_its_places_are_freed() {
        let mut slots = Slots::new();
        let ids: Vec<ConnId> = (0..1_000).map(|_| slots.insert(connection).id).collect();
        let full = slots.slab.capacity();
        for id in &ids[10..] {
            assert!(slots.remove(*id).is_some());
            slots.shrink();
        }
        assert!(slots.slab.capacity() < full / 20, "{} of {full}", slots.slab.capacity());
        assert!(ids[..10].iter().all(|id| slots.any_mut(*id).is_some()));
    }
}
