//! Which peers are linked, as far as their signals tell, and who is free to take one more link.
//!
//! A page takes only so many links and turns away whoever dials it beyond. Where nearly all are full, a newcomer
//! that is introduced to any sixteen finds nobody, and stands alone until it is introduced again (measured, see
//! docs/MESH.md). But the signals go through here: an `answer` makes a link, and `connection-rejected` tells that
//! somebody is full. So those who are free are introduced to each other.

use alloc::boxed::Box;

use crate::fault::{self, Fault};
use crate::networks::NetKey;
use crate::{Limits, Occasion, Signal, Switchboard};

/// Free peers that are looked at for one to be introduced to.
const LOOKED_AT: usize = 8;

/// The links of an announced peer.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Slots of those that it is linked to, each of which has this peer in its own list. More than `max` only after that was lowered.
    peers: Box<[u32]>,
    /// How many it takes: its `maxPeers`.
    max: u8,
    /// It turned somebody away, so it has links that are not known here.
    is_full: bool,
    /// Its network has it on the list of the free.
    is_listed: bool,
}

impl Links {
    /// How many links its peer takes: its `maxPeers`.
    pub(crate) fn max(&self) -> u8 {
        self.max
    }

    fn are_free(&self) -> bool {
        !self.is_full && self.peers.len() < usize::from(self.max)
    }

    fn contain(&self, slot: u32) -> bool {
        self.peers.contains(&slot)
    }

    /// Whether somebody is linked to both: a link between the two would bring nobody nearer to anybody else, and four
    /// who are linked to each other and take no more than three links are an island.
    fn share_one_with(&self, other: &Links) -> bool {
        self.peers.iter().any(|peer| other.contain(*peer))
    }

    /// Whether the list of the free has it.
    ///
    /// # Panics
    ///
    /// When an invariant does not hold; `of` are the links of another slot.
    pub(crate) fn check<'a>(&self, slot: u32, of: impl Fn(u32) -> Option<&'a Links>) -> bool {
        assert!(self.peers.len() <= usize::from(Limits::MAX_PEERS));
        assert!(self.peers.iter().all(|peer| of(*peer).is_some_and(|other| other.contain(slot))));
        assert_eq!(self.is_listed, self.are_free());
        self.is_listed
    }
}

impl Switchboard {
    /// A signal was relayed from one peer to another.
    pub(crate) fn learn_of_links(&mut self, from: u32, to: u32, signal: Signal) {
        match signal {
            // Nobody dials without a place for it.
            Signal::Offer => self.set_full(from, false),
            Signal::Answer => self.link(from, to),
            Signal::ConnectionRejected => {
                self.set_full(from, !fault::is(Fault::FullCountsAsFree));
                // The place that it kept for the one it dialled is free again.
                self.set_full(to, false);
                let introduced = self.introduce_free(to);
                self.peers[from].pace.charge(2 * introduced, 0, self.now, &self.limits);
            }
            Signal::IceCandidate
            | Signal::RenegotiationOffer
            | Signal::RenegotiationAnswer
            | Signal::IceRestartOffer
            | Signal::IceRestartAnswer
            | Signal::RecoveryOffer => {}
        }
    }

    /// An announced peer takes so many links.
    pub(crate) fn set_max_links(&mut self, slot: u32, max: u8) {
        if let Some(own) = self.peers[slot].announcement_mut() {
            (own.links.max, own.links.is_full) = (max, false);
        }
        self.list(slot);
    }

    /// Introduces a free peer to another one. Returns to how many.
    pub(crate) fn introduce_free(&mut self, slot: u32) -> usize {
        let Some(other) = self.next_free(slot) else { return 0 };
        self.introduce_pair(slot, other, Occasion::Free);
        1
    }

    /// The free peer that a free peer is introduced to: of the next few in the order of their coming, after the last
    /// of whom comes the first, so that no two look at the same ones.
    pub(crate) fn next_free(&self, slot: u32) -> Option<u32> {
        let peer = &self.peers[slot];
        let own = peer.announcement().filter(|own| own.links.is_listed)?;
        let has_place = |knows: usize| knows < self.limits.acquaintances as usize;
        let next = self.networks.free_after(peer.network()?, peer.conn).take(LOOKED_AT);
        next.filter_map(|conn| self.peers.by_conn(conn)).find(|slot| {
            self.peers[*slot].announcement().is_some_and(|other| {
                let places = [own, other].iter().all(|one| has_place(one.acquaintances.len()));
                let is_possible = own.knows(*slot) || places;
                let linked = own.links.contain(*slot) && !fault::is(Fault::LinkedAgain);
                is_possible && !linked && !own.links.share_one_with(&other.links)
            })
        })
    }

    /// The links of a peer that leaves end, and it is not free any more.
    pub(crate) fn end_links(&mut self, slot: u32, network: NetKey, left: &Links) {
        if left.is_listed {
            self.networks.list_free(network, self.peers[slot].conn, false);
        }
        for &other in &left.peers {
            if let Some(other) = self.peers[other].announcement_mut()
                && !fault::is(Fault::LinkOutlivesPeer)
            {
                other.links.peers = other.links.peers.iter().copied().filter(|peer| *peer != slot).collect();
                other.links.is_full = false;
            }
            self.list(other);
        }
    }

    /// Those whose links ended look for others.
    pub(crate) fn replace_links(&mut self, left: &Links) {
        if self.draining.is_none() && !fault::is(Fault::EndedLinkNotReplaced) {
            for &other in &left.peers {
                self.introduce_free(other);
            }
        }
    }

    fn link(&mut self, one: u32, two: u32) {
        let links = |slot: u32| self.peers[slot].announcement().map(|own| &own.links);
        let (Some(own), Some(other)) = (links(one), links(two)) else { return };
        if own.contain(two) || !own.are_free() || !other.are_free() {
            return;
        }
        for (me, other) in [(one, two), (two, one)] {
            if let Some(own) = self.peers[me].announcement_mut() {
                own.links.peers = own.links.peers.iter().copied().chain([other]).collect();
            }
            self.list(me);
        }
    }

    fn set_full(&mut self, slot: u32, is_full: bool) {
        if let Some(own) = self.peers[slot].announcement_mut()
            && own.links.is_full != is_full
        {
            own.links.is_full = is_full;
            self.list(slot);
        }
    }

    /// Puts an announced peer on the list of the free, or takes it off.
    fn list(&mut self, slot: u32) {
        let peer = &mut self.peers[slot];
        let (conn, network) = (peer.conn, peer.network());
        if let (Some(network), Some(own)) = (network, peer.announcement_mut())
            && own.links.is_listed != own.links.are_free()
        {
            own.links.is_listed = own.links.are_free();
            self.networks.list_free(network, conn, own.links.is_listed);
        }
    }
}
