//! Beats, silence, outages, and what is sent again.

use super::super::NodeKey;
use super::super::table::Node;
use super::{NodeEnd, Nodes};
use crate::Time;

/// Between two beats, in milliseconds.
const BEAT_MS: u64 = 500;

/// Own beats that have not come back for so long, in milliseconds, show that the bus brings nothing.
const DEAF_MS: u64 = 1_300;

/// A node that is called so much later than it asked for, in milliseconds, was not listening meanwhile.
const LATE_MS: u64 = 1_000;

/// What waits for a bus that was away for longer, in milliseconds, is too old to be delivered.
const OUTAGE_MS: u64 = 30_000;

impl Nodes {
    /// The bus carries what is published from now on, or does not any more.
    pub(crate) fn set_bus(&mut self, now: Time, is_up: bool) {
        self.arrive(now);
        if self.is_bus_up == is_up {
            return;
        }
        let outage_ms = now.since(self.bus_since);
        (self.is_bus_up, self.bus_since) = (is_up, now);
        if !is_up {
            self.due = None;
            return;
        }
        (self.listening_since, self.echoed) = (now, now);
        for (key, node) in self.table.iter_mut() {
            if outage_ms > OUTAGE_MS {
                node.link.begin(self.fresh_epoch);
                self.fresh_epoch = self.fresh_epoch.next();
            }
            node.link.out.go_back(now);
            self.pending.insert(key);
        }
        self.next_beat = now;
        self.tick(now);
    }

    /// Time has passed: dead nodes are closed, and what is due goes out with the next [`flush`](Nodes::flush).
    pub(crate) fn tick(&mut self, now: Time) {
        self.arrive(now);
        if !self.is_bus_up {
            return;
        }
        if now >= self.next_beat {
            self.beat(now);
        }
        while let Some(key) = self.dead(now) {
            self.forget(key, NodeEnd::Silent);
        }
        self.resend(now);
        self.due = Some(self.earliest(now));
    }

    /// One of my own beats has come back. After a time in which none did, nobody could be heard before.
    pub(super) fn hear_myself(&mut self, now: Time) {
        if now.since(self.echoed) > DEAF_MS {
            self.listening_since = now;
        }
        self.echoed = now;
    }

    /// Whoever calls so late was not listening: nobody is silent for that.
    pub(super) fn arrive(&mut self, now: Time) {
        if self.due.is_some_and(|due| now.since(due) > LATE_MS) {
            self.listening_since = now;
        }
    }

    fn beat(&mut self, now: Time) {
        self.owes_beat = true;
        self.next_beat = now + BEAT_MS;
        for (key, node) in self.table.iter_mut() {
            node.link.beat();
            self.pending.insert(key);
        }
    }

    fn last_heard(&self, node: &Node) -> Time {
        node.heard.max(self.listening_since)
    }

    pub(super) fn is_suspected(&self, node: &Node, now: Time) -> bool {
        now.since(self.last_heard(node)) >= self.timeout_ms / 2
    }

    /// Somebody who has been silent for too long. Where two or more are suspected and nobody else is there, it is likelier that
    /// the bus brings nothing: then it is twice as long.
    fn dead(&self, now: Time) -> Option<NodeKey> {
        if now.since(self.echoed) > DEAF_MS {
            return None;
        }
        let is_deaf = self.table.len() > 1 && self.table.iter().all(|(_, node)| self.is_suspected(node, now));
        let timeout_ms = if is_deaf { 2 * self.timeout_ms } else { self.timeout_ms };
        let is_dead = |node: &Node| now.since(self.last_heard(node)) >= timeout_ms;
        self.table.iter().find(|(_, node)| is_dead(node)).map(|(key, _)| key)
    }

    /// What was sent long ago and is not acknowledged is sent again to whom can be reached.
    fn resend(&mut self, now: Time) {
        let (listening_since, half) = (self.listening_since, self.timeout_ms / 2);
        for (key, node) in self.table.iter_mut() {
            let is_reachable = now.since(node.heard.max(listening_since)) < half;
            if is_reachable && node.link.out.resend_due().is_some_and(|due| due <= now) {
                node.link.out.go_back(now);
                self.pending.insert(key);
            }
        }
    }

    /// The next moment after `now` at which something is due. What is missed by what happens meanwhile, and a silence that is
    /// given more time, is found at the next beat.
    fn earliest(&self, now: Time) -> Time {
        let of = |node: &Node| [Some(self.last_heard(node) + self.timeout_ms), node.link.out.resend_due()];
        let all = self.table.iter().flat_map(|(_, node)| of(node)).flatten();
        all.filter(|due| *due > now).fold(self.next_beat, Time::min)
    }
}
