//! Everything at once, over a bus that does its worst: what must hold always, and what must hold once it is calm.

use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_core::{Channel, Gone, Input, Limits};
use serde_json::Value;

use crate::common::Board;

/// Peers that there are at most, each with an id that says its number.
const PEERS: u64 = 10;

struct World {
    random: u64,
    boards: Vec<Board>,
    is_up: Vec<bool>,
    /// Frames on their way: when they arrive, for whom, and what.
    under_way: Vec<(u64, usize, Vec<u8>)>,
    now: u64,
    trouble: Trouble,
    clients: BTreeMap<u64, Client>,
    last_conn: u64,
    last_key: u64,
    last_signal: u64,
    signals: BTreeMap<u64, Sent>,
    /// Node that a peer is or was at, and in which network it is.
    peers: BTreeMap<u64, (u64, Option<&'static str>)>,
    kills: bool,
    partings: usize,
}

/// What a connected page knows.
struct Client {
    peer: u64,
    node: usize,
    /// Whether it may speak.
    is_in: bool,
    known: BTreeSet<u64>,
    /// Of each session of a sender the last signal that came.
    last: BTreeMap<u64, u64>,
}

struct Sent {
    from: u64,
    /// By which connection: the order holds for the signals of one session.
    conn: u64,
    to: u64,
    has_arrived: bool,
}

/// Of a hundred frames so many are lost, come twice, or come late.
#[derive(Clone, Copy, Default)]
struct Trouble {
    lost: u64,
    twice: u64,
    late: u64,
}

fn id(peer: u64) -> String {
    format!("{:040x}", (peer + 1) * 0x1357_9bdf)
}

fn peer_of(id: &str) -> u64 {
    u64::from_str_radix(&id[24..], 16).unwrap() / 0x1357_9bdf - 1
}

impl World {
    fn new(seed: u64, nodes: usize, kills: bool) -> World {
        let mut world = World {
            random: seed,
            boards: Vec::new(),
            is_up: vec![true; nodes],
            under_way: Vec::new(),
            now: 1,
            trouble: Trouble::default(),
            clients: BTreeMap::new(),
            last_conn: 0,
            last_key: seed * 1_000,
            last_signal: 0,
            signals: BTreeMap::new(),
            peers: BTreeMap::new(),
            kills,
            partings: 0,
        };
        world.boards = (0..nodes).map(|_| world.node()).collect();
        world
    }

    fn node(&mut self) -> Board {
        self.last_key += 1;
        let limits = Limits { node_timeout_ms: 3_000, message_rate_per_second: 0, ..Limits::default() };
        let mut board = Board::keyed(limits, self.last_key);
        board.now = peerpigeon_core::Time(self.now);
        board.input(Input::Bus { is_up: true });
        board
    }

