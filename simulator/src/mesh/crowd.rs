//! Pages that come and go around an introducer, in virtual time.
//!
//! There are always as many as asked for: who leaves is replaced at once by somebody new. Life times are
//! exponential; half of the pages say goodbye, the others vanish.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use peerpigeon_core::{PeerId, Signal, Time};

use super::graph::{Graph, Pieces};
use super::introducer::{Introducer, Leaving, Notice, Number, id_of};
use super::page::{GIVE_UP_MS, Page};
use crate::random::Random;

/// What a crowd is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub(super) peers: u32,
    /// Links of each page.
    pub(super) capacity: u8,
    /// Mean life time.
    pub(super) life_ms: u64,
    pub(super) seed: u64,
}

/// A whole network.
pub(super) struct Crowd<I> {
    pub(super) introducer: I,
    habits: Habits,
    random: Random,
    now: Time,
    ids: Vec<PeerId>,
    pages: Vec<Option<Box<Page>>>,
    /// Whoever is here, in no order that matters.
    here: Vec<Number>,
    /// Comings (`None`) and goings.
    lives: BinaryHeap<Reverse<(Time, Option<Number>)>>,
    /// On their way, oldest first: all ways take equally long.
    up: VecDeque<(Time, Signalled)>,
    down: VecDeque<(Time, Notice)>,
    /// When what was begun is given up, oldest first.
    patience: VecDeque<(Time, Number, Number)>,
    /// When a link is found broken, oldest first.
    breaks: VecDeque<(Time, Number, Number)>,
    notices: Vec<Notice>,
    answers: Vec<Signal>,
}

#[derive(Clone, Copy, Debug)]
struct Signalled {
    from: Number,
    to: Number,
    signal: Signal,
}

/// How the mesh is at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) pieces: Pieces,
    pub(super) links: usize,
    /// See [`Graph::far_apart`].
    pub(super) far_apart: u32,
}

/// From a page to the server, or back.
const WAY_MS: u64 = 50;

/// Until a browser finds a link broken whose other end vanished (observed: about 6 s).
const BREAK_MS: u64 = 6_000;

/// In which the first of all come.
const OPENING_MS: u64 = 60_000;

/// Younger peers may still be looking for their first link.
const SETTLED_MS: u64 = 30_000;

impl<I: Introducer> Crowd<I> {
    pub(super) fn new(introducer: I, habits: Habits) -> Crowd<I> {
        let mut crowd = Crowd {
            introducer,
            habits,
            random: Random::part(habits.seed, 3),
            now: Time(0),
            ids: Vec::new(),
            pages: Vec::new(),
            here: Vec::new(),
            lives: BinaryHeap::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            patience: VecDeque::new(),
            breaks: VecDeque::new(),
            notices: Vec::new(),
            answers: Vec::new(),
        };
        for _ in 0..habits.peers {
            let at = crowd.random.below(OPENING_MS);
            crowd.lives.push(Reverse((Time(at), None)));
        }
        crowd
    }

