//! Who is linked to whom, and who is free to take one more link, slow and obvious.

use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_core::{ConnId, PeerId, Signal};

/// Announced peers of all networks.
#[derive(Debug, Default)]
pub(super) struct Links {
    peers: BTreeMap<PeerId, Taker>,
    pairs: BTreeSet<(PeerId, PeerId)>,
}

#[derive(Debug)]
struct Taker {
    conn: ConnId,
    /// Its `maxPeers`.
    most: usize,
    turned_away: bool,
}

impl Links {
    pub(super) fn announced(&mut self, peer: PeerId, conn: ConnId, most: usize) {
        self.peers.insert(peer, Taker { conn, most, turned_away: false });
    }

    /// A peer leaves; returns whose links end.
    pub(super) fn left(&mut self, peer: PeerId) -> BTreeSet<PeerId> {
        let bereaved: BTreeSet<PeerId> = self.of(peer).collect();
        self.pairs.retain(|(one, two)| *one != peer && *two != peer);
        self.peers.remove(&peer);
        for other in &bereaved {
            self.turned_away(*other, false);
        }
        bereaved
    }

    /// A signal went from one peer to another.
    pub(super) fn relayed(&mut self, from: PeerId, to: PeerId, signal: Signal) {
        match signal {
            Signal::Offer => self.turned_away(from, false),
            Signal::Answer => {
                if self.is_free(from) && self.is_free(to) {
                    self.pairs.insert((from.min(to), from.max(to)));
                }
            }
            Signal::ConnectionRejected => {
                self.turned_away(from, true);
                self.turned_away(to, false);
            }
            Signal::IceCandidate
            | Signal::RenegotiationOffer
            | Signal::RenegotiationAnswer
            | Signal::IceRestartOffer
            | Signal::IceRestartAnswer
            | Signal::RecoveryOffer => {}
        }
    }

    fn turned_away(&mut self, peer: PeerId, turned_away: bool) {
        if let Some(taker) = self.peers.get_mut(&peer) {
            taker.turned_away = turned_away;
        }
    }

    fn of(&self, peer: PeerId) -> impl Iterator<Item = PeerId> {
        let other = move |(one, two): &(PeerId, PeerId)| {
            [(*one, *two), (*two, *one)].into_iter().find(|(me, _)| *me == peer).map(|(_, other)| other)
        };
        self.pairs.iter().filter_map(other)
    }

    fn is_free(&self, peer: PeerId) -> bool {
        let taker = self.peers.get(&peer);
        taker.is_some_and(|taker| !taker.turned_away && self.of(peer).count() < taker.most)
    }

    /// The next free peer for `me` among the `members` of its network, of those that `is_possible`.
    pub(super) fn next_free(
        &self,
        me: PeerId,
        members: &BTreeSet<PeerId>,
        is_possible: impl Fn(PeerId) -> bool,
    ) -> Option<PeerId> {
        if !self.is_free(me) {
            return None;
        }
        let conn_of = |peer: &PeerId| self.peers.get(peer).map(|taker| taker.conn);
        let mut ring: Vec<PeerId> = members.iter().copied().filter(|peer| self.is_free(*peer)).collect();
        ring.sort_by_key(conn_of);
        let place = ring.iter().position(|peer| *peer == me)?;
        ring.rotate_left(place);
        let mine: BTreeSet<PeerId> = self.of(me).collect();
        let apart =
            |other: &PeerId| !mine.contains(other) && !self.of(*other).any(|peer| mine.contains(&peer));
        ring.into_iter().skip(1).take(8).find(|other| apart(other) && is_possible(*other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(peers: u8) -> (Links, BTreeSet<PeerId>) {
        let mut links = Links::default();
        let members: BTreeSet<PeerId> = (0..peers).map(|number| PeerId([number; 20])).collect();
        for (conn, peer) in (1..).zip(&members) {
            links.announced(*peer, ConnId(conn), 2);
        }
        (links, members)
    }

    fn peer(number: u8) -> PeerId {
        PeerId([number; 20])
    }

    #[test]
    fn the_next_who_is_free_and_not_linked_over_anybody_is_found() {
        let (mut links, members) = links(5);
        let next = |links: &Links, me| links.next_free(peer(me), &members, |_| true);
        assert_eq!((next(&links, 0), next(&links, 4)), (Some(peer(1)), Some(peer(0))));
        links.relayed(peer(1), peer(0), Signal::Answer);
        links.relayed(peer(1), peer(2), Signal::Answer);
        assert_eq!((next(&links, 0), next(&links, 1)), (Some(peer(3)), None));
        links.relayed(peer(3), peer(4), Signal::ConnectionRejected);
        assert_eq!(next(&links, 0), Some(peer(4)));
        assert_eq!(links.left(peer(1)), BTreeSet::from([peer(0), peer(2)]));
        assert_eq!(next(&links, 0), Some(peer(2)));
    }
}
