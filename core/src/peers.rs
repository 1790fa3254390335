//! The admitted connections and the peers behind them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};
use core::ops::{Index, IndexMut};

use hashbrown::HashMap;
use slab::Slab;

use crate::inboxes::Inbox;
use crate::links::Links;
use crate::networks::NetKey;
use crate::pace::Pace;
use crate::wire::Dialect;
use crate::{AddressKey, ConnId, PeerId, Spelling, Time};

/// One admitted connection. Its slot is used again as soon as it is gone, so nothing outside the switchboard
/// sees it, and inside only what [`crate::Switchboard::check_invariants`] sweeps may keep it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) conn: ConnId,
    pub(crate) address: Option<AddressKey>,
    pub(crate) heard: Time,
    pub(crate) liveness_due: Option<Time>,
    pub(crate) pace: Pace,
    pub(crate) standing: Standing,
    pub(crate) spelling: Spelling,
    pub(crate) watch: Watch,
    pub(crate) dialect: Dialect,
    /// What is sent to a peer without a connection; its `conn` is then a virtual one.
    pub(crate) inbox: Option<Box<Inbox>>,
}

/// Where a peer stands with its network.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Has not announced itself: it can send and be reached within the global network.
    Fresh,
    /// Has said goodbye: it cannot be reached until it announces itself again.
    Departed,
    /// Is in a network.
    Announced(Box<Announcement>),
}

#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) network: NetKey,
    /// Slots of the acquaintances, ascending; each of them has this peer in its own list.
    pub(crate) acquaintances: Vec<u32>,
    /// Members of the announced `data` but `peerId`, each with a comma before it.
    pub(crate) data: Box<str>,
    pub(crate) reintroduce_due: Option<Time>,
    /// How many peers it is introduced to.
    pub(crate) k: u8,
    pub(crate) links: Links,
}

impl Announcement {
    pub(crate) fn knows(&self, other: u32) -> bool {
        self.acquaintances.binary_search(&other).is_ok()
    }

    pub(crate) fn meet(&mut self, other: u32) {
        if let Err(place) = self.acquaintances.binary_search(&other) {
            if self.acquaintances.len() == self.acquaintances.capacity() {
                // In steps instead of doubling: this list is most of what an announced peer costs.
                self.acquaintances.reserve_exact(usize::from(self.k).max(8));
            }
            self.acquaintances.insert(place, other);
        }
    }

    pub(crate) fn forget(&mut self, other: u32) {
        let place = self.acquaintances.binary_search(&other);
        debug_assert!(place.is_ok(), "acquaintance is not mutual");
        if let Ok(place) = place {
            self.acquaintances.remove(place);
        }
    }
}

/// What the last look for signs of life found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Nothing to complain about.
    Quiet,
    /// Pinged, and not heard since.
    Pinged,
    /// Too long silent, but the driver was late and may not have listened: looked at once more.
    Graced,
}

impl Peer {
    pub(crate) fn announcement(&self) -> Option<&Announcement> {
        match &self.standing {
            Standing::Announced(announcement) => Some(announcement),
            Standing::Fresh | Standing::Departed => None,
        }
    }

    pub(crate) fn announcement_mut(&mut self) -> Option<&mut Announcement> {
        match &mut self.standing {
            Standing::Announced(announcement) => Some(announcement),
            Standing::Fresh | Standing::Departed => None,
        }
    }
}

/// All peers, with their two indexes.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    slots: Slab<Peer>,
    /// Looked up for every message. Connection ids are the driver's, so no peer can choose colliding ones;
    /// the map is never iterated.
    slots_by_conn: HashMap<ConnId, u32, BuildHasherDefault<ConnHasher>>,
    slots_by_id: BTreeMap<PeerId, u32>,
}

impl Peers {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn by_conn(&self, conn: ConnId) -> Option<u32> {
        self.slots_by_conn.get(&conn).copied()
    }

    pub(crate) fn by_id(&self, id: &PeerId) -> Option<u32> {
        self.slots_by_id.get(id).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Peer)> {
        // Never more than `Limits::connections`, which is a u32.
        self.slots.iter().map(|(slot, peer)| (u32::try_from(slot).unwrap_or(u32::MAX), peer))
    }

    /// The first of all slots, in an order that peers cannot influence.
    pub(crate) fn any(&self) -> Option<u32> {
        self.iter().next().map(|(slot, _)| slot)
    }

    pub(crate) fn insert(&mut self, peer: Peer) -> u32 {
        let (conn, id) = (peer.conn, *peer.spelling.id());
        let slot = u32::try_from(self.slots.insert(peer)).unwrap_or(u32::MAX);
        let before = (self.slots_by_conn.insert(conn, slot), self.slots_by_id.insert(id, slot));
        debug_assert_eq!(before, (None, None));
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Peer {
        let peer = self.slots.remove(slot as usize);
        self.slots_by_conn.remove(&peer.conn);
        self.slots_by_id.remove(peer.spelling.id());
        peer
    }

    /// # Panics
    ///
    /// When an index does not match.
    pub(crate) fn check(&self) {
        assert_eq!(self.slots.len(), self.slots_by_conn.len());
        assert_eq!(self.slots.len(), self.slots_by_id.len());
        for (slot, peer) in self.iter() {
            assert_eq!(self.by_conn(peer.conn), Some(slot));
            assert_eq!(self.by_id(peer.spelling.id()), Some(slot));
        }
    }
}

impl Index<u32> for Peers {
    type Output = Peer;

    fn index(&self, slot: u32) -> &Peer {
        &self.slots[slot as usize]
    }
}

impl IndexMut<u32> for Peers {
    fn index_mut(&mut self, slot: u32) -> &mut Peer {
        &mut self.slots[slot as usize]
    }
}

/// Multiplies by an odd constant: enough for ids that count up.
#[derive(Debug, Default)]
pub(crate) struct ConnHasher(u64);

impl Hasher for ConnHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
