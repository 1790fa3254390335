//! Whom a page has heard of, and whom it has dialled.

use std::collections::BTreeMap;

use peerpigeon_core::Time;

use super::super::key::Key;

/// `PeerDiscovery` and the counters of `ConnectionManager`.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// `discoveredPeers`, and when each was first heard of or linked to.
    list: BTreeMap<Key, Time>,
    /// No entry of the list is older.
    oldest: Time,
    /// `peerDiscovery.connectionAttempts`: those that are being dialled, or once were without an end.
    marks: Vec<Key>,
    /// `connectionManager.connectionAttempts`
    attempts: Vec<Attempts>,
}

#[derive(Clone, Copy, Debug)]
struct Attempts {
    peer: Key,
    count: u8,
    last: Time,
}

/// An entry of the list dies at the first sweep that finds it older.
pub(super) const FORGET_MS: u64 = 300_000;

impl Known {
    pub(super) fn has(&self, peer: Key) -> bool {
        self.list.contains_key(&peer)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In the order of their ids.
    pub(super) fn peers(&self) -> impl Iterator<Item = Key> {
        self.list.keys().copied()
    }

    /// The one with the smallest id.
    pub(super) fn smallest(&self) -> Option<Key> {
        self.list.first_key_value().map(|(peer, _)| *peer)
    }

    /// A peer that is not on the list.
    pub(super) fn add(&mut self, now: Time, peer: Key) {
        if self.list.is_empty() {
            self.oldest = now;
        }
        self.list.insert(peer, now);
    }

    /// `updateDiscoveryTimestamp`
    pub(super) fn touch(&mut self, now: Time, peer: Key) {
        if let Some(since) = self.list.get_mut(&peer) {
            *since = now;
        }
    }

    /// `removeDiscoveredPeer`
    pub(super) fn remove(&mut self, peer: Key) {
        self.list.remove(&peer);
        self.unmark(peer);
    }

    /// When an entry of the list may be old enough to be forgotten.
    pub(super) fn sweep_after(&self) -> Option<Time> {
        (!self.list.is_empty()).then(|| self.oldest + (FORGET_MS + 1))
    }

    /// `cleanupStaleDiscoveredPeers`
    pub(super) fn sweep(&mut self, now: Time) {
        let marks = &mut self.marks;
        let mut oldest = now;
        self.list.retain(|peer, since| {
            let stays = since.0 + FORGET_MS >= now.0;
            if stays {
                oldest = oldest.min(*since);
            } else {
                marks.retain(|marked| marked != peer);
            }
            stays
        });
        self.oldest = oldest;
    }

    pub(super) fn is_marked(&self, peer: Key) -> bool {
        self.marks.contains(&peer)
    }

    pub(super) fn marks(&self) -> usize {
        self.marks.len()
    }

    pub(super) fn mark(&mut self, peer: Key) {
        if !self.is_marked(peer) {
            self.marks.push(peer);
        }
    }

    /// `clearConnectionAttempt`
    pub(super) fn unmark(&mut self, peer: Key) {
        self.marks.retain(|marked| *marked != peer);
    }

    /// How often it was dialled since the last success or rejection, and when last.
    pub(super) fn attempts(&self, peer: Key) -> Option<(u8, Time)> {
        let attempts = self.attempts.iter().find(|attempts| attempts.peer == peer)?;
        Some((attempts.count, attempts.last))
    }

    pub(super) fn count_attempt(&mut self, now: Time, peer: Key) {
        match self.attempts.iter_mut().find(|attempts| attempts.peer == peer) {
            Some(attempts) => (attempts.count, attempts.last) = (attempts.count.saturating_add(1), now),
            None => self.attempts.push(Attempts { peer, count: 1, last: now }),
        }
    }

    pub(super) fn forget_attempts(&mut self, peer: Key) {
        self.attempts.retain(|attempts| attempts.peer != peer);
    }
}