    /// A number below `end`.
    fn draw(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// What the boards have sent is read, and what they have published is on its way.
    fn collect(&mut self) {
        for node in 0..self.boards.len() {
            let board = &mut self.boards[node];
            board.input(Input::Flush);
            let (raw, closed) = (std::mem::take(&mut board.raw), std::mem::take(&mut board.closed));
            let (pinged, published) =
                (std::mem::take(&mut board.pinged), std::mem::take(&mut board.published));
            for (conn, text) in raw {
                self.read(conn, &serde_json::from_str(&text).unwrap());
            }
            for (conn, why) in closed {
                let client = self.clients.remove(&conn).unwrap();
                if why.code() == 4001 || why.code() == 1001 {
                    self.peers.remove(&client.peer);
                }
            }
            for conn in pinged {
                if self.clients.contains_key(&conn) {
                    self.boards[node].heard(conn);
                }
            }
            for (to, frame) in published {
                for other in 0..self.boards.len() {
                    let is_for = match to {
                        Channel::All => true,
                        Channel::Node(id) => self.boards[other].board.node_id() == id,
                    };
                    if is_for && self.is_up[node] {
                        self.send(other, frame.clone());
                    }
                }
            }
        }
    }

    fn send(&mut self, to: usize, frame: Vec<u8>) {
        let Trouble { lost, twice, late } = self.trouble;
        if self.draw(100) < lost {
            return;
        }
        let copies = if self.draw(100) < twice { 2 } else { 1 };
        for _ in 0..copies {
            let delay = if self.draw(100) < late { self.draw(2_000) } else { 1 };
            self.under_way.push((self.now + delay, to, frame.clone()));
        }
    }

    /// A page reads what it was told, and holds it against what must hold always.
    fn read(&mut self, conn: u64, message: &Value) {
        let client = self.clients.get_mut(&conn).unwrap();
        let of = |whom: &Value| peer_of(whom.as_str().unwrap());
        match message["type"].as_str().unwrap() {
            "connected" => client.is_in = true,
            "peer-discovered" => {
                let whom = of(&message["data"]["peerId"]);
                assert_ne!(whom, client.peer, "a peer is told of itself");
                client.known.insert(whom);
            }
            "peer-disconnected" => {
                let whom = of(&message["data"]["peerId"]);
                assert!(client.known.remove(&whom), "{} does not know {whom}, who has gone", client.peer);
                let reason = message["data"]["reason"].as_str().unwrap();
                self.partings += usize::from(reason == "refused");
                assert!(reason != "timeout" || self.kills, "{whom} is gone because the bus is");
            }
            "ice-candidate" => {
                let from = of(&message["fromPeerId"]);
                let number = message["data"]["n"].as_u64().unwrap();
                let sent = self.signals.get_mut(&number).unwrap();
                let ends = (sent.from, sent.to);
                assert_eq!(ends, (from, client.peer), "a signal of somebody else, or for it");
                assert!(!std::mem::replace(&mut sent.has_arrived, true), "signal {number} came twice");
                let last = client.last.insert(sent.conn, number);
                assert!(last < Some(number), "signal {number} of {from} came after {last:?}");
            }
            _ => {}
        }
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        while self.now < end {
            self.now += 50;
            self.under_way.sort_by_key(|(due, ..)| *due);
            for node in 0..self.boards.len() {
                let past = self.now.saturating_sub(self.boards[node].now.0);
                self.boards[node].pass(past);
            }
            while self.under_way.first().is_some_and(|(due, ..)| *due <= self.now) {
                let (_, to, frame) = self.under_way.remove(0);
                if self.is_up[to] {
                    self.boards[to].input(Input::Frame { frame: &frame });
                }
            }
            self.collect();
        }
    }

    fn client(&mut self) -> Option<(u64, usize, u64)> {
        let place = self.draw(self.clients.len().max(1) as u64);
        let (conn, client) = self.clients.iter().nth(usize::try_from(place).unwrap())?;
        client.is_in.then_some((*conn, client.node, client.peer))
    }

    fn step(&mut self) {
        match self.draw(20) {
            0..=5 => {
                let peer = self.draw(PEERS);
                if !self.clients.values().any(|client| client.peer == peer) {
                    let node = usize::try_from(self.draw(self.boards.len() as u64)).unwrap();
                    self.last_conn += 1;
                    let client =
                        Client { peer, node, is_in: false, known: BTreeSet::new(), last: BTreeMap::new() };
                    self.clients.insert(self.last_conn, client);
                    self.boards[node].open(self.last_conn, &id(peer));
                    self.collect();
                    if self.clients.get(&self.last_conn).is_some_and(|client| client.is_in) {
                        self.announce(self.last_conn, node, peer);
                    }
                }
            }
            6 => {
                if let Some((conn, node, peer)) = self.client() {
                    self.announce(conn, node, peer);
                }
            }
            7 => {
                if let Some((conn, node, peer)) = self.client() {
                    self.forget_known(conn);
                    self.peers.insert(peer, (conn, None));
                    self.boards[node].text(conn, r#"{"type":"goodbye"}"#);
                }
            }
            8 | 9 => {
                if let Some((conn, node, peer)) = self.client() {
                    self.boards[node]
                        .input(Input::Closed { conn: peerpigeon_core::ConnId(conn), cause: Gone::Reset });
                    self.clients.remove(&conn);
                    self.peers.remove(&peer);
                }
            }
            10..=15 => {
                if let Some((conn, node, from)) = self.client() {
                    let there = self.client().filter(|(.., other)| *other != from);
                    let to = there.map_or_else(|| self.draw(PEERS), |(.., other)| other);
                    let network = self.peers.get(&from).and_then(|(_, network)| *network).unwrap_or("global");
                    self.last_signal += 1;
                    let sent = Sent { from, conn, to, has_arrived: false };
                    self.signals.insert(self.last_signal, sent);
                    let data = format!("{{\"n\":{}}}", self.last_signal);
                    self.boards[node].signal(conn, "ice-candidate", &id(to), &data, network);
                }
            }
            16 => {
                // The bus is away, or one node is cut off, which the others take to be dead.
                let node = usize::try_from(self.draw(self.boards.len() as u64)).unwrap();
                let is_up = !self.is_up[node];
                for other in 0..self.boards.len() {
                    if other == node || !self.kills {
                        self.is_up[other] = is_up;
                        self.boards[other].input(Input::Bus { is_up });
                    }
                }
            }
            17 if self.kills => {
                let node = usize::try_from(self.draw(self.boards.len() as u64)).unwrap();
                let lost = self.clients.extract_if(.., |_, client| client.node == node);
                let lost: Vec<u64> = lost.map(|(_, client)| client.peer).collect();
                for peer in lost {
                    self.peers.remove(&peer);
                }
                self.is_up[node] = true;
                let new = self.node();
                self.boards[node] = new;
            }
            _ => {
                let millis = self.draw(40) * 50;
                self.pass(millis);
            }
        }
        self.collect();
    }

    fn announce(&mut self, conn: u64, node: usize, peer: u64) {
        let network = ["a", "b"][usize::from(self.draw(4) == 0)];
        if self.peers.insert(peer, (conn, Some(network))) != Some((conn, Some(network))) {
            self.forget_known(conn);
        }
        self.boards[node].announce(conn, network);
    }

    /// Who leaves its network is told of nobody that it knew there.
    fn forget_known(&mut self, conn: u64) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.known.clear();
        }
    }

