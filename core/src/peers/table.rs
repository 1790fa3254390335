//! The table of all peers, with its two indexes.

use alloc::collections::BTreeMap;
use core::ops;

use slab::Slab;

use super::addresses::{Address, Addresses};
use super::backlogs::Backlog;
use super::index::{Hashing, Index};
use super::rate_limiter::{ADDRESS_SHARES, Caused, RateCheck};
use super::{Peer, PeerSlot};
use crate::mesh::announcement::Overdue;
use crate::timers::{Deadline, Timers};
use crate::worst_case::{boxed, grown, tree};
use crate::{AddressKey, CloseReason, ConnId, Limits, PeerId, Time, TimerKind};

/// All peers, with their two indexes.
#[derive(Debug)]
pub(crate) struct Peers {
    slots: Slab<Peer>,
    hashing: Hashing,
    by_conn: Index,
    by_id: Index,
    addresses: Addresses,
    /// Those of other nodes.
    remote: usize,
    /// How many there were when another limit was set, which may allow fewer.
    overbooked: usize,
}

impl Peers {
    /// None yet. `hash_key`: see [`crate::Switchboard::new`].
    pub(crate) fn new(hash_key: u64) -> Peers {
        Peers {
            slots: Slab::new(),
            hashing: Hashing::new(hash_key),
            by_conn: Index::default(),
            by_id: Index::default(),
            addresses: Addresses::default(),
            remote: 0,
            overbooked: 0,
        }
    }

