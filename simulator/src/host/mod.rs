//! The server as the world around it sees it, at either level.

mod bytes;
mod messages;
mod store;

use peerpigeon_core::{AddressKey, Census, ConnId, Gone, Time, UnixMillis};

use crate::record::Record;
use crate::scenario::{FrameFlaw, Knobs, Level};
use crate::transcript::Transcript;
use crate::watch::{Breach, Care};

/// The wall time at which every run begins.
pub(crate) const BOOT: UnixMillis = UnixMillis(1_700_000_000_000);

/// One server process.
pub(crate) trait Host {
    /// When [`Host::tick`] is due at the latest.
    fn deadline(&self) -> Option<Time>;

    /// Lets the server do what is due.
    fn tick(&mut self, now: Time, record: &mut Record) -> Result<(), Breach>;

    /// Something reaches the server.
    fn up(&mut self, now: Time, conn: ConnId, upward: Upward, record: &mut Record) -> Result<(), Breach>;

    /// The peer of a connection stops reading, or goes on.
    fn reads(&mut self, conn: ConnId, reads: bool);

    /// The server is asked to shut down; with messages it gets so many ms, with bytes its own timeout.
    fn drain(&mut self, now: Time, ms: u64, record: &mut Record) -> Result<(), Breach>;

    /// The clock on the wall shows so many ms more than it would have.
    fn set_clock(&mut self, now: Time, by_ms: i64, record: &mut Record) -> Result<(), Breach>;

    /// By when it must have shut down; `None` until it is asked to.
    fn draining(&self) -> Option<Time>;

    /// For so many ms there are no descriptors for new connections.
    fn exhaust(&mut self, now: Time, ms: u64);

    /// Every fault of the network is over: connections that had one go on, or end for both sides.
    fn heal(&mut self, now: Time);

    /// What has come out since this was asked last.
    fn take_outgoing(&mut self) -> Vec<(ConnId, Downward)>;

    /// Gauges.
    fn census(&self) -> Census;

    /// Inputs given so far.
    fn inputs(&self) -> u64;

    /// Hash of everything that came out.
    fn transcript(&self) -> Transcript;

    /// There has been no fault for long enough.
    fn calm(&mut self, now: Time) -> Result<(), Breach>;

    /// Everybody has left.
    fn empty(&mut self, now: Time) -> Result<(), Breach>;

    /// The process ends.
    fn end(&mut self) -> Result<(), Breach>;
}

/// What reaches the server.
#[derive(Debug)]
pub(crate) enum Upward {
    /// A connection, with the target of its upgrade.
    Open {
        target: String,
        address: Option<AddressKey>,
    },
    /// A connection that sends these bytes instead of an upgrade.
    Raw {
        bytes: Vec<u8>,
        address: Option<AddressKey>,
    },
    /// A connection for one HTTP request that says something, with its body.
    Post {
        body: String,
        address: Option<AddressKey>,
    },
    /// A connection for one HTTP request that asks for what was said.
    Poll {
        target: String,
    },
    Text(String),
    Pong,
    /// It ends.
    Gone(Gone),
    /// The queue of the connection is full.
    Choke,
    /// A frame that is wrong.
    Frame(FrameFlaw),
    /// Bytes of the connection arrive so many ms late.
    Stall(u64),
    /// The connection is reset in the middle of a frame.
    Cut,
    /// What the peer sends, or what the server sends, is lost from now on, and nobody is told.
    Lose {
        upward: bool,
    },
    /// The peer reads so many bytes per second.
    Slow(u64),
}

/// What reaches a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Downward {
    /// The upgrade succeeded.
    Opened,
    Text(String),
    Ping,
    /// The answer to an HTTP request.
    Reply {
        poll: bool,
        status: u16,
        text: String,
    },
    /// A close frame.
    Close {
        code: u16,
        reason: String,
    },
    /// The end of the connection without a close frame.
    Lost,
}

/// A fresh process.
pub(crate) fn start(level: Level, knobs: &Knobs, seed: u64) -> Box<dyn Host> {
    match level {
        Level::Messages => Box::new(messages::MessageHost::new(knobs, seed)),
        Level::Bytes => Box::new(bytes::ByteHost::new(knobs, seed)),
    }
}

/// How closely to look at a run of so many peers: at everything after every input while that is cheap.
fn care(slots: u32) -> Care {
    let crowd = u64::from(slots / 48).max(1);
    Care { every: crowd.pow(2), trace: slots <= 1_000 }
}
