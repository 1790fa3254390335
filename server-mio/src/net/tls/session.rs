//! One connection under TLS.

use crate::net::stream::Stream;
use core::fmt;
use peerpigeon_core::AddressKey;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem;

/// Buffers that all connections share.
#[derive(Debug)]
pub(in crate::net) struct Scratch {
    /// What one read goes into, behind what was kept of the one before.
    input: Vec<u8>,
    /// What one write comes from.
    output: Vec<u8>,
}

/// The state of one connection. While nothing is incomplete it owns no buffer.
pub(in crate::net) struct TlsSession {
    connection: UnbufferedServerConnection,
    /// A record, or a message of the handshake, that is not whole.
    partial: Vec<u8>,
    /// What was decrypted and not read: the reader had no room.
    unread: Vec<u8>,
    /// What was encrypted and not taken by the socket.
    unsent: Vec<u8>,
    /// How much of what was to be written `unsent` ends with: it counts as written once `unsent` is.
    promised: usize,
    stage: SessionStage,
    /// The end of the stream, or more, can be read without another event of the socket.
    has_more: bool,
    /// Under which the socket is registered.
    pub(in crate::net) key: usize,
    /// Whom it counts against; `None` where nothing is known of the other end.
    pub(in crate::net) address: Option<AddressKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionStage {
    /// Nothing has come yet.
    Fresh,
    Open,
    /// The client has said that nothing will come any more.
    Ended,
    Failed,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch { input: vec![0; MAX_PARTIAL_BYTES + READ_BYTES], output: Vec::new() }
    }
}

impl TlsSession {
    pub(crate) fn new(connection: UnbufferedServerConnection) -> TlsSession {
        TlsSession {
            connection,
            partial: Vec::new(),
            unread: Vec::new(),
            unsent: Vec::new(),
            promised: 0,
            stage: SessionStage::Fresh,
            has_more: false,
            key: usize::MAX,
            address: None,
        }
    }

    /// As [`crate::Net::read`]. What cannot be told by the count alone is told by [`TlsSession::has_more`].
    pub(in crate::net) fn read(
        &mut self,
        stream: &mut Stream,
        room: &mut [u8],
        scratch: &mut Scratch,
    ) -> io::Result<usize> {
        self.has_more = false;
        if self.is_stalled() {
            // Whether it was taken shows later.
            let _ = self.flush(stream);
        }
        let mut count = self.take_unread(room);
        for _ in 0..READS_AT_ONCE {
            if count > 0 {
                return Ok(count);
            }
            match self.stage {
                SessionStage::Ended => return Ok(0),
                SessionStage::Failed => return Err(ErrorKind::InvalidData.into()),
                SessionStage::Fresh | SessionStage::Open => {}
            }
            count = self.read_once(stream, room, scratch)?;
        }
        if count == 0 && matches!(self.stage, SessionStage::Fresh | SessionStage::Open) {
            // A client that sends records without content must not keep the others waiting.
            return Err(ErrorKind::Interrupted.into());
        }
        Ok(count)
    }

