//! Which web pages may use the server: the setting `CORS_ORIGIN`.
//!
//! Browsers say in `Origin` which page is asking (RFC 6454). An answer over HTTP names the origins that may
//! read it in `Access-Control-Allow-Origin` (Fetch standard, CORS protocol); a WebSocket upgrade has no such
//! answer, so there the server decides itself (RFC 6455 section 10.2).

mod pattern;
#[cfg(test)]
mod tests;

use core::fmt;
use std::net::IpAddr;

pub(super) use pattern::Pattern;
use pattern::{host_and_port, is_host};

/// The origins that may use the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origins {
    /// `*`: all of them, and everybody who is no browser.
    Any,
    /// These; at least one.
    These(Vec<Pattern>),
}

/// What an answer says about the page that may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowOrigin<'a> {
    /// The same value for everybody: `*`, or the only origin that there is.
    Always(&'a str),
    /// The origin that asked. The answer needs `Vary: Origin`, or caches would give it to other pages.
    ThisOne(&'a str),
    /// No `Access-Control-Allow-Origin`, but `Vary: Origin`, since another page may be told something else.
    Nobody,
}

impl<'a> AllowOrigin<'a> {
    /// Appends the header lines.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        for (name, value) in [("Access-Control-Allow-Origin", self.value()), ("Vary", self.vary())] {
            if let Some(value) = value {
                out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
        }
        // Beacons, and whoever asks for it, send with credentials. The server looks at none but tokens, so for origins
        // that may do everything they allow nothing more; for `*` the Fetch standard forbids it.
        if self.value().is_some_and(|origin| origin != "*") {
            out.extend_from_slice(b"Access-Control-Allow-Credentials: true\r\n");
        }
    }

    /// The value of `Access-Control-Allow-Origin`; `None`: leave the header out.
    #[must_use]
    pub fn value(self) -> Option<&'a str> {
        match self {
            AllowOrigin::Always(origin) | AllowOrigin::ThisOne(origin) => Some(origin),
            AllowOrigin::Nobody => None,
        }
    }

    /// The value of `Vary`; `None`: leave the header out.
    #[must_use]
    pub fn vary(self) -> Option<&'static str> {
        match self {
            AllowOrigin::Always(_) => None,
            AllowOrigin::ThisOne(_) | AllowOrigin::Nobody => Some("Origin"),
        }
    }
}

/// Whether an upgrade may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OriginVerdict {
    /// It may.
    Pass,
    /// Answer 403: it comes from a page of another origin.
    Refuse,
}

/// Whether `origin` is the server itself, as the client calls it: a page of ours, or a client that is no browser and
/// sends the address that it connects to.
///
/// That both name the same host proves nothing by itself: a page of somebody else can have its own name resolved to our
/// address (DNS rebinding), and then `Host` is that name, too. It is proof where the page could not have come from anybody
/// else: by an address, which cannot be resolved otherwise; by `localhost`, which is no name of the DNS; by TLS, where
/// the browser has seen a certificate of that name, and would see none of it here.
#[must_use]
pub(super) fn is_own(origin: &str, host: Option<&str>) -> bool {
    let (Some((scheme, rest)), Some(host)) = (origin.split_once("://"), host) else { return false };
    let (Some((ours, our_port)), Some((theirs, port))) =
        (host_and_port(scheme, host), host_and_port(scheme, rest))
    else {
        return false;
    };
    if !ours.eq_ignore_ascii_case(theirs) || our_port != port || !is_host(theirs) {
        return false;
    }
    match scheme {
        "https" | "wss" => true,
        "http" | "ws" => {
            let name = theirs.trim_start_matches('[').trim_end_matches(']');
            name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
        }
        _ => false,
    }
}

impl Origins {
    /// Reads `*`, or a comma list of origins such as `https://example.com`, `http://localhost:8080`,
    /// `https://*.example.com` (every subdomain, not `example.com` itself) and `null`.
    ///
    /// # Errors
    ///
    /// What is wrong with the first entry that is none of these.
    pub(crate) fn parse(text: &str) -> Result<Origins, OriginsError> {
        if text.trim() == "*" {
            return Ok(Origins::Any);
        }
        text.split(',')
            .map(|entry| Pattern::parse(entry.trim()))
            .collect::<Result<_, _>>()
            .map(Origins::These)
    }

    /// What to answer to a request over HTTP that carries this `Origin`.
    #[must_use]
    pub(super) fn allow<'a>(&'a self, origin: Option<&'a str>) -> AllowOrigin<'a> {
        match (self, origin) {
            (Origins::Any, _) => AllowOrigin::Always("*"),
            (Origins::These(patterns), _)
                if let [only] = patterns.as_slice()
                    && only.is_one_host() =>
            {
                AllowOrigin::Always(&only.text)
            }
            (Origins::These(patterns), Some(origin)) if any_matches(patterns, origin) => {
                AllowOrigin::ThisOne(origin)
            }
            (Origins::These(_), _) => AllowOrigin::Nobody,
        }
    }

    /// Whether a WebSocket upgrade that carries this `Origin` may pass. Without one it may: it comes from no
    /// browser, and could claim anything.
    #[must_use]
    pub(super) fn upgrade(&self, origin: Option<&str>) -> OriginVerdict {
        match (self, origin) {
            (Origins::Any, _) | (Origins::These(_), None) => OriginVerdict::Pass,
            (Origins::These(patterns), Some(origin)) if any_matches(patterns, origin) => OriginVerdict::Pass,
            (Origins::These(_), Some(_)) => OriginVerdict::Refuse,
        }
    }
}

/// As [`Origins::parse`] reads it.
impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origins::Any => f.write_str("*"),
            Origins::These(patterns) => {
                for (i, pattern) in patterns.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{}", pattern.text)?;
                }
                Ok(())
            }
        }
    }
}

/// Why a text is no [`Origins`]; holds the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OriginsError {
    /// Nothing between two commas.
    Empty,
    /// `*` beside other entries.
    AnyAmongOthers,
    /// It has no `scheme://`.
    NoScheme(String),
    /// There is a path, a query, a fragment or a user.
    MoreThanAnOrigin(String),
    /// A `*` that is not the whole first label of a host with two more labels at least.
    MisplacedWildcard(String),
    /// The host is empty or has characters that no host has; international names go in their `xn--` form.
    BadHost(String),
    /// The port is no number from 1 to 65535.
    BadPort(String),
}

impl fmt::Display for OriginsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OriginsError::Empty => f.write_str("an entry is empty"),
            OriginsError::AnyAmongOthers => f.write_str("* stands alone, it is everybody already"),
            OriginsError::NoScheme(entry) => write!(f, "{entry:?} lacks its scheme, such as https://"),
            OriginsError::MoreThanAnOrigin(entry) => {
                write!(f, "{entry:?} has more than scheme, host and port (no / at the end)")
            }
            OriginsError::MisplacedWildcard(entry) => {
                write!(f, "the * in {entry:?} must stand for subdomains, as in https://*.example.com")
            }
            OriginsError::BadHost(entry) => {
                write!(f, "{entry:?} has no valid host (international names in their xn-- form)")
            }
            OriginsError::BadPort(entry) => write!(f, "{entry:?} has no port from 1 to 65535"),
        }
    }
}

impl core::error::Error for OriginsError {}

fn any_matches(patterns: &[Pattern], origin: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(origin))
}
