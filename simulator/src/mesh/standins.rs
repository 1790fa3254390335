//! Servers that introduce a few: the nearest, or some drawn by chance.
//!
//! They do what the stand-ins of the laboratory do that real clients were measured against, so that its figures and
//! those of the simulated pages can be held side by side (docs/SIMULATION.md). What a server would send is counted,
//! but never written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use peerpigeon_core::Time;

use super::everybody::relay;
use super::introducer::{Cost, Introducer, Leaving, Message, Notice};
use super::key::Key;
use super::roll::Roll;
use crate::random::Random;

/// How a few are chosen.
pub(super) trait Choose {
    fn add(&mut self, peer: Key);
    fn remove(&mut self, peer: Key);
    /// Up to `k` others than `me`.
    fn choose(&mut self, me: Key, k: usize, chosen: &mut Vec<Key>);
    /// Of whom a peer is told again now and then.
    fn again(&self) -> Again;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Of its choice, whoever is in it by now.
    Choice,
    /// Of all whom it knows.
    Acquaintances,
}

/// The nearest by XOR distance.
#[derive(Default)]
pub(super) struct Nearest {
    keys: BTreeMap<u64, Key>,
}

/// A few drawn anew each time, each as likely as any other.
pub(super) struct Chance {
    roll: Roll,
    random: Random,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance { roll: Roll::default(), random: Random::part(seed, 4) }
    }
}

impl Choose for Nearest {
    fn add(&mut self, peer: Key) {
        self.keys.insert(peer.bits(), peer);
    }

    fn remove(&mut self, peer: Key) {
        self.keys.remove(&peer.bits());
    }

    fn choose(&mut self, me: Key, k: usize, chosen: &mut Vec<Key>) {
        self.walk(me.bits(), (0, 0), &mut |peer| {
            if peer != me {
                chosen.push(peer);
            }
            chosen.len() < k
        });
    }

    fn again(&self) -> Again {
        Again::Choice
    }
}

impl Nearest {
    /// Visits those whose first `bits` bits are those of `prefix`, nearest to `me` first, while `visit` says so.
    fn walk(&self, me: u64, (prefix, bits): (u64, u32), visit: &mut impl FnMut(Key) -> bool) -> bool {
        let last = prefix | u64::MAX.checked_shr(bits).unwrap_or(0);
        let mut within = self.keys.range(prefix..=last);
        match (within.next(), within.next()) {
            (None, _) => true,
            (Some((_, peer)), None) => visit(*peer),
            (Some(_), Some(_)) => {
                let bit = 1 << (63 - bits);
                let (same, other) = (prefix | (me & bit), prefix | (!me & bit));
                self.walk(me, (same, bits + 1), visit) && self.walk(me, (other, bits + 1), visit)
            }
        }
    }
}

impl Choose for Chance {
    fn add(&mut self, peer: Key) {
        self.roll.add(peer);
    }

    fn remove(&mut self, peer: Key) {
        self.roll.remove(peer);
    }

    fn choose(&mut self, me: Key, k: usize, chosen: &mut Vec<Key>) {
        let others = self.roll.all().len() - usize::from(self.roll.has(me));
        if others <= k {
            chosen.extend(self.roll.all().iter().filter(|peer| **peer != me));
            return;
        }
        while chosen.len() < k {
            let peer = *self.random.pick(self.roll.all());
            if peer != me && !chosen.contains(&peer) {
                chosen.push(peer);
            }
        }
    }

    fn again(&self) -> Again {
        Again::Acquaintances
    }
}

/// Introduces a few, chosen by `C`.
pub(super) struct Few<C> {
    choose: C,
    random: Random,
    peers: Vec<Option<Box<Peer>>>,
    here: Roll,
    again: BinaryHeap<Reverse<(Time, Key)>>,
    notices: Vec<Notice>,
    chosen: Vec<Key>,
    cost: Cost,
}

#[derive(Debug)]
struct Peer {
    acquaintances: Vec<Key>,
    again_ms: u64,
}

/// Of so many a newcomer is told.
const CHOICE: usize = 16;

/// In the mean, a peer is told again after so long: nine to eleven tenths of it.
const AGAIN_MS: u64 = 240_000;

impl<C: Choose> Few<C> {
    pub(super) fn new(choose: C, seed: u64) -> Few<C> {
        Few {
            choose,
            random: Random::part(seed, 5),
            peers: Vec::new(),
            here: Roll::default(),
            again: BinaryHeap::new(),
            notices: Vec::new(),
            chosen: Vec::new(),
            cost: Cost::default(),
        }
    }

    /// Introduces a peer to those of its choice whom it does not know.
    fn introduce(&mut self, peer: Key) -> u64 {
        let mut chosen = std::mem::take(&mut self.chosen);
        chosen.clear();
        self.choose.choose(peer, CHOICE, &mut chosen);
        let frames = chosen.iter().map(|other| self.meet(peer, *other)).sum();
        self.chosen = chosen;
        self.count(frames)
    }

    /// The same, and tells the peer once more of those whom it knows.
    fn remind(&mut self, peer: Key) {
        let mut chosen = std::mem::take(&mut self.chosen);
        chosen.clear();
        match (self.choose.again(), self.peer(peer)) {
            (Again::Acquaintances, Some(known)) => chosen.extend(&known.acquaintances),
            (Again::Acquaintances, None) => {}
            (Again::Choice, _) => self.choose.choose(peer, CHOICE, &mut chosen),
        }
        let mut frames = 0;
        for &other in &chosen {
            let met = self.meet(peer, other);
            if met == 0 {
                self.notices.push(Notice::Discovered { to: peer, of: other });
            }
            frames += met.max(1);
        }
        self.chosen = chosen;
        self.count(frames);
    }

