//! What is seen of a running server.
//!
//! Owns the counters, the snapshot that all pages about the server are made of, and these pages; the dates and the
//! restraint of log lines, too. Counting allocates nothing.

pub(crate) mod date;
mod exposition;
pub(crate) mod health;
mod loop_counters;
pub(crate) mod metrics;
mod peer_counters;
mod seldom;
mod snapshot;
pub(crate) mod stats;
pub(crate) mod status;

pub use loop_counters::{FrameKind, Frames, Histogram, Meter};
pub use peer_counters::Tally;

pub(crate) use seldom::Seldom;
pub(crate) use snapshot::Vitals;
