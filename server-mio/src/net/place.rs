//! Where a server is that we connect to, as URLs say it.

use core::fmt;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;

/// Where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name or an address, and a port.
    Host(String, u16),
    /// A Unix socket.
    Socket(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Host(name, port) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Place::Host(name, port) => write!(f, "{name}:{port}"),
            Place::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Place {
    /// Whether nobody but this machine can listen in.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Place::Socket(_) => true,
            Place::Host(name, _) => {
                name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
            }
        }
    }
}

/// Reads `[::1]:5432`, `host:5432` or `host`.
pub(crate) fn host_and_port(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("a [ has no ]")?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("there is something behind the ] of the host".to_owned()),
        };
    }
    Ok(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))))
}

pub(crate) fn port_number(text: &str) -> Result<u16, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|port| is_number && *port > 0)
        .ok_or_else(|| "the port is no number from 1 to 65535".to_owned())
}

pub(crate) fn decoded(what: &str, text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let is_escape =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    if (0..bytes.len()).any(|at| bytes[at] == b'%' && !is_escape(at)) {
        return Err(format!("{what} has a % without two hex digits; % itself is %25"));
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_| format!("{what} is not UTF-8"))?;
    if text.contains('\0') {
        return Err(format!("{what} has a NUL in it"));
    }
    Ok(text.into_owned())
}
