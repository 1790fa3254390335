//! Pages that come and go around an introducer, in virtual time.
//!
//! There are always as many as asked for: who leaves is replaced at once by somebody new. Life times are
//! exponential; half of the pages say goodbye, the others vanish.

use std::collections::VecDeque;

use peerpigeon_core::Time;

use super::counts::{Counts, FirstLinks};
use super::introducer::{Introducer, Leaving, Message, Notice};
use super::key::{Key, MOST_PAGES, Number};
use super::page::{Change, Client, OPEN_MS, Output, Page, Turn};
use super::roll::Roll;
use super::wires::{Happening, Wires};
use crate::queue::Queue;
use crate::random::Random;

/// What a crowd is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Habits {
    pub(super) peers: u32,
    /// How many links a page takes: each of these is as likely.
    pub(super) capacities: Vec<u8>,
    pub(super) client: Client,
    /// Of 100 pairs of pages so many never find a way to each other.
    pub(super) blocked_percent: u8,
    /// Mean life time.
    pub(super) life_ms: u64,
    pub(super) seed: u64,
}

/// A whole network.
pub(super) struct Crowd<I> {
    pub(super) introducer: I,
    pub(super) counts: Counts,
    /// Of pages that announced themselves since this was cleared.
    pub(super) first_links: FirstLinks,
    habits: Habits,
    /// Who comes, and for how long.
    random: Random,
    /// What pages draw.
    chance: Random,
    pub(super) now: Time,
    pub(super) pages: Vec<Option<Box<Page>>>,
    /// By number: when it announced itself, as long as it has had no link.
    unlinked: Vec<Option<Time>>,
    /// By number: whether what it said on its way is lost.
    lost: Vec<bool>,
    /// By number: when it is to be woken; the last that was asked for holds.
    wakes: Vec<Option<Time>>,
    pub(super) here: Roll,
    queue: Queue<Due>,
    /// On their way, oldest first.
    up: VecDeque<(Time, Key, Said)>,
    down: VecDeque<(Time, Notice)>,
    /// When the turn of the server ends in which the last frame reaches it.
    turn: Time,
    pub(super) wires: Wires,
    notices: Vec<Notice>,
    outputs: Vec<Output>,
}

/// What a page says to the server.
#[derive(Clone, Copy, Debug)]
enum Said {
    Announce { capacity: u8 },
    Signal { to: Key, message: Message },
    Goodbye,
}

#[derive(Clone, Copy, Debug)]
enum Due {
    Join,
    Open(Key, u8),
    Leave(Key),
    Wake(Key),
}

/// From a page to the server, or back.
const WAY_MS: u64 = 50;

/// The longest turn of a server, which reads all that has come when one begins. Were its turns all alike, pages that
/// dial each other in vain would do so in step, and again and again at the same distance in time.
const TURN_MS: u64 = 10;

/// In which the first of all come.
const OPENING_MS: u64 = 60_000;

/// Nobody leaves sooner.
const SHORTEST_LIFE_MS: u64 = 1_000;