    /// Lets time pass until `end`.
    pub(super) fn run_until(&mut self, end: Time) {
        while let Some(next) = self.next()
            && next <= end
        {
            self.now = next;
            self.live();
            if self.introducer.timeout().is_some_and(|due| due <= next) {
                self.introducer.tick(next);
                self.gather();
            }
            self.carry();
            self.lose_patience();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Time> {
        let fronts = [
            self.lives.peek().map(|Reverse((at, _))| *at),
            self.introducer.timeout(),
            self.up.front().map(|(at, _)| *at),
            self.down.front().map(|(at, _)| *at),
            self.patience.front().map(|(at, _, _)| *at),
            self.breaks.front().map(|(at, _, _)| *at),
        ];
        fronts.into_iter().flatten().min()
    }

    fn live(&mut self) {
        while let Some(Reverse((at, who))) = self.lives.peek().copied()
            && at <= self.now
        {
            self.lives.pop();
            if let Some(leaving) = who {
                self.leave(leaving);
            }
            self.join();
        }
    }

    fn join(&mut self) {
        let number = Number::try_from(self.ids.len()).unwrap_or(Number::MAX);
        let id = id_of(number, [self.random.bits(), self.random.bits()]);
        self.ids.push(id);
        self.pages.push(Some(Box::new(Page::new(self.now, self.habits.capacity))));
        self.here.push(number);
        let end = self.now + self.random.exponential(self.habits.life_ms).max(1);
        self.lives.push(Reverse((end, Some(number))));
        self.introducer.join(self.now, number, &id, self.habits.capacity);
        self.gather();
    }

    fn leave(&mut self, number: Number) {
        let Some(page) = self.pages[number as usize].take() else { return };
        let leaving = if self.random.chance(50) { Leaving::Goodbye } else { Leaving::Lost };
        if leaving == Leaving::Lost {
            self.breaks.extend(page.engaged().map(|other| (self.now + BREAK_MS, other, number)));
        } else {
            // By the link itself, if there is one.
            self.down.extend(
                page.engaged()
                    .map(|other| (self.now + WAY_MS, Notice::Unreachable { to: other, target: number })),
            );
        }
        self.introducer.leave(self.now, number, leaving);
        self.gather();
    }

    fn gather(&mut self) {
        self.introducer.take_notices(&mut self.notices);
        let at = self.now + WAY_MS;
        self.down.extend(self.notices.drain(..).map(|notice| (at, notice)));
    }

    fn carry(&mut self) {
        while let Some((at, Signalled { from, to, signal })) = self.up.front().copied()
            && at <= self.now
        {
            self.up.pop_front();
            if self.pages[from as usize].is_some() {
                self.introducer.signal(self.now, from, (to, &self.ids[to as usize]), signal);
                self.gather();
            }
        }
        while let Some((at, notice)) = self.down.front().copied()
            && at <= self.now
        {
            self.down.pop_front();
            self.tell(notice);
        }
    }

    fn tell(&mut self, notice: Notice) {
        let (Notice::Discovered { to, .. } | Notice::Signal { to, .. } | Notice::Unreachable { to, .. }) =
            notice;
        let Some(page) = self.pages[to as usize].as_mut() else { return };
        match notice {
            Notice::Discovered { of, .. } => {
                if self.ids[to as usize] < self.ids[of as usize] {
                    return;
                }
                page.hear_of(self.now, of);
            }
            Notice::Signal { from, signal, .. } => {
                page.signal(self.now, from, signal, &mut self.answers);
                let at = self.now + WAY_MS;
                for signal in self.answers.drain(..) {
                    if signal == Signal::Answer {
                        self.patience.push_back((self.now + GIVE_UP_MS, to, from));
                    }
                    self.up.push_back((at, Signalled { from: to, to: from, signal }));
                }
            }
            Notice::Unreachable { target, .. } => page.forget(target),
        }
        self.dial(to);
    }

    fn dial(&mut self, number: Number) {
        let Some(page) = self.pages[number as usize].as_mut() else { return };
        while let Some(peer) = page.dial(self.now) {
            self.patience.push_back((self.now + GIVE_UP_MS, number, peer));
            let offer = Signalled { from: number, to: peer, signal: Signal::Offer };
            self.up.push_back((self.now + WAY_MS, offer));
        }
    }

    fn lose_patience(&mut self) {
        while let Some((at, number, peer)) = self.patience.front().copied()
            && at <= self.now
        {
            self.patience.pop_front();
            if let Some(page) = self.pages[number as usize].as_mut() {
                page.give_up(peer, Time(at.0 - GIVE_UP_MS));
                self.dial(number);
            }
        }
        while let Some((at, number, peer)) = self.breaks.front().copied()
            && at <= self.now
        {
            self.breaks.pop_front();
            if let Some(page) = self.pages[number as usize].as_mut() {
                page.forget(peer);
                self.dial(number);
            }
        }
    }

    /// Looks at the mesh of links that both ends hold.
    pub(super) fn look(&mut self, with_distances: bool) -> Look {
        self.here.retain(|number| self.pages[*number as usize].is_some());
        let mut places = vec![u32::MAX; self.pages.len()];
        for (place, number) in (0..).zip(&self.here) {
            places[*number as usize] = place;
        }
        let (mut pairs, mut counts) = (Vec::new(), Vec::with_capacity(self.here.len()));
        for (place, number) in (0..).zip(&self.here) {
            let Some(page) = self.pages[*number as usize].as_ref() else { continue };
            counts.push(page.joined + SETTLED_MS <= self.now);
            let mutual = page.links().filter(|other| {
                let other = self.pages[*other as usize].as_ref();
                other.is_some_and(|other| other.is_linked_to(*number))
            });
            let others = mutual.map(|other| (place, places[other as usize]));
            pairs.extend(others.filter(|(place, other)| place < other));
        }
        let graph = Graph::new(self.here.len(), &pairs);
        let pieces = graph.pieces(&counts);
        let far_apart = if with_distances && pieces.peers > 0 { graph.far_apart(pieces.member) } else { 0 };
        Look { pieces, links: pairs.len(), far_apart }
    }
}

#[cfg(test)]
mod tests {
    use super::super::core::Core;
    use super::super::standins::Everybody;
    use super::*;

    fn habits(peers: u32) -> Habits {
        Habits { peers, capacity: 3, life_ms: 600_000, seed: 1 }
    }

    #[test]
    fn a_crowd_around_the_core_links_itself_and_stays_as_large_as_asked_for() {
        let mut crowd = Crowd::new(Core::new(200), habits(200));
        crowd.run_until(Time(120_000));
        let look = crowd.look(true);
        assert_eq!(crowd.here.len(), 200);
        assert!(crowd.pages.len() > 220, "nobody was replaced");
        assert!(look.links > 200 && look.links <= 300, "{look:?}");
        assert!(look.pieces.in_largest > 150 && look.far_apart > 3, "{look:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_mesh() {
        let look = || {
            let mut crowd = Crowd::new(Core::new(100), habits(100));
            crowd.run_until(Time(300_000));
            (crowd.introducer.cost(), crowd.look(true).links, crowd.pages.len())
        };
        assert_eq!(look(), look());
    }

    #[test]
    fn where_everybody_is_told_each_join_costs_two_frames_per_peer() {
        let mut crowd = Crowd::new(Everybody::default(), habits(50));
        crowd.run_until(Time(60_000));
        let before = crowd.introducer.cost();
        crowd.run_until(Time(600_000));
        let cost = crowd.introducer.cost().since(before);
        assert!(cost.joins > 20);
        assert_eq!(cost.joining_frames, cost.joins * 2 * 49);
    }
}
