//! HTTP requests of peers that are at another node than the one that they reach: between requests and nodes.

use crate::cluster::NodeKey;
use crate::cluster::events::Writer;
use crate::cluster::requests::is_foreign;
use crate::peers::PeerSlot;
use crate::wire::{Dialect, Refusal, post};
use crate::{ConnId, Departure, Gone, Grant, Spelling, Switchboard};

impl Switchboard {
    /// Whether a request to post is for another node, which gets it then: all of it, if its first message is of a peer of that.
    pub(crate) fn post_goes_elsewhere(&mut self, conn: ConnId, body: &str, grant: &Grant) -> bool {
        if !self.can_go_elsewhere(conn) {
            return false;
        }
        let first = match post::read(body) {
            Ok(post::Body::One) => Some(body),
            Ok(post::Body::Batch(texts)) => texts.into_iter().next(),
            Err(_) => None,
        };
        let request = first.and_then(|text| Dialect::B.decode(text, &self.limits).request.ok());
        let Some(peer) = request.and_then(|request| request.claimed) else { return false };
        self.forward(conn, &peer, body.len(), |out| out.posted(conn.0, body, grant))
    }

    /// Whether a request for what was sent to a peer is for another node, which gets it then.
    pub(crate) fn poll_goes_elsewhere(
        &mut self,
        conn: ConnId,
        peer: &Spelling,
        target: &str,
        grant: &Grant,
    ) -> bool {
        self.can_go_elsewhere(conn)
            && self.forward(conn, peer, target.len(), |out| out.polled(conn.0, target, grant))
    }

    /// A request that came by another node is not passed on once more.
    fn can_go_elsewhere(&self, conn: ConnId) -> bool {
        self.peers.remote() > 0 && !is_foreign(conn)
    }

    fn forward(
        &mut self,
        conn: ConnId,
        peer: &Spelling,
        bytes: usize,
        event: impl FnOnce(Writer<'_>),
    ) -> bool {
        let slot: Option<PeerSlot> = self.peers.by_id(peer.id()).filter(|slot| !self.peers[*slot].is_here());
        let (Some(slot), Some(cluster)) = (slot, &mut self.cluster) else { return false };
        let node = cluster.place(&self.peers[slot]).map(|(node, _)| node);
        let node = node.filter(|node| cluster.nodes.has_room(*node, bytes));
        match node.filter(|node| cluster.requests.forward(conn, *node, self.now)) {
            Some(node) => cluster.tell(node, event),
            None => self.refuse_poll(conn, Refusal::NoPlace),
        }
        true
    }

    pub(crate) fn is_forwarded(&self, conn: ConnId) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.requests.is_forwarded(conn))
    }

    /// The connection of a request is over. If another node was to answer it, that is told so.
    pub(crate) fn abandon_elsewhere(&mut self, conn: ConnId) {
        if let Some(cluster) = &mut self.cluster
            && let Some(node) = cluster.requests.end_forwarded(conn)
        {
            cluster.tell(node, |out| out.abandoned(conn.0));
        }
    }

    /// Another node has answered a request.
    pub(crate) fn replied_elsewhere(&mut self, node: NodeKey, request: u64, status: u16, text: &str) {
        let conn = ConnId(request);
        let is_its = self.cluster.as_mut().and_then(|cluster| cluster.requests.end_forwarded(conn));
        if is_its == Some(node) {
            self.outbox.reply(conn, status, text);
        }
    }

    /// A request has come by another node.
    pub(crate) fn posted_elsewhere(&mut self, node: NodeKey, request: u64, body: &str, grant: &Grant) {
        if let Some(conn) = self.come_by(node, request) {
            self.posted(conn, body, None, grant);
        }
    }

    pub(crate) fn polled_elsewhere(&mut self, node: NodeKey, request: u64, target: &str, grant: &Grant) {
        if let Some(conn) = self.come_by(node, request) {
            self.polled(conn, target, grant);
        }
    }

    fn come_by(&mut self, node: NodeKey, request: u64) -> Option<ConnId> {
        self.cluster.as_mut()?.requests.come(node, request)
    }

    /// Nobody waits for the answers to requests of another node any more: to one of them, or to all.
    pub(crate) fn abandoned(&mut self, node: NodeKey, request: Option<u64>) {
        let conns = self.cluster.as_ref().map(|cluster| cluster.requests.of(node, request));
        for conn in conns.unwrap_or_default() {
            self.lost(conn, Departure::Lost(Gone::Closed));
            if let Some(cluster) = &mut self.cluster {
                cluster.requests.end_foreign(conn);
            }
        }
    }

    /// Requests that nobody answers any more are refused: those that went to this node, and those that have waited for too long.
    pub(crate) fn refuse_unanswered(&mut self, by: Option<NodeKey>) {
        let conns = self.cluster.as_ref().map(|cluster| cluster.requests.lost(by, self.now));
        for conn in conns.unwrap_or_default() {
            self.abandon_elsewhere(conn);
            self.refuse_poll(conn, Refusal::NoPlace);
        }
    }

    /// Answers a request, by whichever node it came.
    pub(crate) fn reply(&mut self, conn: ConnId, status: u16, text: &str) {
        if !is_foreign(conn) {
            return self.outbox.reply(conn, status, text);
        }
        if let Some(cluster) = &mut self.cluster
            && let Some((node, request)) = cluster.requests.end_foreign(conn)
        {
            cluster.tell(node, |out| out.replied(request, status, text));
        }
    }
}
