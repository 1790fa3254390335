//! What one node knows of the others, and they of it.

use alloc::collections::{BTreeSet, VecDeque};

use super::events::{Number, Writer};
use super::replicas::{ReplicaKey, Replicas};
use super::requests::Requests;
use super::residents::Residents;
use super::{NodeKey, Nodes};
use crate::peers::{Peer, PeerSlot};
use crate::timers::Deadline;
use crate::worst_case::{grown, tree};
use crate::{ConnId, Limits, NodeId, PeerId, Time};

/// The connection of a peer of this node, and of one of another.
type Pair = (ConnId, ConnId);

/// A hop to another node and back takes no longer.
const HOP_MS: u64 = 500;

/// Pairs that are remembered for so long. Beyond it two may be told of each other twice.
const MOST_INTRODUCED: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) me: NodeId,
    pub(crate) nodes: Nodes,
    pub(crate) residents: Residents,
    pub(crate) replicas: Replicas,
    pub(crate) requests: Requests,
    /// Remote peers that are in a network.
    pub(crate) announced: usize,
    pub(crate) deadline: Deadline,
    /// Peers of this node whose ids are wanted at another, and are to be alive.
    challenged: BTreeSet<(PeerSlot, NodeKey)>,
    /// Peers that a node told of while a later session of their ids was known: it is asked again when that is over.
    shadowed: BTreeSet<(PeerId, NodeKey)>,
    /// Pairs that this node has introduced within the last hop, in the order of that: the other node may do so at the same moment.
    introduced: VecDeque<(Time, Pair)>,
    /// The same, to look for.
    introduced_pairs: BTreeSet<Pair>,
    /// The session of another node that was forgotten last: who takes its place here comes later.
    pub(crate) last_forgotten: Option<(PeerId, u64)>,
}

impl Cluster {
    pub(crate) fn new(me: NodeId, limits: &Limits) -> Cluster {
        Cluster {
            me,
            nodes: Nodes::new(me, limits.node_timeout_ms, limits.cluster_bytes as usize),
            residents: Residents::default(),
            replicas: Replicas::default(),
            requests: Requests::default(),
            announced: 0,
            deadline: Deadline::NONE,
            challenged: BTreeSet::new(),
            shadowed: BTreeSet::new(),
            introduced: VecDeque::new(),
            introduced_pairs: BTreeSet::new(),
            last_forgotten: None,
        }
    }

    /// Where a peer of another node is, and what it is called there.
    pub(crate) fn place(&self, peer: &Peer) -> Option<(NodeKey, Number)> {
        let (replica, number) = ReplicaKey::of(peer.conn())?;
        Some((self.replicas.node(replica)?, number))
    }

    /// Tells all nodes that have been told of the peer with this number.
    pub(crate) fn tell_all(&mut self, about: Number, event: impl Fn(Writer<'_>)) {
        for node in self.replicas.keys() {
            if self.replicas.told(node) >= Some(about) {
                self.tell(node, &event);
            }
        }
    }

    pub(crate) fn tell(&mut self, node: NodeKey, event: impl FnOnce(Writer<'_>)) {
        self.nodes.push(node, |out| event(Writer(out)));
    }

    /// Another node asks whether a peer of this one is alive.
    pub(crate) fn note_challenge(&mut self, slot: PeerSlot, by: NodeKey) {
        self.challenged.insert((slot, by));
    }

    pub(crate) fn has_challenged(&self) -> bool {
        !self.challenged.is_empty()
    }

    /// Takes one of the nodes that want to know of a peer whether it is alive.
    pub(crate) fn next_challenger(&mut self, slot: PeerSlot) -> Option<NodeKey> {
        let next = self.challenged.range((slot, NodeKey::FIRST)..).next().copied()?;
        if next.0 != slot {
            return None;
        }
        self.challenged.remove(&next);
        Some(next.1)
    }

    /// A node told of a peer while a later session of its id was known. No more are noted than remote peers may be known.
    pub(crate) fn note_shadowed(&mut self, id: PeerId, node: NodeKey, limits: &Limits) {
        if self.shadowed.len() < limits.remote_peers as usize {
            self.shadowed.insert((id, node));
        }
    }

    /// A session of an id is over: the nodes that told of another one are asked for it.
    pub(crate) fn ask_for_shadowed(&mut self, id: PeerId) {
        while let Some(next) = self.shadowed.range((id, NodeKey::FIRST)..).next().copied()
            && next.0 == id
        {
            self.shadowed.remove(&next);
            self.tell(next.1, |out| out.ask(id));
        }
    }

    /// A node is over, or begins anew: it asks nothing any more, and what it told is void.
    pub(crate) fn begin_anew(&mut self, other: NodeKey) {
        self.challenged.retain(|(_, node)| *node != other);
        self.shadowed.retain(|(_, node)| *node != other);
    }

    /// This node introduces two, of whom the second is a peer of another one.
    pub(crate) fn note_introduced(&mut self, pair: Pair, now: Time) {
        self.forget_introduced(now);
        if self.introduced.len() < MOST_INTRODUCED && self.introduced_pairs.insert(pair) {
            self.introduced.push_back((now, pair));
        }
    }

    /// Whether this node has introduced the two a moment ago.
    pub(crate) fn has_just_introduced(&mut self, pair: Pair, now: Time) -> bool {
        self.forget_introduced(now);
        self.introduced_pairs.contains(&pair)
    }

    /// The two signal to each other: whatever introduces them from now on does so anew.
    pub(crate) fn note_signal(&mut self, pair: Pair) {
        self.introduced_pairs.remove(&pair);
    }

    fn forget_introduced(&mut self, now: Time) {
        while let Some((at, pair)) = self.introduced.front().copied()
            && now.since(at) > HOP_MS
        {
            self.introduced.pop_front();
            self.introduced_pairs.remove(&pair);
        }
    }

    /// The most memory that all of it takes, the table of peers left out.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        if limits.node_timeout_ms == 0 {
            return 0;
        }
        let (residents, remote) = (u64::from(limits.connections), u64::from(limits.remote_peers));
        let challenges = residents * Nodes::MOST as u64 * tree(8);
        let peer = tree(21) + Replicas::BYTES + grown(size_of::<Peer>() + 8) + 2 * grown(5);
        let introduced = MOST_INTRODUCED as u64 * (grown(24) + tree(16));
        introduced
            + Requests::BYTES
            + Nodes::worst_case(limits.cluster_bytes.into())
            + residents * Residents::BYTES
            + challenges
            + remote * peer
    }
}
