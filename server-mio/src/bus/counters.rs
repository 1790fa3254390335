//! What a bus has done so far, and how it is.

use peerpigeon_core::Time;

/// Counts since the start, and the state of the bus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusCounters {
    /// Whether what is published comes back.
    pub is_up: bool,
    /// Since when that is so.
    pub since: Time,
    /// Why it is down, or was last; one line without secrets.
    pub cause: Option<String>,
    /// Connections made.
    pub connections: u64,
    /// Frames published.
    pub published: u64,
    /// Bytes of them.
    pub published_bytes: u64,
    /// Frames that came, own ones included.
    pub received: u64,
    /// Bytes of them.
    pub received_bytes: u64,
    /// Frames that were published and not sent, since there was no connection or too much waited for it.
    pub dropped: u64,
    /// Frames that came without the seal of `CLUSTER_KEY`.
    pub unsealed: u64,
    /// How long the last probe took to come back, in milliseconds.
    pub round_trip_ms: u64,
}
