//! The peers of other nodes, as far as they have told of them. Each is a peer in the table of peers like any other; here is which
//! of them is whose.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::NodeKey;
use super::events::Number;
use crate::peers::PeerSlot;
use crate::worst_case::tree;
use crate::{ConnId, Departure, Gone, NodeId};

#[derive(Debug, Default)]
pub(crate) struct Replicas {
    /// In the order of their keys.
    open: BTreeMap<ReplicaKey, Known>,
    by_node: BTreeMap<NodeKey, ReplicaKey>,
    last: u64,
}

/// What is known of one node; another one each time that it was dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReplicaKey(u64);

/// A peer of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    pub(crate) slot: PeerSlot,
    /// Orders the sessions of one id.
    pub(crate) stamp: u64,
}

#[derive(Debug)]
struct Known {
    id: NodeId,
    /// `None` of a node that is over: its peers go in parts.
    node: Option<NodeKey>,
    /// Why whoever is to go does.
    cause: Departure,
    peers: BTreeMap<Number, Replica>,
    /// Those of them that were not named since the node began to tell of all.
    unconfirmed: BTreeSet<Number>,
    /// Whether it has told of all that were not named: they go in parts.
    is_told: bool,
    /// The last of the own peers that it was told of, in the order of their numbers; `Number::MAX` when that is over.
    told: Number,
}

/// Why somebody has gone whom its node does not name any more: how it left is not known.
const UNNAMED: Departure = Departure::Lost(Gone::Reset);

/// Connections of remote peers begin here: a replica and a number tell them apart.
const FIRST_REMOTE: u64 = 3 << 62;
const REPLICA_SHIFT: u32 = 40;
const MOST_NUMBERS: u64 = 1 << REPLICA_SHIFT;
const MOST_REPLICAS: u64 = 1 << (62 - REPLICA_SHIFT);

/// Whether a connection stands for a peer of another node.
pub(crate) fn is_remote(conn: ConnId) -> bool {
    conn.0 >= FIRST_REMOTE
}

impl ReplicaKey {
    /// What stands for the connection of a peer with this number; `None` where a node counts further than anybody could.
    pub(crate) fn conn(self, number: Number) -> Option<ConnId> {
        (number < MOST_NUMBERS).then_some(ConnId(FIRST_REMOTE | self.0 << REPLICA_SHIFT | number))
    }

    /// Whose peer this connection stands for, and the number of that peer.
    pub(crate) fn of(conn: ConnId) -> Option<(ReplicaKey, Number)> {
        let key = ReplicaKey((conn.0 ^ FIRST_REMOTE) >> REPLICA_SHIFT);
        is_remote(conn).then_some((key, conn.0 % MOST_NUMBERS))
    }
}

impl Replicas {
    /// A node is open, for the first time or anew: it is told of everybody, and will tell so itself.
    pub(crate) fn open(&mut self, node: NodeKey, id: NodeId) {
        if let Some(replica) = self.of(node).and_then(|key| self.open.get_mut(&key)) {
            (replica.told, replica.is_told) = (0, false);
            return;
        }
        self.last = (self.last + 1) % MOST_REPLICAS;
        let key = ReplicaKey(self.last);
        let replica = Known {
            id,
            node: Some(node),
            cause: UNNAMED,
            peers: BTreeMap::new(),
            unconfirmed: BTreeSet::new(),
            is_told: false,
            told: 0,
        };
        self.open.insert(key, replica);
        self.by_node.insert(node, key);
    }

    /// A node is over: all of its peers are to go.
    pub(crate) fn close(&mut self, node: NodeKey, cause: Departure) {
        let Some(key) = self.by_node.remove(&node) else { return };
        let Some(replica) = self.open.get_mut(&key) else { return };
        (replica.node, replica.cause) = (None, cause);
        replica.unconfirmed = replica.peers.keys().copied().collect();
        replica.is_told = true;
        self.drop_if_over(key);
    }

    pub(crate) fn of(&self, node: NodeKey) -> Option<ReplicaKey> {
        self.by_node.get(&node).copied()
    }

    /// The node itself, if it can be spoken to.
    pub(crate) fn node(&self, key: ReplicaKey) -> Option<NodeKey> {
        self.open.get(&key)?.node
    }

