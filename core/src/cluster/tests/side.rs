//! A node, what comes out of it, and a bus that loses nothing unless it is told to.

use alloc::vec::Vec;

use super::super::{Change, FrameError, NodeKey, Nodes};
use crate::{Channel, NodeId, Time};

pub(super) const TIMEOUT: u64 = 3_000;
pub(super) const BUFFER: usize = 1 << 20;

/// The first one that a node knows.
pub(super) const KEY: NodeKey = NodeKey::at(0);

/// A node and what has come out of it.
pub(super) struct Side {
    pub(super) nodes: Nodes,
    pub(super) me: NodeId,
    pub(super) changes: Vec<Change>,
    pub(super) events: Vec<Vec<u8>>,
}

impl Side {
    pub(super) fn new(id: u64) -> Side {
        Side::with_buffer(id, BUFFER)
    }

    pub(super) fn with_buffer(id: u64, bytes: usize) -> Side {
        let (me, nodes) = (NodeId(id), Nodes::new(NodeId(id), TIMEOUT, bytes));
        let mut side = Side { nodes, me, changes: Vec::new(), events: Vec::new() };
        side.nodes.set_bus(Time(0), true);
        side
    }

    /// Its own beats come back.
    pub(super) fn tick(&mut self, now: u64) {
        let mut beat = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0];
        beat[2..10].copy_from_slice(&self.me.0.to_le_bytes());
        self.receive(now, &beat).unwrap();
        self.tick_deaf(now);
    }

    /// Nothing comes back.
    pub(super) fn tick_deaf(&mut self, now: u64) {
        self.nodes.tick(Time(now));
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(change) = self.nodes.change() {
            self.changes.push(change);
        }
        self.nodes.check();
    }

    pub(super) fn receive(&mut self, now: u64, frame: &[u8]) -> Result<(), FrameError> {
        let received = self.nodes.receive(Time(now), frame);
        let events = received.map(|received| {
            received.iter().flat_map(|received| received.events()).map(<[u8]>::to_vec).collect::<Vec<_>>()
        });
        self.drain();
        self.events.extend(events?);
        Ok(())
    }

    pub(super) fn flush(&mut self, now: u64) -> Vec<(Channel, Vec<u8>)> {
        let mut frames = Vec::new();
        self.nodes.flush(Time(now), |to, frame| frames.push((to, frame.to_vec())));
        self.nodes.check();
        frames
    }

    pub(super) fn push(&mut self, event: &[u8]) {
        self.nodes.push(KEY, |bytes| bytes.extend_from_slice(event));
        self.nodes.check();
    }

    pub(super) fn is_open(&self) -> bool {
        self.nodes.is_open(KEY)
    }
}

/// Carries everything until nothing comes any more. Returns how many frames there were.
pub(super) fn carry(now: u64, sides: &mut [Side]) -> usize {
    let mut count = 0;
    loop {
        let frames: Vec<_> = sides.iter_mut().flat_map(|side| side.flush(now)).collect();
        if frames.is_empty() {
            return count;
        }
        count += frames.len();
        assert!(count < 10_000, "they answer each other for ever");
        for (to, frame) in frames {
            for side in sides.iter_mut().filter(|side| to == Channel::All || to == Channel::Node(side.me)) {
                side.receive(now, &frame).unwrap();
            }
        }
    }
}

pub(super) fn opened() -> [Side; 2] {
    let mut sides = [Side::new(1), Side::new(2)];
    carry(0, &mut sides);
    sides
}

/// Beats up to `until`, nothing lost. Returns how many frames there were.
pub(super) fn pass(from: u64, until: u64, sides: &mut [Side]) -> usize {
    let mut count = 0;
    for now in (from..=until).step_by(100) {
        sides.iter_mut().for_each(|side| side.tick(now));
        count += carry(now, sides);
    }
    count
}
