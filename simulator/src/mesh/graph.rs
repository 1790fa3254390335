//! A mesh looked at from above: its pieces, who stands alone, how far apart peers are.

use std::collections::VecDeque;

/// An undirected graph over `0..len`.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Where in `ends` the neighbours of each begin; one more at the end.
    starts: Vec<u32>,
    ends: Vec<u32>,
}

/// Its pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pieces {
    /// All of them that hold at least one peer that counts, peers without a link included.
    pub(super) count: usize,
    /// Those of them with more than one peer.
    pub(super) islands: usize,
    /// Peers that count.
    pub(super) peers: usize,
    /// Those of them without a link.
    pub(super) alone: usize,
    /// Those of them in the largest piece.
    pub(super) in_largest: usize,
    /// Any peer of the largest piece.
    pub(super) member: u32,
}

impl Graph {
    /// Each pair once, in either order.
    pub(super) fn new(len: usize, pairs: &[(u32, u32)]) -> Graph {
        let mut starts = vec![0_u32; len + 1];
        for (one, two) in pairs {
            starts[*one as usize + 1] += 1;
            starts[*two as usize + 1] += 1;
        }
        for place in 0..len {
            starts[place + 1] += starts[place];
        }
        let mut next = starts.clone();
        let mut ends = vec![0; 2 * pairs.len()];
        for (one, two) in pairs {
            for (from, to) in [(*one, *two), (*two, *one)] {
                ends[next[from as usize] as usize] = to;
                next[from as usize] += 1;
            }
        }
        Graph { starts, ends }
    }

    fn neighbours(&self, peer: u32) -> &[u32] {
        let place = peer as usize;
        &self.ends[self.starts[place] as usize..self.starts[place + 1] as usize]
    }

    /// Its pieces, as far as those matter that `counts`.
    pub(super) fn pieces(&self, counts: &[bool]) -> Pieces {
        let mut pieces =
            Pieces { peers: counts.iter().filter(|counts| **counts).count(), ..Pieces::default() };
        let mut seen = vec![false; counts.len()];
        let mut open = Vec::new();
        for start in 0..u32::try_from(counts.len()).unwrap_or(u32::MAX) {
            if std::mem::replace(&mut seen[start as usize], true) {
                continue;
            }
            open.push(start);
            let (mut size, mut counting) = (0, 0);
            while let Some(peer) = open.pop() {
                size += 1;
                counting += usize::from(counts[peer as usize]);
                for &other in self.neighbours(peer) {
                    if !std::mem::replace(&mut seen[other as usize], true) {
                        open.push(other);
                    }
                }
            }
            if counting == 0 {
                continue;
            }
            pieces.count += 1;
            pieces.islands += usize::from(size > 1);
            pieces.alone += usize::from(size == 1);
            if counting > pieces.in_largest {
                (pieces.in_largest, pieces.member) = (counting, start);
            }
        }
        pieces
    }

    /// The largest distance found from ends of long ways: at most the diameter of the piece of `start`, and for
    /// most graphs that diameter.
    pub(super) fn far_apart(&self, start: u32) -> u32 {
        let (mut from, mut farthest) = (start, 0);
        for _ in 0..SWEEPS {
            let (end, distance) = self.farthest_from(from);
            if distance <= farthest && farthest > 0 {
                break;
            }
            (from, farthest) = (end, distance);
        }
        farthest
    }

    fn farthest_from(&self, start: u32) -> (u32, u32) {
        let mut distances = vec![u32::MAX; self.starts.len() - 1];
        distances[start as usize] = 0;
        let mut open = VecDeque::from([start]);
        let mut last = start;
        while let Some(peer) = open.pop_front() {
            last = peer;
            for &other in self.neighbours(peer) {
                if distances[other as usize] == u32::MAX {
                    distances[other as usize] = distances[peer as usize] + 1;
                    open.push_back(other);
                }
            }
        }
        (last, distances[last as usize])
    }
}

const SWEEPS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_counted_with_those_who_stand_alone() {
        let graph = Graph::new(7, &[(0, 1), (1, 2), (4, 3)]);
        let pieces = graph.pieces(&[true; 7]);
        let expected = Pieces { count: 4, islands: 2, peers: 7, alone: 2, in_largest: 3, member: 0 };
        assert_eq!(pieces, expected);
    }

    #[test]
    fn who_does_not_count_still_joins_pieces_together() {
        let graph = Graph::new(4, &[(0, 3), (3, 1)]);
        let pieces = graph.pieces(&[true, true, false, false]);
        assert_eq!((pieces.count, pieces.peers, pieces.alone, pieces.in_largest), (1, 2, 0, 2));
    }

    #[test]
    fn the_ends_of_a_chain_are_found_from_its_middle() {
        let chain: Vec<(u32, u32)> = (0..9).map(|peer| (peer, peer + 1)).collect();
        assert_eq!(Graph::new(10, &chain).far_apart(4), 9);
        assert_eq!(Graph::new(1, &[]).far_apart(0), 0);
    }
}