    fn count(&mut self, frames: u64) -> u64 {
        self.cost.introducing_frames += frames;
        self.cost.frames += frames;
        frames
    }

    fn peer(&mut self, peer: Key) -> Option<&mut Peer> {
        self.peers.get_mut(peer.index())?.as_deref_mut()
    }

    /// Tells two of each other who do not know each other. How many frames that took.
    fn meet(&mut self, one: Key, two: Key) -> u64 {
        if self.peer(one).is_none_or(|peer| peer.acquaintances.contains(&two)) {
            return 0;
        }
        for (me, other) in [(one, two), (two, one)] {
            if let Some(peer) = self.peer(me) {
                peer.acquaintances.push(other);
            }
            self.notices.push(Notice::Discovered { to: me, of: other });
        }
        2
    }
}

impl<C: Choose> Introducer for Few<C> {
    fn join(&mut self, now: Time, peer: Key, _capacity: u8) {
        let again_ms = self.random.between(AGAIN_MS * 9 / 10, AGAIN_MS * 11 / 10);
        self.peers.resize_with(self.peers.len().max(peer.index() + 1), || None);
        self.peers[peer.index()] = Some(Box::new(Peer { acquaintances: Vec::new(), again_ms }));
        self.choose.add(peer);
        self.here.add(peer);
        self.cost.joins += 1;
        self.cost.inputs += 2;
        self.cost.frames += 1;
        self.cost.joining_frames += self.introduce(peer);
        self.again.push(Reverse((now + again_ms, peer)));
    }

    fn leave(&mut self, _now: Time, peer: Key, leaving: Leaving) {
        let Some(left) = self.peers[peer.index()].take() else { return };
        self.choose.remove(peer);
        self.here.remove(peer);
        self.cost.inputs += 1;
        for &other in &left.acquaintances {
            self.cost.frames += 1;
            if leaving == Leaving::Goodbye {
                self.cost.frames += 1;
                self.notices.push(Notice::Goodbye { to: other, of: peer });
            }
            let Some(known) = self.peer(other) else { continue };
            known.acquaintances.retain(|known| *known != peer);
            if known.acquaintances.len() < CHOICE / 2 {
                self.introduce(other);
            }
        }
    }

    fn signal(&mut self, _now: Time, from: Key, to: Key, message: Message) {
        let there = self.here.has(to).then_some(to);
        relay(there, &mut self.notices, &mut self.cost, (from, to), message);
    }

    fn timeout(&self) -> Option<Time> {
        self.again.peek().map(|Reverse((due, _))| *due)
    }

    fn tick(&mut self, now: Time) {
        while let Some(Reverse((due, peer))) = self.again.peek().copied()
            && due <= now
        {
            self.again.pop();
            self.cost.inputs += 1;
            if let Some(again_ms) = self.peer(peer).map(|peer| peer.again_ms) {
                self.remind(peer);
                self.again.push(Reverse((now + again_ms, peer)));
            }
        }
    }

    fn take_notices(&mut self, into: &mut Vec<Notice>) {
        into.append(&mut self.notices);
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u32) -> Vec<Key> {
        let mut random = Random::new(9);
        (0..count).map(|number| Key::new(number, random.bits())).collect()
    }

    #[test]
    fn the_nearest_are_those_with_the_smallest_distances() {
        let keys = keys(300);
        let mut nearest = Nearest::default();
        keys.iter().for_each(|key| nearest.add(*key));
        for me in [keys[0], keys[17], keys[299]] {
            let mut expected: Vec<Key> = keys.iter().copied().filter(|other| *other != me).collect();
            expected.sort_by_key(|other| me.id().distance(&other.id()));
            let mut chosen = Vec::new();
            nearest.choose(me, 16, &mut chosen);
            assert_eq!(chosen, expected[..16]);
        }
    }

    #[test]
    fn chance_draws_others_once_each_and_not_always_the_same() {
        let keys = keys(100);
        let mut chance = Chance::new(1);
        keys.iter().for_each(|key| chance.add(*key));
        let mut draw = || {
            let mut chosen = Vec::new();
            chance.choose(keys[5], 16, &mut chosen);
            chosen.sort_unstable();
            chosen
        };
        let (one, two) = (draw(), draw());
        assert_ne!(one, two);
        assert!(one.len() == 16 && one.windows(2).all(|pair| pair[0] < pair[1]) && !one.contains(&keys[5]));
    }

    #[test]
    fn who_lost_more_than_half_of_its_acquaintances_meets_others() {
        let keys = keys(60);
        let mut few = Few::new(Nearest::default(), 1);
        keys.iter().for_each(|key| few.join(Time(0), *key, 3));
        keys[..40].iter().for_each(|gone| few.leave(Time(1), *gone, Leaving::Lost));
        for left in few.peers.iter().flatten() {
            assert!(left.acquaintances.len() >= 8, "{}", left.acquaintances.len());
            assert!(left.acquaintances.iter().all(|other| other.number() >= 40));
        }
        assert!(few.cost().introducing_frames > few.cost().joining_frames);
    }

    #[test]
    fn whoever_is_drawn_at_random_is_told_again_of_all_whom_it_knows_and_alone() {
        let keys = keys(60);
        let mut few = Few::new(Chance::new(1), 1);
        keys.iter().for_each(|key| few.join(Time(0), *key, 3));
        let mut notices = Vec::new();
        few.take_notices(&mut notices);
        notices.clear();
        let first = few.timeout().unwrap();
        assert!((216_000..=264_000).contains(&first.0), "{first:?}");
        few.tick(first);
        few.take_notices(&mut notices);
        let told = notices[0].to();
        assert!(notices.iter().all(|notice| notice.to() == told));
        assert_eq!(notices.len(), few.peer(told).unwrap().acquaintances.len());
    }
}
