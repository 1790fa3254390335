//! One file per page.

pub(crate) mod client;
pub(crate) mod demo;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod root;
pub(crate) mod stats;
pub(crate) mod status;

use crate::meter::{Frames, Meter};
use crate::net::Process;
use crate::tally::Tally;
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
    /// What the system says the process takes; `None` where it does not say.
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) process: Process,
    pub(crate) is_draining: bool,
}

impl Vitals<'_> {
    /// When the process was started, by the clock on the wall as it goes now.
    pub(crate) fn start(&self) -> UnixMillis {
        UnixMillis(self.wall.0.saturating_sub(self.now.0))
    }

    pub(crate) fn status(&self) -> &'static str {
        if self.is_draining { "draining" } else { "healthy" }
    }

    /// In bytes.
    pub(crate) fn memory(&self) -> Value {
        json!({
            "rss": self.resident_bytes,
            "buffers": self.buffered_bytes,
            "budget": self.memory_budget_bytes,
            "mail": self.census.mail_bytes + self.census.shelved_bytes,
        })
    }

    /// Seconds since the start, with milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    pub(crate) fn uptime_seconds(&self) -> f64 {
        self.now.0 as f64 / 1000.0
    }

    /// Connections that got their `connected`.
    pub(crate) fn active(&self) -> usize {
        self.census.connections.saturating_sub(self.census.held + self.census.unregistered)
    }
}
