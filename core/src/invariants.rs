//! The full sweep, and what is counted along with it.

use crate::peers::{Peer, PeerSlot};
use crate::switchboard::Stage;
use crate::timers::NO_CONN;
use crate::{Census, Switchboard};

impl Switchboard {
    pub(crate) fn count(&self) -> Census {
        Census {
            connections: self.peers.len() + self.lobby.held() + self.lobby.unregistered(),
            unregistered: self.lobby.unregistered(),
            held: self.lobby.held(),
            held_bytes: self.lobby.held_bytes(),
            peers: self.networks.announced(),
            networks: self.networks.populated(),
            acquaintances: self.networks.acquainted(),
            mailboxes: self.mailboxes.len(),
            mails: self.mailboxes.mails(),
            mail_bytes: self.mailboxes.bytes(),
            shelved: self.poll_queues.texts(),
            shelved_bytes: self.poll_queues.bytes(),
            polls: self.poll_queues.polls(),
            timers: self.timers.len(),
        }
    }

    /// Checks every invariant, at a cost that grows with everything there is.
    ///
    /// # Panics
    ///
    /// When one does not hold: a fault of this crate, never of a peer.
    pub fn check_invariants(&self) {
        self.peers.check(&self.limits);
        let mut timers = self.lobby.check(&self.limits, &self.timers);
        self.lobby.check_free(
            |id| self.peers.by_id(id).is_some(),
            |newcomer| self.no_place_for(newcomer.address).is_none(),
        );
        for (slot, peer) in self.peers.iter() {
            timers += self.check_peer(slot, peer);
        }
        timers += self.mailboxes.check(&self.limits, &self.timers);
        timers += self.poll_queues.check(self.peers.iter(), &self.limits, &self.timers);
        timers += self.draining.map_or(0, |draining| self.timers.check(draining.deadline, NO_CONN));
        assert_eq!(timers, self.timers.len(), "deadlines that nobody knows");
        assert!(self.timers.next().is_none_or(|(when, _)| when > self.now), "a deadline that was not fired");
        assert!(self.networks.len() <= self.limits.networks as usize);
        self.check_networks();
        self.grants.check(|conn| match self.stage(conn) {
            Stage::Admitted(slot) => Some(Some(*self.peers[slot].id())),
            Stage::Unregistered | Stage::Held => Some(None),
            Stage::Polling(_) | Stage::Unknown => None,
        });
        self.backlogs.check(|conn| self.peers.by_conn(conn).is_some());
    }

    /// Returns how many deadlines belong to the peer.
    fn check_peer(&self, slot: PeerSlot, peer: &Peer) -> usize {
        let timers = self.timers.check(peer.next_due(), peer.conn());
        let Some(announcement) = peer.announcement() else { return timers };
        assert!(announcement.acquaintances().len() <= self.limits.acquaintances as usize);
        assert!(announcement.acquaintances().iter().is_sorted_by(|a, b| a < b));
        assert!(!announcement.acquaintances().contain(slot), "acquainted with itself");
        for other in announcement.acquaintances().iter() {
            let other = &self.peers[other];
            assert!(
                other.announcement().is_some_and(|other| other.acquaintances().contain(slot)),
                "acquaintance is not mutual"
            );
            assert_eq!(other.network(), peer.network(), "acquainted across networks");
        }
        let id = peer.id();
        let has_mailbox = self.mailboxes.network_of(id, self.now).is_some() && !self.mailboxes.is_proven(id);
        assert!(!has_mailbox, "mailbox of a peer that is here");
        timers
    }

    fn check_networks(&self) {
        let mut members = 0;
        self.networks.check(|network| {
            let members_here = self.networks.members(network);
            for (id, slot) in members_here.iter() {
                assert_eq!(self.peers[slot].id(), id);
                assert_eq!(self.peers[slot].network(), Some(network));
            }
            members_here
                .iter()
                .filter_map(|(_, slot)| Some((slot, self.selection().links_of(slot)?)))
                .for_each(|(slot, own)| own.check(slot, |other| self.selection().links_of(other)));
            let is_free = |slot: PeerSlot| self.selection().links_of(slot).is_some_and(|own| own.is_listed());
            let free = || self.networks.free_after(network, NO_CONN);
            assert!(free().all(|conn| self.peers.by_conn(conn).is_some_and(is_free)));
            assert_eq!(free().count(), members_here.iter().filter(|(_, slot)| is_free(*slot)).count());
            members += members_here.len();
            u32::try_from(members_here.len() + self.mailboxes.absent_from(network).count())
                .unwrap_or(u32::MAX)
        });
        assert_eq!(members, self.networks.announced());
        let degrees = self.peers.iter().filter_map(|(_, peer)| peer.announcement());
        let degrees: usize = degrees.map(|announcement| announcement.acquaintances().len()).sum();
        assert_eq!(degrees, 2 * self.networks.acquainted());
    }
}