    pub(crate) fn id(&self, key: ReplicaKey) -> Option<NodeId> {
        self.open.get(&key).map(|replica| replica.id)
    }

    pub(crate) fn by_id(&self, id: NodeId) -> Option<ReplicaKey> {
        let found = self.open.iter().find(|(_, replica)| replica.node.is_some() && replica.id == id);
        found.map(|(key, _)| *key)
    }

    pub(crate) fn peer(&self, key: ReplicaKey, number: Number) -> Option<Replica> {
        self.open.get(&key)?.peers.get(&number).copied()
    }

    /// A node tells of a peer.
    pub(crate) fn insert(&mut self, key: ReplicaKey, number: Number, peer: Replica) {
        if let Some(replica) = self.open.get_mut(&key) {
            replica.peers.insert(number, peer);
        }
    }

    /// A peer of a node is not known any more.
    pub(crate) fn remove(&mut self, key: ReplicaKey, number: Number) {
        if let Some(replica) = self.open.get_mut(&key) {
            replica.unconfirmed.remove(&number);
            replica.peers.remove(&number);
            self.drop_if_over(key);
        }
    }

    /// A node begins to tell of all its peers.
    pub(crate) fn begin(&mut self, key: ReplicaKey) {
        if let Some(replica) = self.open.get_mut(&key) {
            replica.unconfirmed = replica.peers.keys().copied().collect();
            replica.is_told = false;
        }
    }

    /// It has named this one.
    pub(crate) fn confirm(&mut self, key: ReplicaKey, number: Number) {
        if let Some(replica) = self.open.get_mut(&key) {
            replica.unconfirmed.remove(&number);
        }
    }

    /// It has told of all.
    pub(crate) fn end(&mut self, key: ReplicaKey) {
        if let Some(replica) = self.open.get_mut(&key) {
            replica.is_told = true;
        }
    }

    /// The next one that is to go, since its node is over or did not name it any more, and why.
    pub(crate) fn next_to_go(&self) -> Option<(PeerSlot, Departure)> {
        let mut told = self.open.values().filter(|replica| replica.is_told);
        told.find_map(|replica| {
            let peer = replica.peers.get(replica.unconfirmed.first()?)?;
            Some((peer.slot, replica.cause))
        })
    }

    /// Up to whom a node has been told of the own peers.
    pub(crate) fn told(&self, node: NodeKey) -> Option<Number> {
        self.open.get(&self.of(node)?).map(|replica| replica.told)
    }

    /// The nodes that have not been told of all.
    pub(crate) fn newcomers(&self) -> impl Iterator<Item = NodeKey> {
        let untold = self.open.values().filter(|replica| replica.told < Number::MAX);
        untold.filter_map(|replica| replica.node)
    }

    pub(crate) fn set_told(&mut self, node: NodeKey, told: Number) {
        if let Some(replica) = self.of(node).and_then(|key| self.open.get_mut(&key)) {
            replica.told = told;
        }
    }

    fn drop_if_over(&mut self, key: ReplicaKey) {
        if self.open.get(&key).is_some_and(|replica| replica.node.is_none() && replica.peers.is_empty()) {
            self.open.remove(&key);
        }
    }

    /// The most memory that one remote peer takes here.
    pub(crate) const BYTES: u64 = tree(8 + size_of::<Replica>()) + tree(8);

    /// # Panics
    ///
    /// When a peer is not what it should be; `conn_at` tells the connection of who is in a slot. Returns how many there are.
    pub(crate) fn check(&self, conn_at: impl Fn(PeerSlot) -> Option<ConnId>) -> usize {
        for (key, replica) in &self.open {
            assert_eq!(replica.node.and_then(|node| self.of(node)), replica.node.map(|_| *key));
            for (number, peer) in &replica.peers {
                assert_eq!(conn_at(peer.slot), key.conn(*number));
            }
            assert!(replica.unconfirmed.iter().all(|number| replica.peers.contains_key(number)));
        }
        self.open.values().map(|replica| replica.peers.len()).sum()
    }

    /// Nodes that can be spoken to, for a walk in their order.
    pub(crate) fn keys(&self) -> Vec<NodeKey> {
        self.by_node.keys().copied().collect()
    }
}
