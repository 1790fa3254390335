//! What is still to happen, in the order of its time; within one moment in the order of its coming.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use peerpigeon_core::{ConnId, PeerId, Time};

use crate::host::{Downward, Upward};

#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    count: u64,
}

/// Something that happens at its time.
#[derive(Debug)]
pub(super) enum Due {
    /// Something reaches the server.
    Up(ConnId, Upward),
    /// What a page that speaks HTTP has to say sets out.
    Post(ConnId),
    /// It asks for what was said to it.
    Poll(ConnId),
    /// Something reaches a page.
    Down(ConnId, Downward),
    /// The page learns that its socket could not be opened: slot and attempt.
    Failed(usize, u64),
    /// A page wanted to be woken.
    Wake(usize),
    /// Somebody opens the page.
    Come(usize),
    /// The page is opened or closed, as it goes.
    Churn(usize),
    /// The page of a slot notices that its link to a peer is dead.
    LinkLost(usize, PeerId),
}

#[derive(Debug)]
struct Entry {
    at: Time,
    order: u64,
    due: Due,
}

impl Queue {
    pub(super) fn put(&mut self, at: Time, due: Due) {
        self.count += 1;
        self.heap.push(Reverse(Entry { at, order: self.count, due }));
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next thing that is due at `now`.
    pub(super) fn take(&mut self, now: Time) -> Option<Due> {
        let due = self.next().is_some_and(|at| at <= now);
        if due { self.heap.pop().map(|Reverse(entry)| entry.due) } else { None }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
