//! The mesh of a crowd at one moment.

use super::crowd::Crowd;
use super::graph::{Graph, Pieces};
use super::introducer::Introducer;
use super::key::Key;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) pieces: Pieces,
    pub(super) peers: usize,
    pub(super) links: usize,
    /// Only where it was asked for.
    pub(super) distances: Option<Distances>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Distances {
    /// See [`Graph::far_apart`].
    pub(super) far_apart: u32,
    /// Where those to whom a peer is linked stand among all in the order of XOR distance, in the mean: 0 nearest,
    /// 0.5 as by chance.
    pub(super) rank: f64,
}

/// Younger peers may still be looking for their first link.
const SETTLED_MS: u64 = 30_000;

impl<I: Introducer> Crowd<I> {
    /// Looks at the mesh of links that both ends hold.
    pub(super) fn look(&self, with_distances: bool) -> Look {
        let here = self.here.all();
        let mut counts = Vec::with_capacity(here.len());
        let mut pairs = Vec::new();
        for (place, key) in (0..).zip(here) {
            let Some(page) = self.pages[key.index()].as_deref() else { continue };
            counts.push(page.announces() + SETTLED_MS <= self.now);
            let mutual =
                page.connections().iter().filter(|one| one.is_up() && self.is_up(one.peer, one.other));
            let others = mutual.filter_map(|one| self.here.place(one.peer));
            pairs.extend(others.filter(|other| place < *other).map(|other| (place, other)));
        }
        let graph = Graph::new(here.len(), &pairs);
        let pieces = graph.pieces(&counts);
        let distances = (with_distances && !pairs.is_empty())
            .then(|| Distances { far_apart: graph.far_apart(pieces.member), rank: rank(here, &pairs) });
        let peers = here
            .iter()
            .filter_map(|key| self.pages[key.index()].as_deref())
            .filter(|page| page.announces() <= self.now)
            .count();
        Look { pieces, peers, links: pairs.len(), distances }
    }
}

fn rank(here: &[Key], pairs: &[(u32, u32)]) -> f64 {
    let mut sorted = here.to_vec();
    sorted.sort_unstable();
    let places = |(one, two): &(u32, u32)| {
        let (one, two) = (here[*one as usize], here[*two as usize]);
        nearer(&sorted, one, two) + nearer(&sorted, two, one)
    };
    let sum: usize = pairs.iter().map(places).sum();
    let others = here.len().saturating_sub(2).max(1);
    sum as f64 / (2 * pairs.len()).max(1) as f64 / others as f64
}

/// How many of `sorted` are nearer to `me` than `other` is, `me` left out.
fn nearer(sorted: &[Key], me: Key, other: Key) -> usize {
    let (mut range, mut count) = (sorted, 0);
    for bit in (0..u64::BITS).rev() {
        if range.len() <= 1 {
            break;
        }
        let (zeros, ones) = range.split_at(range.partition_point(|key| key.bit(bit) == 0));
        let (same, flipped) = if me.bit(bit) == 0 { (zeros, ones) } else { (ones, zeros) };
        if me.bit(bit) == other.bit(bit) {
            range = same;
        } else {
            count += same.len();
            range = flipped;
        }
    }
    count.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::super::core::Core;
    use super::super::crowd::Habits;
    use super::super::everybody::{Everybody, Kind};
    use super::super::page::{Client, OPEN_MS};
    use super::*;
    use crate::random::Random;
    use peerpigeon_core::Time;

    fn habits(peers: u32) -> Habits {
        Habits {
            peers,
            capacities: vec![3],
            client: Client::V1_1_3,
            blocked_percent: 0,
            life_ms: 600_000,
            seed: 1,
        }
    }

    #[test]
    fn a_crowd_around_the_core_links_itself_and_stays_as_large_as_asked_for() {
        let mut crowd = Crowd::new(Core::new(200), habits(200));
        crowd.run_until(Time(120_000));
        let look = crowd.look(true);
        assert_eq!(crowd.here.all().len(), 200);
        assert!(crowd.pages.len() > 220, "nobody was replaced");
        assert!(look.links > 200 && look.links <= 300, "{look:?}");
        assert!(look.distances.is_some_and(|distances| distances.far_apart > 3), "{look:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_mesh() {
        let look = || {
            let mut crowd = Crowd::new(Core::new(100), habits(100));
            crowd.run_until(Time(300_000));
            (crowd.introducer.cost(), crowd.counts, crowd.look(true).links, crowd.pages.len())
        };
        assert_eq!(look(), look());
    }

    #[test]
    fn where_everybody_is_told_each_join_costs_two_frames_per_peer() {
        let mut crowd = Crowd::new(Everybody::new(Kind::Relaying), habits(50));
        crowd.run_until(Time(60_200));
        let before = crowd.introducer.cost();
        crowd.run_until(Time(600_000));
        let cost = crowd.introducer.cost().since(before);
        assert!(cost.joins > 20);
        let expected = cost.joins * 2 * 49;
        assert!(cost.joining_frames.abs_diff(expected) <= expected / 50, "{cost:?}");
    }

    #[test]
    fn pairs_that_are_blocked_never_link_and_the_others_do() {
        let mut free = Crowd::new(Everybody::new(Kind::Relaying), habits(20));
        free.run_until(Time(300_000));
        assert!(free.counts.links_made > 20);
        let blocked = Habits { blocked_percent: 100, ..habits(20) };
        let mut blocked = Crowd::new(Everybody::new(Kind::Relaying), blocked);
        blocked.run_until(Time(300_000));
        assert_eq!(blocked.counts.links_made, 0);
        assert!(blocked.counts.offers > 20);
    }

    #[test]
    fn the_rank_of_a_peer_is_the_number_of_those_who_are_nearer() {
        let mut random = Random::new(3);
        let mut keys: Vec<Key> = (0..60).map(|number| Key::new(number, random.bits())).collect();
        keys.sort_unstable();
        for me in &keys {
            let mut others: Vec<Key> = keys.iter().copied().filter(|other| other != me).collect();
            others.sort_by_key(|other| other.distance(*me));
            for (place, other) in others.iter().enumerate() {
                assert_eq!(nearer(&keys, *me, *other), place);
            }
        }
    }

    #[test]
    fn pages_that_have_not_announced_themselves_are_not_among_the_peers() {
        let mut crowd = Crowd::new(Core::new(2), habits(2));
        crowd.run_until(Time(60_000 + OPEN_MS));
        assert_eq!(crowd.look(false).peers, 2);
    }
}
