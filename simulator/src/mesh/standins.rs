//! Other ways to choose whom a newcomer meets, to compare the core's with: everybody, the nearest, a random few.
//!
//! Healing, repetition and the number of introductions are the core's; only the choice differs. What a server
//! would send is counted, but never written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use peerpigeon_core::{Limits, Occasion, PeerId, Signal, Time};

use super::introducer::{Cost, Introducer, Leaving, Notice, Number};
use crate::random::Random;

/// Everybody is told of everybody, as the servers do that people run today.
#[derive(Default)]
pub(super) struct Everybody {
    here: Roll,
    notices: Vec<Notice>,
    cost: Cost,
}

/// Who is here, to be drawn from by place.
#[derive(Default)]
struct Roll {
    numbers: Vec<Number>,
    /// The place of each number that was ever here.
    places: Vec<u32>,
}

const GONE: u32 = u32::MAX;

impl Roll {
    fn add(&mut self, number: Number) {
        let place = u32::try_from(self.numbers.len()).unwrap_or(GONE);
        self.places.resize((number as usize + 1).max(self.places.len()), GONE);
        self.places[number as usize] = place;
        self.numbers.push(number);
    }

    fn remove(&mut self, number: Number) {
        let place = std::mem::replace(&mut self.places[number as usize], GONE);
        self.numbers.swap_remove(place as usize);
        if let Some(moved) = self.numbers.get(place as usize) {
            self.places[*moved as usize] = place;
        }
    }

    fn has(&self, number: Number) -> bool {
        self.places.get(number as usize).is_some_and(|place| *place != GONE)
    }
}

impl Introducer for Everybody {
    fn join(&mut self, _now: Time, peer: Number, _id: &PeerId, _capacity: u8) {
        for &other in &self.here.numbers {
            self.notices.push(Notice::Discovered { to: peer, of: other });
            self.notices.push(Notice::Discovered { to: other, of: peer });
        }
        let frames = 2 * self.here.numbers.len() as u64;
        self.here.add(peer);
        self.cost.joins += 1;
        self.cost.inputs += 2;
        self.cost.joining_frames += frames;
        self.cost.introducing_frames += frames;
        self.cost.frames += frames + 1;
    }

    fn leave(&mut self, _now: Time, peer: Number, leaving: Leaving) {
        self.here.remove(peer);
        self.cost.inputs += 1;
        // Pages act on a goodbye only towards those that they have a link to, which ends without it.
        self.cost.frames += self.here.numbers.len() as u64 * frames_of(leaving);
    }

    fn signal(&mut self, _now: Time, from: Number, (to, _): (Number, &PeerId), signal: Signal) {
        relay(&self.here, &mut self.notices, &mut self.cost, from, to, signal);
    }

    fn timeout(&self) -> Option<Time> {
        None
    }

    fn tick(&mut self, _now: Time) {}

