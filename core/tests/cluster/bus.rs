//! Nodes over a bus that keeps its promises, unless a test says otherwise.

use peerpigeon_core::{Channel, Input, Limits, NodeId};

use crate::common::{Board, id};

pub(crate) struct Nodes {
    pub(crate) boards: Vec<Board>,
    /// Of each node whether the bus reaches it, and whether it runs.
    is_reached: Vec<bool>,
    runs: Vec<bool>,
    /// Peers that answer no ping.
    pub(crate) silent: Vec<char>,
}

pub(crate) fn limits() -> Limits {
    Limits { node_timeout_ms: 3_000, ..Limits::default() }
}

impl Nodes {
    /// So many nodes that know each other.
    pub(crate) fn new(count: usize) -> Nodes {
        Nodes::with(count, limits())
    }

    pub(crate) fn with(count: usize, limits: Limits) -> Nodes {
        let boards = (0..count).map(|node| Board::keyed(limits.clone(), node as u64));
        let mut nodes = Nodes {
            boards: boards.collect(),
            is_reached: vec![true; count],
            runs: vec![true; count],
            silent: Vec::new(),
        };
        nodes.each(|board| board.input(Input::Bus { is_up: true }));
        nodes.pass(1_200);
        nodes
    }

    fn each(&mut self, mut what: impl FnMut(&mut Board)) {
        self.boards.iter_mut().zip(&self.runs).filter(|(_, runs)| **runs).for_each(|(board, _)| what(board));
    }

    pub(crate) fn id(&self, node: usize) -> NodeId {
        self.boards[node].board.node_id()
    }

    /// Brings every frame where it belongs until there are no more.
    pub(crate) fn settle(&mut self) {
        loop {
            self.each(|board| board.input(Input::Flush));
            let mut all = Vec::new();
            for (node, board) in self.boards.iter_mut().enumerate() {
                let frames = std::mem::take(&mut board.published);
                all.extend(frames.into_iter().filter(|_| self.is_reached[node]));
            }
            if all.is_empty() {
                return;
            }
            for (to, frame) in all {
                for node in 0..self.boards.len() {
                    let is_for = to == Channel::All || to == Channel::Node(self.id(node));
                    if is_for && self.is_reached[node] && self.runs[node] {
                        self.boards[node].input(Input::Frame { frame: &frame });
                    }
                }
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, millis: u64) {
        for _ in 0..millis / 100 {
            self.each(|board| board.pass(100));
            self.settle();
            let silent: Vec<u64> = self.silent.iter().map(|digit| conn(*digit)).collect();
            self.each(|board| {
                for pinged in std::mem::take(&mut board.pinged) {
                    if !silent.contains(&pinged) {
                        board.heard(pinged);
                    }
                }
            });
        }
    }

    /// The bus reaches a node, or does not any more, and it knows.
    pub(crate) fn set_bus(&mut self, node: usize, is_up: bool) {
        self.is_reached[node] = is_up;
        self.boards[node].input(Input::Bus { is_up });
        self.settle();
    }

    /// A node stops without a word, or goes on.
    pub(crate) fn set_running(&mut self, node: usize, runs: bool) {
        if runs {
            let now = self.boards.iter().map(|board| board.now).max();
            self.boards[node].now = now.unwrap();
            self.boards[node].input(Input::Tick);
        }
        self.runs[node] = runs;
    }

    /// Connects a peer whose id is one digit to a node and announces it in network `a`. Its connection has the number of its digit.
    pub(crate) fn join(&mut self, node: usize, digit: char) {
        self.boards[node].join(conn(digit), &id(digit), "a");
        self.settle();
    }

    pub(crate) fn open(&mut self, node: usize, digit: char) {
        self.boards[node].open(conn(digit), &id(digit));
        self.settle();
    }

    pub(crate) fn lose(&mut self, node: usize, digit: char) {
        self.boards[node].lose(conn(digit));
        self.settle();
    }

    pub(crate) fn text(&mut self, node: usize, digit: char, text: &str) {
        self.boards[node].text(conn(digit), text);
        self.settle();
    }

    /// An ICE candidate that says `data`.
    pub(crate) fn signal(&mut self, node: usize, from: char, to: char, data: &str) {
        self.boards[node].signal(conn(from), "ice-candidate", &id(to), &format!("\"{data}\""), "a");
        self.settle();
    }

    /// What a peer was told since the last call, as `type of whom`, with what a signal says.
    pub(crate) fn told(&mut self, node: usize, digit: char) -> Vec<String> {
        let messages = self.boards[node].take(conn(digit));
        let said = messages.iter().map(|message| {
            let kind = message["type"].as_str().unwrap();
            let data = &message["data"];
            let whom = data["peerId"].as_str().or(message["fromPeerId"].as_str()).unwrap_or_default();
            let what = [data.as_str(), data["reason"].as_str(), data["code"].as_str()];
            let what = what.into_iter().flatten().next().unwrap_or_default();
            [kind, &whom[..whom.len().min(1)], what].join(" ").trim().to_owned()
        });
        said.collect()
    }

    /// Of one peer after the other what it was told.
    pub(crate) fn all_told(&mut self, peers: &[(usize, char)]) -> Vec<Vec<String>> {
        peers.iter().map(|(node, digit)| self.told(*node, *digit)).collect()
    }

    /// With what a connection was closed.
    pub(crate) fn closed(&self, node: usize, digit: char) -> Option<u16> {
        let closed = self.boards[node].closed.iter().find(|(closed, _)| *closed == conn(digit));
        closed.map(|(_, why)| why.code())
    }
}

/// The connection of the peer with this digit.
pub(crate) fn conn(digit: char) -> u64 {
    u64::from(digit.to_digit(16).unwrap())
}
