//! One entry of `CORS_ORIGIN`, and what it matches.

use std::net::Ipv6Addr;

use super::OriginsError;

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// As a browser writes it: lower case, without the port that the scheme implies.
    pub(super) text: String,
    subdomains: Subdomains,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subdomains {
    /// The host itself.
    No,
    /// Its subdomains, of any depth.
    Only,
}

impl Pattern {
    pub(super) fn parse(entry: &str) -> Result<Pattern, OriginsError> {
        match entry {
            "" => return Err(OriginsError::Empty),
            "*" => return Err(OriginsError::AnyAmongOthers),
            // What browsers send for pages from files and from sandboxed frames.
            "null" => return Ok(Pattern { text: entry.to_owned(), subdomains: Subdomains::No }),
            _ => {}
        }
        let text = entry.to_ascii_lowercase();
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            return Err(OriginsError::NoScheme(entry.to_owned()));
        };
        if rest.contains(['/', '?', '#', '@']) {
            return Err(OriginsError::MoreThanAnOrigin(entry.to_owned()));
        }
        if !is_web(scheme) {
            // Of an app, or of files: whatever stands there is compared as it is, also nothing.
            let is_plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte));
            return if is_plain {
                Ok(Pattern { text, subdomains: Subdomains::No })
            } else {
                Err(OriginsError::BadHost(entry.to_owned()))
            };
        }
        let (wildcard, rest) = match rest.strip_prefix("*.") {
            Some(domain) => ("*.", domain),
            None => ("", rest),
        };
        let Some((host, port)) = host_and_port(scheme, rest) else {
            return Err(OriginsError::BadPort(entry.to_owned()));
        };
        if host.contains('*') || (!wildcard.is_empty() && (!host.contains('.') || host.starts_with('['))) {
            return Err(OriginsError::MisplacedWildcard(entry.to_owned()));
        }
        if !is_host(host) {
            return Err(OriginsError::BadHost(entry.to_owned()));
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let subdomains = if wildcard.is_empty() { Subdomains::No } else { Subdomains::Only };
        Ok(Pattern { text: format!("{scheme}://{wildcard}{host}{port}"), subdomains })
    }

    /// Whether it matches a single origin.
    pub(super) fn is_one_host(&self) -> bool {
        self.subdomains == Subdomains::No
    }

    /// Scheme and port count exactly, the host in either case. No allocation: this is asked per request.
    pub(super) fn matches(&self, origin: &str) -> bool {
        let (Some((our_scheme, ours)), Some((scheme, rest))) =
            (self.text.split_once("://"), origin.split_once("://"))
        else {
            return self.text == origin;
        };
        if !is_web(our_scheme) {
            return self.text.eq_ignore_ascii_case(origin);
        }
        let ours = ours.strip_prefix("*.").unwrap_or(ours);
        let (Some((our_host, our_port)), Some((host, port))) =
            (host_and_port(our_scheme, ours), host_and_port(scheme, rest))
        else {
            return false;
        };
        if scheme != our_scheme || port != our_port || !is_host(host) {
            return false;
        }
        match self.subdomains {
            Subdomains::No => host.eq_ignore_ascii_case(our_host),
            Subdomains::Only => {
                host.len().checked_sub(our_host.len()).and_then(|at| host.split_at_checked(at)).is_some_and(
                    |(below, domain)| below.ends_with('.') && domain.eq_ignore_ascii_case(our_host),
                )
            }
        }
    }
}

/// `None`: the port is none. The port that the scheme implies counts as absent, as in browsers.
pub(super) fn host_and_port<'a>(scheme: &str, authority: &'a str) -> Option<(&'a str, Option<u16>)> {
    let colon = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    let Some(colon) = colon else { return Some((authority, None)) };
    let (host, digits) = (&authority[..colon], &authority[colon + 1..]);
    let port = digits.parse::<u16>().ok().filter(|port| *port != 0 && !digits.starts_with(['+', '0']))?;
    let implied = matches!((scheme, port), ("http" | "ws", 80) | ("https" | "wss", 443));
    Some((host, Some(port).filter(|_| !implied)))
}

/// Whether an origin of this scheme is that of a host.
pub(super) fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https" | "ws" | "wss")
}

/// RFC 3986 section 3.1.
pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// A name of non-empty labels, an IPv4 address, or an IPv6 address in brackets.
pub(super) fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => text.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        }),
    }
}
