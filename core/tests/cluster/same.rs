//! One node and several say the same: any scenario, and after each step what every page was told.

use peerpigeon_core::Limits;
use serde_json::Value;

use super::Nodes;
use super::bus::limits;
use crate::common::id;

const PEERS: usize = 6;
const KINDS: [&str; 6] =
    ["offer", "answer", "ice-candidate", "connection-rejected", "renegotiation-offer", "offer"];

/// The same peers at one node, or spread over several.
struct World {
    nodes: Nodes,
    spread: usize,
}

impl World {
    fn new(spread: usize) -> World {
        let limits = Limits { message_rate_per_second: 0, reintroduce_interval_ms: 0, ..limits() };
        World { nodes: Nodes::with(spread, limits), spread }
    }

    fn node(&self, conn: u64) -> usize {
        usize::try_from(conn).unwrap() % self.spread
    }

    /// What every connection was told by a step, in no order: which of two nodes speaks first is no promise.
    fn step(&mut self, conns: u64, what: &Step) -> Vec<(u64, Vec<String>)> {
        let node = self.node(what.conn);
        let board = &mut self.nodes.boards[node];
        match what.kind {
            Kind::Open => board.open(what.conn, &id(what.digit)),
            Kind::Say => board.text(what.conn, &what.text),
            Kind::Lose => board.lose(what.conn),
            Kind::Wait => {}
        }
        self.nodes.settle();
        if what.kind == Kind::Wait {
            self.nodes.pass(700);
        }
        let told = (1..=conns).map(|conn| {
            let node = self.node(conn);
            let mut told: Vec<String> = self.nodes.boards[node].take(conn).iter().map(said).collect();
            told.sort();
            (conn, told)
        });
        told.filter(|(_, told)| !told.is_empty()).collect()
    }
}

/// A message without what may differ: times, and numbers of messages.
fn said(message: &Value) -> String {
    let mut message = message.clone();
    let object = message.as_object_mut().unwrap();
    for name in ["timestamp", "messageId", "id"] {
        object.remove(name);
    }
    if let Some(data) = object.get_mut("data").and_then(Value::as_object_mut) {
        data.remove("timestamp");
    }
    message.to_string()
}

#[derive(Debug)]
struct Step {
    kind: Kind,
    conn: u64,
    digit: char,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Open,
    Say,
    Lose,
    Wait,
}

struct Drawer {
    random: u64,
    /// Of each peer the connection and the network, if it has one.
    peers: [Option<(u64, &'static str)>; PEERS],
    conns: u64,
}

impl Drawer {
    fn draw(&mut self, end: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap() % end
    }

    fn step(&mut self) -> Step {
        let peer = self.draw(PEERS);
        let digit = char::from_digit(u32::try_from(peer).unwrap() + 1, 16).unwrap();
        let Some((conn, network)) = self.peers[peer] else {
            self.conns += 1;
            self.peers[peer] = Some((self.conns, "global"));
            return Step { kind: Kind::Open, conn: self.conns, digit, text: String::new() };
        };
        let step = |kind, text| Step { kind, conn, digit, text };
        match self.draw(16) {
            0..=3 => {
                let network = ["a", "b", "a"][self.draw(3)];
                self.peers[peer] = Some((conn, network));
                let data = self.draw(3);
                let text = format!(
                    r#"{{"type":"announce","networkName":"{network}","maxPeers":{},"data":{{"n":{data}}}}}"#,
                    self.draw(4) + 5
                );
                step(Kind::Say, text)
            }
            4 => step(Kind::Say, r#"{"type":"goodbye"}"#.to_owned()),
            5 => {
                self.peers[peer] = None;
                step(Kind::Lose, String::new())
            }
            6 => step(Kind::Say, r#"{"type":"cleanup-all"}"#.to_owned()),
            7 => step(Kind::Wait, String::new()),
            _ => {
                let to = id(char::from_digit(u32::try_from(self.draw(PEERS)).unwrap() + 1, 16).unwrap());
                let (kind, number) = (KINDS[self.draw(KINDS.len())], self.draw(1_000));
                let reason = ["max_peers_reached", "initiator_role_conflict"][self.draw(2)];
                let text = format!(
                    r#"{{"type":"{kind}","networkName":"{network}","targetPeerId":"{to}","data":{{"n":{number},"reason":"{reason}"}}}}"#
                );
                step(Kind::Say, text)
            }
        }
    }
}

#[test]
fn whatever_happens_every_page_is_told_by_several_nodes_what_one_would_tell_it() {
    let mut told = 0;
    for seed in 0..150 {
        let mut drawer = Drawer { random: seed, peers: [None; PEERS], conns: 0 };
        let spread = 2 + usize::try_from(seed % 3).unwrap();
        let (mut one, mut several) = (World::new(1), World::new(spread));
        for number in 0..80 {
            let step = drawer.step();
            let expected = one.step(drawer.conns, &step);
            told += expected.len();
            assert_eq!(
                several.step(drawer.conns, &step),
                expected,
                "seed {seed}, {spread} nodes, step {number}: {step:?}"
            );
        }
    }
    assert!(told > 5_000, "{told} shows little");
}
