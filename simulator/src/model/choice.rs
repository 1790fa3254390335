//! The choice of introductions, slow and obvious, over all 160 bits.

use std::collections::BTreeSet;

use peerpigeon_core::PeerId;

/// Whom `me` is introduced to among `others`, at most `k`: half the XOR-nearest, then the nearest of each distance bucket
/// from the farthest inwards, then the next nearest. Everybody while there are no more than `k`.
///
/// Where there are more buckets than places, each peer begins with one of its own (its last 32 bits modulo their count):
/// if all began with the farthest, no choice would ever cross the levels between, and a network of thousands would
/// fall into pieces.
pub(crate) fn choice(me: PeerId, others: impl Iterator<Item = PeerId>, k: usize) -> BTreeSet<PeerId> {
    let mut nearest: Vec<PeerId> = others.filter(|other| *other != me).collect();
    nearest.sort_by_key(|other| me.distance(other));
    if nearest.len() <= k {
        return nearest.into_iter().collect();
    }
    let mut chosen: BTreeSet<PeerId> = nearest.iter().copied().take(k.div_ceil(2)).collect();
    let of_bucket = |bucket| nearest.iter().copied().find(|other| bucket_of(me, *other) == bucket);
    let far: Vec<PeerId> = (0..160).filter_map(of_bucket).filter(|other| !chosen.contains(other)).collect();
    let places = k - chosen.len();
    let first = if far.len() > places { last_32_bits(me) % far.len() } else { 0 };
    chosen.extend(far.iter().cycle().skip(first).take(places.min(far.len())));
    let missing = k - chosen.len();
    let fill: Vec<PeerId> =
        nearest.into_iter().filter(|other| !chosen.contains(other)).take(missing).collect();
    chosen.extend(fill);
    chosen
}

fn last_32_bits(peer: PeerId) -> usize {
    peer.0[16..].iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte))
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
    fn half_are_the_nearest_and_the_rest_the_nearest_of_each_bucket_from_the_farthest_inwards() {
        let others =
            [peer(0, 1), peer(0, 2), peer(0, 3), peer(0x80, 7), peer(0x80, 2), peer(0x40, 0), peer(0x60, 0)];
        let chosen = choice(peer(0, 0), others.into_iter(), 4);
        assert_eq!(chosen, BTreeSet::from([peer(0, 1), peer(0, 2), peer(0x80, 2), peer(0x40, 0)]));
    }

    #[test]
    fn where_there_are_more_buckets_than_places_each_peer_begins_with_its_own() {
        let others: Vec<PeerId> =
            (0..8).map(|bit| peer(0x80 >> bit, 0)).chain([peer(0, 0xf0), peer(0, 0xf1)]).collect();
        let far = |me: PeerId| -> Vec<usize> {
            choice(me, others.iter().copied(), 4)
                .into_iter()
                .map(|other| bucket_of(me, other))
                .filter(|b| *b < 8)
                .collect()
        };
        let begin = |last: u8| far(peer(0, last)).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(begin(0), BTreeSet::from([0, 1]));
        assert_eq!(begin(3), BTreeSet::from([3, 4]));
        assert_eq!(begin(7), BTreeSet::from([7, 0]));
    }

    #[test]
    fn buckets_are_counted_from_the_first_bit() {
        assert_eq!(bucket_of(peer(0, 0), peer(0x80, 0)), 0);
        assert_eq!(bucket_of(peer(0, 0), peer(0x01, 0xff)), 7);
        assert_eq!(bucket_of(peer(0, 0), peer(0, 1)), 159);
    }
}
