//! Whom a page dials, and when: `connectToPeer`, the connectivity floor, `PeerDiscovery`, `MeshOptimizer`.

use peerpigeon_core::Time;

use super::connection::{Connection, DESCRIPTION_MS, OFFER_CALLS, Role, Signaling, Status};
use super::{Client, Output, Page, Timer, Turn, stale_after};
use crate::mesh::introducer::Message;
use crate::mesh::key::Key;

/// A page asks for as many links at least (`connectivityFloor`, 1.1.3), also of peers with larger ids.
const FLOOR: usize = 3;
/// Up to this capacity the optimizer fills every place, beyond seven of ten.
const SMALL_CAPACITY: usize = 3;

const MOST_ATTEMPTS: u8 = 3;
const RETRY_MS: u64 = 500;
const RETRY_ALONE_MS: u64 = 200;
/// Those with the smallest id of all that they know may dial as many of the nearest.
const NEAREST_ALONE: usize = 3;
/// A page without a link that has dialled so many in vain may dial anybody.
const DESPERATE_MARKS: usize = 2;

/// `scheduleMeshOptimization`
const OPTIMIZE_MS: (u64, u64) = (10_000, 14_999);

/// After `setLocalDescription`: a host and a server-reflexive candidate.
pub(super) const CANDIDATES_MS: [u64; 2] = [10, 80];

impl Page {
    /// Told of a peer. Whoever is on the list already is not heard, and its time stays.
    pub(in super::super) fn discovered(&mut self, turn: &mut Turn<'_>, peer: Key) {
        self.now = turn.now;
        if peer == self.key || self.known.has(peer) {
            return;
        }
        self.known.add(turn.now, peer);
        if self.should_initiate(peer) && self.can_accept(turn.now) {
            self.connect(turn, peer);
        }
        self.optimize = Some(turn.now + turn.random.between(OPTIMIZE_MS.0, OPTIMIZE_MS.1));
    }

    /// `getConnectedPeerCount`
    pub(super) fn connected(&self) -> usize {
        self.connections.iter().filter(|one| one.status() == Status::Connected).count()
    }

    pub(super) fn has(&self, peer: Key) -> bool {
        self.connections.iter().any(|one| one.peer == peer)
    }

    /// 1.0.6 has none.
    pub(super) fn floor(&self) -> usize {
        match self.client {
            Client::V1_1_3 => FLOOR.min(self.capacity),
            Client::V1_0_6 => 0,
        }
    }

    /// `canAcceptMorePeers`: 1.1.3 counts attempts, 1.0.6 links only.
    pub(super) fn can_accept(&self, now: Time) -> bool {
        let has_room = self.connected() < self.capacity;
        match self.client {
            Client::V1_1_3 => has_room && self.connections.len() < self.capacity,
            Client::V1_0_6 => has_room || (self.connections.len() >= self.capacity && self.has_stale(now)),
        }
    }

    /// `connectToPeer`
    pub(super) fn connect(&mut self, turn: &mut Turn<'_>, peer: Key) {
        if self.has(peer) || self.known.is_marked(peer) {
            return;
        }
        let connected = self.connected();
        if self.key < peer && connected >= self.floor() {
            return;
        }
        if !self.can_accept(turn.now) {
            return;
        }
        if let Some((count, last)) = self.known.attempts(peer) {
            let delay = if connected == 0 { RETRY_ALONE_MS } else { RETRY_MS };
            if last + delay > turn.now {
                return;
            }
            if count >= MOST_ATTEMPTS {
                self.known.remove(peer);
                return;
            }
        }
        self.known.count_attempt(turn.now, peer);
        self.known.mark(peer);
        let end = self.open_end(turn.now, Role::Dialler, peer, 0);
        self.after(OFFER_CALLS * DESCRIPTION_MS, Timer::OfferMade(end));
    }

    pub(super) fn open_end(&mut self, now: Time, role: Role, peer: Key, other: u32) -> u32 {
        self.last_end += 1;
        self.connections.push(Connection::new(now, role, peer, (self.last_end, other)));
        self.last_end
    }

