//! The subcommand `healthcheck`: whether the server with these settings is well, for those who can only look at an
//! exit status, such as Docker.

use crate::settings::{Host, Settings, Switch};
use crate::tls;
use core::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;
#[cfg(unix)]
use std::{os::unix::net::UnixStream, path::Path};

/// Why the server does not count as healthy.
#[derive(Debug)]
pub enum Unhealthy {
    /// Nobody answers there.
    NoAnswer {
        /// Where.
        place: String,
        /// What happened instead.
        error: io::Error,
    },
    /// It answers something else than 200.
    Answer {
        /// The first line of the answer.
        line: String,
    },
}

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unhealthy::NoAnswer { place, error } => write!(f, "{place}: {error}"),
            Unhealthy::Answer { line } => write!(f, "not healthy: {}", line.escape_debug()),
        }
    }
}

impl core::error::Error for Unhealthy {}

/// Asks the server that runs on this machine with these settings for `/health`: where operators are served if they
/// have an address, else where everybody is.
///
/// # Errors
///
/// Why it is not healthy; a server that is shutting down is not.
pub fn ask(settings: &Settings) -> Result<(), Unhealthy> {
    let place = Place::of(settings);
    match converse(&place, settings) {
        Ok(line) if line.starts_with("HTTP/1.1 200 ") => Ok(()),
        Ok(line) => Err(Unhealthy::Answer { line }),
        Err(error) => Err(Unhealthy::NoAnswer { place: place.to_string(), error }),
    }
}

/// Where to ask.
enum Place<'a> {
    Admin(SocketAddr),
    Public(SocketAddr),
    #[cfg(unix)]
    Socket(&'a Path),
}

impl Place<'_> {
    fn of(settings: &Settings) -> Place<'_> {
        let public = |ip| Place::Public(reachable(SocketAddr::new(ip, settings.port)));
        match (settings.admin_listen, &settings.host) {
            (Some(address), _) => Place::Admin(reachable(address)),
            #[cfg(unix)]
            (None, Host::Unix(path)) => Place::Socket(path),
            (None, Host::Localhost) => public(Ipv4Addr::LOCALHOST.into()),
            (None, Host::Address(address)) => public(*address),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Admin(address) | Place::Public(address) => write!(f, "{address}"),
            #[cfg(unix)]
            Place::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Who listens on every address is asked at the nearest.
fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = match address.ip() {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let ip = if address.ip().is_unspecified() { loopback } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// The first line of the answer.
fn converse(place: &Place<'_>, settings: &Settings) -> io::Result<String> {
    match place {
        Place::Admin(address) => request(dial(*address)?),
        Place::Public(address) => {
            let mut stream = dial(*address)?;
            if settings.trusted_proxies.contains(stream.local_addr()?.ip()) {
                introduce(&mut stream, settings)?;
            }
            request_as_everybody(stream, settings)
        }
        #[cfg(unix)]
        Place::Socket(path) => {
            let mut stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            introduce(&mut stream, settings)?;
            request_as_everybody(stream, settings)
        }
    }
}

fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Does as a proxy does that asks on its own behalf.
fn introduce(stream: &mut impl Write, settings: &Settings) -> io::Result<()> {
    match settings.proxy_protocol {
        Switch::On => stream.write_all(b"PROXY UNKNOWN\r\n"),
        Switch::Off => Ok(()),
    }
}

fn request_as_everybody(stream: impl Read + Write, settings: &Settings) -> io::Result<String> {
    match settings.tls_cert {
        Some(_) => request(tls::unverified(stream)?),
        None => request(stream),
    }
}

fn request(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut piece = [0; 256];
    while !answer.contains(&b'\n') && answer.len() < LONGEST_LINE {
        match stream.read(&mut piece)? {
            0 => break,
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// A server that takes longer for one page is not well.
const PATIENCE: Duration = Duration::from_secs(3);
const LONGEST_LINE: usize = 1024;
