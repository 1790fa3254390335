//! HTTP requests that reach another node than the one that their peer is at.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::NodeKey;
use crate::worst_case::tree;
use crate::{ConnId, Limits, Time};

/// Requests of this node that others answer, and of others that this one answers.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// By the connection that they came by, who answers them, and until when.
    forwarded: BTreeMap<ConnId, (NodeKey, Time)>,
    /// By what stands for their connection here, whose they are, and by which connection they came there.
    foreign: BTreeMap<ConnId, (NodeKey, u64)>,
    last: u64,
}

/// What stands for the connections of foreign requests begins here.
const FIRST_FOREIGN: u64 = 5 << 61;

/// No answer takes longer: a request that waits is answered after [`Limits::POLL_MS`].
const ANSWERED_WITHIN_MS: u64 = Limits::POLL_MS + 5_000;

/// Requests that wait for other nodes, or for this one, at most.
const MOST: usize = 10_000;

/// Whether a connection stands for a request that came by another node.
pub(crate) fn is_foreign(conn: ConnId) -> bool {
    conn.0 >> 61 == FIRST_FOREIGN >> 61
}

impl Requests {
    /// A request goes to another node. Says whether there was a place for it.
    pub(crate) fn forward(&mut self, conn: ConnId, to: NodeKey, now: Time) -> bool {
        let has_place = self.forwarded.len() < MOST;
        if has_place {
            self.forwarded.insert(conn, (to, now + ANSWERED_WITHIN_MS));
        }
        has_place
    }

    pub(crate) fn is_forwarded(&self, conn: ConnId) -> bool {
        self.forwarded.contains_key(&conn)
    }

    /// A request that went to another node is answered, or nobody waits for that any more. Returns which node.
    pub(crate) fn end_forwarded(&mut self, conn: ConnId) -> Option<NodeKey> {
        self.forwarded.remove(&conn).map(|(to, _)| to)
    }

    /// When the first of them should have been answered.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.forwarded.values().map(|(_, due)| *due).min()
    }

    /// Those that are not answered any more: by this node, or because it is too late.
    pub(crate) fn lost(&self, by: Option<NodeKey>, now: Time) -> Vec<ConnId> {
        let is_lost = |(to, due): &(NodeKey, Time)| by == Some(*to) || *due <= now;
        self.forwarded.iter().filter(|(_, request)| is_lost(request)).map(|(conn, _)| *conn).collect()
    }

    /// A request has come by another node. Returns what stands for its connection here.
    pub(crate) fn come(&mut self, from: NodeKey, request: u64) -> Option<ConnId> {
        if self.foreign.len() >= MOST {
            return None;
        }
        self.last += 1;
        let conn = ConnId(FIRST_FOREIGN + self.last);
        self.foreign.insert(conn, (from, request));
        Some(conn)
    }

    /// It is answered. Returns whose it was.
    pub(crate) fn end_foreign(&mut self, conn: ConnId) -> Option<(NodeKey, u64)> {
        self.foreign.remove(&conn)
    }

    /// The requests of a node, or one of them.
    pub(crate) fn of(&self, node: NodeKey, request: Option<u64>) -> Vec<ConnId> {
        let is_it =
            |(from, of): &(NodeKey, u64)| *from == node && request.is_none_or(|request| request == *of);
        self.foreign.iter().filter(|(_, foreign)| is_it(foreign)).map(|(conn, _)| *conn).collect()
    }

    /// The most memory that they take.
    pub(crate) const BYTES: u64 = 2 * MOST as u64 * tree(8 + 16);
}