    fn take_notices(&mut self, into: &mut Vec<Notice>) {
        into.append(&mut self.notices);
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}

/// What each acquaintance is told of one who leaves.
fn frames_of(leaving: Leaving) -> u64 {
    match leaving {
        Leaving::Goodbye => 2,
        Leaving::Lost => 1,
    }
}

fn relay(here: &Roll, notices: &mut Vec<Notice>, cost: &mut Cost, from: Number, to: Number, signal: Signal) {
    cost.inputs += 1;
    cost.frames += 1;
    if here.has(to) {
        notices.push(Notice::Signal { to, from, signal });
    } else if signal == Signal::Offer {
        cost.frames += 1;
        notices.push(Notice::Unreachable { to: from, target: to });
    }
}

/// How a few are chosen.
pub(super) trait Choose {
    fn add(&mut self, number: Number, id: &PeerId);
    fn remove(&mut self, number: Number, id: &PeerId);
    /// Up to `k` others than `me`.
    fn choose(&mut self, me: (Number, &PeerId), k: usize, chosen: &mut Vec<Number>);
}

/// The nearest by XOR distance.
#[derive(Default)]
pub(super) struct Nearest {
    /// By the first 64 bits of the id, which no two of some hundred thousand random ids share.
    numbers: BTreeMap<u64, Number>,
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

fn first_bits(id: &PeerId) -> u64 {
    id.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl Choose for Nearest {
    fn add(&mut self, number: Number, id: &PeerId) {
        let before = self.numbers.insert(first_bits(id), number);
        assert!(before.is_none(), "two ids with the same first 64 bits");
    }

    fn remove(&mut self, _number: Number, id: &PeerId) {
        self.numbers.remove(&first_bits(id));
    }

    fn choose(&mut self, (me, id): (Number, &PeerId), k: usize, chosen: &mut Vec<Number>) {
        self.walk(first_bits(id), (0, 0), &mut |number| {
            if number != me {
                chosen.push(number);
            }
            chosen.len() < k
        });
    }
}

impl Nearest {
    /// Visits those whose first `bits` bits are those of `prefix`, nearest to `me` first, while `visit` says so.
    fn walk(&self, me: u64, (prefix, bits): (u64, u32), visit: &mut impl FnMut(Number) -> bool) -> bool {
        let last = prefix | u64::MAX.checked_shr(bits).unwrap_or(0);
        let mut within = self.numbers.range(prefix..=last);
        match (within.next(), within.next()) {
            (None, _) => true,
            (Some((_, number)), None) => visit(*number),
            (Some(_), Some(_)) => {
                let bit = 1 << (63 - bits);
                let (same, other) = (prefix | (me & bit), prefix | (!me & bit));
                self.walk(me, (same, bits + 1), visit) && self.walk(me, (other, bits + 1), visit)
            }
        }
    }
}

impl Choose for Chance {
    fn add(&mut self, number: Number, _id: &PeerId) {
        self.roll.add(number);
    }

    fn remove(&mut self, number: Number, _id: &PeerId) {
        self.roll.remove(number);
    }

    fn choose(&mut self, (me, _): (Number, &PeerId), k: usize, chosen: &mut Vec<Number>) {
        let others = self.roll.numbers.len() - usize::from(self.roll.has(me));
        if others <= k {
            chosen.extend(self.roll.numbers.iter().filter(|number| **number != me));
            return;
        }
        while chosen.len() < k {
            let number = self.roll.numbers[self.random.index(self.roll.numbers.len())];
            if number != me && !chosen.contains(&number) {
                chosen.push(number);
            }
        }
    }
}

/// Introduces a few, chosen by `C`.
pub(super) struct Few<C> {
    choose: C,
    limits: Limits,
    peers: Vec<Option<Box<Peer>>>,
    here: Roll,
    again: BinaryHeap<Reverse<(Time, Number)>>,
    notices: Vec<Notice>,
    chosen: Vec<Number>,
    cost: Cost,
}

struct Peer {
    id: PeerId,
    acquaintances: Vec<Number>,
    k: usize,
    /// Which part of its choice it is told of next.
    part: Number,
}

/// In so many parts a choice is told again, as the core does it.
const PARTS: Number = 2;

impl<C: Choose> Few<C> {
    pub(super) fn new(choose: C) -> Few<C> {
        Few {
            choose,
            limits: Limits::default(),
            peers: Vec::new(),
            here: Roll::default(),
            again: BinaryHeap::new(),
            notices: Vec::new(),
            chosen: Vec::new(),
            cost: Cost::default(),
        }
    }

    /// Introduces a peer to its choice. Of those who know each other, both are told on an announce, nobody in healing, and
    /// again the peer alone: of half of its choice at a time.
    fn introduce(&mut self, peer: Number, occasion: Occasion) -> u64 {
        let Some(Some(me)) = self.peers.get(peer as usize) else { return 0 };
        let mut chosen = std::mem::take(&mut self.chosen);
        chosen.clear();
        self.choose.choose((peer, &me.id), me.k, &mut chosen);
        if occasion == Occasion::Again {
            let part = me.part;
            chosen.retain(|other| other % PARTS == part);
        }
        let mut frames = 0;
        for &other in &chosen {
            let told = match (self.meet(peer, other), occasion) {
                (Some(true), _) | (Some(false), Occasion::Announce) => 2,
                (Some(false), Occasion::Again) => 1,
                (Some(false), _) | (None, _) => 0,
            };
            let both = [(peer, other), (other, peer)];
            let notices = both.into_iter().map(|(to, of)| Notice::Discovered { to, of });
            self.notices.extend(notices.take(told));
            frames += told as u64;
        }
        self.chosen = chosen;
        self.cost.introducing_frames += frames;
        self.cost.frames += frames;
        frames
    }

    /// Whether the two did not know each other; `None` where one of them knows too many.
    fn meet(&mut self, one: Number, two: Number) -> Option<bool> {
        let most = self.limits.acquaintances as usize;
        let peer = |number: Number| self.peers[number as usize].as_ref();
        if peer(one)?.acquaintances.contains(&two) {
            return Some(false);
        }
        if [one, two]
            .into_iter()
            .any(|number| peer(number).is_none_or(|peer| peer.acquaintances.len() >= most))
        {
            return None;
        }
        for (me, other) in [(one, two), (two, one)] {
            if let Some(peer) = &mut self.peers[me as usize] {
                peer.acquaintances.push(other);
            }
        }
        Some(true)
    }

    fn arm(&mut self, now: Time, peer: Number) {
        // Spread by up to a fifth either way, as the core does it.
        let per_mille = 800 + u64::from(peer.wrapping_mul(0x9E37_79B9)) % 401;
        let due = now + self.limits.reintroduce_interval_ms / u64::from(PARTS) * per_mille / 1_000;
        self.again.push(Reverse((due, peer)));
    }
}

impl<C: Choose> Introducer for Few<C> {
    fn join(&mut self, now: Time, peer: Number, id: &PeerId, capacity: u8) {
        let k = usize::from(capacity.max(self.limits.introductions));
        self.peers.resize_with(peer as usize + 1, || None);
        self.peers[peer as usize] = Some(Box::new(Peer { id: *id, acquaintances: Vec::new(), k, part: 0 }));
        self.choose.add(peer, id);
        self.here.add(peer);
        self.cost.joins += 1;
        self.cost.inputs += 2;
        self.cost.frames += 1;
        self.cost.joining_frames += self.introduce(peer, Occasion::Announce);
        self.arm(now, peer);
    }

    fn leave(&mut self, _now: Time, peer: Number, leaving: Leaving) {
        let Some(left) = self.peers[peer as usize].take() else { return };
        self.choose.remove(peer, &left.id);
        self.here.remove(peer);
        self.cost.inputs += 1;
        self.cost.frames += left.acquaintances.len() as u64 * frames_of(leaving);
        for &other in &left.acquaintances {
            if let Some(other) = &mut self.peers[other as usize] {
                other.acquaintances.retain(|known| *known != peer);
            }
        }
        for &other in &left.acquaintances {
            let is_poor = |peer: &Peer| peer.acquaintances.len() * 2 < peer.k;
            if self.peers[other as usize].as_deref().is_some_and(is_poor) {
                self.introduce(other, Occasion::Healing);
            }
        }
    }

    fn signal(&mut self, _now: Time, from: Number, (to, _): (Number, &PeerId), signal: Signal) {
        relay(&self.here, &mut self.notices, &mut self.cost, from, to, signal);
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
            if self.here.has(peer) {
                self.introduce(peer, Occasion::Again);
                if let Some(peer) = &mut self.peers[peer as usize] {
                    peer.part = (peer.part + 1) % PARTS;
                }
                self.arm(now, peer);
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
    use super::super::introducer::id_of;
    use super::*;

    fn ids(count: Number) -> Vec<PeerId> {
        let mut random = Random::new(9);
        (0..count).map(|number| id_of(number, [random.bits(), random.bits()])).collect()
    }

    #[test]
    fn the_nearest_are_those_with_the_smallest_distances() {
        let ids = ids(300);
        let mut nearest = Nearest::default();
        (0..).zip(&ids).for_each(|(number, id)| nearest.add(number, id));
        for me in [0_u32, 17, 299] {
            let mut expected: Vec<Number> = (0..300).filter(|other| *other != me).collect();
            expected.sort_by_key(|other| ids[me as usize].distance(&ids[*other as usize]));
            let mut chosen = Vec::new();
            nearest.choose((me, &ids[me as usize]), 16, &mut chosen);
            assert_eq!(chosen, expected[..16]);
        }
    }

    #[test]
    fn chance_draws_others_once_each_and_not_always_the_same() {
        let ids = ids(100);
        let mut chance = Chance::new(1);
        (0..).zip(&ids).for_each(|(number, id)| chance.add(number, id));
        let mut draw = || {
            let mut chosen = Vec::new();
            chance.choose((5, &ids[5]), 16, &mut chosen);
            chosen.sort_unstable();
            chosen
        };
        let (one, two) = (draw(), draw());
        assert_ne!(one, two);
        assert!(one.len() == 16 && one.windows(2).all(|pair| pair[0] < pair[1]) && !one.contains(&5));
    }

    #[test]
    fn who_lost_more_than_half_of_its_acquaintances_meets_others() {
        let ids = ids(60);
        let mut few = Few::new(Nearest::default());
        (0..).zip(&ids).for_each(|(number, id)| few.join(Time(0), number, id, 3));
        for gone in 0..40 {
            few.leave(Time(1), gone, Leaving::Lost);
        }
        for left in (40..60).filter_map(|number| few.peers[number].as_ref()) {
            assert!(left.acquaintances.len() >= 8, "{}", left.acquaintances.len());
            assert!(left.acquaintances.iter().all(|other| *other >= 40));
        }
        let cost = few.cost();
        assert!(cost.introducing_frames > cost.joining_frames);
    }
}