    pub(super) fn offer_made(&mut self, turn: &mut Turn<'_>, end: u32) {
        let Some(connection) = self.connections.iter_mut().find(|one| one.end == end) else { return };
        connection.signaling = Signaling::Offered;
        turn.outputs.push(Output::Signal { to: connection.peer, message: Message::Offer { end } });
        CANDIDATES_MS.into_iter().for_each(|ms| self.after(ms, Timer::Candidate(end)));
    }

    /// Those that it may dial.
    fn dialable(&self) -> impl Iterator<Item = Key> {
        self.known.peers().filter(|peer| !self.has(*peer) && !self.known.is_marked(*peer))
    }

    /// The nearest peer that it may dial, `but` one.
    pub(super) fn nearest_but(&self, but: Key) -> Option<Key> {
        self.dialable().filter(|peer| *peer != but).min_by_key(|peer| peer.distance(self.key))
    }

    /// Every few seconds a page below its floor dials the nearest.
    pub(super) fn enforce_floor(&mut self, turn: &mut Turn<'_>) {
        let missing = self.floor().saturating_sub(self.connected());
        let batch = nearest(self.key, self.dialable(), missing);
        batch.into_iter().for_each(|peer| self.connect(turn, peer));
    }

    /// `shouldInitiateConnection`
    fn should_initiate(&self, peer: Key) -> bool {
        if self.known.is_marked(peer) {
            return false;
        }
        if self.key > peer || self.connected() > 0 {
            return self.key > peer;
        }
        let is_smallest = self.known.smallest().is_none_or(|smallest| smallest > self.key);
        (is_smallest && self.is_among_nearest(peer)) || self.known.marks() >= DESPERATE_MARKS
    }

    fn is_among_nearest(&self, peer: Key) -> bool {
        let mine = peer.distance(self.key);
        let nearer = self.known.peers().filter(|other| other.distance(self.key) < mine);
        nearer.take(NEAREST_ALONE).count() < NEAREST_ALONE
    }

    /// `optimizeMeshConnections` and `handleOptimizeConnections`: the nearest, one at a time. That more are missing
    /// of `minPeers`, which is 2, than one is never so here: without any link it is one, too.
    pub(super) fn optimize_connections(&mut self, turn: &mut Turn<'_>) {
        let enough = if self.capacity <= SMALL_CAPACITY { self.capacity } else { self.capacity * 7 / 10 };
        if self.connected() < enough {
            let next = self.dialable().filter(|peer| self.should_initiate(*peer));
            if let Some(next) = next.min_by_key(|peer| peer.distance(self.key)) {
                self.connect(turn, next);
            }
        }
    }

    /// An offer that waits too long for its answer is given up. Its mark stays, so that the peer is not
    /// dialled again before the list forgets it.
    pub(super) fn recover_stuck(&mut self, turn: &mut Turn<'_>) {
        let is_stuck =
            |one: &&Connection| one.signaling == Signaling::Offered && one.start + super::STUCK_MS < turn.now;
        let stuck: Vec<Key> = self.connections.iter().filter(is_stuck).map(|one| one.peer).collect();
        for peer in stuck {
            self.close(turn, peer, super::Cause::Other);
            self.connect(turn, peer);
        }
    }

    /// `getStalePeerCount`
    pub(super) fn has_stale(&self, now: Time) -> bool {
        const COUNTED_MS: u64 = 45_000;
        let mut lost = self.connections.iter().filter(|one| one.status() == Status::Disconnected);
        lost.any(|one| one.start + COUNTED_MS < now)
    }

    /// `cleanupStalePeers`
    pub(super) fn clean_up_stale(&mut self, turn: &mut Turn<'_>) {
        let is_stale = |one: &&Connection| stale_after(one).is_some_and(|due| due <= turn.now);
        let stale: Vec<Key> = self.connections.iter().filter(is_stale).map(|one| one.peer).collect();
        stale.into_iter().for_each(|peer| self.clean_up(turn, peer));
    }
}

/// The `count` nearest to `me`, nearest first.
fn nearest(me: Key, peers: impl Iterator<Item = Key>, count: usize) -> Vec<Key> {
    let mut best: Vec<Key> = Vec::with_capacity(count + 1);
    for peer in peers {
        let place = best.partition_point(|other| other.distance(me) < peer.distance(me));
        if place < count {
            best.insert(place, peer);
            best.truncate(count);
        }
    }
    best
}