    /// As [`crate::Net::write`]; after a write that took less, the next one begins with what was not taken.
    pub(crate) fn write(
        &mut self,
        stream: &mut Stream,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> io::Result<usize> {
        self.flush(stream)?;
        let mut taken = mem::take(&mut self.promised);
        debug_assert!(taken <= bytes.len(), "what was not taken is offered again");
        while taken < bytes.len() {
            let piece = &bytes[taken..bytes.len().min(taken + MAX_PIECE_BYTES)];
            scratch.output.clear();
            self.encrypt(piece, &mut scratch.output)?;
            match self.send(stream, &scratch.output) {
                Ok(()) => taken += piece.len(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.promised = piece.len();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Tells the client that nothing will follow (RFC 8446 section 6.1), as far as that can be told at once.
    pub(in crate::net) fn say_end(&mut self, stream: &mut Stream, scratch: &mut Scratch) {
        if !self.unsent.is_empty() || self.stage == SessionStage::Failed {
            return;
        }
        scratch.output.resize(MAX_ALERT_BYTES, 0);
        let mut bytes = 0;
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) =
            self.connection.process_tls_records(&mut self.partial).state
        {
            bytes = traffic.queue_close_notify(&mut scratch.output).unwrap_or(0);
        }
        if bytes > 0 {
            let _ = stream.write(&scratch.output[..bytes]);
        }
    }

    /// Whether the reader must be woken though the socket is not going to report anything.
    pub(in crate::net) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Whether something waits for room in the socket that nobody will write again.
    pub(in crate::net) fn is_stalled(&self) -> bool {
        !self.unsent.is_empty() && self.promised == 0
    }

    /// Bytes of memory that it owns beside itself, as far as they depend on the client.
    pub(in crate::net) fn buffered_bytes(&self) -> usize {
        self.partial.capacity() + self.unread.capacity() + self.unsent.capacity()
    }

    /// One read of the socket, and what it gives; 0: nothing to be read, for whatever reason.
    fn read_once(
        &mut self,
        stream: &mut Stream,
        room: &mut [u8],
        Scratch { input, output }: &mut Scratch,
    ) -> io::Result<usize> {
        let kept = self.partial.len();
        let read = match stream.read(&mut input[kept..kept + READ_BYTES]) {
            Ok(0) => {
                // Without a word: what is said on top of TLS has its own ends.
                self.stage = SessionStage::Ended;
                return Ok(0);
            }
            read => read?,
        };
        input[..kept].copy_from_slice(&self.partial);
        let input = &mut input[..kept + read];
        if self.stage == SessionStage::Fresh && input[0].is_ascii_uppercase() {
            self.stage = SessionStage::Failed;
            let _ = stream.write(NOT_TLS.as_bytes());
            return Err(ErrorKind::InvalidData.into());
        }
        if self.stage == SessionStage::Fresh {
            self.stage = SessionStage::Open;
        }
        let (mut count, mut unread) = (0, mem::take(&mut self.unread));
        output.clear();
        let used = self.process(input, output, |plain| {
            let fits = plain.len().min(room.len() - count);
            room[count..count + fits].copy_from_slice(&plain[..fits]);
            count += fits;
            unread.extend_from_slice(&plain[fits..]);
        });
        self.unread = unread;
        self.keep(&input[used..]);
        match self.send(stream, output) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => self.stage = SessionStage::Failed,
            Ok(()) | Err(_) => {}
        }
        let is_over = matches!(self.stage, SessionStage::Ended | SessionStage::Failed);
        self.has_more = count > 0 && (is_over || read == READ_BYTES);
        Ok(count)
    }

    fn take_unread(&mut self, room: &mut [u8]) -> usize {
        let count = self.unread.len().min(room.len());
        room[..count].copy_from_slice(&self.unread[..count]);
        self.unread.drain(..count);
        if self.unread.is_empty() {
            self.unread = Vec::new();
            let is_over = matches!(self.stage, SessionStage::Ended | SessionStage::Failed);
            // A reader whose room is not full does not come again by itself.
            self.has_more = count > 0 && (is_over || count < room.len());
        }
        count
    }

    fn keep(&mut self, rest: &[u8]) {
        if rest.len() > MAX_PARTIAL_BYTES {
            self.stage = SessionStage::Failed;
        }
        self.partial.clear();
        if rest.is_empty() || self.stage == SessionStage::Failed {
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(rest);
        }
    }

    /// Works on all that is whole in `input`; what is to be answered goes to `output`, what was decrypted to
    /// `to`. Returns how much of `input` is done with.
    fn process(&mut self, input: &mut [u8], output: &mut Vec<u8>, mut to: impl FnMut(&[u8])) -> usize {
        let mut at = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut input[at..]);
            let mut is_done = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        discard += record.discard;
                        to(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, output),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.stage = SessionStage::Ended,
                Ok(
                    ConnectionState::BlockedHandshake
                    | ConnectionState::WriteTraffic(_)
                    | ConnectionState::Closed,
                ) => is_done = true,
                // Early data is not offered, and nothing else is known.
                Ok(ConnectionState::ReadEarlyData(_) | _) => self.stage = SessionStage::Failed,
                Err(error) => {
                    log::debug!("TLS: {error}");
                    self.stage = SessionStage::Failed;
                }
            }
            at += discard;
            if self.stage == SessionStage::Failed {
                // The alert that says why.
                let state = self.connection.process_tls_records(&mut input[at..]).state;
                if let Ok(ConnectionState::EncodeTlsData(mut data)) = state {
                    encode(&mut data, output);
                }
                return at;
            }
            if is_done {
                return at;
            }
        }
    }

    /// Appends `plain`, a piece of at most [`MAX_PIECE_BYTES`], as records.
    fn encrypt(&mut self, plain: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        if self.stage == SessionStage::Failed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut partial = mem::take(&mut self.partial);
        // Whatever has to be said before, such as new keys.
        let used = self.process(&mut partial, output, |_| debug_assert!(false, "a whole record was kept"));
        partial.drain(..used);
        let at = output.len();
        output.resize(at + plain.len() + MAX_OVERHEAD_BYTES, 0);
        let written = match self.connection.process_tls_records(&mut partial).state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.encrypt(plain, &mut output[at..]).ok(),
            Ok(_) | Err(_) => None,
        };
        self.partial = partial;
        // Before the handshake is over there is nobody to write to.
        let written = written.ok_or(ErrorKind::NotConnected)?;
        output.truncate(at + written);
        Ok(())
    }

    /// Writes `bytes` behind what waits; what the socket does not take waits.
    fn send(&mut self, stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        if self.unsent.is_empty() {
            while !rest.is_empty() {
                match stream.write(rest) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(taken) => rest = &rest[taken..],
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.unsent.extend_from_slice(rest);
                        return Err(error);
                    }
                }
            }
            return Ok(());
        }
        self.unsent.extend_from_slice(rest);
        self.flush(stream)
    }

    fn flush(&mut self, stream: &mut Stream) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match stream.write(&self.unsent) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => drop(self.unsent.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent = Vec::new();
        Ok(())
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession").field("stage", &self.stage).finish_non_exhaustive()
    }
}

fn encode<D>(data: &mut EncodeTlsData<'_, D>, output: &mut Vec<u8>) {
    if let Err(EncodeError::InsufficientSize(missing)) = data.encode(&mut []) {
        let at = output.len();
        output.resize(at + missing.required_size, 0);
        let written = data.encode(&mut output[at..]);
        debug_assert!(written.is_ok(), "{written:?} though there is room");
    }
}

/// Bytes of the longest record (RFC 5246 section 6.2.3, which allows more than RFC 8446): what is longer and not
/// whole, such as a message of the handshake, is no client of ours.
const MAX_PARTIAL_BYTES: usize = 5 + 16_384 + 2_048;

/// Bytes of ciphertext that one read takes at most.
const READ_BYTES: usize = 32 * 1024;

/// Reads in a row that give nothing to the reader.
const READS_AT_ONCE: usize = 8;

/// Bytes that one record holds (RFC 8446 section 5.1).
const MAX_PIECE_BYTES: usize = 16_384;

/// Bytes of header, nonce, type and tag around them.
const MAX_OVERHEAD_BYTES: usize = 64;

const MAX_ALERT_BYTES: usize = 128;

/// For whoever has the right port and the wrong scheme.
const NOT_TLS: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 52\r\nConnection: close\r\n\r\nThis port speaks TLS only: use https:// or wss:// .\n";