    /// Those of this node.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.remote
    }

    /// Those of other nodes.
    pub(crate) fn remote(&self) -> usize {
        self.remote
    }

    /// Who is in a slot, if anybody is.
    pub(crate) fn get(&self, slot: PeerSlot) -> Option<&Peer> {
        self.slots.get(slot.place())
    }

    pub(crate) fn by_conn(&self, conn: ConnId) -> Option<PeerSlot> {
        self.by_conn.find(Hashing::conn(conn), |slot| self[slot].conn == conn)
    }

    pub(crate) fn by_id(&self, id: &PeerId) -> Option<PeerSlot> {
        self.by_id.find(self.hashing.peer(id), |slot| self[slot].spelling.id() == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PeerSlot, &Peer)> + Clone {
        self.slots.iter().map(|(place, peer)| (PeerSlot::at(place), peer))
    }

    /// The next slot that a peer of this node has, where so many places have been looked at, in an order that peers cannot influence.
    pub(crate) fn next(&self, looked_at: &mut usize) -> Option<PeerSlot> {
        let end = self.slots.capacity();
        let found = (*looked_at..end).find(|place| self.slots.get(*place).is_some_and(Peer::is_here));
        *looked_at = found.map_or(end, |place| place + 1);
        found.map(PeerSlot::at)
    }

    /// Admits a peer, which counts against its address.
    pub(crate) fn insert(
        &mut self,
        mut peer: Peer,
        address: Option<AddressKey>,
        now: Time,
        limits: &Limits,
    ) -> PeerSlot {
        peer.address = address.map(|key| self.addresses.come(key, now, limits));
        let (conn, id) = (peer.conn, peer.own_id().copied());
        debug_assert!(self.by_conn(conn).is_none() && id.is_none_or(|id| self.by_id(&id).is_none()));
        if self.slots.len() == self.slots.capacity() {
            // In steps instead of doubling: nearly all of what a connected peer costs is here.
            self.slots.reserve_exact((self.slots.len() / 8).max(16));
        }
        self.remote += usize::from(!peer.is_here());
        let slot = PeerSlot::at(self.slots.insert(peer));
        let (slots, hashing) = (&self.slots, &self.hashing);
        self.by_conn.insert(Hashing::conn(conn), slot, |slot| Hashing::conn(slots[slot.place()].conn));
        let id_of = |slot: PeerSlot| slots[slot.place()].spelling;
        if let Some(id) = id {
            self.by_id.insert(hashing.peer(&id), slot, |slot| hashing.peer(id_of(slot).id()));
        }
        slot
    }

    pub(crate) fn remove(&mut self, slot: PeerSlot, now: Time) -> Peer {
        let peer = self.slots.remove(slot.place());
        self.remote -= usize::from(!peer.is_here());
        if let Some(home) = peer.address {
            self.addresses.go(home, now);
        }
        self.by_conn.remove(Hashing::conn(peer.conn), slot);
        if let Some(id) = peer.own_id() {
            self.by_id.remove(self.hashing.peer(id), slot);
        }
        peer
    }

    /// Changes deadlines of a peer, and what the table of deadlines has of them.
    pub(crate) fn change_due<T>(
        &mut self,
        slot: PeerSlot,
        timers: &mut Timers,
        change: impl FnOnce(&mut Peer) -> T,
    ) -> T {
        let peer = &mut self[slot];
        let before = peer.next_due();
        let changed = change(peer);
        timers.change(before, peer.next_due(), peer.conn);
        changed
    }

    /// The deadline of a peer has fired that the table had: what was due is taken from the peer, and the table has the next
    /// one. Returns what was due of its introductions.
    pub(crate) fn take_due(
        &mut self,
        slot: PeerSlot,
        kind: TimerKind,
        now: Time,
        timers: &mut Timers,
    ) -> Overdue {
        let peer = &mut self[slot];
        let overdue = peer.take_due(kind, now);
        timers.change(Deadline::NONE, peer.next_due(), peer.conn);
        overdue
    }

    /// Why nobody with this address can be admitted now; `None` where somebody can.
    pub(crate) fn no_place_for(&self, address: Option<AddressKey>, limits: &Limits) -> Option<CloseReason> {
        let per_address = limits.connections_per_address;
        let of_address = address.map_or(0, |address| self.addresses.peers(address));
        if self.len() >= limits.connections as usize {
            Some(CloseReason::MaximumConnections)
        } else if per_address > 0 && of_address >= per_address {
            Some(CloseReason::TooManyFromAddress)
        } else {
            None
        }
    }

    /// Whether a peer may send a message of so many bytes now, by its own rates and by those of its address.
    pub(crate) fn admit(&mut self, slot: PeerSlot, bytes: usize, now: Time, limits: &Limits) -> RateCheck {
        let peer = &mut self.slots[slot.place()];
        let address = peer.address.map(|home| self.addresses.of_peers(home));
        peer.rate_limiter.admit(address, bytes, now, limits)
    }

    /// Charges a peer, and its address.
    pub(crate) fn charge(&mut self, slot: PeerSlot, cost: Caused, now: Time, limits: &Limits) {
        if cost.is_nothing() {
            return;
        }
        let peer = &mut self.slots[slot.place()];
        peer.rate_limiter.charge(cost, now, limits, 1);
        if let Some(home) = peer.address {
            self.addresses.of_peers(home).charge(cost, now, limits, ADDRESS_SHARES);
        }
    }

    /// What the peers of one address, and those who may become peers, do together.
    pub(crate) fn addresses_mut(&mut self) -> &mut Addresses {
        &mut self.addresses
    }

    /// The most memory that all peers take, each with its slot, its places in the indexes, the earliest of its deadlines, and
    /// what it sends and does not read; and their addresses.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        let each = grown(size_of::<Peer>() + 8)
            + 2 * grown(5)
            + tree(16)
            + tree(8 + size_of::<Backlog>())
            + boxed((Backlog::SENDERS * size_of::<(ConnId, usize)>()) as u64);
        let address = tree(8 + size_of::<Address>());
        u64::from(limits.connections) * (each + address) + Addresses::DESERTED as u64 * (address + tree(16))
    }

    /// Other limits hold from now on. Nobody goes because of them.
    pub(crate) fn limits_change(&mut self) {
        self.overbooked = self.len();
    }

    /// Checks every invariant; returns how many deadlines there are.
    ///
    /// # Panics
    ///
    /// When an index does not match, or there are too many.
    pub(crate) fn check(&self, limits: &Limits, timers: &Timers) -> usize {
        assert!(self.len() <= self.overbooked.max(limits.connections as usize));
        assert!(self.remote <= limits.remote_peers as usize);
        assert_eq!(self.remote, self.iter().filter(|(_, peer)| !peer.is_here()).count());
        assert_eq!(self.slots.len(), self.by_conn.len());
        let mut named = 0;
        let mut by_address: BTreeMap<AddressKey, u32> = BTreeMap::new();
        for (slot, peer) in self.iter() {
            if let Some(home) = peer.address {
                *by_address.entry(home.key).or_default() += 1;
            }
            let is_watched = !peer.is_here() || peer.liveness_deadline != Deadline::NONE;
            assert!(is_watched || (limits.ping_interval_ms == 0 && limits.peer_timeout_ms == 0));
            assert_eq!(self.by_conn(peer.conn), Some(slot));
            if let Some(id) = peer.own_id() {
                assert_eq!(self.by_id(id), Some(slot));
                named += 1;
            }
        }
        assert_eq!(named, self.by_id.len());
        self.addresses.check(&by_address);
        self.iter().map(|(_, peer)| timers.check(peer.next_due(), peer.conn)).sum()
    }
}

