//! Some nodes over a bus that loses, repeats, delays and reorders frames, cuts one direction, and goes down; and what must hold
//! whatever it does.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use super::super::frame::{Epoch, FRAME_BYTES};
use super::super::{Change, NodeEnd, NodeKey, Nodes};
use crate::{Channel, NodeId, Time};

pub(super) const TIMEOUT: u64 = 3_000;

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// How bad the bus is.
#[derive(Clone, Copy)]
pub(super) struct Faults {
    pub(super) drop_percent: u64,
    pub(super) repeat_percent: u64,
    /// The longest delay of most frames, and of one in fifty, in milliseconds.
    pub(super) delay_ms: u64,
    pub(super) long_delay_ms: u64,
}

impl Faults {
    pub(super) const NONE: Faults =
        Faults { drop_percent: 0, repeat_percent: 0, delay_ms: 1, long_delay_ms: 1 };
}

/// Which of two streams between two nodes: its sender and receiver with the epochs at their ends.
type StreamId = (NodeId, Epoch, NodeId, Epoch);

pub(super) struct Host {
    pub(super) nodes: Nodes,
    pub(super) id: NodeId,
    pub(super) is_alive: bool,
    pub(super) paused_until: u64,
    pub(super) is_bus_up: bool,
    /// Nobody else could be heard before.
    listening_since: u64,
    heard: BTreeMap<NodeId, u64>,
    open: BTreeMap<NodeKey, (NodeId, Epoch, Epoch)>,
    known: BTreeSet<NodeKey>,
    left: BTreeSet<NodeId>,
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) hosts: Vec<Host>,
    /// From, to.
    pub(super) cuts: BTreeSet<(NodeId, NodeId)>,
    pub(super) buffer_bytes: usize,
    /// Fewer events than this are the state that is pushed where a link opens.
    pub(super) most_state: u64,
    under_way: BTreeMap<(u64, u64), (usize, NodeId, Vec<u8>)>,
    number: u64,
    /// What was pushed on each stream, by number and length.
    pushed: BTreeMap<StreamId, Vec<(u64, usize)>>,
    taken: BTreeMap<StreamId, usize>,
    ids: u64,
    pub(super) frames: [u64; 2],
    pub(super) delivered: u64,
}

fn event(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![number.to_le_bytes()[0]; length];
    bytes.iter_mut().zip(number.to_le_bytes()).for_each(|(place, byte)| *place = byte);
    bytes
}

impl World {
    pub(super) fn new(seed: u64, hosts: u64, buffer_bytes: usize, faults: Faults) -> World {
        let mut world = World {
            now: 1,
            random: Random(seed),
            faults,
            hosts: Vec::new(),
            cuts: BTreeSet::new(),
            buffer_bytes,
            most_state: 1,
            under_way: BTreeMap::new(),
            number: 0,
            pushed: BTreeMap::new(),
            taken: BTreeMap::new(),
            ids: 0,
            frames: [0; 2],
            delivered: 0,
        };
        (0..hosts).for_each(|_| world.start());
        world
    }

    /// One node more.
    pub(super) fn start(&mut self) {
        self.ids += 1;
        let id = NodeId(self.ids * 1_000 % 7_919);
        self.hosts.push(Host {
            nodes: Nodes::new(id, TIMEOUT, self.buffer_bytes),
            id,
            is_alive: true,
            paused_until: 0,
            is_bus_up: false,
            listening_since: self.now,
            heard: BTreeMap::new(),
            open: BTreeMap::new(),
            known: BTreeSet::new(),
            left: BTreeSet::new(),
        });
        self.set_bus(self.hosts.len() - 1, true);
    }

    pub(super) fn is_running(&self, host: usize) -> bool {
        self.hosts[host].is_alive && self.hosts[host].paused_until <= self.now
    }

    pub(super) fn alive(&self) -> Vec<usize> {
        (0..self.hosts.len()).filter(|host| self.hosts[*host].is_alive).collect()
    }

    /// Whoever is paused wakes up.
    pub(super) fn set_bus(&mut self, host: usize, is_up: bool) {
        let now = self.now;
        let side = &mut self.hosts[host];
        if side.paused_until > now {
            side.paused_until = 0;
        }
        side.nodes.set_bus(Time(now), is_up);
        if is_up && !side.is_bus_up {
            side.listening_since = now;
        }
        side.is_bus_up = is_up;
        self.finish(host);
    }

