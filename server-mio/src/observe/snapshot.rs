//! What the pages about the server tell, gathered in one place.

use crate::net::Process;
use crate::observe::loop_counters::{Frames, Meter};
use crate::observe::peer_counters::Tally;
use peerpigeon_core::{Census, Time, UnixMillis};
use serde_json::{Value, json};

/// What the pages tell about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals<'a> {
    pub(crate) now: Time,
    pub(crate) wall: UnixMillis,
    pub(crate) census: Census,
    pub(crate) tally: &'a Tally,
    pub(crate) meter: &'a Meter,
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
}

impl Vitals<'_> {
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
            "mail": self.census.mail_bytes + self.census.shelved_bytes,
        })
    }

    /// Seconds since the start, with milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    pub(super) fn uptime_seconds(&self) -> f64 {
        self.now.0 as f64 / 1000.0
    }

    /// Connections that got their `connected`.
    pub(super) fn active(&self) -> usize {
        self.census.connections.saturating_sub(self.census.held + self.census.unregistered)
    }
}
