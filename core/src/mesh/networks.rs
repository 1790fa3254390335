//! Named sets of peers. A network is there while somebody is in it or is remembered by it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};

use core::ops::Bound;

use slab::Slab;

use crate::mesh::members::Members;
use crate::peers::PeerSlot;
use crate::worst_case::{boxed, charged, grown, tree};
use crate::{ConnId, Holder, Holders, Limits, NetworkId, PeerId, wire};

/// The network of everybody who names none.
pub(crate) const GLOBAL: &str = "global";

/// [`GLOBAL`] as a JSON string.
pub(crate) const GLOBAL_JSON: &str = "\"global\"";

/// Slot of a network; valid while somebody holds a reference to it (see [`Networks::acquire`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NetKey(u32);

/// The place of a connection in an order that has nothing to do with ids, nor with who came when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct HashedPlace(u64);

impl HashedPlace {
    fn of(conn: ConnId) -> HashedPlace {
        HashedPlace(conn.0.wrapping_mul(FACTOR))
    }

    fn conn(self) -> ConnId {
        ConnId(self.0.wrapping_mul(INVERSE))
    }
}

/// 2^64 divided by the golden ratio (Knuth, multiplicative hashing), and its inverse modulo 2^64.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
const INVERSE: u64 = 0xF1DE_83E1_9937_733D;
const _: () = assert!(FACTOR.wrapping_mul(INVERSE) == 1);

#[derive(Debug)]
pub(crate) struct Network {
    id: NetworkId,
    name: Box<str>,
    /// The name as a JSON string, quotes included.
    json: Box<str>,
    members: Members,
    /// Those of them that have room for a link, in the order of their places.
    free: BTreeSet<HashedPlace>,
    /// Announced peers and mailboxes that hold this key.
    references: u32,
    /// While nobody is in it: its place among those that nobody is in, and whom that is charged to.
    deserted: u64,
    holder: Holder,
}

#[derive(Debug, Default)]
pub(crate) struct Networks {
    slots: Slab<Network>,
    keys_by_name: BTreeMap<Box<str>, NetKey>,
    /// Those that nobody is in, in the order in which their last members left.
    deserted: BTreeMap<u64, NetKey>,
    /// The same, by who left last.
    deserted_by_holder: Holders<u64>,
    last_deserted: u64,
    last_id: u64,
    /// Members of all networks.
    announced: usize,
    /// Pairs of acquaintances.
    acquainted: usize,
}

impl Networks {
    pub(crate) fn populated(&self) -> usize {
        self.slots.len() - self.deserted.len()
    }

    /// Of those that nobody is in, the one that makes room for one more of `holder`: of whoever has left most of them, the one that
    /// was left first; where nobody has left more than `holder` would, and that none, the one of all that was left first.
    pub(crate) fn gives_way(&self, holder: Holder) -> Option<NetKey> {
        let given = self.deserted_by_holder.gives_way(holder, 1);
        let given = given.or_else(|| self.deserted.keys().next().copied())?;
        self.deserted.get(&given).copied()
    }

