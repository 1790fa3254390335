//! The choice of introductions, slow and obvious, over all 160 bits.

use std::collections::BTreeSet;

use peerpigeon_core::PeerId;

/// Whom `me` is introduced to among `others`, at most `k`: about half the XOR-nearest, the rest one per distance
/// bucket from the farthest bucket inwards, each the nearest within its bucket. Everybody while there are no more
/// than `k`.
pub(crate) fn choice(me: PeerId, others: impl Iterator<Item = PeerId>, k: usize) -> BTreeSet<PeerId> {
    let mut nearest: Vec<PeerId> = others.filter(|other| *other != me).collect();
    nearest.sort_by_key(|other| me.distance(other));
    if nearest.len() <= k {
        return nearest.into_iter().collect();
    }
    let mut chosen: BTreeSet<PeerId> = nearest.iter().copied().take(k.div_ceil(2)).collect();
    for bucket in 0..160 {
        if chosen.len() == k {
            return chosen;
        }
        let within = nearest.iter().find(|other| bucket_of(me, **other) == bucket);
        chosen.extend(within);
    }
    let missing = k - chosen.len();
    let fill: Vec<PeerId> =
        nearest.into_iter().filter(|other| !chosen.contains(other)).take(missing).collect();
    chosen.extend(fill);
    chosen
}

/// The number of the first bit in which two ids differ: 0 is the farthest bucket, which holds half of all ids.
pub(crate) fn bucket_of(a: PeerId, b: PeerId) -> usize {
    let differs = |bit: &usize| {
        let of = |peer: PeerId| peer.0[bit / 8] >> (7 - bit % 8) & 1;
        of(a) != of(b)
    };
    (0..160).find(differs).unwrap_or(160)
}

/// Whether the graph of these pairs is one piece over `peers`.
pub(crate) fn is_one_piece(peers: &BTreeSet<PeerId>, neighbours: impl Fn(PeerId) -> Vec<PeerId>) -> bool {
    let Some(&start) = peers.first() else { return true };
    let mut reached = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(peer) = open.pop() {
        let fresh = neighbours(peer).into_iter().filter(|other| peers.contains(other));
        open.extend(fresh.filter(|other| reached.insert(*other)));
    }
    reached.len() == peers.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(first: u8, last: u8) -> PeerId {
        let mut peer = PeerId([0; 20]);
        (peer.0[0], peer.0[19]) = (first, last);
        peer
    }

    #[test]
    fn a_small_network_is_chosen_whole() {
        let others: Vec<PeerId> = (1..=5).map(|i| peer(i, 0)).collect();
        assert_eq!(choice(peer(0, 0), others.iter().copied(), 5).len(), 5);
    }

    #[test]
    fn half_are_the_nearest_and_the_rest_come_from_the_farthest_buckets() {
        let near: Vec<PeerId> = (1..=9).map(|last| peer(0, last)).collect();
        let far = [peer(0x80, 7), peer(0x80, 2), peer(0x40, 0), peer(0x60, 0), peer(0x01, 0)];
        let chosen = choice(peer(0, 0), near.iter().chain(&far).copied(), 4);
        let expected = [peer(0, 1), peer(0, 2), peer(0x80, 2), peer(0x40, 0)];
        assert_eq!(chosen, expected.into_iter().collect());
    }

    #[test]
    fn buckets_are_counted_from_the_first_bit() {
        assert_eq!(bucket_of(peer(0, 0), peer(0x80, 0)), 0);
        assert_eq!(bucket_of(peer(0, 0), peer(0x01, 0xff)), 7);
        assert_eq!(bucket_of(peer(0, 0), peer(0, 1)), 159);
    }
}
