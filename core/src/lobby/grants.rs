//! What a token allows, beside coming in at all.
//!
//! The driver has read the token; the core keeps to what it says: who its bearer may be, and in which networks.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use crate::wire::psp::NAME_BYTES;
use crate::worst_case::{boxed, tree};
use crate::{ConnId, Limits, PeerId, Spelling};

/// What the bearer of a token may do; [`Grant::ANY`] without a token, or with one that says no more than that
/// its bearer may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The only id that the bearer can have, at most [`Grant::MAX_ID_BYTES`], whose owner it has thereby proven to be; `None`: any.
    /// Where ids are 40 hex digits, their case does not matter; in dialect PSP every byte does.
    pub peer: Option<Box<str>>,
    /// The only networks that it can be in, at most [`Grant::MAX_NETWORKS`], each a `networkName` within
    /// [`crate::Limits::network_name_bytes`]; `None`: all.
    pub networks: Option<Box<[Box<str>]>>,
}

impl Grant {
    /// Whoever it says it is, wherever it likes.
    pub const ANY: Grant = Grant { peer: None, networks: None };

    /// The most networks that a grant can name: the driver refuses a token with more.
    pub const MAX_NETWORKS: usize = 32;

    /// The longest id that a grant can name, in bytes: the driver refuses a token with a longer one.
    pub const MAX_ID_BYTES: usize = NAME_BYTES;

    pub(crate) fn allows_peer(&self, peer: &PeerId) -> bool {
        self.peer.is_none() || self.names_peer(peer)
    }

    fn names_peer(&self, peer: &PeerId) -> bool {
        let only = self.peer.as_deref().and_then(Spelling::parse);
        only.is_some_and(|only| only.id() == peer)
    }

    /// Whether its bearer can have this id in a room.
    pub(crate) fn allows_member(&self, id: &str) -> bool {
        self.peer.is_none() || self.names_member(id)
    }

    /// Whether its bearer has proven to be who has this id in a room.
    pub(crate) fn names_member(&self, id: &str) -> bool {
        self.peer.as_deref() == Some(id)
    }

    pub(crate) fn allows_network(&self, name: &str) -> bool {
        self.networks.as_ref().is_none_or(|networks| networks.iter().any(|network| **network == *name))
    }
}

/// What connections may do whose tokens do not allow everything.
#[derive(Debug, Default)]
pub(crate) struct Grants(BTreeMap<ConnId, Grant>);

impl Grants {
    /// Notes what a connection may do; of several requests of a peer without a connection the last one counts.
    pub(crate) fn keep(&mut self, conn: ConnId, grant: &Grant) {
        if *grant == Grant::ANY {
            self.0.remove(&conn);
        } else {
            self.0.insert(conn, grant.clone());
        }
    }

    /// What a connection may do.
    pub(crate) fn of(&self, conn: ConnId) -> &Grant {
        const ANY: &Grant = &Grant::ANY;
        self.0.get(&conn).unwrap_or(ANY)
    }

    /// Whether a connection has proven who is behind it.
    pub(crate) fn has_proven(&self, conn: ConnId, id: &PeerId) -> bool {
        self.of(conn).names_peer(id)
    }

    /// A connection is over.
    pub(crate) fn remove(&mut self, conn: ConnId) {
        self.0.remove(&conn);
    }

    /// The most memory that all of it takes.
    pub(crate) fn worst_case(limits: &Limits, known: u64) -> u64 {
        let names = Grant::MAX_NETWORKS as u64 * (16 + boxed(limits.network_name_bytes.into()));
        known * (tree(8 + size_of::<Grant>()) + boxed(Grant::MAX_ID_BYTES as u64) + boxed(names))
    }

    /// # Panics
    ///
    /// When a connection with a grant is not known, or is somebody else than it allows; `peer_of` tells who is behind a
    /// connection that is known, where it is an admitted peer.
    pub(crate) fn check(&self, peer_of: impl Fn(ConnId) -> Option<Option<PeerId>>) {
        for (conn, grant) in &self.0 {
            let Some(peer) = peer_of(*conn) else { panic!("{conn:?} is gone") };
            assert_ne!(*grant, Grant::ANY);
            assert!(peer.is_none_or(|peer| grant.allows_peer(&peer)));
        }
    }
}