    /// Those included that only mailboxes remember.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn find(&self, name: &str) -> Option<NetKey> {
        self.keys_by_name.get(name).copied()
    }

    pub(crate) fn name(&self, key: NetKey) -> &str {
        &self.slots[key.0 as usize].name
    }

    pub(crate) fn json(&self, key: NetKey) -> &str {
        &self.slots[key.0 as usize].json
    }

    pub(crate) fn id(&self, key: NetKey) -> NetworkId {
        self.slots[key.0 as usize].id
    }

    pub(crate) fn members(&self, key: NetKey) -> &Members {
        &self.slots[key.0 as usize].members
    }

    /// Lists a member as free, or not any more.
    pub(crate) fn list_free(&mut self, key: NetKey, conn: ConnId, is_free: bool) {
        let free = &mut self.slots[key.0 as usize].free;
        if is_free {
            free.insert(HashedPlace::of(conn))
        } else {
            free.remove(&HashedPlace::of(conn))
        };
    }

    /// The free members with places after that of `conn`, then those before it.
    pub(crate) fn free_after(&self, key: NetKey, conn: ConnId) -> impl Iterator<Item = ConnId> {
        let free = &self.slots[key.0 as usize].free;
        let own = HashedPlace::of(conn);
        let after = (Bound::Excluded(own), Bound::Unbounded);
        free.range(after).chain(free.range(..own)).map(|place| place.conn())
    }

    /// Somebody comes into a network.
    pub(crate) fn enter(&mut self, key: NetKey, id: PeerId, slot: PeerSlot) {
        let members = &mut self.slots[key.0 as usize].members;
        let was_deserted = members.is_empty();
        members.insert(id, slot);
        self.announced += 1;
        if was_deserted {
            self.unlist_deserted(key);
        }
    }

    /// Somebody of `holder`'s leaves a network, and so many acquaintances in it.
    pub(crate) fn leave(&mut self, key: NetKey, id: &PeerId, holder: Holder, acquaintances: usize) {
        let members = &mut self.slots[key.0 as usize].members;
        members.remove(id);
        let is_deserted = members.is_empty();
        self.announced -= 1;
        self.acquainted -= acquaintances;
        if is_deserted {
            self.list_deserted(key, holder);
        }
    }

    /// So many pairs have got to know each other.
    pub(crate) fn note_acquainted(&mut self, pairs: usize) {
        self.acquainted += pairs;
    }

    /// A pair does not know each other any more.
    pub(crate) fn note_parted(&mut self) {
        self.acquainted -= 1;
    }

    /// Peers in a network.
    pub(crate) fn announced(&self) -> usize {
        self.announced
    }

    /// Pairs of acquaintances.
    pub(crate) fn acquainted(&self) -> usize {
        self.acquainted
    }

    /// A reference to the network of that name, which is made if nobody has one yet. To be given back with
    /// [`Networks::release`].
    pub(crate) fn acquire(&mut self, name: &str, holder: Holder) -> NetKey {
        let key = self.find(name).unwrap_or_else(|| self.insert(name, holder));
        self.add_reference(key);
        key
    }

    /// One more reference to a network that has one already.
    pub(crate) fn add_reference(&mut self, key: NetKey) {
        self.slots[key.0 as usize].references += 1;
    }

    pub(crate) fn release(&mut self, key: NetKey) {
        let network = &mut self.slots[key.0 as usize];
        network.references -= 1;
        if network.references == 0 {
            debug_assert!(network.members.is_empty());
            self.unlist_deserted(key);
            let network = self.slots.remove(key.0 as usize);
            self.keys_by_name.remove(&network.name);
        }
    }

    /// Nobody is in the network any more, after somebody of `holder`'s was.
    fn list_deserted(&mut self, key: NetKey, holder: Holder) {
        self.last_deserted += 1;
        let network = &mut self.slots[key.0 as usize];
        (network.deserted, network.holder) = (self.last_deserted, holder);
        self.deserted.insert(self.last_deserted, key);
        self.deserted_by_holder.add(holder, self.last_deserted, 1);
    }

    fn unlist_deserted(&mut self, key: NetKey) {
        let network = &self.slots[key.0 as usize];
        if self.deserted.remove(&network.deserted).is_some() {
            self.deserted_by_holder.remove(network.holder, network.deserted, 1);
        }
    }

    fn insert(&mut self, name: &str, holder: Holder) -> NetKey {
        self.last_id += 1;
        let key = self.slots.insert(Network {
            id: NetworkId(self.last_id),
            name: name.into(),
            json: wire::json_string(name).into_boxed_str(),
            members: Members::default(),
            free: BTreeSet::new(),
            references: 0,
            deserted: 0,
            holder,
        });
        // Networks are fewer than connections and mailboxes together, and both are counted in 32 bits.
        let key = NetKey(u32::try_from(key).unwrap_or(u32::MAX));
        self.keys_by_name.insert(name.into(), key);
        self.list_deserted(key, holder);
        key
    }

    /// A name is kept twice, and once as JSON, where each byte can be six.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        let name = u64::from(limits.network_name_bytes);
        let each = grown(size_of::<Network>() + 8)
            + tree(16 + 4)
            + tree(8 + 4)
            + charged(size_of::<u64>())
            + 2 * boxed(name)
            + boxed(6 * name + 2);
        u64::from(limits.networks) * each
    }

    /// # Panics
    ///
    /// When an invariant does not hold, or the references are not as many as given by `count`.
    pub(crate) fn check(&self, mut count: impl FnMut(NetKey) -> u32) {
        assert_eq!(self.slots.len(), self.keys_by_name.len());
        let mut deserted = 0;
        for (name, key) in &self.keys_by_name {
            let network = &self.slots[key.0 as usize];
            assert_eq!(network.name, *name);
            assert_eq!(network.references, count(*key), "references of network {name}");
            assert!(network.references > 0);
            if network.members.is_empty() {
                assert_eq!(self.deserted.get(&network.deserted), Some(key), "network {name} is deserted");
                deserted += 1;
            }
        }
        assert_eq!(deserted, self.deserted.len());
        let deserted =
            self.slots.iter().map(|(_, network)| network).filter(|network| network.members.is_empty());
        self.deserted_by_holder.check(deserted.map(|network| (network.holder, network.deserted, 1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AddressKey;
    use alloc::vec::Vec;

    const HOLDER: Holder = Holder::Connection(ConnId(1));

    fn id(number: u8) -> PeerId {
        PeerId([number; 20])
    }

    fn enter(networks: &mut Networks, name: &str, number: u8, holder: Holder) -> NetKey {
        let key = networks.acquire(name, holder);
        networks.enter(key, id(number), u32::from(number).into());
        key
    }

    fn leave(networks: &mut Networks, key: NetKey, number: u8, holder: Holder) {
        networks.leave(key, &id(number), holder, 0);
    }

    #[test]
    fn a_network_is_there_while_somebody_holds_it_and_its_number_is_never_used_again() {
        let mut networks = Networks::default();
        let key = enter(&mut networks, "a\"b", 1, HOLDER);
        assert_eq!(
            (networks.find("a\"b"), networks.name(key), networks.json(key)),
            (Some(key), "a\"b", "\"a\\\"b\"")
        );
        networks.add_reference(key);
        leave(&mut networks, key, 1, HOLDER);
        networks.release(key);
        assert_eq!((networks.len(), networks.populated(), networks.announced()), (1, 0, 0));
        networks.check(|_| 1);
        let number = networks.id(key);
        networks.release(key);
        assert_eq!((networks.len(), networks.find("a\"b")), (0, None));
        let again = networks.acquire("a\"b", HOLDER);
        assert_ne!(networks.id(again), number);
    }

    #[test]
    fn peers_and_pairs_are_counted_over_all_networks() {
        let mut networks = Networks::default();
        let key = enter(&mut networks, "a", 1, HOLDER);
        enter(&mut networks, "a", 2, HOLDER);
        enter(&mut networks, "b", 3, HOLDER);
        networks.note_acquainted(1);
        assert_eq!((networks.announced(), networks.acquainted(), networks.populated()), (3, 1, 2));
        networks.leave(key, &id(1), HOLDER, 1);
        assert_eq!((networks.announced(), networks.acquainted(), networks.populated()), (2, 0, 2));
    }

    #[test]
    fn of_those_that_nobody_is_in_the_oldest_of_whoever_left_most_makes_room() {
        let (mut networks, crowd) = (Networks::default(), Holder::Address(AddressKey(1)));
        let keys: Vec<NetKey> = [("a", HOLDER), ("b", crowd), ("c", crowd)]
            .into_iter()
            .zip(1..)
            .map(|((name, holder), number)| {
                let key = enter(&mut networks, name, number, holder);
                leave(&mut networks, key, number, holder);
                key
            })
            .collect();
        let stranger = Holder::Connection(ConnId(9));
        assert_eq!(networks.gives_way(stranger), Some(keys[1]));
        networks.enter(keys[1], id(8), 8.into());
        assert_eq!(networks.gives_way(stranger), Some(keys[0]), "nobody left more than one");
        networks.enter(keys[0], id(9), 9.into());
        networks.enter(keys[2], id(7), 7.into());
        assert_eq!(networks.gives_way(stranger), None, "somebody is in each");
        networks.check(|_| 1);
    }

    #[test]
    fn everybody_else_with_room_is_visited_once_each_beginning_after_another() {
        let mut networks = Networks::default();
        let key = enter(&mut networks, "a", 1, HOLDER);
        let conns: Vec<ConnId> = (1..=20).map(ConnId).collect();
        conns.iter().for_each(|conn| networks.list_free(key, *conn, true));
        let mut first = Vec::new();
        for conn in &conns {
            let mut others: Vec<ConnId> = networks.free_after(key, *conn).collect();
            first.push(others[0]);
            others.sort();
            assert!(others.iter().eq(conns.iter().filter(|other| *other != conn)), "{conn:?}");
        }
        first.sort();
        assert_eq!(first, conns, "no two begin at the same one");
        networks.list_free(key, ConnId(3), false);
        assert!(networks.free_after(key, ConnId(1)).all(|conn| conn != ConnId(3)));
    }
}
