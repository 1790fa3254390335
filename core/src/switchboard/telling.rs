//! What other nodes are told of the peers of this one.

use alloc::vec::Vec;

use crate::cluster::events::{Number, Passed, Refused, ToldTie, Writer};
use crate::cluster::replicas::ReplicaKey;
use crate::cluster::{Cluster, NodeKey};
use crate::mesh::links::{LinkStage, Tie};
use crate::mesh::networks::GLOBAL;
use crate::peers::{PeerSlot, Peers, Standing};
use crate::wire::SignalName;
use crate::{Departure, NodeId, Occasion, PeerId, Signal, Spelling, Switchboard};

impl Switchboard {
    /// A peer has come.
    pub(crate) fn tell_of_arrival(&mut self, slot: PeerSlot) {
        let Some(cluster) = &mut self.cluster else { return };
        let peer = &self.peers[slot];
        let Some(id) = peer.own_id() else { return };
        let forgotten = cluster.last_forgotten.take().filter(|(forgotten, _)| forgotten == id);
        let after = forgotten.map_or(0, |(_, stamp)| stamp.saturating_add(1));
        let resident = cluster.residents.come(slot, self.clock.at(self.now).0.max(after));
        let (spelling, is_proven) = (peer.spelling(), self.grants.has_proven(peer.conn(), id));
        let is_reachable = self.grants.of(peer.conn()).allows_network(GLOBAL);
        cluster.tell_all(resident.number, |out| {
            out.here(resident.number, resident.stamp, spelling, is_proven, is_reachable);
        });
    }

    /// A peer has announced itself: in a network that it was not in, or anew.
    pub(crate) fn tell_of_announcement(&mut self, slot: PeerSlot, max_links: u8, is_new: bool) {
        let Some(cluster) = &mut self.cluster else { return };
        let Some(own) = cluster.residents.get(slot).map(|resident| resident.number) else { return };
        let (before, own) =
            if is_new { cluster.residents.renew(slot).unwrap_or((own, own)) } else { (own, own) };
        let Standing::Announced(network, announcement) = self.peers[slot].standing() else { return };
        let (network, data) = (self.networks.name(*network), announcement.data());
        cluster.tell_all(before, |out| out.announced(before, own, max_links, network, data));
    }

    /// A peer has said goodbye.
    pub(crate) fn tell_of_goodbye(&mut self, slot: PeerSlot) {
        let Some(cluster) = &mut self.cluster else { return };
        if let Some((before, own)) = cluster.residents.renew(slot) {
            cluster.tell_all(before, |out| out.departed(before, own));
        }
    }

    /// A peer is over.
    pub(crate) fn tell_of_end(&mut self, slot: PeerSlot, cause: Departure) {
        let Some(cluster) = &mut self.cluster else { return };
        while cluster.next_challenger(slot).is_some() {}
        if let Some(resident) = cluster.residents.go(slot) {
            cluster.tell_all(resident.number, |out| out.gone(resident.number, cause));
            cluster.ask_for_shadowed(*self.peers[slot].id());
        }
    }

    /// A peer is alive, which other nodes wanted to know.
    pub(crate) fn tell_that_alive(&mut self, slot: PeerSlot) {
        let Some(cluster) = &mut self.cluster else { return };
        while let Some(node) = cluster.next_challenger(slot) {
            if let Some(resident) = cluster.residents.get(slot) {
                cluster.tell(node, |out| out.alive(resident.number));
            }
        }
    }

    /// Somebody wants to have the id of a peer of another node.
    pub(crate) fn challenge_elsewhere(&mut self, slot: PeerSlot) {
        self.tell_home(slot, |out, other| out.challenge(other));
    }

    /// Two were introduced to each other for the sake of one that is here; the other may be a peer of another node.
    pub(crate) fn tell_of_introduction(
        &mut self,
        own: PeerSlot,
        other: PeerSlot,
        are_mates: bool,
        occasion: Occasion,
    ) {
        if self.peers[other].is_here() {
            return;
        }
        let pair = (self.peers[own].conn(), self.peers[other].conn());
        if let Some(cluster) = &mut self.cluster {
            cluster.note_introduced(pair, self.now);
        }
        self.tell_of_pair(own, other, |out, own, other| out.introduced(own, other, are_mates, occasion));
    }

    /// A page has given up its link to one that may be a peer of another node.
    pub(crate) fn tell_of_eviction(&mut self, page: PeerSlot, other: PeerSlot) {
        self.tell_of_pair(page, other, |out, page, other| out.evicted(page, other));
    }

    /// The two do not know each other.
    pub(crate) fn tell_of_parting(&mut self, own: PeerSlot, other: PeerSlot) {
        self.tell_of_pair(own, other, |out, own, other| out.parted(own, other));
    }

    /// Mail is not to be delivered.
    pub(crate) fn tell_of_cleanup(&mut self, from: PeerId, to: Option<PeerId>) {
        let Some(cluster) = &mut self.cluster else { return };
        for node in cluster.replicas.keys() {
            cluster.tell(node, |out| out.cleanup(from, to));
        }
    }

    /// A signal goes to a peer of another node. Returns the size of what is sent.
    pub(crate) fn pass_on(
        &mut self,
        to: PeerSlot,
        from: Spelling,
        signal: Signal,
        name: SignalName,
        data: Option<&str>,
        passage: Passed,
    ) -> usize {
        let name = self.naming.signal(name);
        self.tell_home(to, |out, other| out.signal(from, other, signal, name, passage, data));
        SIGNAL_HEAD + data.map_or(0, str::len)
    }

