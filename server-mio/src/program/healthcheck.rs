//! The subcommand `healthcheck`: whether the server with these settings is well, for those who can only look at an
//! exit status, such as Docker.

use crate::net;
use crate::program::settings::{ListenHost, Settings, Switch};
use core::fmt;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;
#[cfg(unix)]
use std::{os::unix::net::UnixStream, path::Path};

/// Why the server does not count as healthy.
#[derive(Debug)]
pub(super) enum Unhealthy {
    /// Nobody answers there.
    NoAnswer {
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
pub(super) fn ask(settings: &Settings) -> Result<(), Unhealthy> {
    let place = Endpoint::of(settings);
    match converse(&place, settings) {
        Ok(line) if line.starts_with("HTTP/1.1 200 ") => Ok(()),
        Ok(line) => Err(Unhealthy::Answer { line }),
        Err(error) => Err(Unhealthy::NoAnswer { place: place.to_string(), error }),
    }
}

/// The command line with what the server was started with, for a healthcheck in a container that was told nothing: the
/// server is process 1 there, and its flags stand nowhere else.
#[must_use]
pub(super) fn completed(own: Vec<OsString>) -> Vec<OsString> {
    let of_the_server = if is_process_1_the_same_program() { fs::read("/proc/1/cmdline").ok() } else { None };
    complete(own, &of_the_server.unwrap_or_default())
}

fn is_process_1_the_same_program() -> bool {
    let program = |process: &str| fs::read_link(format!("/proc/{process}/exe")).ok();
    std::process::id() != 1
        && program("1").is_some_and(|first| program("self").is_some_and(|own| own == first))
}

/// `command_line` as `/proc` shows it: each argument ends with a NUL, and the first is the program.
fn complete(own: Vec<OsString>, command_line: &[u8]) -> Vec<OsString> {
    let mut flags =
        command_line.strip_suffix(b"\0").unwrap_or(command_line).split(|byte| *byte == 0).skip(1).peekable();
    let serves = flags.peek().is_some_and(|first| first.starts_with(b"--"));
    let asks_for_nothing = matches!(&own[..], [only] if only == "healthcheck");
    let flags = flags.filter(|_| serves && asks_for_nothing).map(argument);
    own.into_iter().chain(flags).collect()
}

#[cfg(unix)]
fn argument(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn argument(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Where to ask: the first of these addresses that can be connected to.
enum Endpoint<'a> {
    Admin(Vec<SocketAddr>),
    Public(Vec<SocketAddr>),
    #[cfg(unix)]
    Socket(&'a Path),
}

impl Endpoint<'_> {
    fn of(settings: &Settings) -> Endpoint<'_> {
        let public = |ip| Endpoint::Public(reachable(SocketAddr::new(ip, settings.port)));
        match (settings.admin_listen, &settings.host) {
            (Some(address), _) => Endpoint::Admin(reachable(address)),
            #[cfg(unix)]
            (None, ListenHost::Unix(path)) => Endpoint::Socket(path),
            (None, ListenHost::Localhost) => public(Ipv4Addr::LOCALHOST.into()),
            (None, ListenHost::Address(address)) => public(*address),
        }
    }
}

impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Admin(addresses) | Endpoint::Public(addresses) => {
                let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
                f.write_str(&addresses.join(", "))
            }
            #[cfg(unix)]
            Endpoint::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Who listens on every address is asked at the nearest; of IPv6 that may be IPv4, since `::` is both, and a machine may
/// have no loopback of IPv6.
fn reachable(address: SocketAddr) -> Vec<SocketAddr> {
    let ips: Vec<IpAddr> = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![Ipv4Addr::LOCALHOST.into()],
        IpAddr::V6(ip) if ip.is_unspecified() => {
            vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
        }
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => vec![ip],
    };
    ips.into_iter().map(|ip| SocketAddr::new(ip, address.port())).collect()
}

/// The first line of the answer.
fn converse(place: &Endpoint<'_>, settings: &Settings) -> io::Result<String> {
    match place {
        Endpoint::Admin(addresses) => request(dial(addresses)?),
        Endpoint::Public(addresses) => {
            let mut stream = dial(addresses)?;
            if settings.trusted_proxies.contains(stream.local_addr()?.ip()) {
                introduce(&mut stream, settings)?;
            }
            request_as_everybody(stream, settings)
        }
        #[cfg(unix)]
        Endpoint::Socket(path) => {
            let mut stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            introduce(&mut stream, settings)?;
            request_as_everybody(stream, settings)
        }
    }
}

/// The first that answers; else why the last one does not.
fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        outcome = TcpStream::connect_timeout(address, PATIENCE);
        if outcome.is_ok() {
            break;
        }
    }
    let stream = outcome?;
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
        Some(_) => request(net::unverified(stream)?),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_asked_for_by_both_loopbacks() {
        for (listens_on, asked) in [
            ("0.0.0.0:1", vec!["127.0.0.1:1"]),
            ("[::]:1", vec!["[::1]:1", "127.0.0.1:1"]),
            ("192.0.2.1:1", vec!["192.0.2.1:1"]),
            ("[2001:db8::1]:1", vec!["[2001:db8::1]:1"]),
        ] {
            let found: Vec<String> =
                reachable(listens_on.parse().unwrap()).iter().map(SocketAddr::to_string).collect();
            assert_eq!(found, asked, "{listens_on}");
        }
    }

    #[test]
    fn where_nobody_answers_by_ipv6_ipv4_is_asked() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        // Of the loopback of IPv6 that a machine lacks: nobody listens there, either.
        let nowhere = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 2).into(), here.port());
        assert_eq!(dial(&[nowhere, here]).unwrap().peer_addr().unwrap(), here);
        assert!(dial(&[nowhere]).is_err() && dial(&[]).is_err());
    }

    #[test]
    fn the_flags_of_the_server_count_where_none_are_given() {
        let arguments = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        for (own, command_line, expected) in [
            (&["healthcheck"][..], "/server\0--port\x004000\0", &["healthcheck", "--port", "4000"][..]),
            (
                &["healthcheck"],
                "/server\0--host=::\0--config-file\0/a b\0",
                &["healthcheck", "--host=::", "--config-file", "/a b"],
            ),
            (&["healthcheck"], "/server\0", &["healthcheck"]),
            (&["healthcheck"], "", &["healthcheck"]),
            (&["healthcheck"], "/server\0token\0--peer-id\0x\0", &["healthcheck"]),
            (&["healthcheck", "--port", "1"], "/server\0--port\x004000\0", &["healthcheck", "--port", "1"]),
            (&["--check"], "/server\0--port\x004000\0", &["--check"]),
            (&[], "/server\0--port\x004000\0", &[]),
        ] {
            assert_eq!(
                complete(arguments(own), command_line.as_bytes()),
                arguments(expected),
                "{command_line:?}"
            );
        }
    }
}