impl<I: Introducer> Crowd<I> {
    pub(super) fn new(introducer: I, habits: Habits) -> Crowd<I> {
        let mut crowd = Crowd {
            introducer,
            counts: Counts::default(),
            first_links: FirstLinks::default(),
            random: Random::part(habits.seed, 3),
            chance: Random::part(habits.seed, 6),
            wires: Wires::new(habits.seed, habits.blocked_percent),
            habits,
            now: Time(0),
            pages: Vec::new(),
            unlinked: Vec::new(),
            lost: Vec::new(),
            wakes: Vec::new(),
            here: Roll::default(),
            queue: Queue::default(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            turn: Time(0),
            notices: Vec::new(),
            outputs: Vec::new(),
        };
        for _ in 0..crowd.habits.peers {
            let at = crowd.random.below(OPENING_MS);
            crowd.queue.put(Time(at), Due::Join);
        }
        crowd
    }

    /// Lets time pass until `end`.
    pub(super) fn run_until(&mut self, end: Time) {
        while let Some(next) = self.next()
            && next <= end
        {
            self.now = next;
            if self.introducer.timeout().is_some_and(|due| due <= next) {
                self.introducer.tick(next);
                self.gather();
            }
            self.carry();
            while let Some(happening) = self.wires.take(next) {
                self.happen(happening);
            }
            while let Some(due) = self.queue.take(next) {
                self.live(due);
            }
        }
        self.now = end;
    }

    fn next(&self) -> Option<Time> {
        let fronts = [
            self.queue.next(),
            self.wires.next(),
            self.introducer.timeout(),
            self.up.front().map(|(at, _, _)| *at),
            self.down.front().map(|(at, _)| *at),
        ];
        fronts.into_iter().flatten().min()
    }

    fn live(&mut self, due: Due) {
        match due {
            Due::Join => self.join(),
            Due::Open(key, capacity) => {
                self.counts.joins += 1;
                self.unlinked[key.index()] = Some(self.now);
                self.say(key, Said::Announce { capacity });
            }
            Due::Leave(key) => {
                self.leave(key);
                self.join();
            }
            Due::Wake(key) => {
                if self.wakes[key.index()] == Some(self.now) {
                    self.wakes[key.index()] = None;
                    self.with_page(key, Page::tick);
                }
            }
        }
    }

    fn join(&mut self) {
        let number = Number::try_from(self.pages.len()).unwrap_or(MOST_PAGES);
        assert!(number < MOST_PAGES, "more pages than one run has numbers for");
        let key = Key::new(number, self.random.bits());
        let capacity = *self.random.pick(&self.habits.capacities);
        self.pages.push(Some(Box::new(Page::new(self.now, key, capacity, self.habits.client))));
        self.unlinked.push(None);
        self.lost.push(false);
        self.wakes.push(None);
        self.here.add(key);
        let life = self.random.exponential(self.habits.life_ms).max(SHORTEST_LIFE_MS);
        self.queue.put(self.now + life, Due::Leave(key));
        self.queue.put(self.now + OPEN_MS, Due::Open(key, capacity));
    }

    fn leave(&mut self, key: Key) {
        let Some(page) = self.pages[key.index()].take() else { return };
        self.here.remove(key);
        let leaving = if self.random.chance(50) { Leaving::Goodbye } else { Leaving::Lost };
        let ends = page.connections().iter().filter(|one| one.is_up());
        for (peer, other) in ends.map(|one| (one.peer, one.other)) {
            if self.is_up(peer, other) {
                self.counts.links_left += 1;
                self.wires.left(self.now, (peer, other), leaving);
            }
        }
        match leaving {
            Leaving::Goodbye => self.say(key, Said::Goodbye),
            Leaving::Lost => {
                self.lost[key.index()] = true;
                self.introducer.leave(self.now, key, leaving);
                self.gather();
            }
        }
    }

    fn say(&mut self, from: Key, said: Said) {
        match said {
            Said::Signal { message, .. } => self.counts.say(message),
            Said::Announce { .. } | Said::Goodbye => self.counts.up += 1,
        }
        let arrives = self.now + WAY_MS;
        while self.turn < arrives {
            self.turn = self.turn.max(self.now) + self.chance.between(1, TURN_MS);
        }
        self.up.push_back((self.turn, from, said));
    }

    fn gather(&mut self) {
        self.introducer.take_notices(&mut self.notices);
        let at = self.now + WAY_MS;
        self.down.extend(self.notices.drain(..).map(|notice| (at, notice)));
    }

    fn carry(&mut self) {
        while let Some((at, from, said)) = self.up.front().copied()
            && at <= self.now
        {
            self.up.pop_front();
            if self.lost[from.index()] {
                continue;
            }
            match said {
                Said::Announce { capacity } => self.introducer.join(self.now, from, capacity),
                Said::Signal { to, message } => self.introducer.signal(self.now, from, to, message),
                Said::Goodbye => self.introducer.leave(self.now, from, Leaving::Goodbye),
            }
            self.gather();
        }
        while let Some((at, notice)) = self.down.front().copied()
            && at <= self.now
        {
            self.down.pop_front();
            self.with_page(notice.to(), |page, turn| match notice {
                Notice::Discovered { of, .. } => page.discovered(turn, of),
                Notice::Signal { from, message, .. } => page.signal(turn, from, message),
                Notice::Goodbye { of, .. } => page.goodbye(turn, of),
            });
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::One { to: (peer, end), change } => {
                self.with_page(peer, |page, turn| page.change(turn, end, change));
            }
            // What has lost one of its ends goes no further at the other.
            Happening::Both { ends, change } => {
                if !ends.iter().all(|(peer, end)| self.has_end(*peer, *end)) {
                    return;
                }
                for (peer, end) in ends {
                    self.with_page(peer, |page, turn| page.change(turn, end, change));
                }
                if change == Change::Opened {
                    self.counts.links_made += 1;
                    for (peer, _) in ends {
                        if let Some(announced) = self.unlinked[peer.index()].take() {
                            self.first_links.add(announced, self.now);
                        }
                    }
                }
            }
        }
    }

    /// Lets a page act, if it is still there, does what it wants, and sees to it that it is woken in time.
    fn with_page(&mut self, key: Key, act: impl FnOnce(&mut Page, &mut Turn<'_>)) {
        let Some(page) = self.pages[key.index()].as_mut() else { return };
        let mut outputs = std::mem::take(&mut self.outputs);
        let mut turn = Turn { now: self.now, random: &mut self.chance, outputs: &mut outputs };
        act(page, &mut turn);
        let due = page.timeout();
        for output in outputs.drain(..) {
            self.obey(key, output);
        }
        self.outputs = outputs;
        if let Some(due) = due
            && self.wakes[key.index()].is_none_or(|wake| due < wake)
        {
            self.wakes[key.index()] = Some(due);
            self.queue.put(due, Due::Wake(key));
        }
    }

    fn obey(&mut self, key: Key, output: Output) {
        match output {
            Output::Signal { to, message } => self.say(key, Said::Signal { to, message }),
            Output::Check { peer, end, other } => self.pair((key, end), (peer, other)),
            Output::Closed { peer, other, cause } => {
                self.counts.evictions += u64::from(cause == super::page::Cause::Evicted);
                if self.is_up(peer, other) {
                    self.counts.links_cut += 1;
                    self.wires.closed(self.now, (peer, other), cause);
                }
            }
        }
    }

    /// Forgets what was counted: the warm-up is over.
    pub(super) fn begin_to_count(&mut self) {
        self.counts = Counts::default();
        self.first_links.clear();
        self.unlinked.iter_mut().for_each(|announced| *announced = None);
    }
}