    /// Runs until this moment.
    pub(super) fn run(&mut self, until: u64) {
        while let Some(next) = self.next_moment().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            // Who was stopped may look at the time before it reads what has come.
            let is_time_first = self.random.percent(50);
            if is_time_first {
                self.tick();
            }
            while let Some(frame) = self.under_way.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (host, from, frame) = frame.remove();
                self.arrive(host, from, frame);
            }
            self.tick();
        }
        self.now = self.now.max(until);
    }

    fn next_moment(&self) -> Option<u64> {
        let frame = self.under_way.first_key_value().map(|((when, _), _)| *when);
        let due = |host: &Host| Some(host.nodes.next_due()?.0.max(host.paused_until));
        let dues = self.hosts.iter().filter(|host| host.is_alive).filter_map(due);
        frame.into_iter().chain(dues).min()
    }

    fn tick(&mut self) {
        for host in 0..self.hosts.len() {
            let is_due = self.hosts[host].nodes.next_due().is_some_and(|due| due.0 <= self.now);
            if is_due && self.is_running(host) {
                self.hosts[host].nodes.tick(Time(self.now));
                self.finish(host);
                let due = self.hosts[host].nodes.next_due();
                assert!(due.is_none_or(|due| due.0 > self.now), "due again at once");
            }
        }
    }

    fn arrive(&mut self, host: usize, from: NodeId, frame: Vec<u8>) {
        let side = &self.hosts[host];
        if !side.is_alive || !side.is_bus_up || self.cuts.contains(&(from, side.id)) {
            return;
        }
        if side.paused_until > self.now {
            self.number += 1;
            self.under_way.insert((side.paused_until, self.number), (host, from, frame));
            return;
        }
        let (now, id) = (Time(self.now), side.id);
        let side = &mut self.hosts[host];
        side.heard.insert(from, now.0);
        let received = side.nodes.receive(now, &frame).unwrap();
        let events = received
            .map(|received| (received.node, received.events().map(<[u8]>::to_vec).collect::<Vec<_>>()));
        if frame[1] == 2 && from != id {
            side.left.insert(from);
        }
        self.changes(host);
        if let Some((key, events)) = events {
            self.take(host, key, &events);
        }
        self.finish(host);
    }

    /// Each event is the next one of its stream.
    fn take(&mut self, host: usize, key: NodeKey, events: &[Vec<u8>]) {
        let side = &self.hosts[host];
        let (from, mine, theirs) = side.open[&key];
        let stream = (from, theirs, side.id, mine);
        let taken = self.taken.entry(stream).or_default();
        let pushed = self.pushed.get(&stream).map_or(&[][..], Vec::as_slice);
        for bytes in events {
            let (number, length) = *pushed.get(*taken).expect("an event that nobody has pushed");
            assert!(*bytes == event(number, length), "not event {number}");
            *taken += 1;
            self.delivered += 1;
        }
    }

    fn changes(&mut self, host: usize) {
        let now = self.now;
        let mut opened = Vec::new();
        let side = &mut self.hosts[host];
        while let Some(change) = side.nodes.change() {
            match change {
                Change::Opened(key) => {
                    let id = side.nodes.id(key);
                    assert!(!side.left.contains(&id), "who has left is back");
                    assert!(id != side.id);
                    side.known.insert(key);
                    let (mine, theirs) = side.nodes.epochs(key).expect("open");
                    side.open.insert(key, (id, mine, theirs));
                    opened.push((side.id, mine, id, theirs));
                }
                Change::Closed(key, end) => {
                    assert!(side.known.remove(&key), "closed without having been open");
                    side.open.remove(&key);
                    let id = side.nodes.id(key);
                    let heard = side.heard.get(&id).copied().unwrap_or(0);
                    let heard = heard.max(side.listening_since).max(side.paused_until);
                    match end {
                        NodeEnd::Silent => {
                            assert!(side.is_bus_up, "dead while the bus is down");
                            assert!(now - heard >= TIMEOUT, "dead, and heard {} ms ago", now - heard);
                        }
                        NodeEnd::Left => assert!(side.left.contains(&id)),
                    }
                }
            }
        }
        for stream in opened {
            assert!(self.pushed.insert(stream, Vec::new()).is_none(), "the same epochs again");
            let longest = if self.random.percent(30) { 30_000 } else { 20 };
            for _ in 0..self.random.below(self.most_state) {
                let key = self.hosts[host].open.iter().find(|(_, open)| open.0 == stream.2);
                let length = usize::try_from(1 + self.random.below(longest)).unwrap();
                self.push(host, *key.expect("open").0, length);
            }
        }
    }

    /// What a driver does after each input.
    fn finish(&mut self, host: usize) {
        self.changes(host);
        let side = &mut self.hosts[host];
        side.nodes.check();
        let mut frames = Vec::new();
        side.nodes.flush(Time(self.now), |to, frame| frames.push((to, frame.to_vec())));
        side.nodes.check();
        assert!(frames.is_empty() || side.is_bus_up, "published while the bus is down");
        let from = side.id;
        for (to, frame) in frames {
            assert!(frame.len() <= FRAME_BYTES);
            self.frames[usize::from(to != Channel::All)] += 1;
            for other in 0..self.hosts.len() {
                if to == Channel::All || to == Channel::Node(self.hosts[other].id) {
                    self.carry(from, other, &frame);
                }
            }
        }
    }

    fn carry(&mut self, from: NodeId, to: usize, frame: &[u8]) {
        let faults = self.faults;
        let copies = 1 + u64::from(self.random.percent(faults.repeat_percent));
        for _ in 0..copies {
            if self.random.percent(faults.drop_percent) {
                continue;
            }
            let is_long = self.random.percent(2);
            let delay = 1 + self.random.below(if is_long { faults.long_delay_ms } else { faults.delay_ms });
            self.number += 1;
            self.under_way.insert((self.now + delay, self.number), (to, from, frame.to_vec()));
        }
    }

    /// Pushes an event of this length to one of those to whom a node can push, if there is one.
    pub(super) fn push_to_any(&mut self, host: usize, length: usize) {
        let open: Vec<NodeKey> = self.hosts[host].nodes.open().collect();
        if open.is_empty() || !self.is_running(host) {
            return;
        }
        let key = open[usize::try_from(self.random.below(open.len() as u64)).unwrap()];
        let has_room = self.hosts[host].nodes.has_room(key, length);
        if has_room || self.random.percent(20) {
            self.push(host, key, length);
            assert!(!has_room || self.hosts[host].nodes.is_open(key), "there was room");
        }
    }

    /// As [`World::push_to_any`], and what is to go out does.
    pub(super) fn push_and_flush(&mut self, host: usize, length: usize) {
        self.push_to_any(host, length);
        if self.is_running(host) {
            self.finish(host);
        }
    }

    fn push(&mut self, host: usize, key: NodeKey, length: usize) {
        self.number += 1;
        let bytes = event(self.number, length);
        let side = &mut self.hosts[host];
        let before = side.nodes.epochs(key);
        side.nodes.push(key, |buffer| buffer.extend_from_slice(&bytes));
        if let Some((mine, theirs)) = before.filter(|before| side.nodes.epochs(key) == Some(*before)) {
            let stream = (side.id, mine, side.nodes.id(key), theirs);
            let pushed = self.pushed.get_mut(&stream).expect("pushed before it was open");
            pushed.push((self.number, length));
        }
    }

    /// Says goodbye, if it is heard, and is gone.
    pub(super) fn stop(&mut self, host: usize, is_bye_said: bool) {
        if is_bye_said && self.is_running(host) {
            self.hosts[host].nodes.say_bye();
            self.finish(host);
        }
        self.hosts[host].is_alive = false;
    }

    /// Everybody who is there has a link to everybody else and to nobody more, and everything pushed was delivered.
    pub(super) fn assert_settled(&self) {
        let alive = self.alive();
        for host in &alive {
            let side = &self.hosts[*host];
            assert_eq!(side.nodes.len(), alive.len() - 1, "{:?} knows too many or too few", side.id);
            assert_eq!(side.nodes.open().count(), alive.len() - 1, "{:?} is not open", side.id);
            for key in side.nodes.open() {
                let (other, mine, theirs) = side.open[&key];
                let back = self.hosts.iter().find(|host| host.id == other).expect("a host");
                assert!(back.open.values().any(|open| *open == (side.id, theirs, mine)), "half open");
                assert_eq!(side.nodes.epochs(key), Some((mine, theirs)), "open anew, and not told");
                assert!(side.nodes.is_reachable(key, Time(self.now)));
                let stream = (side.id, mine, other, theirs);
                let taken = self.taken.get(&stream).copied().unwrap_or(0);
                assert_eq!(taken, self.pushed[&stream].len(), "{:?} to {other:?}", side.id);
            }
        }
    }
}
