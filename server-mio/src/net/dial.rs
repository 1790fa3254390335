//! A connection to somebody else's server, in the hands of a thread that may wait, but not for ever.

use crate::net::place::Place;
use crate::net::{ClientTls, Dialed};
use crate::program::settings::Pem;
use core::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Bytes in, bytes out.
#[derive(Debug)]
pub(crate) struct Line {
    stream: Dialed,
    tls: Option<ClientTls>,
    deadline: Instant,
}

/// Why there is no connection. As text it is one line without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DialError {
    /// The name of the host is not known, or nobody can be asked for it.
    NoSuchHost(String),
    /// Nobody takes the connection, or it was lost.
    Socket(String),
    /// It takes too long.
    Silent,
    /// TLS.
    Tls(String),
}

impl DialError {
    pub(crate) fn socket(error: &io::Error) -> DialError {
        let kind = error.kind();
        if kind == io::ErrorKind::WouldBlock || kind == io::ErrorKind::TimedOut {
            DialError::Silent
        } else if kind == io::ErrorKind::UnexpectedEof {
            DialError::Socket("it has closed the connection".to_owned())
        } else {
            DialError::Socket(error.to_string())
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialError::NoSuchHost(detail) => write!(f, "its host cannot be found: {detail}"),
            DialError::Socket(detail) => write!(f, "no connection: {detail}"),
            DialError::Silent => f.write_str("it does not answer"),
            DialError::Tls(detail) => write!(f, "TLS: {detail}"),
        }
    }
}

impl Line {
    /// Connects.
    pub(crate) fn open(place: &Place, deadline: Instant) -> Result<Line, DialError> {
        let stream = match place {
            Place::Host(name, port) => dial(name, *port, deadline)?,
            Place::Socket(path) => dial_socket(path)?,
        };
        Ok(Line { stream, tls: None, deadline })
    }

    /// From now on TLS is spoken with whoever answers; with a host of this name only if there are `authorities`, one of which
    /// must have signed its certificate. Returns what the other end has said already.
    pub(crate) fn secure(&mut self, host: &str, authorities: Option<&Pem>) -> Result<Vec<u8>, DialError> {
        let mut tls = ClientTls::new(host, authorities).map_err(DialError::Tls)?;
        let (mut unsent, mut plain) = (Vec::new(), Vec::new());
        tls.encrypt(&[], &mut unsent);
        while tls.is_handshaking() {
            self.write(&std::mem::take(&mut unsent))?;
            let mut piece = [0; PIECE_BYTES];
            let count = self.read(&mut piece)?;
            if let Err(detail) = tls.decrypt(&piece[..count], &mut plain, &mut unsent) {
                // It is told why; whether it hears that does not matter.
                let _ = self.write(&unsent);
                return Err(DialError::Tls(detail));
            }
        }
        self.write(&unsent)?;
        self.tls = Some(tls);
        Ok(plain)
    }

    pub(crate) fn send(&mut self, plain: &[u8]) -> Result<(), DialError> {
        match &mut self.tls {
            Some(tls) => {
                let mut encrypted = Vec::new();
                tls.encrypt(plain, &mut encrypted);
                self.write(&encrypted)
            }
            None => self.write(plain),
        }
    }

    /// Hands on what comes next; it may be nothing.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), DialError> {
        let mut piece = [0; PIECE_BYTES];
        let count = self.read(&mut piece)?;
        let Some(tls) = &mut self.tls else {
            take(&piece[..count]);
            return Ok(());
        };
        let (mut plain, mut unsent) = (Vec::new(), Vec::new());
        let decrypted = tls.decrypt(&piece[..count], &mut plain, &mut unsent);
        take(&plain);
        self.write(&unsent)?;
        decrypted.map_err(DialError::Tls)
    }

    /// For somebody who does not wait.
    pub(crate) fn into_parts(self) -> (Dialed, Option<ClientTls>) {
        (self.stream, self.tls)
    }

    /// Sends as it is, whether there is TLS or not.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), DialError> {
        let left = Some(left(self.deadline)?);
        let written = match &mut self.stream {
            Dialed::Tcp(stream) => stream.set_write_timeout(left).and_then(|()| stream.write_all(bytes)),
            #[cfg(unix)]
            Dialed::Unix(stream) => stream.set_write_timeout(left).and_then(|()| stream.write_all(bytes)),
        };
        written.map_err(|error| DialError::socket(&error))
    }

    /// Reads as it is: at least one byte.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> Result<usize, DialError> {
        let left = Some(left(self.deadline)?);
        let read = match &mut self.stream {
            Dialed::Tcp(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(room)),
            #[cfg(unix)]
            Dialed::Unix(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(room)),
        };
        match read {
            Ok(0) => Err(DialError::socket(&io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => Ok(count),
            Err(error) => Err(DialError::socket(&error)),
        }
    }
}

/// To the first of its addresses that answers.
fn dial(host: &str, port: u16, deadline: Instant) -> Result<Dialed, DialError> {
    let addresses =
        (host, port).to_socket_addrs().map_err(|error| DialError::NoSuchHost(error.to_string()))?;
    let mut outcome = Err(DialError::NoSuchHost("it has no address".to_owned()));
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(deadline)?.min(PER_ADDRESS)) {
            Ok(stream) => return Ok(Dialed::Tcp(stream)),
            Err(error) => outcome = Err(DialError::socket(&error)),
        }
    }
    outcome
}

#[cfg(unix)]
fn dial_socket(path: &std::path::Path) -> Result<Dialed, DialError> {
    UnixStream::connect(path).map(Dialed::Unix).map_err(|error| DialError::socket(&error))
}

#[cfg(not(unix))]
fn dial_socket(_: &std::path::Path) -> Result<Dialed, DialError> {
    Err(DialError::Socket("there are no Unix sockets on this system".to_owned()))
}

fn left(deadline: Instant) -> Result<Duration, DialError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(DialError::Silent) } else { Ok(left) }
}

/// Of a host that has several, one may lead nowhere.
const PER_ADDRESS: Duration = Duration::from_secs(3);
const PIECE_BYTES: usize = 16 * 1024;
