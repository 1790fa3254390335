//! What one node knows of the others, and they of it.

use alloc::collections::BTreeSet;

use super::events::{Number, Writer};
use super::replicas::{ReplicaKey, Replicas};
use super::residents::Residents;
use super::{NodeKey, Nodes};
use crate::peers::{Peer, PeerSlot};
use crate::timers::Deadline;
use crate::worst_case::{grown, tree};
use crate::{Limits, NodeId, PeerId};

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) me: NodeId,
    pub(crate) nodes: Nodes,
    pub(crate) residents: Residents,
    pub(crate) replicas: Replicas,
    /// Remote peers that are in a network.
    pub(crate) announced: usize,
    pub(crate) deadline: Deadline,
    /// Peers of this node whose ids are wanted at another, and are to be alive.
    challenged: BTreeSet<(PeerSlot, NodeKey)>,
    /// Peers that a node told of while a later session of their ids was known: it is asked again when that is over.
    shadowed: BTreeSet<(PeerId, NodeKey)>,
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
            announced: 0,
            deadline: Deadline::NONE,
            challenged: BTreeSet::new(),
            shadowed: BTreeSet::new(),
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

    /// The most memory that all of it takes, the table of peers left out.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        if limits.node_timeout_ms == 0 {
            return 0;
        }
        let (residents, remote) = (u64::from(limits.connections), u64::from(limits.remote_peers));
        let challenges = residents * Nodes::MOST as u64 * tree(8);
        let peer = tree(21) + Replicas::BYTES + grown(size_of::<Peer>() + 8) + 2 * grown(5);
        Nodes::worst_case(limits.cluster_bytes.into())
            + residents * Residents::BYTES
            + challenges
            + remote * peer
    }
}
