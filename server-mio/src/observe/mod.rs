//! What is seen of a running server.
//!
//! Owns the counters, the snapshot that all pages about the server are made of, and these pages; the dates and the
//! restraint of log lines, too. Counting allocates nothing.

pub(crate) mod date;
mod exposition;
pub(crate) mod health;
mod log_throttle;
mod loop_counters;
pub(crate) mod metrics;
mod peer_counters;
mod snapshot;
pub(crate) mod stats;
pub(crate) mod status;

pub use loop_counters::{FrameKind, Frames, Histogram, LoopCounters};
pub use peer_counters::PeerCounters;

pub(crate) use log_throttle::LogThrottle;
pub(crate) use snapshot::{ClusterState, MailStoreState, Snapshot};