    /// A signal that came from a peer of another node was refused.
    pub(crate) fn refuse_elsewhere(&mut self, node: NodeKey, from: PeerId, why: Refused) {
        if let Some(cluster) = &mut self.cluster {
            cluster.tell(node, |out| out.refused(from, why));
        }
    }

    /// Whether a signal with so much data may be sent to a peer of another node now.
    pub(crate) fn can_pass_on(&self, to: PeerSlot, data: Option<&str>) -> bool {
        let Some(cluster) = &self.cluster else { return false };
        let bytes = SIGNAL_HEAD + data.map_or(0, str::len);
        cluster.place(&self.peers[to]).is_some_and(|(node, _)| cluster.nodes.has_room(node, bytes))
    }

    /// Tells those whose links have changed to all nodes.
    pub(crate) fn tell_what_has_changed(&mut self) {
        let Switchboard { cluster, peers, .. } = self;
        let Some(cluster) = cluster else { return };
        while let Some(slot) = cluster.residents.next_changed() {
            let Some(resident) = cluster.residents.get(slot) else { continue };
            let Some(links) = Links::of(cluster, peers, slot) else { continue };
            cluster.tell_all(resident.number, |out| links.write(resident.number, out));
        }
    }

    /// Tells a node everything about one peer.
    pub(crate) fn tell_state(&mut self, node: NodeKey, slot: PeerSlot) {
        let Switchboard { cluster, peers, networks, grants, .. } = self;
        let Some(cluster) = cluster else { return };
        let Some(resident) = cluster.residents.get(slot) else { return };
        let (own, peer) = (resident.number, &peers[slot]);
        let is_proven = grants.has_proven(peer.conn(), peer.id());
        let is_reachable = match peer.standing() {
            Standing::Fresh => grants.of(peer.conn()).allows_network(GLOBAL),
            Standing::Departed | Standing::Member(_) | Standing::Announced(..) => false,
        };
        cluster.tell(node, |out| out.here(own, resident.stamp, peer.spelling(), is_proven, is_reachable));
        let Standing::Announced(network, announcement) = peer.standing() else { return };
        let max = u8::try_from(announcement.links().max()).unwrap_or(u8::MAX);
        let (network, data) = (networks.name(*network), announcement.data());
        cluster.tell(node, |out| out.announced(own, own, max, network, data));
        let replica = cluster.replicas.of(node);
        let theirs = announcement.acquaintances().iter().filter_map(|other| {
            let (key, number) = ReplicaKey::of(peers[other].conn())?;
            (Some(key) == replica).then_some(number)
        });
        let theirs: Vec<Number> = theirs.collect();
        cluster.tell(node, |out| out.knows(own, theirs.into_iter()));
        if let Some(links) = Links::of(cluster, peers, slot) {
            cluster.tell(node, |out| links.write(own, out));
        }
    }

    /// Tells the node of a remote peer something about it.
    fn tell_home(&mut self, remote: PeerSlot, event: impl FnOnce(Writer<'_>, Number)) {
        if let Some(cluster) = &mut self.cluster
            && let Some((node, number)) = cluster.place(&self.peers[remote])
        {
            cluster.tell(node, |out| event(out, number));
        }
    }

    /// Tells the node of a remote peer something about it and a peer that is here, which it knows by then.
    fn tell_of_pair(
        &mut self,
        own: PeerSlot,
        remote: PeerSlot,
        event: impl FnOnce(Writer<'_>, Number, Number),
    ) {
        if self.peers[remote].is_here() {
            return;
        }
        let Some(cluster) = &self.cluster else { return };
        let (Some((node, other)), Some(resident)) =
            (cluster.place(&self.peers[remote]), cluster.residents.get(own))
        else {
            return;
        };
        if cluster.replicas.told(node) < Some(resident.number) {
            self.tell_state(node, own);
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.tell(node, |out| event(out, resident.number, other));
        }
    }
}

/// What a signal between nodes takes beside its data, about.
const SIGNAL_HEAD: usize = 64;

/// How the links of a peer stand, as other nodes are told.
struct Links {
    is_full: bool,
    acquaintances: u16,
    ties: Vec<ToldTie>,
}

impl Links {
    fn of(cluster: &Cluster, peers: &Peers, slot: PeerSlot) -> Option<Links> {
        let own = peers[slot].announcement()?;
        let named = |tie: Tie| {
            let is_linked = tie.stage == LinkStage::Linked;
            if tie.stage == LinkStage::Ended {
                return Some(ToldTie { other: None, is_linked });
            }
            let other: (NodeId, Number) = match ReplicaKey::of(peers[tie.peer].conn()) {
                Some((replica, number)) => (cluster.replicas.id(replica)?, number),
                None => (cluster.me, cluster.residents.get(tie.peer)?.number),
            };
            Some(ToldTie { other: Some(other), is_linked })
        };
        Some(Links {
            is_full: own.links().is_full(),
            acquaintances: u16::try_from(own.acquaintances().len()).unwrap_or(u16::MAX),
            ties: own.links().iter().filter_map(named).collect(),
        })
    }

    fn write(&self, own: Number, out: Writer<'_>) {
        out.links(own, self.is_full, self.acquaintances, self.ties.iter().copied());
    }
}
