//! The TLS sessions of all connections, between the loop and the sockets.

use crate::access::key_of;
use crate::net::incomplete::{Incomplete, TooMuch};
use crate::net::sockets::Ready;
use crate::net::stream::Stream;
use crate::net::tls::{Certificate, Scratch, TlsSession};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// What there is of TLS beside the sessions, which lie with their connections.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) certificate: Certificate,
    pub(super) scratch: Scratch,
    pub(super) incomplete: Incomplete,
    /// Keys of those that can be read though their sockets report nothing.
    pub(super) readable: BTreeSet<usize>,
    /// Keys of those that have to write though nobody asks them to.
    pub(super) stalled: BTreeSet<usize>,
}

impl Tls {
    /// The state of a new connection.
    pub(super) fn session(&self, remote: Option<SocketAddr>) -> io::Result<Box<TlsSession>> {
        let mut session = self.certificate.session().map_err(|_| ErrorKind::ConnectionAborted)?;
        session.address = remote.map(|remote| key_of(remote.ip()));
        Ok(Box::new(session))
    }

    /// Adds what the sockets do not report.
    pub(super) fn complete(&mut self, ready: &mut Vec<Ready>) {
        for i in 0..ready.len() {
            // Reading is where what waits is written.
            if let Ready::Writable { key } = ready[i]
                && self.stalled.remove(&key)
            {
                ready.push(Ready::Readable { key, hangup: false });
            }
        }
        while let Some(key) = self.readable.pop_first() {
            ready.push(Ready::Readable { key, hangup: true });
        }
    }

    pub(super) fn read(
        &mut self,
        session: &mut TlsSession,
        stream: &mut Stream,
        room: &mut [u8],
    ) -> io::Result<usize> {
        if self.incomplete.is_evicted(session.key) {
            return Err(ErrorKind::OutOfMemory.into());
        }
        let result = session.read(stream, room, &mut self.scratch);
        self.note(session)?;
        if session.has_more() {
            self.readable.insert(session.key);
        }
        if session.is_stalled() {
            self.stalled.insert(session.key);
        }
        result
    }

    pub(crate) fn write(
        &mut self,
        session: &mut TlsSession,
        stream: &mut Stream,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let result = session.write(stream, bytes, &mut self.scratch);
        self.note(session)?;
        result
    }

    /// Notes what a session has.
    fn note(&mut self, session: &TlsSession) -> io::Result<()> {
        let bytes = session.buffered_bytes();
        let noted = self.incomplete.note(session.key, session.address, bytes, &mut self.readable);
        noted.map_err(|TooMuch| ErrorKind::OutOfMemory.into())
    }

    pub(super) fn forget(&mut self, session: &TlsSession) {
        self.incomplete.forget(session.key);
        self.readable.remove(&session.key);
        self.stalled.remove(&session.key);
    }
}

/// Bytes that all TLS sessions together may take for what is incomplete: half records, and what a client does not read.
/// Three quarters are enough for a thousand at once that are in the middle of a record.
pub(crate) const TLS_BUFFER_BYTES: usize = 32 * 1024 * 1024;
