//! The TLS sessions of all connections, between the loop and the sockets.

use super::wishes::Wishes;
use crate::net::Ready;
use crate::stream::Stream;
use crate::tls::{Certificate, Scratch, Session};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;

/// What there is of TLS beside the sessions, which lie with their connections.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) certificate: Certificate,
    pub(super) scratch: Scratch,
    /// Bytes of memory that all sessions take for what is incomplete.
    pub(super) buffered: usize,
    /// Keys of those that can be read though their sockets report nothing.
    pub(super) readable: BTreeSet<usize>,
    /// Keys of those that have to write though nobody asks them to.
    pub(super) stalled: BTreeSet<usize>,
}

impl Tls {
    pub(super) fn look_after_certificate(&self, wishes: &Wishes) {
        if wishes.reload.swap(false, Ordering::Relaxed) {
            self.certificate.reload();
        }
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
        session: &mut Session,
        stream: &mut Stream,
        room: &mut [u8],
    ) -> io::Result<usize> {
        let before = session.buffered_bytes();
        let result = session.read(stream, room, &mut self.scratch);
        self.account(before, session.buffered_bytes())?;
        if session.has_more() {
            self.readable.insert(session.key);
        }
        if session.is_stalled() {
            self.stalled.insert(session.key);
        }
        result
    }

    pub(super) fn write(
        &mut self,
        session: &mut Session,
        stream: &mut Stream,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let before = session.buffered_bytes();
        let result = session.write(stream, bytes, &mut self.scratch);
        self.account(before, session.buffered_bytes())?;
        result
    }

    /// Notes what a session has and had. Whoever needs more when there is too much already is ended.
    fn account(&mut self, before: usize, after: usize) -> io::Result<()> {
        self.buffered = self.buffered - before + after;
        let is_refused = after > before && self.buffered > TLS_BUFFER_BYTES;
        if is_refused { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    pub(super) fn forget(&mut self, session: &Session) {
        self.buffered -= session.buffered_bytes();
        self.readable.remove(&session.key);
        self.stalled.remove(&session.key);
    }
}

/// Bytes that all TLS sessions together may take for what is incomplete: half records, and what a client does not read.
/// Enough for a thousand at once that are in the middle of a record.
pub(crate) const TLS_BUFFER_BYTES: usize = 32 * 1024 * 1024;
