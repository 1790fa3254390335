//! The bus: what carries frames between the nodes of a cluster.
//!
//! Owns what the loop asks of a bus, the trait [`Bus`], and the buses that there are: `redis`, a client of Redis or Valkey. A bus
//! brings bytes to a channel, maybe. What is said over it, and what is done about what it loses, is decided by the core alone.
//!
//! The loop never waits for a bus: names and handshakes are waited for by a thread, and the rest by its socket and deadlines.

mod counters;
#[cfg(feature = "cluster")]
pub(crate) mod redis;
#[cfg(feature = "cluster")]
mod seal;
mod url;

pub use counters::BusCounters;
pub use url::{BusUrl, BusUrls};

use crate::net::Net;
use core::fmt;
use peerpigeon_core::{Channel, Time};

/// A bus, as the loop drives it: frames out by [`Bus::publish`], frames in by [`Bus::poll`].
///
/// A bus begins down. While it is down, what is published is lost.
pub trait Bus<N: Net>: fmt::Debug {
    /// Takes in a frame for a channel. It may be lost.
    fn publish(&mut self, to: Channel, frame: &[u8]);

    /// Its socket, which is registered under [`BUS_KEY`], can be read or written again, or another thread has something for it.
    fn note_ready(&mut self);

    /// Reads what has come, connects, and ends what takes too long. Once in a turn; reads no more than a bounded part.
    fn read(&mut self, net: &mut N, now: Time);

    /// Writes what was published in this turn.
    fn write(&mut self, net: &mut N, now: Time);

    /// The next thing that the core is to be told.
    fn poll(&mut self) -> Option<BusEvent>;

    /// When [`Bus::read`] must be called at the latest.
    fn deadline(&self) -> Option<Time>;

    /// What it has done so far, and how it is.
    fn counters(&self) -> &BusCounters;
}

/// What a bus tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// What is published comes back from now on.
    Up,
    /// It does not any more.
    Down,
    /// A frame came by one of the two channels of this node.
    Frame(Vec<u8>),
}

/// Under which a bus registers its socket: above every key of a client, and beside that of a store.
pub const BUS_KEY: usize = usize::MAX / 8 + 1;
