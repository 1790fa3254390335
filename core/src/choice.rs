//! Whom a peer should know.
//!
//! A newcomer meets up to `k` peers: about half of them the nearest by XOR distance, the rest one per
//! distance bucket. Nearest alone would fall apart under churn into islands that never meet again; far links
//! keep the network one piece, with a diameter that grows with the logarithm of its size.
//!
//! In a network of more than some thousand peers there are more buckets than places. Were it always the
//! farthest that are taken, the middle distances would be nobody's, and the network would come apart there
//! (measured: 20,000 peers after each was replaced five times fell into two halves). So each peer begins at
//! a bucket of its own, and neighbours cover all distances together.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::fault::{self, Fault};
use crate::members::{Bucket, Members};
use crate::peers::{Announcement, Peers};
use crate::{Limits, PeerId};

/// A choice being made: the same one whenever the network is the same.
pub(crate) struct Choice<'a> {
    peers: &'a Peers,
    own: &'a Announcement,
    /// The most acquaintances that anybody can have.
    max_acquaintances: usize,
    /// How many more the peer itself can have.
    room: usize,
    k: usize,
    chosen: &'a mut Vec<u32>,
}

impl<'a> Choice<'a> {
    /// A choice for the peer whose announcement is `own`, to be put into `chosen`, which is empty.
    pub(crate) fn new(
        peers: &'a Peers,
        own: &'a Announcement,
        limits: &Limits,
        chosen: &'a mut Vec<u32>,
    ) -> Choice<'a> {
        let max_acquaintances = limits.acquaintances as usize;
        let room = max_acquaintances.saturating_sub(own.acquaintances.len());
        Choice { peers, own, max_acquaintances, room, k: own.introductions(limits), chosen }
    }

    pub(crate) fn make(mut self, id: &PeerId, members: &Members) {
        let near = self.k.div_ceil(2);
        self.take_nearest(near, id, members);
        self.take_far(id, members);
        // Where the buckets were not enough.
        self.take_nearest(self.k, id, members);
    }

    /// Takes the nearest until there are `count`.
    fn take_nearest(&mut self, count: usize, id: &PeerId, members: &Members) {
        if self.chosen.len() < count {
            members.nearest(id, |other| {
                if self.is_possible(other) && !self.chosen.contains(&other) {
                    self.take(other);
                }
                if self.chosen.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
        }
    }

    /// Takes the nearest of each bucket, or of as many buckets as there are places.
    fn take_far(&mut self, id: &PeerId, members: &Members) {
        let places = self.k.saturating_sub(self.chosen.len());
        let near = self.chosen.len();
        if places == 0 || fault::is(Fault::NoFarBucket) {
            return;
        }
        // The candidates, farthest bucket first, wait behind those that are chosen already.
        members.buckets(id, |bucket| {
            if let Some(other) = self.nearest_possible(&bucket)
                && !self.chosen.contains(&other)
            {
                self.chosen.push(other);
            }
            ControlFlow::Continue(())
        });
        let candidates = self.chosen.len() - near;
        if candidates > places {
            let [.., a, b, c, d] = id.0;
            let begin = u32::from_be_bytes([a, b, c, d]) as usize % candidates;
            self.chosen[near..].rotate_left(begin);
        }
        let mut place = near;
        while place < self.chosen.len() {
            let other = self.chosen[place];
            if place < near + places && self.is_possible(other) {
                self.room -= usize::from(!self.own.knows(other));
                place += 1;
            } else {
                self.chosen.remove(place);
            }
        }
    }

    fn nearest_possible(&self, bucket: &Bucket<'_>) -> Option<u32> {
        let mut nearest = None;
        bucket.nearest(|other| {
            if self.is_possible(other) {
                nearest = Some(other);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        nearest
    }

    /// Whether neither of the two would have more acquaintances than it may.
    fn is_possible(&self, other: u32) -> bool {
        let is_full = |other: &Announcement| other.acquaintances.len() >= self.max_acquaintances;
        self.own.knows(other)
            || (self.room > 0 && self.peers[other].announcement().is_some_and(|other| !is_full(other)))
    }

    fn take(&mut self, other: u32) {
        self.room -= usize::from(!self.own.knows(other));
        self.chosen.push(other);
    }
}