impl ops::Index<PeerSlot> for Peers {
    type Output = Peer;

    fn index(&self, slot: PeerSlot) -> &Peer {
        &self.slots[slot.place()]
    }
}

impl ops::IndexMut<PeerSlot> for Peers {
    fn index_mut(&mut self, slot: PeerSlot) -> &mut Peer {
        &mut self.slots[slot.place()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::announcement::Announcement;
    use crate::mesh::members::Members;
    use crate::mesh::networks::Networks;
    use crate::timers::around;
    use crate::wire::Dialect;
    use crate::{Holder, Spelling};
    use alloc::vec::Vec;

    fn peer(number: u8) -> Peer {
        let mut digits = [b'0'; Spelling::DIGITS];
        digits[0] = b'a' + number % 6;
        digits[1] = b'a' + number / 6 % 6;
        digits[2] = b'a' + number / 36;
        let spelling = Spelling::parse(core::str::from_utf8(&digits).unwrap()).unwrap();
        Peer::new(ConnId(number.into()), Dialect::A, spelling, None, Time(0))
    }

    #[test]
    fn places_for_peers_grow_by_an_eighth_and_by_sixteen_at_least() {
        let mut peers = Peers::new(0);
        let mut grown = Vec::new();
        for number in 0..200 {
            peers.insert(peer(number), None, Time(0), &Limits::default());
            if grown.last() != Some(&peers.slots.capacity()) {
                grown.push(peers.slots.capacity());
            }
        }
        assert_eq!(grown, [16, 32, 48, 64, 80, 96, 112, 128, 144, 162, 182, 204]);
        assert_eq!(
            peers.check(
                &Limits { ping_interval_ms: 0, peer_timeout_ms: 0, ..Limits::default() },
                &Timers::default()
            ),
            0
        );
    }

    #[test]
    fn a_peer_takes_no_more_bytes_than_it_is_allowed() {
        for (name, bytes, most) in
            [("Peer", size_of::<Peer>(), 120), ("Announcement", size_of::<Announcement>(), 88)]
        {
            assert!(bytes <= most, "{name} takes {bytes} bytes, {most} are allowed");
        }
    }

    /// Each table filled by 100,000 peers who come one after the other.
    #[test]
    fn a_place_in_a_table_takes_no_more_bytes_than_it_is_allowed() {
        const PEERS: u32 = 100_000;
        fn each<T>(fill: impl FnOnce() -> T) -> f64 {
            let mut kept = None;
            let allocated = allocation_counter::measure(|| kept = Some(fill()));
            drop(kept);
            allocated.bytes_current as f64 / f64::from(PEERS)
        }
        let conns = || (0..PEERS).map(|number| ConnId(number.into()));
        let index = each(|| {
            let mut index = Index::default();
            for slot in (0..PEERS).map(PeerSlot) {
                let hash = |slot: PeerSlot| Hashing::conn(ConnId(slot.0.into()));
                index.insert(hash(slot), slot, hash);
            }
            index
        });
        let deadline = each(|| {
            let mut timers = Timers::default();
            for conn in conns() {
                let _ = timers.arm(around(Time(conn.0), 25_000, conn), TimerKind::Liveness, conn);
            }
            timers
        });
        let free = each(|| {
            let mut networks = Networks::default();
            let network = networks.acquire("net", Holder::Connection(ConnId(0)));
            conns().for_each(|conn| networks.list_free(network, conn, true));
            networks
        });
        let member = each(|| {
            let mut members = Members::default();
            let mut random = 1_u128;
            for slot in (0..PEERS).map(PeerSlot) {
                // The multiplier of a congruential generator (Steele and Vigna, 2022).
                random = random.wrapping_mul(0x0FC9_4E3B_F4E9_AB32_8664_58CD_56F5_E605).wrapping_add(1);
                let mut id = [0; 20];
                id[..16].copy_from_slice(&random.to_be_bytes());
                members.insert(PeerId(id), slot);
            }
            members
        });
        for (place, bytes, most) in [
            ("in an index", index, 7.0),
            ("for a deadline", deadline, 34.0),
            ("among the free", free, 16.0),
            ("in its network", member, 40.0),
        ] {
            assert!(bytes <= most, "a place {place} takes {bytes:.1} bytes, {most} are allowed");
        }
    }
}
