//! What other nodes tell of their peers, and what comes of it here.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::cluster::NodeKey;
use crate::cluster::events::{Number, Numbers, Passed, Refused, Ties, Told};
use crate::cluster::replicas::{Replica, ReplicaKey};
use crate::mesh::links::{LinkStage, Links};
use crate::peers::{Peer, PeerSlot, Standing};
use crate::wire::{self, Dialect, Message, Name, Refusal, SignalName};
use crate::{CloseReason, Departure, Event, Grant, Limits, Occasion, PeerId, Signal, Spelling, Switchboard};

/// Within so long everybody looks for others where a node has become known.
const SOON_MS: u64 = 2_000;

/// 2^64 divided by the golden ratio (Knuth, multiplicative hashing).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Switchboard {
    /// Another node tells something.
    pub(crate) fn hear(&mut self, node: NodeKey, told: Told<'_>) {
        let Some(key) = self.cluster.as_ref().and_then(|cluster| cluster.replicas.of(node)) else { return };
        let peer = |own: Number| self.remote(key, own);
        match told {
            Told::Begin => self.replica_begins(key),
            Told::End => self.replica_ends(key),
            Told::Here { own, stamp, spelling, is_proven, is_reachable } => {
                self.hear_of_arrival(node, key, own, Session { stamp, spelling, is_proven, is_reachable });
            }
            Told::Announced { before, own, max_links, network, data } => {
                if let Some(slot) = peer(before) {
                    self.hear_of_announcement(key, slot, (before, own), max_links, network, data);
                }
            }
            Told::Departed { before, own } => {
                let slot = peer(before)
                    .and_then(|slot| self.renew_remote(key, slot, before, own, Departure::Goodbye));
                if let Some(slot) = slot {
                    self.drop_mail(slot);
                }
            }
            Told::Gone { own, cause } => {
                if let Some(slot) = peer(own) {
                    self.end_remote(slot, cause);
                }
            }
            Told::Links { own, is_full, acquaintances, ties } => {
                if let Some(slot) = peer(own) {
                    self.hear_of_links(slot, is_full, acquaintances, ties);
                }
            }
            Told::Knows { own, others } => {
                if let Some(slot) = peer(own) {
                    self.compare_acquaintances(slot, others);
                }
            }
            Told::Introduced { own, other, are_mates, occasion } => {
                if let (Some(remote), Some(slot)) = (peer(own), self.resident(other)) {
                    self.hear_of_introduction(remote, slot, are_mates, occasion);
                }
            }
            Told::Parted { own, other } => {
                if let (Some(remote), Some(slot)) = (peer(own), self.resident(other)) {
                    self.part(slot, remote);
                }
            }
            Told::Evicted { own, other } => {
                if let (Some(remote), Some(slot)) = (peer(own), self.resident(other))
                    && self.selection().links_of(slot).is_some_and(|own| own.to(remote).is_some())
                {
                    self.give_up_link(remote, slot);
                }
            }
            Told::Signal { from, other, signal, name, passage, data } => {
                let arrival = Arriving { from, signal, name, data };
                if let Err(why) = self.signal_arrives(key, other, arrival, passage) {
                    self.refuse_elsewhere(node, *from.id(), why);
                }
            }
            Told::Refused { from, why } => self.hear_of_refusal(&from, why),
            Told::Challenge { other } => {
                if let (Some(slot), Some(cluster)) = (self.resident(other), &mut self.cluster) {
                    cluster.note_challenge(slot, node);
                    self.ask_for_life(slot);
                }
            }
            Told::Alive { own } => {
                if let Some(slot) = peer(own) {
                    let id = *self.peers[slot].id();
                    self.answer_challenge(&id);
                }
            }
            Told::Posted { request, body, grant } => {
                self.posted_elsewhere(node, request, body, &grant.grant());
            }
            Told::Polled { request, target, grant } => {
                self.polled_elsewhere(node, request, target, &grant.grant());
            }
            Told::Replied { request, status, text } => self.replied_elsewhere(node, request, status, text),
            Told::Abandoned { request } => self.abandoned(node, Some(request)),
            Told::Ask { id } => {
                if let Some(slot) = self.peers.by_id(&id).filter(|slot| self.peers[*slot].is_here()) {
                    self.tell_state(node, slot);
                }
            }
            Told::Cleanup { from, to: Some(to) } => self.forget_mail(&from, &to),
            Told::Cleanup { from, to: None } => self.forget_all_mail(&from),
        }
    }

    fn remote(&self, key: ReplicaKey, number: Number) -> Option<PeerSlot> {
        Some(self.cluster.as_ref()?.replicas.peer(key, number)?.slot)
    }

    fn resident(&self, number: Number) -> Option<PeerSlot> {
        self.cluster.as_ref()?.residents.by_number(number)
    }

    fn replica_begins(&mut self, key: ReplicaKey) {
        if let Some(cluster) = &mut self.cluster {
            cluster.replicas.begin(key);
        }
    }

    fn replica_ends(&mut self, key: ReplicaKey) {
        if let Some(cluster) = &mut self.cluster {
            cluster.replicas.end(key);
        }
        self.let_some_go();
        self.look_at_all();
    }

    /// Whoever lacks links may find somebody at a node that is known now.
    fn look_at_all(&mut self) {
        let residents = self.cluster.as_ref().map(|cluster| cluster.residents.slots().collect());
        let residents: Vec<PeerSlot> = residents.unwrap_or_default();
        for slot in residents {
            if self.selection().links_of(slot).is_some_and(Links::lacks_some) {
                let soon = self.peers[slot].conn().0.wrapping_mul(GOLDEN) % SOON_MS;
                self.look_within(slot, 1 + soon);
            }
        }
    }

    /// A peer has come to another node. Where its id is known already, the later session counts, here as everywhere.
    fn hear_of_arrival(&mut self, node: NodeKey, key: ReplicaKey, own: Number, session: Session) {
        let Some(cluster) = &mut self.cluster else { return };
        if cluster.replicas.peer(key, own).is_some() {
            return cluster.replicas.confirm(key, own);
        }
        let id = *session.spelling.id();
        if let Some(known) = self.peers.by_id(&id) {
            if self.is_later(known, session.stamp, key) {
                if let Some(cluster) = &mut self.cluster {
                    cluster.note_shadowed(id, node, &self.limits);
                }
                return;
            }
            if self.peers[known].is_here() {
                // Whoever waits for this id here has lost, too.
                self.answer_challenge(&id);
                self.close(known, CloseReason::Replaced);
            } else {
                let before = ReplicaKey::of(self.peers[known].conn());
                self.forget_remote(known, Departure::Closed(CloseReason::Replaced));
                // It may be the one that is left.
                if let Some(cluster) = &mut self.cluster
                    && let Some(other) = before.and_then(|(replica, _)| cluster.replicas.node(replica))
                    && other != node
                {
                    cluster.note_shadowed(id, other, &self.limits);
                }
            }
        }
        self.insert_remote(key, own, session);
        self.let_in_if_free(&id);
    }

    /// Where a peer of another node could not be taken over, whoever waits for its id here is next.
    fn let_in_if_free(&mut self, id: &PeerId) {
        if self.peers.by_id(id).is_none() {
            self.id_is_free(id);
        }
    }

    /// Whether the session that is known of an id is later than one at another node with this stamp.
    fn is_later(&self, known: PeerSlot, stamp: u64, key: ReplicaKey) -> bool {
        let Some(cluster) = &self.cluster else { return false };
        let here = cluster.residents.get(known).map(|resident| (resident.stamp, Some(cluster.me)));
        let there = || {
            let (replica, number) = ReplicaKey::of(self.peers[known].conn())?;
            // Of one node, the one that it told last.
            let other = cluster.replicas.peer(replica, number).filter(|_| replica != key)?;
            Some((other.stamp, cluster.replicas.id(replica)))
        };
        here.or_else(there) > Some((stamp, cluster.replicas.id(key)))
    }

    fn insert_remote(&mut self, key: ReplicaKey, own: Number, session: Session) -> Option<PeerSlot> {
        let Session { stamp, spelling, is_proven, is_reachable } = session;
        let conn = key.conn(own)?;
        // A node that keeps to its word uses no number twice.
        let is_known = self.peers.by_conn(conn).is_some() || self.peers.by_id(spelling.id()).is_some();
        if is_known || self.peers.remote() >= self.limits.remote_peers as usize {
            return None;
        }
        let peer = Peer::new(conn, Dialect::A, spelling, None, self.now);
        let slot = self.peers.insert(peer, None, self.now, &self.limits);
        if !is_reachable {
            self.peers[slot].stand(Standing::Departed);
        }
        if is_proven {
            let grant = Grant { peer: Some(spelling.id().to_string().into()), networks: None };
            self.grants.keep(conn, &grant);
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.replicas.insert(key, own, Replica { slot, stamp });
        }
        Some(slot)
    }

    /// A stay of a remote peer is over, and another begins, in no network yet. Returns its new slot.
    fn renew_remote(
        &mut self,
        key: ReplicaKey,
        slot: PeerSlot,
        before: Number,
        own: Number,
        cause: Departure,
    ) -> Option<PeerSlot> {
        let stamp = self.cluster.as_ref()?.replicas.peer(key, before)?.stamp;
        let (spelling, conn) = (self.peers[slot].spelling(), self.peers[slot].conn());
        let is_proven = self.grants.has_proven(conn, spelling.id());
        self.forget_remote(slot, cause);
        let session = Session { stamp, spelling, is_proven, is_reachable: false };
        let renewed = self.insert_remote(key, own, session);
        self.let_in_if_free(spelling.id());
        renewed
    }

    fn hear_of_announcement(
        &mut self,
        key: ReplicaKey,
        slot: PeerSlot,
        (before, own): (Number, Number),
        max_links: u8,
        name: &str,
        data: &str,
    ) {
        let slot = if before == own {
            Some(slot)
        } else {
            self.renew_remote(key, slot, before, own, Departure::Moved)
        };
        let Some(slot) = slot else { return };
        let fits = name.len() <= self.limits.network_name_bytes as usize;
        if !fits || (self.networks.find(name).is_none() && !self.make_room_for_network(slot)) {
            // It cannot be found here: as one that is in no network.
            self.leave(slot, Departure::Moved);
            self.peers[slot].stand(Standing::Departed);
            return;
        }
        let (network, is_new) = self.join(slot, name);
        if is_new && let Some(cluster) = &mut self.cluster {
            cluster.announced += 1;
        }
        let fits = data.len() <= self.limits.announced_data_bytes as usize && are_members(data, &self.limits);
        if let Some(announcement) = self.peers[slot].announcement_mut() {
            announcement.set_data(if fits { data.into() } else { Default::default() });
        }
        self.change_links(slot, |own| own.announce(max_links));
        self.deliver_mail(slot, network);
    }

    /// Links between two remote peers stand as their nodes say. Those to peers of this node are followed here.
    fn hear_of_links(&mut self, slot: PeerSlot, is_full: bool, acquaintances: u16, ties: Ties<'_>) {
        let network = self.peers[slot].network();
        let (Some(cluster), Some(own)) = (&self.cluster, self.peers[slot].announcement()) else { return };
        let ended = ties.iter().filter(|tie| tie.other.is_none()).count();
        let told = ties.iter().filter_map(|tie| {
            let (node, number) = tie.other?;
            let replica = cluster.replicas.by_id(node)?;
            let other = cluster.replicas.peer(replica, number)?.slot;
            let can_be = other != slot && self.peers[other].network() == network;
            can_be.then_some((other, tie.stage(slot)))
        });
        let told: Vec<(PeerSlot, LinkStage)> = told.collect();
        let known = own.links().iter().map(|tie| tie.peer).filter(|other| *other != PeerSlot::NOBODY);
        let over = known
            .filter(|other| !self.peers[*other].is_here() && !told.iter().any(|(still, _)| still == other));
        let over: Vec<PeerSlot> = over.collect();
        for other in over {
            self.untie(slot, other);
        }
        for (other, stage) in told {
            self.tie(slot, other, stage, self.now);
        }
        self.change_links(slot, |own| {
            own.report_ended(ended);
            own.set_full(is_full);
        });
        if let Some(own) = self.peers[slot].announcement_mut() {
            own.report_acquainted(acquaintances);
        }
    }

    /// Two get to know each other since another node has introduced them, unless that cannot be any more.
    fn hear_of_introduction(
        &mut self,
        remote: PeerSlot,
        slot: PeerSlot,
        are_mates: bool,
        occasion: Occasion,
    ) {
        let network = self.peers[slot].network();
        let is_possible = network.is_some()
            && network == self.peers[remote].network()
            && self.draining.is_none()
            && self.selection().can_be_acquainted(slot, remote);
        if !is_possible {
            if self.selection().are_acquainted(slot, remote) {
                self.part(slot, remote);
            }
            return self.tell_of_parting(slot, remote);
        }
        if are_mates {
            self.tie_mates(slot, remote);
        }
        // Both nodes may have introduced the two at the same moment.
        let pair = (self.peers[slot].conn(), self.peers[remote].conn());
        let is_crossing =
            self.cluster.as_mut().is_some_and(|cluster| cluster.has_just_introduced(pair, self.now));
        if is_crossing && occasion != Occasion::Announce {
            return;
        }
        self.acquaint(remote, slot, occasion);
    }

    /// Its own node says whom of the peers here a remote peer knows: who knows it and is not known does not either.
    fn compare_acquaintances(&mut self, remote: PeerSlot, others: Numbers<'_>) {
        let Some(own) = self.peers[remote].announcement() else { return };
        let known: BTreeSet<PeerSlot> = own.acquaintances().iter().collect();
        let told: BTreeSet<PeerSlot> = others.iter().filter_map(|other| self.resident(other)).collect();
        for &slot in known.difference(&told) {
            self.part(slot, remote);
            self.tell_of_parting(slot, remote);
        }
        for &slot in told.difference(&known) {
            self.tell_of_parting(slot, remote);
        }
    }

    /// A peer of this node does not know a remote one any more, as if that had left.
    fn part(&mut self, slot: PeerSlot, remote: PeerSlot) {
        if !self.selection().are_acquainted(slot, remote) {
            return;
        }
        self.untie(slot, remote);
        for (one, two) in [(slot, remote), (remote, slot)] {
            if let Some(own) = self.peers[one].announcement_mut() {
                own.acquaintances_mut().part_from(two);
            }
        }
        self.networks.note_parted();
        let peer = self.peers[remote].spelling();
        self.send(slot, Message::Disconnected { peer, reason: "refused" });
        self.look_soon(slot);
    }

    /// A signal comes from another node.
    fn signal_arrives(
        &mut self,
        key: ReplicaKey,
        other: Number,
        arriving: Arriving<'_>,
        passage: Passed,
    ) -> Result<(), Refused> {
        let Arriving { from, signal, data, .. } = arriving;
        let of_sender = |slot: &PeerSlot| {
            ReplicaKey::of(self.peers[*slot].conn()).is_some_and(|(replica, _)| replica == key)
        };
        let sender = self.peers.by_id(from.id()).filter(of_sender);
        let to = self.resident(other);
        if data.is_some_and(|data| !wire::is_json(data, self.limits.nesting_levels)) {
            // No node that keeps to its word sends it.
            return Ok(());
        }
        if passage == Passed::Mail {
            if let Some(to) = to {
                self.arrive(to, arriving);
            }
            return Ok(());
        }
        // Of a session that another one has taken the place of.
        let Some(sender) = sender else { return Ok(()) };
        let to = to.ok_or(Refused::NotConnected)?;
        if !self.share_a_network(sender, to) {
            return Err(Refused::OtherNetwork);
        }
        self.note_signal_across(to, sender);
        self.follow(sender, to, signal, data);
        if passage == Passed::Withheld {
            return Ok(());
        }
        if self.is_coming(self.peers[to].id()) {
            return self.keep_behind(sender, to, signal, data).map(|_| ()).map_err(|_| Refused::MailboxFull);
        }
        if !self.has_room(sender, to, data) {
            self.refuse_for_want_of_room(to);
            return Err(Refused::TooSlow);
        }
        let bytes = self.arrive(to, arriving);
        if self.peers[to].has_connection() {
            self.backlogs.charge(self.peers[to].conn(), self.peers[sender].conn(), bytes);
        }
        Ok(())
    }

    /// A peer of this node and one of another signal to each other.
    pub(crate) fn note_signal_across(&mut self, own: PeerSlot, remote: PeerSlot) {
        let pair = (self.peers[own].conn(), self.peers[remote].conn());
        if let Some(cluster) = &mut self.cluster {
            cluster.note_signal(pair);
        }
    }

    fn arrive(&mut self, to: PeerSlot, arriving: Arriving<'_>) -> usize {
        let Arriving { from, signal, name, data } = arriving;
        let name = SignalName::Others(name);
        let bytes = self.send(to, Message::Signal { signal, from, data, name });
        let (peer, sent) = (*self.peers[to].id(), u32::try_from(bytes).unwrap_or(u32::MAX));
        self.outbox.observe(Event::Arrived { from: *from.id(), to: peer, signal, bytes: sent });
        bytes
    }

    /// Another node has refused a signal of a peer of this one.
    fn hear_of_refusal(&mut self, from: &PeerId, why: Refused) {
        let Some(slot) = self.peers.by_id(from).filter(|slot| self.peers[*slot].is_here()) else { return };
        let refusal = match why {
            Refused::NotConnected => Refusal::TargetNotConnected,
            Refused::OtherNetwork => Refusal::TargetInOtherNetwork,
            Refused::TooSlow => Refusal::TargetTooSlow,
            Refused::MailboxFull => Refusal::MailboxFull,
        };
        let (conn, id) = (self.peers[slot].conn(), self.next_message_id());
        self.send(slot, Message::Error { refusal, offending_type: None, id });
        self.observe_refused(conn, refusal);
    }
}

/// Whether this is what a node keeps of announced data: members of an object, each with a comma before it.
fn are_members(data: &str, limits: &Limits) -> bool {
    let members = data.strip_prefix(',').filter(|members| !members.is_empty());
    data.is_empty()
        || members.is_some_and(|members| wire::is_json(&format!("{{{members}}}"), limits.nesting_levels))
}

/// What is told of a peer that has come.
#[derive(Clone, Copy)]
struct Session {
    stamp: u64,
    spelling: Spelling,
    is_proven: bool,
    is_reachable: bool,
}

/// A signal that comes from another node.
#[derive(Clone, Copy)]
struct Arriving<'a> {
    from: Spelling,
    signal: Signal,
    name: Name,
    data: Option<&'a str>,
}
