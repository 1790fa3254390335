//! What holds between the networks and the peers in them.

use super::networks::NetKey;
use super::selection::Selection;
use crate::peers::PeerSlot;
use crate::timers::NO_CONN;

impl Selection<'_> {
    /// Checks every invariant of the mesh; `absent` tells how many mailboxes hold a network.
    ///
    /// # Panics
    ///
    /// When one does not hold.
    pub(crate) fn check(self, absent: impl Fn(NetKey) -> usize) {
        assert!(self.networks.len() <= self.limits.networks as usize);
        let (mut members, mut degrees) = (0, 0);
        self.networks.check(|network| {
            for (id, slot) in self.networks.members(network).iter() {
                assert_eq!(self.peers[slot].id(), id);
                assert_eq!(self.peers[slot].network(), Some(network));
                degrees += self.check_acquaintances(slot);
            }
            self.check_links(network);
            let members_here = self.networks.members(network).len();
            members += members_here;
            u32::try_from(members_here + absent(network)).unwrap_or(u32::MAX)
        });
        assert_eq!(members, self.peers.iter().filter(|(_, peer)| peer.announcement().is_some()).count());
        assert_eq!(members, self.networks.announced());
        assert_eq!(degrees, 2 * self.networks.acquainted());
    }

    /// Returns how many the peer has.
    fn check_acquaintances(self, slot: PeerSlot) -> usize {
        let Some(own) = self.announcement(slot) else { return 0 };
        assert!(own.acquaintances.len() <= self.limits.acquaintances as usize);
        assert!(own.acquaintances.iter().is_sorted_by(|a, b| a < b));
        assert!(!own.acquaintances.contain(slot), "acquainted with itself");
        for other in own.acquaintances.iter() {
            assert!(self.are_acquainted(other, slot), "acquaintance is not mutual");
            assert_eq!(self.peers[other].network(), self.peers[slot].network(), "across networks");
        }
        own.acquaintances.len()
    }

    fn check_links(self, network: NetKey) {
        let members = || self.networks.members(network).iter().map(|(_, slot)| slot);
        members()
            .filter_map(|slot| Some((slot, self.links_of(slot)?)))
            .for_each(|(slot, own)| own.check(slot, |other| self.links_of(other)));
        let is_free = |slot: PeerSlot| self.links_of(slot).is_some_and(|own| own.is_listed());
        let free = || self.networks.free_after(network, NO_CONN);
        assert!(free().all(|conn| self.peers.by_conn(conn).is_some_and(is_free)));
        assert_eq!(free().count(), members().filter(|slot| is_free(*slot)).count());
    }
}
