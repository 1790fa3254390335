//! What the pages about the server tell, gathered in one place.

use crate::bus::BusCounters;
use crate::http::PublicUrl;
use crate::net::Process;
use crate::observe::date::Iso8601;
use crate::observe::loop_counters::{Frames, LoopCounters};
use crate::observe::peer_counters::PeerCounters;
use crate::store::StoreCounters;
use peerpigeon_core::{Census, NodeId, Time, UnixMillis};
use serde_json::{Value, json};

/// What the pages tell about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot<'a> {
    pub(crate) now: Time,
    pub(crate) wall: UnixMillis,
    pub(crate) gauges: Census,
    pub(crate) peer_counters: &'a PeerCounters,
    pub(crate) loop_counters: &'a LoopCounters,
    /// Frames that were queued.
    pub(crate) sent: Frames,
    /// Sockets that are not WebSockets (yet).
    pub(crate) handshakes: usize,
    /// Open sockets, whatever they are.
    pub(crate) sockets: usize,
    /// Bytes of output queues and of incomplete messages.
    pub(crate) buffered_bytes: usize,
    /// What these may be at most.
    pub(crate) memory_budget_bytes: usize,
    pub(crate) max_connections: u32,
    pub(crate) process: Process,
    pub(crate) is_draining: bool,
    /// As whom the server speaks in dialect PSP.
    pub(crate) psp_server_id: &'a str,
    /// `None`: there is none.
    pub(crate) mail_store: Option<MailStoreState<'a>>,
    /// `None`: it is the only node.
    pub(crate) cluster: Option<ClusterState<'a>>,
    /// Where pages reach it, if its operator says so.
    pub(crate) public_url: Option<&'a PublicUrl>,
}

/// What the pages tell of the mail store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MailStoreState<'a> {
    pub(crate) counters: &'a StoreCounters,
    /// Questions that are not answered yet.
    pub(crate) pending: usize,
}

/// What the pages tell of the cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClusterState<'a> {
    pub(crate) bus: &'a BusCounters,
    pub(crate) node: NodeId,
}

impl Snapshot<'_> {
    /// Whether it can speak with other nodes, and since when.
    pub(super) fn cluster(&self) -> Value {
        let Some(ClusterState { bus, node }) = self.cluster else { return json!({ "status": "none" }) };
        let ago_ms = self.now.0.saturating_sub(bus.since.0);
        json!({
            "status": if bus.is_up { "joined" } else { "alone" },
            "since": Iso8601(UnixMillis(self.wall.0.saturating_sub(ago_ms))).to_string(),
            "node": format!("{:016x}", node.0),
            "nodes": self.gauges.nodes,
            "remotePeers": self.gauges.remote_peers,
        })
    }

    /// Whether the mail store is up, and since when.
    pub(super) fn mail_store(&self) -> Value {
        let Some(MailStoreState { counters, .. }) = self.mail_store else {
            return json!({ "status": "none" });
        };
        let ago_ms = self.now.0.saturating_sub(counters.since.0);
        json!({
            "status": if counters.is_up { "up" } else { "down" },
            "since": Iso8601(UnixMillis(self.wall.0.saturating_sub(ago_ms))).to_string(),
        })
    }

    /// When the process was started, by the clock on the wall as it goes now.
    pub(super) fn start(&self) -> UnixMillis {
        UnixMillis(self.wall.0.saturating_sub(self.now.0))
    }

    pub(super) fn status(&self) -> &'static str {
        if self.is_draining { "draining" } else { "healthy" }
    }

    /// In bytes.
    pub(super) fn memory(&self) -> Value {
        json!({
            "rss": self.process.resident_bytes,
            "buffers": self.buffered_bytes,
            "budget": self.memory_budget_bytes,
            "mail": self.gauges.mail_bytes + self.gauges.shelved_bytes,
        })
    }

    /// Seconds since the start, with milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    pub(super) fn uptime_seconds(&self) -> f64 {
        self.now.0 as f64 / 1000.0
    }

    /// Connections that got their `connected`.
    pub(super) fn active(&self) -> usize {
        self.gauges.connections.saturating_sub(self.gauges.held + self.gauges.unregistered)
    }
}