    /// The bus works, everybody is heard, and what was to be told has been told.
    fn calm_down(&mut self) {
        self.trouble = Trouble::default();
        for node in 0..self.boards.len() {
            self.is_up[node] = true;
            self.boards[node].input(Input::Bus { is_up: true });
        }
        self.pass(45_000);
    }

    fn check_calm(&self) {
        let named: Vec<usize> = self.boards.iter().map(|board| board.board.census().connections).collect();
        for (node, board) in self.boards.iter().enumerate() {
            let census = board.board.census();
            assert_eq!(census.nodes, self.boards.len() - 1, "node {node} knows too few");
            let elsewhere = named.iter().sum::<usize>() - named[node];
            assert_eq!(census.remote_peers, elsewhere, "what node {node} knows is not what there is");
        }
        let mut sessions = BTreeMap::new();
        for client in self.clients.values() {
            assert!(sessions.insert(client.peer, client).is_none(), "two sessions of {}", client.peer);
        }
        for client in self.clients.values() {
            for whom in &client.known {
                let other = sessions.get(whom);
                assert!(other.is_some(), "{} knows {whom}, who is nowhere", client.peer);
                assert!(
                    other.is_some_and(|other| other.known.contains(&client.peer)),
                    "{} knows {whom}, and {whom} does not know {}",
                    client.peer,
                    client.peer
                );
            }
        }
    }
}

fn run(seed: u64, kills: bool) -> World {
    let nodes = 2 + usize::try_from(seed % 3).unwrap();
    let mut world = World::new(seed, nodes, kills);
    world.pass(1_000);
    if !seed.is_multiple_of(4) {
        world.trouble = Trouble { lost: 5 * (seed % 5), twice: 5 * (seed % 3), late: 10 * (seed % 4) };
    }
    for _ in 0..120 {
        world.step();
    }
    world.calm_down();
    world.check_calm();
    world
}

#[test]
fn whatever_the_bus_does_nobody_is_told_a_lie_and_all_agree_in_the_end() {
    let mut arrived = 0;
    for seed in 0..60 {
        let world = run(seed, false);
        arrived += world.signals.values().filter(|sent| sent.has_arrived).count();
    }
    assert!(arrived > 300, "{arrived} signals show little");
}

#[test]
fn whatever_the_bus_does_and_whichever_node_dies_all_agree_in_the_end() {
    for seed in 1_000..1_060 {
        run(seed, true);
    }
}
