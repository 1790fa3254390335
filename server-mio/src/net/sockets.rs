//! What the loop asks of sockets.

use crate::net::host::Host;
use crate::net::stream::Dialed;
use peerpigeon_core::Time;
use std::io;
use std::net::SocketAddr;

/// Sockets, by the clock of a [`Host`]. The real ones are those of [`MioNet`](crate::MioNet); a simulator brings its own.
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
pub trait Net: Host {
    /// One connection. Dropping it without [`Net::close`] must close it, too.
    type Socket;

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

    /// Takes over a connection that we have made, so that the loop can use it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::Unsupported`] where nobody connects to anybody; else what the system says.
    fn adopt(&mut self, stream: Dialed) -> io::Result<Self::Socket> {
        let _ = stream;
        Err(io::ErrorKind::Unsupported.into())
    }

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
}

/// A connection that has just been taken.
#[derive(Debug)]
pub struct Accepted<S> {
    /// The socket, with Nagle's algorithm off.
    pub socket: S,
    /// The other end; `None` where it has no address.
    pub remote: Option<SocketAddr>,
    /// Which way it came in.
    pub listener: ListenerKind,
}

/// The ways in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListenerKind {
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
    /// Another thread has something for the store of mail.
    Store,
    /// There is something for the bus between nodes, which knows where.
    Bus,
    /// The process has been asked to end.
    Stop,
}
