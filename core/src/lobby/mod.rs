//! From an upgrade to an admitted peer: connections that have not told yet who they are, and those that are held back
//! without an answer, for a place or for an id that is in use.

mod grants;
mod held;
mod registration;
mod upgrade;

use alloc::collections::BTreeMap;

pub use grants::Grant;
pub(crate) use grants::Grants;
pub(crate) use held::{Held, HoldEnd, Released};
pub(crate) use registration::Unregistered;
pub(crate) use upgrade::{ClaimedPeer, Poll, read_poll, read_target};

use crate::timers::Timers;
use crate::wire::Dialect;
use crate::worst_case::{ALLOCATION_BYTES, charged, tree};
use crate::{AddressKey, CloseReason, ConnId, Holder, Holders, Limits, PeerId, Spelling};

/// Whoever has come and is not admitted.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    /// Connections that have not told yet who they are.
    unregistered: BTreeMap<ConnId, Unregistered>,
    unregistered_by_holder: Holders<ConnId>,
    /// Connections that wait for an answer, in the order of their coming.
    held: BTreeMap<ConnId, Held>,
    held_by_holder: Holders<ConnId>,
    /// Of these, the ones that wait for an id that is in use.
    challengers: BTreeMap<PeerId, ConnId>,
}

/// What a connection in the lobby waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// To tell who it is.
    Unregistered,
    /// As this peer, to be let in.
    Held(PeerId),
}

/// A connection that has told who is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) conn: ConnId,
    pub(crate) dialect: Dialect,
    pub(crate) spelling: Spelling,
    pub(crate) address: Option<AddressKey>,
}

/// A connection that is to be closed without having been admitted. The lobby does not know it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TurnedAway {
    pub(crate) conn: ConnId,
    pub(crate) peer: Option<PeerId>,
    pub(crate) why: CloseReason,
}

impl Arrival {
    fn holder(&self) -> Holder {
        Holder::new(self.address, self.conn)
    }

    fn turned_away(&self, why: CloseReason) -> TurnedAway {
        TurnedAway { conn: self.conn, peer: Some(*self.spelling.id()), why }
    }
}

impl Waiting {
    pub(crate) fn peer(self) -> Option<PeerId> {
        match self {
            Waiting::Unregistered => None,
            Waiting::Held(peer) => Some(peer),
        }
    }
}

impl Lobby {
    /// What a connection waits for, if it is here.
    pub(crate) fn waiting(&self, conn: ConnId) -> Option<Waiting> {
        let held = self.held.get(&conn).map(Held::waiting);
        held.or_else(|| self.unregistered.contains_key(&conn).then_some(Waiting::Unregistered))
    }

    /// A connection is over. Returns what it waited for.
    pub(crate) fn remove(&mut self, conn: ConnId, timers: &mut Timers) -> Option<Waiting> {
        let waiting = self.waiting(conn)?;
        match waiting {
            Waiting::Held(_) => drop(self.remove_held(conn, timers)),
            Waiting::Unregistered => drop(self.remove_unregistered(conn, timers)),
        }
        Some(waiting)
    }

    /// Gives up a connection, if it is still here.
    pub(crate) fn turn_away(
        &mut self,
        conn: ConnId,
        why: CloseReason,
        timers: &mut Timers,
    ) -> Option<TurnedAway> {
        let peer = self.remove(conn, timers)?.peer();
        Some(TurnedAway { conn, peer, why })
    }

    /// Gives up one connection after the other.
    pub(crate) fn turn_away_next(&mut self, why: CloseReason, timers: &mut Timers) -> Option<TurnedAway> {
        let conn = *self.held.keys().chain(self.unregistered.keys()).next()?;
        self.turn_away(conn, why, timers)
    }

    /// The most memory that all of it takes.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        let kept =
            u64::from(limits.held_messages) * (2 * 16 + ALLOCATION_BYTES) + u64::from(limits.held_bytes);
        let charged = charged(size_of::<ConnId>());
        let held = tree(8 + size_of::<Held>()) + tree(28) + tree(24) + charged + kept;
        let unregistered = tree(8 + size_of::<Unregistered>()) + tree(24) + charged;
        u64::from(limits.held_connections) * held + u64::from(limits.unregistered_connections) * unregistered
    }

    /// Checks every invariant; returns how many deadlines there are.
    ///
    /// # Panics
    ///
    /// When one does not hold.
    pub(crate) fn check(&self, limits: &Limits, timers: &Timers) -> usize {
        self.check_held(limits, timers) + self.check_unregistered(limits, timers)
    }
}

#[cfg(test)]
mod tests;
