//! A connection to somebody else's server, in the hands of the loop, which never waits.

use crate::net::{ClientTls, DialError, Dialed, Net};
use std::io::ErrorKind;

/// Bytes in, bytes out, with TLS in between or not.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    socket: S,
    tls: Option<ClientTls>,
    /// What is encrypted and not sent.
    encrypted: Vec<u8>,
    /// There may be something to read.
    is_readable: bool,
}

impl<S> Wire<S> {
    /// Takes over what a thread has connected; its socket is registered under `key`.
    pub(crate) fn adopt<N: Net<Socket = S>>(
        net: &mut N,
        stream: Dialed,
        tls: Option<ClientTls>,
        key: usize,
    ) -> Result<Wire<S>, DialError> {
        let mut socket = net.adopt(stream).map_err(|error| DialError::socket(&error))?;
        net.register(&mut socket, key).map_err(|error| DialError::socket(&error))?;
        Ok(Wire { socket, tls, encrypted: Vec::new(), is_readable: true })
    }

    pub(crate) fn close<N: Net<Socket = S>>(self, net: &mut N) {
        net.close(self.socket);
    }

    /// It can be read again.
    pub(crate) fn note_ready(&mut self) {
        self.is_readable = true;
    }

    /// Whether there may be more to read than a turn has taken.
    pub(crate) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Reads some of what there is, through `room`, and hands it on piece by piece.
    pub(crate) fn receive<N: Net<Socket = S>, E: From<DialError>>(
        &mut self,
        net: &mut N,
        room: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for _ in 0..READS_IN_A_TURN {
            if !self.is_readable {
                break;
            }
            match net.read(&mut self.socket, room) {
                Ok(0) => return Err(DialError::socket(&ErrorKind::UnexpectedEof.into()).into()),
                Ok(count) => {
                    self.is_readable = count == room.len();
                    self.decrypt(&room[..count], &mut take)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_readable = false,
                Err(error) => return Err(DialError::socket(&error).into()),
            }
        }
        Ok(())
    }

    fn decrypt<E: From<DialError>>(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(tls) = &mut self.tls else { return take(bytes) };
        let mut plain = Vec::new();
        let decrypted = tls.decrypt(bytes, &mut plain, &mut self.encrypted);
        take(&plain)?;
        decrypted.map_err(|detail| DialError::Tls(detail).into())
    }

    /// Writes as much as the socket takes. Returns how many bytes of `output` need not be given again.
    pub(crate) fn send<N: Net<Socket = S>>(
        &mut self,
        net: &mut N,
        output: &[u8],
    ) -> Result<usize, DialError> {
        let Some(tls) = &mut self.tls else { return write(net, &mut self.socket, output) };
        // One piece after the other: what is encrypted can be sent by nothing else any more, so it counts as written.
        let mut taken = 0;
        while self.encrypted.len() < MAX_ENCRYPTED_BYTES && taken < output.len() {
            let piece = (output.len() - taken).min(MAX_ENCRYPTED_BYTES);
            tls.encrypt(&output[taken..taken + piece], &mut self.encrypted);
            taken += piece;
        }
        let sent = write(net, &mut self.socket, &self.encrypted)?;
        self.encrypted.drain(..sent);
        Ok(taken)
    }
}

/// How much the socket takes.
fn write<N: Net>(net: &mut N, socket: &mut N::Socket, bytes: &[u8]) -> Result<usize, DialError> {
    let mut sent = 0;
    while sent < bytes.len() {
        match net.write(socket, &bytes[sent..]) {
            Ok(0) => break,
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(DialError::socket(&error)),
        }
    }
    Ok(sent)
}

/// The others wait meanwhile.
const READS_IN_A_TURN: usize = 8;
const MAX_ENCRYPTED_BYTES: usize = 64 * 1024;
