//! The admitted connections and the peers behind them.

pub(crate) mod addresses;
pub(crate) mod backlogs;
pub(crate) mod index;
mod liveness;
pub(crate) mod rate_limiter;
mod table;

use alloc::boxed::Box;

use crate::cluster::is_remote;
use crate::mail::poll_queue::PollQueue;
use crate::mesh::announcement::{Announcement, Overdue};
use crate::mesh::networks::NetKey;
use crate::rooms::MemberKey;
use crate::timers::{Deadline, Patience};
use crate::wire::Dialect;
use crate::{ConnId, Holder, PeerId, Spelling, Time, TimerKind};
use addresses::Home;
use liveness::Liveness;
pub(crate) use liveness::LivenessAction;
use rate_limiter::RateLimiter;
pub(crate) use table::Peers;

/// The place of an admitted connection in the table of peers. It is used again as soon as the peer is gone, so nothing
/// outside the switchboard sees it, and inside only what [`crate::Switchboard::check_invariants`] sweeps may keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PeerSlot(u32);

impl PeerSlot {
    /// Stands for nobody: there are never so many peers.
    pub(crate) const NOBODY: PeerSlot = PeerSlot(u32::MAX);

    /// There are never more than [`crate::Limits::connections`], which is a `u32`.
    fn at(place: usize) -> PeerSlot {
        u32::try_from(place).map_or(PeerSlot::NOBODY, PeerSlot)
    }

    fn place(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
impl From<u32> for PeerSlot {
    fn from(place: u32) -> PeerSlot {
        PeerSlot(place)
    }
}

/// One admitted connection.
#[derive(Debug)]
pub(crate) struct Peer {
    conn: ConnId,
    address: Option<Home>,
    last_seen: Time,
    liveness_deadline: Deadline,
    rate_limiter: RateLimiter,
    standing: Standing,
    spelling: Spelling,
    liveness: Liveness,
    /// Whether it was looked at once more, since the driver may not have listened.
    patience: Patience,
    /// It was pinged and has not answered: its pong costs it nothing.
    awaiting_pong: bool,
    dialect: Dialect,
    /// What is sent to a peer without a connection; its `conn` is then a virtual one.
    poll_queue: Option<Box<PollQueue>>,
}

/// Where a peer stands with its network.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Has not announced itself: it can send and be reached within the global network.
    Fresh,
    /// Has said goodbye: it cannot be reached until it announces itself again.
    Departed,
    /// Is in a room (dialect PSP).
    Member(MemberKey),
    /// Is in this network. What is looked at for every signal stands here; the rest is one step away.
    Announced(NetKey, Box<Announcement>),
}

impl Peer {
    /// One that has just come, and has not been inserted; one with a `poll_queue` has no connection.
    pub(crate) fn new(
        conn: ConnId,
        dialect: Dialect,
        spelling: Spelling,
        poll_queue: Option<Box<PollQueue>>,
        now: Time,
    ) -> Peer {
        Peer {
            conn,
            address: None,
            last_seen: now,
            liveness_deadline: Deadline::NONE,
            rate_limiter: RateLimiter::default(),
            standing: Standing::Fresh,
            spelling,
            liveness: Liveness::Quiet,
            patience: Patience::Fresh,
            awaiting_pong: false,
            dialect,
            poll_queue,
        }
    }

    pub(crate) fn conn(&self) -> ConnId {
        self.conn
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What it is called where its connection stands for one peer (see [`Peer::own_id`]).
    pub(crate) fn id(&self) -> &PeerId {
        self.spelling.id()
    }

    /// The id that nobody else has while this connection is here, if it stands for one peer.
    pub(crate) fn own_id(&self) -> Option<&PeerId> {
        self.dialect.names_peers_by_connection().then(|| self.spelling.id())
    }

    pub(crate) fn last_seen(&self) -> Time {
        self.last_seen
    }

    /// Where it is in a room.
    pub(crate) fn member(&self) -> Option<MemberKey> {
        match self.standing {
            Standing::Member(member) => Some(member),
            Standing::Fresh | Standing::Departed | Standing::Announced(..) => None,
        }
    }

    pub(crate) fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// Whether it is told things as they happen; otherwise they wait in its queue, or its own node tells it.
    pub(crate) fn has_connection(&self) -> bool {
        self.poll_queue.is_none() && self.is_here()
    }

    /// Whether it is a peer of this node, and not of another one.
    pub(crate) fn is_here(&self) -> bool {
        !is_remote(self.conn)
    }

    pub(crate) fn poll_queue(&self) -> Option<&PollQueue> {
        self.poll_queue.as_deref()
    }

    pub(crate) fn poll_queue_mut(&mut self) -> Option<&mut PollQueue> {
        self.poll_queue.as_deref_mut()
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// From now on it stands there. Returns where it stood.
    pub(crate) fn stand(&mut self, standing: Standing) -> Standing {
        core::mem::replace(&mut self.standing, standing)
    }

    /// Whom what it takes is charged to.
    pub(crate) fn holder(&self) -> Holder {
        Holder::new(self.address.map(|home| home.key), self.conn)
    }

    /// The earliest of its deadlines: the one that the table of deadlines has. Those of a peer of another node are looked after
    /// there.
    pub(crate) fn next_due(&self) -> Deadline {
        if !self.is_here() {
            return Deadline::NONE;
        }
        let introduce = self.announcement().map_or(Deadline::NONE, Announcement::next_due);
        self.liveness_deadline.or_earlier(introduce)
    }

    fn take_due(&mut self, kind: TimerKind, now: Time) -> Overdue {
        match (kind, self.announcement_mut()) {
            (TimerKind::Introduce, Some(own)) => own.take_due(now),
            _ => {
                self.liveness_deadline = Deadline::NONE;
                Overdue::default()
            }
        }
    }

    pub(crate) fn network(&self) -> Option<NetKey> {
        match &self.standing {
            Standing::Announced(network, _) => Some(*network),
            Standing::Fresh | Standing::Departed | Standing::Member(_) => None,
        }
    }

    pub(crate) fn announcement(&self) -> Option<&Announcement> {
        match &self.standing {
            Standing::Announced(_, announcement) => Some(announcement),
            Standing::Fresh | Standing::Departed | Standing::Member(_) => None,
        }
    }

    pub(crate) fn announcement_mut(&mut self) -> Option<&mut Announcement> {
        match &mut self.standing {
            Standing::Announced(_, announcement) => Some(announcement),
            Standing::Fresh | Standing::Departed | Standing::Member(_) => None,
        }
    }
}
