//! Which web pages may use the server: the setting `CORS_ORIGIN`.
//!
//! Browsers say in `Origin` which page is asking (RFC 6454). An answer over HTTP names the origins that may
//! read it in `Access-Control-Allow-Origin` (Fetch standard, CORS protocol); a WebSocket upgrade has no such
//! answer, so there the server decides itself (RFC 6455 section 10.2).

use core::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The origins that may use the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
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
pub enum Upgrade {
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
pub fn is_own(origin: &str, host: Option<&str>) -> bool {
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
    pub fn parse(text: &str) -> Result<Origins, OriginsError> {
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
    pub fn allow<'a>(&'a self, origin: Option<&'a str>) -> AllowOrigin<'a> {
        match (self, origin) {
            (Origins::Any, _) => AllowOrigin::Always("*"),
            (Origins::These(patterns), _)
                if let [only] = patterns.as_slice()
                    && only.subdomains == Subdomains::No =>
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
    pub fn upgrade(&self, origin: Option<&str>) -> Upgrade {
        match (self, origin) {
            (Origins::Any, _) | (Origins::These(_), None) => Upgrade::Pass,
            (Origins::These(patterns), Some(origin)) if any_matches(patterns, origin) => Upgrade::Pass,
            (Origins::These(_), Some(_)) => Upgrade::Refuse,
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
pub enum OriginsError {
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

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As a browser writes it: lower case, without the port that the scheme implies.
    text: String,
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
    fn parse(entry: &str) -> Result<Pattern, OriginsError> {
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

    /// Scheme and port count exactly, the host in either case. No allocation: this is asked per request.
    fn matches(&self, origin: &str) -> bool {
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

fn any_matches(patterns: &[Pattern], origin: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(origin))
}

/// `None`: the port is none. The port that the scheme implies counts as absent, as in browsers.
fn host_and_port<'a>(scheme: &str, authority: &'a str) -> Option<(&'a str, Option<u16>)> {
    let colon = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    let Some(colon) = colon else { return Some((authority, None)) };
    let (host, digits) = (&authority[..colon], &authority[colon + 1..]);
    let port = digits.parse::<u16>().ok().filter(|port| *port != 0 && !digits.starts_with(['+', '0']))?;
    let implied = matches!((scheme, port), ("http" | "ws", 80) | ("https" | "wss", 443));
    Some((host, Some(port).filter(|_| !implied)))
}

/// Whether an origin of this scheme is that of a host.
fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https" | "ws" | "wss")
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// A name of non-empty labels, an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => text.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(text: &str) -> Origins {
        Origins::parse(text).unwrap()
    }

    #[test]
    fn the_star_lets_everybody_in_and_the_answer_never_varies() {
        for origin in [None, Some("https://a.example"), Some("null"), Some("rubbish")] {
            assert_eq!(origins("*").upgrade(origin), Upgrade::Pass);
            assert_eq!(origins("*").allow(origin), AllowOrigin::Always("*"));
        }
        assert_eq!(AllowOrigin::Always("*").vary(), None);
    }

    #[test]
    fn scheme_and_port_count_exactly_and_the_host_in_either_case() {
        for (pattern, origin, expected) in [
            ("https://a.example", "https://a.example", Upgrade::Pass),
            ("https://a.example", "https://A.Example", Upgrade::Pass),
            ("HTTPS://A.EXAMPLE", "https://a.example", Upgrade::Pass),
            ("https://a.example", "http://a.example", Upgrade::Refuse),
            ("https://a.example", "https://a.example:8443", Upgrade::Refuse),
            ("https://a.example:8443", "https://a.example:8443", Upgrade::Pass),
            ("https://a.example:8443", "https://a.example", Upgrade::Refuse),
            ("https://a.example:443", "https://a.example", Upgrade::Pass),
            ("https://a.example", "https://a.example:443", Upgrade::Pass),
            ("http://a.example", "http://a.example:080", Upgrade::Refuse),
            ("http://a.example:443", "http://a.example", Upgrade::Refuse),
            ("https://a.example", "https://b.a.example", Upgrade::Refuse),
            ("https://a.example", "https://a.example.evil.test", Upgrade::Refuse),
            ("https://a.example", "https://a.example/", Upgrade::Refuse),
            ("https://a.example", "https://user@a.example", Upgrade::Refuse),
            ("https://a.example", "null", Upgrade::Refuse),
            ("https://a.example", "", Upgrade::Refuse),
            ("null", "null", Upgrade::Pass),
            ("null", "https://null", Upgrade::Refuse),
            ("http://[::1]:3000", "http://[::1]:3000", Upgrade::Pass),
            ("http://[::1]", "http://[::1]:3000", Upgrade::Refuse),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", Upgrade::Pass),
            ("capacitor://localhost", "capacitor://localhost", Upgrade::Pass),
            ("chrome-extension://abcdef", "chrome-extension://abcdef", Upgrade::Pass),
            ("file://", "file://", Upgrade::Pass),
            ("file://", "null", Upgrade::Refuse),
            ("file://", "file:///etc", Upgrade::Refuse),
            ("app://.", "app://.", Upgrade::Pass),
            ("app://.", "app://", Upgrade::Refuse),
            ("app://.", "app://a", Upgrade::Refuse),
            ("tauri://localhost", "tauri://localhost:1", Upgrade::Refuse),
            ("moz-extension://0a-1b", "MOZ-extension://0a-1b", Upgrade::Pass),
            ("https://a.example, https://b.example", "https://b.example", Upgrade::Pass),
            ("https://a.example,https://b.example", "https://c.example", Upgrade::Refuse),
        ] {
            assert_eq!(origins(pattern).upgrade(Some(origin)), expected, "{pattern} against {origin}");
        }
    }

    #[test]
    fn a_wildcard_matches_subdomains_of_any_depth_but_not_the_domain_itself() {
        for (pattern, origin, expected) in [
            ("https://*.example.com", "https://a.example.com", Upgrade::Pass),
            ("https://*.example.com", "https://a.b.EXAMPLE.com", Upgrade::Pass),
            ("https://*.example.com", "https://example.com", Upgrade::Refuse),
            ("https://*.example.com", "https://.example.com", Upgrade::Refuse),
            ("https://*.example.com", "https://a..example.com", Upgrade::Refuse),
            ("https://*.example.com", "https://evilexample.com", Upgrade::Refuse),
            ("https://*.example.com", "https://a.example.com.evil.test", Upgrade::Refuse),
            ("https://*.example.com", "https://evil.test/.example.com", Upgrade::Refuse),
            ("https://*.example.com", "https://evil.test?.example.com", Upgrade::Refuse),
            ("https://*.example.com", "https://evil.test@a.example.com", Upgrade::Refuse),
            ("https://*.example.com", "https://ä.example.com", Upgrade::Refuse),
            ("https://*.example.com", "https://*.example.com", Upgrade::Refuse),
            ("https://*.example.com", "http://a.example.com", Upgrade::Refuse),
            ("https://*.example.com", "https://a.example.com:8443", Upgrade::Refuse),
            ("https://*.example.com:8443", "https://a.example.com:8443", Upgrade::Pass),
            ("https://example.com,https://*.example.com", "https://example.com", Upgrade::Pass),
        ] {
            assert_eq!(origins(pattern).upgrade(Some(origin)), expected, "{pattern} against {origin}");
        }
    }

    #[test]
    fn a_request_without_origin_passes() {
        assert_eq!(origins("https://a.example").upgrade(None), Upgrade::Pass);
    }

    #[test]
    fn the_answer_names_the_origin_that_asked_and_then_varies() {
        let several = origins("https://a.example,https://*.b.example");
        assert_eq!(several.allow(Some("https://x.b.example")), AllowOrigin::ThisOne("https://x.b.example"));
        assert_eq!(several.allow(Some("https://evil.test")), AllowOrigin::Nobody);
        assert_eq!(several.allow(None), AllowOrigin::Nobody);
        assert_eq!(AllowOrigin::ThisOne("https://a.example").vary(), Some("Origin"));
        assert_eq!(AllowOrigin::Nobody.vary(), Some("Origin"));
        assert_eq!(AllowOrigin::Nobody.value(), None);
        let wildcard = origins("https://*.b.example");
        assert_eq!(wildcard.allow(None), AllowOrigin::Nobody);
    }

    #[test]
    fn a_single_origin_is_named_to_everybody_as_a_browser_writes_it() {
        let single = origins("HTTPS://A.Example:443");
        for origin in [None, Some("https://a.example"), Some("https://evil.test")] {
            assert_eq!(single.allow(origin), AllowOrigin::Always("https://a.example"));
        }
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said() {
        for (text, expected) in [
            ("", OriginsError::Empty),
            ("https://a.example,", OriginsError::Empty),
            ("https://a.example,*", OriginsError::AnyAmongOthers),
            ("example.com", OriginsError::NoScheme("example.com".into())),
            ("*.example.com", OriginsError::NoScheme("*.example.com".into())),
            ("://example.com", OriginsError::NoScheme("://example.com".into())),
            ("1http://a.example", OriginsError::NoScheme("1http://a.example".into())),
            ("https//a.example", OriginsError::NoScheme("https//a.example".into())),
            ("https://a.example/", OriginsError::MoreThanAnOrigin("https://a.example/".into())),
            ("https://a.example?x", OriginsError::MoreThanAnOrigin("https://a.example?x".into())),
            ("https://u:p@a.example", OriginsError::MoreThanAnOrigin("https://u:p@a.example".into())),
            ("https://*", OriginsError::MisplacedWildcard("https://*".into())),
            ("https://*.com", OriginsError::MisplacedWildcard("https://*.com".into())),
            ("https://*example.com", OriginsError::MisplacedWildcard("https://*example.com".into())),
            ("https://a.*.example.com", OriginsError::MisplacedWildcard("https://a.*.example.com".into())),
            ("https://*.*.example.com", OriginsError::MisplacedWildcard("https://*.*.example.com".into())),
            ("https://*.[::1]", OriginsError::MisplacedWildcard("https://*.[::1]".into())),
            ("https://", OriginsError::BadHost("https://".into())),
            ("app://a b", OriginsError::BadHost("app://a b".into())),
            ("app://*.a.b", OriginsError::BadHost("app://*.a.b".into())),
            ("file:///", OriginsError::MoreThanAnOrigin("file:///".into())),
            ("https://:3000", OriginsError::BadHost("https://:3000".into())),
            ("https://a..example", OriginsError::BadHost("https://a..example".into())),
            ("https://a example", OriginsError::BadHost("https://a example".into())),
            ("https://ä.example", OriginsError::BadHost("https://ä.example".into())),
            ("https://[::1", OriginsError::BadHost("https://[::1".into())),
            ("https://[nonsense]", OriginsError::BadHost("https://[nonsense]".into())),
            ("https://a.example:", OriginsError::BadPort("https://a.example:".into())),
            ("https://a.example:0", OriginsError::BadPort("https://a.example:0".into())),
            ("https://a.example:65536", OriginsError::BadPort("https://a.example:65536".into())),
            ("https://a.example:http", OriginsError::BadPort("https://a.example:http".into())),
            ("https://a.example:*", OriginsError::BadPort("https://a.example:*".into())),
        ] {
            assert_eq!(Origins::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn the_server_itself_is_an_origin_where_nobody_else_can_have_its_name() {
        for (origin, host, expected) in [
            ("http://192.0.2.1:3000", Some("192.0.2.1:3000"), true),
            ("ws://192.0.2.1", Some("192.0.2.1:80"), true),
            ("http://[::1]:3000", Some("[::1]:3000"), true),
            ("http://LOCALHOST:3000", Some("localhost:3000"), true),
            ("https://signal.example", Some("signal.example"), true),
            ("https://signal.example", Some("SIGNAL.example:443"), true),
            ("wss://signal.example:8443", Some("signal.example:8443"), true),
            // Whoever owns the name can have it resolved to us.
            ("http://evil.example", Some("evil.example"), false),
            ("http://evil.example:3000", Some("evil.example:3000"), false),
            ("http://localhost.evil.example", Some("localhost.evil.example"), false),
            ("http://192.0.2.1.evil.example", Some("192.0.2.1.evil.example"), false),
            ("http://192.0.2.1:3000", Some("192.0.2.1:3001"), false),
            ("http://192.0.2.1", Some("192.0.2.1:443"), false),
            ("https://192.0.2.1", Some("192.0.2.1:80"), false),
            ("https://evil.example", Some("signal.example"), false),
            ("https://", Some(""), false),
            ("http://", Some(""), false),
            ("null", Some("null"), false),
            ("file://", Some(""), false),
            ("app://localhost", Some("localhost"), false),
            ("https://signal.example", None, false),
            ("https://signal.example/", Some("signal.example/"), false),
        ] {
            assert_eq!(is_own(origin, host), expected, "{origin} at {host:?}");
        }
    }

    #[test]
    fn whoever_is_named_may_send_with_credentials() {
        let lines = |allow: AllowOrigin<'_>| {
            let mut out = Vec::new();
            allow.write(&mut out);
            String::from_utf8(out).unwrap()
        };
        for allow in [AllowOrigin::Always("https://a.example"), AllowOrigin::ThisOne("https://a.example")] {
            assert!(lines(allow).contains("\r\nAccess-Control-Allow-Credentials: true\r\n"), "{allow:?}");
        }
        for allow in [AllowOrigin::Always("*"), AllowOrigin::Nobody] {
            assert!(!lines(allow).contains("Credentials"), "{allow:?}");
        }
    }

    #[test]
    fn a_list_is_shown_as_it_is_read() {
        let text = "https://a.example,https://*.b.example:8443,null,file://,app://.";
        assert_eq!(origins(text).to_string(), text);
        assert_eq!(origins(" * ").to_string(), "*");
    }
}
