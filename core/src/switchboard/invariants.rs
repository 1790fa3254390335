//! The full sweep, and what is counted along with it: each machine checks itself, and here is what lies between them.

use crate::peers::Peer;
use crate::switchboard::Stage;
use crate::timers::NO_CONN;
use crate::{Census, Switchboard};

impl Switchboard {
    pub(crate) fn count(&self) -> Census {
        Census {
            nodes: self.cluster.as_ref().map_or(0, |cluster| cluster.nodes.open().count()),
            remote_peers: self.peers.remote(),
            connections: self.peers.len() + self.lobby.held() + self.lobby.unregistered(),
            unregistered: self.lobby.unregistered(),
            held: self.lobby.held(),
            held_bytes: self.lobby.held_bytes(),
            peers: self.networks.announced() - self.announced_elsewhere() + self.rooms.members(),
            networks: self.networks.populated() + self.rooms.len(),
            members: self.rooms.members(),
            rooms: self.rooms.len(),
            acquaintances: self.networks.acquainted() + self.rooms.acquainted(),
            mailboxes: self.mailboxes.len() + self.rooms.absents().len(),
            mails: self.mailboxes.mails() + self.rooms.absents().mails(),
            mail_bytes: self.mailboxes.bytes() + self.rooms.absents().bytes(),
            shelved: self.poll_queues.texts(),
            shelved_bytes: self.poll_queues.bytes(),
            polls: self.poll_queues.polls(),
            questions: self.questions.len(),
            timers: self.timers.len(),
        }
    }

    /// Returns how many deadlines there are.
    fn check_cluster(&self) -> usize {
        let Some(cluster) = &self.cluster else {
            assert_eq!(self.peers.remote(), 0);
            return 0;
        };
        cluster.nodes.check();
        cluster.residents.check(|slot| self.peers.get(slot).filter(|peer| peer.is_here())?.own_id().copied());
        let remote = cluster.replicas.check(|slot| self.peers.get(slot).map(Peer::conn));
        assert_eq!(remote, self.peers.remote());
        let elsewhere = |peer: &Peer| !peer.is_here() && peer.announcement().is_some();
        assert_eq!(cluster.announced, self.peers.iter().filter(|(_, peer)| elsewhere(peer)).count());
        let named = |peer: &Peer| peer.is_here() && peer.own_id().is_some();
        assert_eq!(cluster.residents.len(), self.peers.iter().filter(|(_, peer)| named(peer)).count());
        self.timers.check(cluster.deadline, NO_CONN)
    }

    /// Checks every invariant, at a cost that grows with everything there is.
    ///
    /// # Panics
    ///
    /// When one does not hold: a fault of this crate, never of a peer.
    pub fn check_invariants(&self) {
        let (limits, timers) = (&self.limits, &self.timers);
        let mut deadlines = self.peers.check(limits, timers) + self.lobby.check(limits, timers);
        self.lobby.check_free(
            |id| self.peers.by_id(id).is_some(),
            |arrival| self.no_place_for(arrival.address).is_none(),
        );
        deadlines += self.mailboxes.check(limits, timers);
        deadlines += self.questions.check(timers);
        deadlines += self.poll_queues.check(self.peers.iter(), limits, timers);
        deadlines += self.check_rooms();
        deadlines += self.draining.map_or(0, |draining| timers.check(draining.deadline, NO_CONN));
        deadlines += self.check_cluster();
        assert_eq!(deadlines, timers.len(), "deadlines that nobody knows");
        assert!(timers.next().is_none_or(|(when, _)| when > self.now), "a deadline that was not fired");
        self.selection().check(|network| self.mailboxes.absent_from(network).count());
        let announced = self.peers.iter().filter(|(_, peer)| peer.announcement().is_some());
        for (_, peer) in announced {
            let is_kept_for = self.mailboxes.network_of(peer.id(), self.now).is_some();
            let comes_later = self.questions.is_taking(peer.id());
            assert!(
                !is_kept_for || comes_later || self.mailboxes.is_proven(peer.id()),
                "mailbox of a peer that is here"
            );
        }
        self.grants.check(|conn| match self.stage(conn) {
            Stage::Admitted(slot) => Some(self.peers[slot].own_id().copied()),
            Stage::Unregistered | Stage::Held => Some(None),
            Stage::Polling(_) | Stage::Asking | Stage::Unknown => None,
        });
        self.receipts.check(|conn| self.peers.by_conn(conn).is_some());
        self.backlogs.check(|conn| self.peers.by_conn(conn).is_some());
    }
    /// Returns how many deadlines belong to rooms.
    fn check_rooms(&self) -> usize {
        assert!(self.networks.len() + self.rooms.len() <= self.limits.networks as usize);
        let member_of = |conn| self.peers.by_conn(conn).and_then(|slot| self.peers[slot].member());
        for (key, member) in self.rooms.iter() {
            assert_eq!(
                member_of(member.conn()),
                Some(key),
                "a member whose connection is elsewhere, or gone"
            );
        }
        let members = self.peers.iter().filter(|(_, peer)| peer.member().is_some()).count();
        assert_eq!(members, self.rooms.members());
        for conn in self.rooms.claimants() {
            let slot = self.peers.by_conn(conn);
            assert!(
                slot.is_some_and(|slot| self.peers[slot].member().is_none()),
                "{conn:?} waits for nothing"
            );
        }
        self.rooms.check(&self.timers)
    }
}
