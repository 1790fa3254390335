//! The setting `CLUSTER`: where a Redis is, and who we are there.

use crate::net::Place;
use crate::net::place::{decoded, host_and_port, port_number};
use core::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// `redis://user:password@host:port`, `rediss://…` with TLS, or `unix:///path/of/the/socket`.
#[derive(Clone, PartialEq, Eq)]
pub struct BusUrl {
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) place: Place,
    pub(crate) has_tls: bool,
}

/// Several, with commas between them: one is used after the other. At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusUrls(Vec<BusUrl>);

impl BusUrls {
    /// The one that is tried after so many failures.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "nobody connects"))]
    pub(crate) fn at(&self, attempt: usize) -> &BusUrl {
        &self.0[attempt % self.0.len()]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &BusUrl> {
        self.0.iter()
    }

    /// Whether any of them is reached with TLS.
    pub(crate) fn have_tls(&self) -> bool {
        self.0.iter().any(|url| url.has_tls)
    }
}

impl FromStr for BusUrls {
    type Err = String;

    fn from_str(text: &str) -> Result<BusUrls, String> {
        text.split(',').map(|url| url.trim().parse()).collect::<Result<_, _>>().map(BusUrls)
    }
}

impl FromStr for BusUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<BusUrl, String> {
        let (scheme, rest) =
            text.split_once("://").ok_or("it must begin with redis://, rediss:// or unix://")?;
        let (has_tls, is_socket) = match scheme {
            "redis" => (false, false),
            "rediss" => (true, false),
            "unix" | "redis+unix" => (false, true),
            _ => return Err("it must begin with redis://, rediss:// or unix://".to_owned()),
        };
        if rest.contains('?') {
            return Err("parameters behind a ? are not known".to_owned());
        }
        let (credentials, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(decoded("the password", password)?)),
            None => (credentials, None),
        };
        let user = decoded("the user", user)?;
        if !user.is_empty() && password.is_none() {
            return Err("there is a user in it and no password".to_owned());
        }
        let place = if is_socket { socket(rest)? } else { host(rest)? };
        Ok(BusUrl { user, password, place, has_tls })
    }
}

fn socket(path: &str) -> Result<Place, String> {
    if !cfg!(unix) {
        return Err("there are no Unix sockets on this system".to_owned());
    }
    let path = decoded("the path", path)?;
    if !path.starts_with('/') || path.len() < 2 {
        return Err("the path of the socket must begin with /".to_owned());
    }
    Ok(Place::Socket(PathBuf::from(path)))
}

fn host(text: &str) -> Result<Place, String> {
    let (authority, database) = text.split_once('/').unwrap_or((text, ""));
    if !database.is_empty() {
        return Err("there is a database in it, which would not separate anything: \
                    channels are the same in all of them; CLUSTER_PREFIX separates clusters"
            .to_owned());
    }
    let (host, port) = host_and_port(authority)?;
    let host = decoded("the host", host)?;
    if host.is_empty() {
        return Err("there is no host in it".to_owned());
    }
    Ok(Place::Host(host, port.map(port_number).transpose()?.unwrap_or(DEFAULT_PORT)))
}

/// Without the password.
impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = if self.has_tls { " by TLS" } else { "" };
        write!(f, "Redis at {}{tls}", self.place)
    }
}

/// Without the password.
impl fmt::Debug for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BusUrl({self})")
    }
}

const DEFAULT_PORT: u16 = 6379;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_as_whom() {
        for (text, user, password, place, has_tls) in [
            ("redis://cache", "", None, "cache:6379", false),
            ("redis://:p%40ss@[::1]:7/", "", Some("p@ss"), "[::1]:7", false),
            ("rediss://pigeon:x@cache.example:6380", "pigeon", Some("x"), "cache.example:6380", true),
            ("unix:///run/redis.sock", "", None, "/run/redis.sock", false),
            ("redis+unix://a:b@/run/redis.sock", "a", Some("b"), "/run/redis.sock", false),
        ] {
            let url: BusUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let said = (url.user.as_str(), url.password.as_deref(), url.place.to_string(), url.has_tls);
            assert_eq!(said, (user, password, place.to_owned(), has_tls), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (text, said) in [
            ("http://a", "it must begin with redis://, rediss:// or unix://"),
            ("cache:6379", "it must begin with redis://, rediss:// or unix://"),
            ("redis://", "there is no host in it"),
            ("redis://a:0", "the port is no number from 1 to 65535"),
            ("redis://pigeon@a", "there is a user in it and no password"),
            ("redis://a?db=1", "parameters behind a ? are not known"),
            ("unix://run/redis.sock", "the path of the socket must begin with /"),
            ("redis://:%zz@a", "the password has a % without two hex digits; % itself is %25"),
        ] {
            assert_eq!(text.parse::<BusUrl>().unwrap_err(), said, "{text}");
        }
        let database = "redis://a/1".parse::<BusUrl>().unwrap_err();
        assert!(database.contains("CLUSTER_PREFIX separates clusters"), "{database}");
    }

    #[test]
    fn several_are_used_one_after_the_other() {
        let urls: BusUrls = "redis://a, rediss://b".parse().unwrap();
        let places = [0, 1, 2].map(|attempt| urls.at(attempt).place.to_string());
        assert_eq!(places, ["a:6379", "b:6379", "a:6379"]);
        assert!(urls.have_tls());
        assert!("redis://a,".parse::<BusUrls>().is_err());
    }

    #[test]
    fn nothing_shows_the_password() {
        let url: BusUrl = "redis://pigeon:hunter2@cache".parse().unwrap();
        let shown = format!("{url} {url:?}");
        assert!(!shown.contains("hunter2") && shown.contains("Redis at cache:6379"), "{shown}");
    }
}
