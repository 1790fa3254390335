//! A connection in the hands of a thread that may wait, but not for ever.

use crate::net::{ClientTls, Dialed};
use crate::program::settings::Pem;
use crate::store::postgres::messages::{Failure, next_message};
use crate::store::{Encryption, Place, StoreUrl};
use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What is said over it is whole messages.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: Dialed,
    pub(super) tls: Option<ClientTls>,
    /// What has come and was not looked at.
    pub(super) input: BytesMut,
    /// What is to be said.
    pub(super) output: BytesMut,
    deadline: Instant,
}

impl Line {
    /// Connects, with TLS where the URL wants it.
    pub(super) fn open(
        url: &StoreUrl,
        authorities: Option<&Pem>,
        deadline: Instant,
    ) -> Result<Line, Failure> {
        let stream = match &url.place {
            Place::Host(name, port) => dial(name, *port, deadline)?,
            Place::Socket(path) => dial_socket(path)?,
        };
        let mut line = Line { stream, tls: None, input: BytesMut::new(), output: BytesMut::new(), deadline };
        if let Place::Host(name, _) = &url.place {
            match url.encryption {
                Encryption::Disable => {}
                Encryption::Require => line.secure(name, None)?,
                Encryption::VerifyFull => {
                    let authorities =
                        authorities.ok_or_else(|| Failure::Tls("MAIL_STORE_CA is not set".to_owned()))?;
                    line.secure(name, Some(authorities))?;
                }
            }
        }
        Ok(line)
    }

    /// Sends what is to be said.
    pub(super) fn send(&mut self) -> Result<(), Failure> {
        let plain = self.output.split();
        match &mut self.tls {
            Some(tls) => {
                let mut encrypted = Vec::new();
                tls.encrypt(&plain, &mut encrypted);
                self.write(&encrypted)
            }
            None => self.write(&plain),
        }
    }

    /// The next message.
    pub(super) fn receive(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(message) = next_message(&mut self.input, LONGEST_MESSAGE)? {
                return Ok(message);
            }
            let mut piece = [0; PIECE_BYTES];
            let count = self.read(&mut piece)?;
            let Some(tls) = &mut self.tls else {
                self.input.extend_from_slice(&piece[..count]);
                continue;
            };
            let (mut plain, mut unsent) = (Vec::new(), Vec::new());
            let decrypted = tls.decrypt(&piece[..count], &mut plain, &mut unsent);
            self.input.extend_from_slice(&plain);
            self.write(&unsent)?;
            decrypted.map_err(Failure::Tls)?;
        }
    }

    /// PostgreSQL is asked for TLS before anything else is said (its documentation, "SSL Session Encryption").
    fn secure(&mut self, host: &str, authorities: Option<&Pem>) -> Result<(), Failure> {
        let mut tls = ClientTls::new(host, authorities).map_err(Failure::Tls)?;
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        self.write(&request)?;
        let mut answer = [0];
        self.read(&mut answer)?;
        match answer {
            [b'S'] => {}
            [b'N'] => {
                return Err(Failure::Tls("it has none; sslmode=disable would go on without".to_owned()));
            }
            _ => return Err(Failure::GARBLED),
        }
        let (mut unsent, mut plain) = (Vec::new(), Vec::new());
        tls.encrypt(&[], &mut unsent);
        while tls.is_handshaking() {
            self.write(&std::mem::take(&mut unsent))?;
            let mut piece = [0; PIECE_BYTES];
            let count = self.read(&mut piece)?;
            if let Err(detail) = tls.decrypt(&piece[..count], &mut plain, &mut unsent) {
                // It is told why; whether it hears that does not matter.
                let _ = self.write(&unsent);
                return Err(Failure::Tls(detail));
            }
        }
        self.write(&unsent)?;
        self.input.extend_from_slice(&plain);
        self.tls = Some(tls);
        Ok(())
    }

    fn left(&self) -> Result<Option<Duration>, Failure> {
        left(self.deadline).map(Some)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let left = self.left()?;
        let written = match &mut self.stream {
            Dialed::Tcp(stream) => stream.set_write_timeout(left).and_then(|()| stream.write_all(bytes)),
            #[cfg(unix)]
            Dialed::Unix(stream) => stream.set_write_timeout(left).and_then(|()| stream.write_all(bytes)),
        };
        written.map_err(|error| Failure::socket(&error))
    }

    /// At least one byte.
    fn read(&mut self, room: &mut [u8]) -> Result<usize, Failure> {
        let left = self.left()?;
        let read = match &mut self.stream {
            Dialed::Tcp(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(room)),
            #[cfg(unix)]
            Dialed::Unix(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(room)),
        };
        match read {
            Ok(0) => Err(Failure::socket(&std::io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => Ok(count),
            Err(error) => Err(Failure::socket(&error)),
        }
    }
}

/// To the first of its addresses that answers.
fn dial(host: &str, port: u16, deadline: Instant) -> Result<Dialed, Failure> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| Failure::NoSuchHost(error.to_string()))?;
    let mut outcome = Err(Failure::NoSuchHost("it has no address".to_owned()));
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(deadline)?.min(PER_ADDRESS)) {
            Ok(stream) => return Ok(Dialed::Tcp(stream)),
            Err(error) => outcome = Err(Failure::socket(&error)),
        }
    }
    outcome
}

#[cfg(unix)]
fn dial_socket(path: &std::path::Path) -> Result<Dialed, Failure> {
    UnixStream::connect(path).map(Dialed::Unix).map_err(|error| Failure::socket(&error))
}

#[cfg(not(unix))]
fn dial_socket(_: &std::path::Path) -> Result<Dialed, Failure> {
    Err(Failure::Socket("there are no Unix sockets on this system".to_owned()))
}

fn left(deadline: Instant) -> Result<Duration, Failure> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Failure::Silent) } else { Ok(left) }
}

/// Of a host that has several, one may lead nowhere.
const PER_ADDRESS: Duration = Duration::from_secs(3);
const PIECE_BYTES: usize = 16 * 1024;
/// While a session is made ready; an error, at worst.
const LONGEST_MESSAGE: usize = 64 * 1024;
