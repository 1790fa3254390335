//! The system calls that the loop makes, and nothing else of the outside world.

use peerpigeon_core::{Input, Time, UnixMillis};
use std::io;
use std::net::SocketAddr;

/// Sockets and a clock. The real one is [`crate::MioNet`]; a simulator brings its own.
///
/// Readiness is reported on its edges: once when there is something new, not again for what is left. The
/// rules for both sides:
///
/// * [`Net::read`] that fills all the room may have left something: the loop reads again by itself. One that fills less
///   has left nothing, and whatever comes later is reported, with the one exception of an end of the stream
///   that was there already: that is told by [`Ready::Readable`] with `hangup`.
/// * [`Net::write`] that takes less than it was given, or nothing ([`io::ErrorKind::WouldBlock`]), is
///   reported [`Ready::Writable`] when there is room again. The next one begins with what was not taken: some of
///   it may be on its way already.
/// * [`Net::accept`] is called until it fails with [`io::ErrorKind::WouldBlock`], perhaps much later.
pub trait Net {
    /// One connection. Dropping it without [`Net::close`] must close it, too.
    type Socket;

    /// Milliseconds since the start, never going back.
    fn now(&self) -> Time;

    /// What the clock on the wall shows, which may be set at any time; `None` where there is none: it goes on from the start as
    /// [`Net::now`] does.
    fn wall_time(&self) -> Option<UnixMillis> {
        None
    }

    /// Sleeps until something is ready, or until `until`; `None` is for ever, a time that has passed not at
    /// all. Appends what is ready to `ready`.
    ///
    /// # Errors
    ///
    /// Only what makes the loop impossible; an interrupted wait is one without events.
    fn wait(&mut self, until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<()>;

    /// Takes the next connection from whichever listener has one.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`]: nobody waits. [`io::ErrorKind::ConnectionAborted`] and
    /// [`io::ErrorKind::Interrupted`]: try the next one. Anything else: out of descriptors or memory, try
    /// again later.
    fn accept(&mut self) -> io::Result<Accepted<Self::Socket>>;

    /// Asks for the readiness of a socket, once for its whole life, under `key`.
    ///
    /// # Errors
    ///
    /// Out of memory or of watches; the socket is closed then.
    fn register(&mut self, socket: &mut Self::Socket, key: usize) -> io::Result<()>;

    /// Reads into `room`, which is not empty; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`], [`io::ErrorKind::Interrupted`], or the end of the connection.
    fn read(&mut self, socket: &mut Self::Socket, room: &mut [u8]) -> io::Result<usize>;

    /// Writes some of `bytes`, which is not empty.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`], [`io::ErrorKind::Interrupted`], or the end of the connection.
    fn write(&mut self, socket: &mut Self::Socket, bytes: &[u8]) -> io::Result<usize>;

    /// Ends our direction of the stream: the other side reads what was written, and then the end.
    fn shut_write(&mut self, socket: &mut Self::Socket);

    /// Ends the connection. No readiness is reported for its key until another socket is registered
    /// under it.
    fn close(&mut self, socket: Self::Socket);

    /// Bytes of memory that the process takes; `None` where nobody can tell.
    fn resident_bytes(&self) -> Option<u64>;

    /// Gives the system back what the allocator keeps of memory that was freed.
    fn give_back_memory(&mut self) {}

    /// Told of every input before the core gets it: so that a simulator can hold another core against it.
    fn note_input(&mut self, _now: Time, _input: &Input<'_>) {}

    /// Microseconds since the start, never going back: for measuring, not for deciding.
    fn micros(&self) -> u64 {
        self.now().0.saturating_mul(1_000)
    }

    /// What else is known of the process.
    fn process(&self) -> Process {
        Process::default()
    }
}

/// What the system says about the process; `None` where nobody can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Descriptors that are open.
    pub open_descriptors: Option<u64>,
    /// Descriptors that may be open.
    pub max_descriptors: Option<u64>,
    /// Processor time that it has used, in milliseconds.
    pub processor_ms: Option<u64>,
}

/// A connection that has just been taken.
#[derive(Debug)]
pub struct Accepted<S> {
    /// The socket, with Nagle's algorithm off.
    pub socket: S,
    /// The other end; `None` where it has no address.
    pub remote: Option<SocketAddr>,
    /// Which way it came in.
    pub door: Door,
}

/// The ways in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// For peers and everybody.
    #[default]
    Public,
    /// For operators: pages about the server, and nothing else.
    Admin,
}

/// What [`Net::wait`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Somebody waits to be accepted.
    Acceptable,
    /// There is something to read.
    Readable {
        /// Of the socket registered under this key.
        key: usize,
        /// The end of the stream, or an error, lies behind what there is to read.
        hangup: bool,
    },
    /// There is room to write.
    Writable {
        /// To the socket registered under this key.
        key: usize,
    },
    /// The process has been asked to end.
    Stop,
}
