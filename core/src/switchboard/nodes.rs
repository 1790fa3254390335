//! Between this node and the others: what comes by the bus, what goes out by it, and whose peers are whose.

use core::mem;

use crate::cluster::events::Told;
use crate::cluster::replicas::ReplicaKey;
use crate::cluster::{Change, NodeEnd, NodeKey};
use crate::peers::PeerSlot;
use crate::timers::{Deadline, NO_CONN};
use crate::{CloseReason, Departure, Event, PeerId, Switchboard, TimerKind};

/// Remote peers that go by one input, at most, where their node is over or has forgotten them.
const GO_AT_ONCE: usize = 1_000;

/// Own peers that a node is told of by one input, at most, where it knows nothing yet.
const TOLD_AT_ONCE: usize = 2_000;

/// What the state of one peer takes beside its data, at most.
const STATE_BYTES: usize = 8_192;

impl Switchboard {
    /// The driver can publish, or cannot any more.
    pub(crate) fn bus_is(&mut self, is_up: bool) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.nodes.set_bus(self.now, is_up);
        self.note_changes();
    }

    /// Something came by the bus.
    pub(crate) fn frame(&mut self, frame: &[u8]) {
        let Some(cluster) = &mut self.cluster else { return };
        let received = cluster.nodes.receive(self.now, frame);
        self.note_changes();
        match received {
            Ok(None) => {}
            Ok(Some(received)) => {
                // What others make this node send is nobody's to pay for here.
                let caused = self.caused;
                for told in received.events().filter_map(Told::read) {
                    self.hear(received.node, told);
                }
                self.caused = caused;
            }
            Err(_) => self.outbox.observe(Event::FrameRefused),
        }
    }

    /// A deadline between nodes has come.
    pub(crate) fn cluster_is_due(&mut self) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.deadline = Deadline::NONE;
        cluster.nodes.tick(self.now);
        self.note_changes();
        self.let_some_go();
        self.refuse_unanswered(None);
    }

    /// Everything that waits for other nodes goes out.
    pub(crate) fn flush_to_nodes(&mut self) {
        let is_empty = self.peers.len() == 0;
        let is_draining = self.draining.is_some();
        self.tell_what_has_changed();
        self.tell_newcomers();
        let Switchboard { cluster, outbox, now, .. } = self;
        let Some(cluster) = cluster else { return };
        if is_draining && is_empty {
            cluster.nodes.say_bye();
        } else if is_draining {
            cluster.nodes.drain();
        }
        cluster.nodes.flush(*now, |to, frame| outbox.publish(to, frame));
    }

    /// Arms what is due next between nodes.
    pub(crate) fn arm_cluster(&mut self) {
        let Some(cluster) = &mut self.cluster else { return };
        let room = STATE_BYTES + self.limits.announced_data_bytes as usize;
        let has_more = cluster.replicas.next_to_go().is_some()
            || cluster.replicas.newcomers().any(|node| cluster.nodes.has_room(node, room));
        let soon = has_more.then_some(self.now + 1);
        let next = [cluster.nodes.next_due(), cluster.requests.next_due(), soon];
        let next = next.into_iter().flatten().min();
        let next = next.map_or(Deadline::NONE, |due| Deadline::at(due.max(self.now + 1), TimerKind::Cluster));
        let before = mem::replace(&mut cluster.deadline, next);
        self.timers.change(before, next, NO_CONN);
    }

    fn note_changes(&mut self) {
        while let Some(cluster) = &mut self.cluster
            && let Some(change) = cluster.nodes.change()
        {
            match change {
                Change::Opened(key) => {
                    let node = cluster.nodes.id(key);
                    cluster.replicas.open(key, node);
                    cluster.begin_anew(key);
                    // What was asked before has not arrived, or its answer has not.
                    self.end_requests(key);
                    self.outbox.observe(Event::NodeOpened { node });
                }
                Change::Closed(key, end) => {
                    let node = cluster.nodes.id(key);
                    let said_bye = end == NodeEnd::Left;
                    let why = if said_bye { CloseReason::ShuttingDown } else { CloseReason::InactiveTimeout };
                    cluster.replicas.close(key, Departure::Closed(why));
                    cluster.begin_anew(key);
                    self.end_requests(key);
                    self.outbox.observe(Event::NodeClosed { node, said_bye });
                }
            }
        }
    }

    /// Requests to a node, and those of it, are over.
    fn end_requests(&mut self, node: NodeKey) {
        self.refuse_unanswered(Some(node));
        self.abandoned(node, None);
    }

    /// Some of the remote peers go whose node is over, or does not name them any more.
    pub(crate) fn let_some_go(&mut self) {
        for _ in 0..GO_AT_ONCE {
            let next = self.cluster.as_ref().and_then(|cluster| cluster.replicas.next_to_go());
            let Some((slot, cause)) = next.filter(|_| !self.outbox.is_crowded()) else { return };
            self.end_remote(slot, cause);
        }
    }

    /// A peer of another node is not there any more; whoever waits here for its id is next.
    pub(crate) fn end_remote(&mut self, slot: PeerSlot, cause: Departure) {
        if let Some(id) = self.forget_remote(slot, cause) {
            self.id_is_free(&id);
        }
    }

    /// Forgets a peer of another node. Returns its id, which is free then.
    pub(crate) fn forget_remote(&mut self, slot: PeerSlot, cause: Departure) -> Option<PeerId> {
        let caused = self.caused;
        self.leave(slot, cause);
        self.caused = caused;
        let peer = self.peers.remove(slot, self.now);
        self.grants.remove(peer.conn());
        self.backlogs.remove(peer.conn());
        if let Some((replica, number)) = ReplicaKey::of(peer.conn())
            && let Some(cluster) = &mut self.cluster
        {
            let id = *peer.id();
            let stamp = cluster.replicas.peer(replica, number).map_or(0, |known| known.stamp);
            cluster.last_forgotten = Some((id, stamp));
            cluster.replicas.remove(replica, number);
            cluster.ask_for_shadowed(id);
        }
        peer.own_id().copied()
    }

    /// Tells nodes that know little of the peers of this one.
    fn tell_newcomers(&mut self) {
        let nodes = self.cluster.as_ref().map(|cluster| cluster.replicas.keys()).unwrap_or_default();
        let mut left = TOLD_AT_ONCE;
        for node in nodes {
            while left > 0
                && let Some(cluster) = &mut self.cluster
                && let Some(told) = cluster.replicas.told(node)
                && told < u64::MAX
                && cluster.nodes.has_room(node, STATE_BYTES + self.limits.announced_data_bytes as usize)
            {
                left -= 1;
                if told == 0 {
                    cluster.tell(node, |out| out.begin());
                }
                let next = cluster.residents.next(told);
                cluster.replicas.set_told(node, next.map_or(u64::MAX, |(number, _)| number));
                match next {
                    Some((_, slot)) => self.tell_state(node, slot),
                    None => cluster.tell(node, |out| out.end()),
                }
            }
        }
    }

    /// Whether there is any node that can be spoken to.
    pub(crate) fn has_other_nodes(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.nodes.open().next().is_some())
    }

    /// Peers of other nodes that are in a network.
    pub(crate) fn announced_elsewhere(&self) -> usize {
        self.cluster.as_ref().map_or(0, |cluster| cluster.announced)
    }
}
