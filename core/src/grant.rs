//! What a token allows, beside coming in at all.
//!
//! The driver has read the token; the core keeps to what it says: who its bearer may be, and in which networks.

use alloc::boxed::Box;

use crate::mesh::networks::GLOBAL;
use crate::peers::PeerSlot;
use crate::{ConnId, Departure, Event, PeerId, Switchboard};

/// What the bearer of a token may do; [`Grant::ANY`] without a token, or with one that says no more than that
/// its bearer may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The only peer that the bearer can be, which it has thereby proven to be; `None`: any.
    pub peer: Option<PeerId>,
    /// The only networks that it can be in, at most [`Grant::MAX_NETWORKS`], each a `networkName` within
    /// [`crate::Limits::network_name_bytes`]; `None`: all.
    pub networks: Option<Box<[Box<str>]>>,
}

impl Grant {
    /// Whoever it says it is, wherever it likes.
    pub const ANY: Grant = Grant { peer: None, networks: None };

    /// The most networks that a grant can name: the driver refuses a token with more.
    pub const MAX_NETWORKS: usize = 32;

    pub(crate) fn allows_peer(&self, peer: &PeerId) -> bool {
        self.peer.is_none_or(|only| only == *peer)
    }

    pub(crate) fn allows_network(&self, name: &str) -> bool {
        self.networks.as_ref().is_none_or(|networks| networks.iter().any(|network| **network == *name))
    }
}

impl Switchboard {
    /// Notes what a connection may do; of several requests of a peer without a connection the last one counts.
    pub(crate) fn keep_grant(&mut self, conn: ConnId, grant: &Grant) {
        if *grant == Grant::ANY {
            self.grants.remove(&conn);
        } else {
            self.grants.insert(conn, grant.clone());
        }
    }

    /// What a connection may do.
    pub(crate) fn grant(&self, conn: ConnId) -> &Grant {
        const ANY: &Grant = &Grant::ANY;
        self.grants.get(&conn).unwrap_or(ANY)
    }

    /// Whether a connection has proven who is behind it.
    pub(crate) fn has_proven(&self, conn: ConnId, id: &PeerId) -> bool {
        self.grant(conn).peer == Some(*id)
    }

    /// Whether the bearer of this grant may know that the peer in this slot is there: only who may be where it is. One that
    /// has not announced itself is in the global network, or where its own token allows.
    pub(crate) fn may_know_of(&self, slot: PeerSlot, grant: &Grant) -> bool {
        let peer = &self.peers[slot];
        match (peer.network(), &self.grant(peer.conn).networks) {
            (Some(network), _) => grant.allows_network(self.networks.name(network)),
            (None, None) => grant.allows_network(GLOBAL),
            (None, Some(names)) => names.iter().any(|name| grant.allows_network(name)),
        }
    }

    /// Whether what is kept for `id` is kept for whoever is behind this connection.
    pub(crate) fn owns_mail(&self, conn: ConnId, id: &PeerId) -> bool {
        !self.mailboxes.is_proven(id) || self.has_proven(conn, id)
    }

    /// A connection is over for the core, whatever the cause.
    pub(crate) fn observe_gone(&mut self, conn: ConnId, peer: Option<PeerId>, cause: Departure) {
        self.grants.remove(&conn);
        self.backlogs.remove(&conn);
        self.outbox.observe(Event::Gone { conn, peer, cause });
    }

    /// # Panics
    ///
    /// When a grant outlived its connection.
    pub(crate) fn check_grants(&self) {
        for (conn, grant) in &self.grants {
            assert!(self.knows(*conn), "{conn:?} is gone");
            assert_ne!(*grant, Grant::ANY);
            if let Some(slot) = self.peers.by_conn(*conn) {
                assert!(grant.allows_peer(self.peers[slot].spelling.id()));
            }
        }
    }
}
