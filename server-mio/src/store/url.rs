//! The setting `MAIL_STORE`: where a database is, and who we are there.

use crate::net::Place;
use crate::net::place::{decoded, host_and_port, port_number};
use core::fmt;
use std::path::Path;
use std::str::FromStr;

/// `postgres://user:password@host:port/database?sslmode=…`
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) place: Place,
    pub(crate) database: String,
    pub(crate) encryption: Encryption,
}

/// `sslmode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// None.
    Disable,
    /// TLS with whoever answers.
    Require,
    /// TLS with whoever has a certificate for the host.
    VerifyFull,
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<StoreUrl, String> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or("it must begin with postgres:// or postgresql://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(decoded("the password", password)?)),
            None => (credentials, None),
        };
        let user = decoded("the user", user)?;
        if user.is_empty() {
            return Err("there is no user in it".to_owned());
        }
        let (host, port) = host_and_port(host)?;
        let mut host = decoded("the host", host)?;
        let mut port = port.map(port_number).transpose()?;
        let mut mode = None;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "host" => host = decoded("the host", value)?,
                "port" => port = Some(port_number(value)?),
                "sslmode" => mode = Some(value.parse()?),
                _ => return Err(format!("the parameter {name:?} is none of host, port and sslmode")),
            }
        }
        let place = place_of(host, port.unwrap_or(DEFAULT_PORT))?;
        let database = decoded("the database", database)?;
        Ok(StoreUrl {
            encryption: Encryption::of(&place, mode)?,
            place,
            database: if database.is_empty() { user.clone() } else { database },
            user,
            password,
        })
    }
}

/// Without the password.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres database {:?} of {:?} at {}", self.database, self.user, self.place)
    }
}

/// Without the password.
impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

impl Encryption {
    fn of(place: &Place, given: Option<Encryption>) -> Result<Encryption, String> {
        let is_socket = matches!(place, Place::Socket(_));
        match given {
            Some(Encryption::Require | Encryption::VerifyFull) if is_socket => {
                Err("there is no TLS over a Unix socket: sslmode=disable".to_owned())
            }
            Some(given) => Ok(given),
            None if place.is_local() => Ok(Encryption::Disable),
            None => Ok(Encryption::VerifyFull),
        }
    }
}

impl FromStr for Encryption {
    type Err = String;

    fn from_str(text: &str) -> Result<Encryption, String> {
        match text {
            "disable" => Ok(Encryption::Disable),
            "require" => Ok(Encryption::Require),
            "verify-full" => Ok(Encryption::VerifyFull),
            "allow" | "prefer" => {
                Err(format!("sslmode={text} would go on without TLS whenever somebody in between wants that"))
            }
            "verify-ca" => Err("sslmode=verify-ca would take the certificate of any other host".to_owned()),
            _ => Err(format!("sslmode={text:?} is none of disable, require and verify-full")),
        }
    }
}

fn place_of(host: String, port: u16) -> Result<Place, String> {
    match host.as_str() {
        "" => Err("there is no host in it; a Unix socket is told by ?host=/folder/of/the/socket".to_owned()),
        _ if host.contains(',') => Err("there is more than one host in it".to_owned()),
        _ if host.starts_with('/') && cfg!(unix) => {
            // As libpq names it.
            Ok(Place::Socket(Path::new(&host).join(format!(".s.PGSQL.{port}"))))
        }
        _ => Ok(Place::Host(host, port)),
    }
}

const DEFAULT_PORT: u16 = 5432;

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> StoreUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_url_says_where_and_as_whom() {
        for (text, user, password, place, database, encryption) in [
            (
                "postgres://pigeon@db:1/mail?sslmode=require",
                "pigeon",
                None,
                "db:1",
                "mail",
                Encryption::Require,
            ),
            ("postgresql://a:b@db.example", "a", Some("b"), "db.example:5432", "a", Encryption::VerifyFull),
            (
                "postgres://a%40b:p%3A%2F%25@[::1]/m",
                "a@b",
                Some("p:/%"),
                "[::1]:5432",
                "m",
                Encryption::Disable,
            ),
            ("postgres://a@localhost:7/", "a", None, "localhost:7", "a", Encryption::Disable),
            (
                "postgres://a@/m?host=/run/postgresql",
                "a",
                None,
                "/run/postgresql/.s.PGSQL.5432",
                "m",
                Encryption::Disable,
            ),
            ("postgres://a@%2Frun/m?port=9", "a", None, "/run/.s.PGSQL.9", "m", Encryption::Disable),
            (
                "postgres://a@10.0.0.1/m?sslmode=disable&",
                "a",
                None,
                "10.0.0.1:5432",
                "m",
                Encryption::Disable,
            ),
        ] {
            let url = url(text);
            assert_eq!(
                (url.user.as_str(), url.password.as_deref(), url.place.to_string().as_str()),
                (user, password, place),
                "{text}"
            );
            assert_eq!((url.database.as_str(), url.encryption), (database, encryption), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (text, said) in [
            ("mysql://a@b/c", "it must begin with postgres:// or postgresql://"),
            ("postgres://db/mail", "there is no user in it"),
            (
                "postgres://a@/mail",
                "there is no host in it; a Unix socket is told by ?host=/folder/of/the/socket",
            ),
            ("postgres://a@b,c/mail", "there is more than one host in it"),
            ("postgres://a@b:0/mail", "the port is no number from 1 to 65535"),
            ("postgres://a@b:+1/mail", "the port is no number from 1 to 65535"),
            ("postgres://a:%zz@b/mail", "the password has a % without two hex digits; % itself is %25"),
            ("postgres://a:%00@b/mail", "the password has a NUL in it"),
            ("postgres://a:%ff@b/mail", "the password is not UTF-8"),
            ("postgres://a@b/mail?ssl=true", "the parameter \"ssl\" is none of host, port and sslmode"),
            ("postgres://a@b/mail?sslmode=on", "sslmode=\"on\" is none of disable, require and verify-full"),
            (
                "postgres://a@b/mail?sslmode=prefer",
                "sslmode=prefer would go on without TLS whenever somebody in between wants that",
            ),
            (
                "postgres://a@b/mail?sslmode=verify-ca",
                "sslmode=verify-ca would take the certificate of any other host",
            ),
            (
                "postgres://a@b/mail?host=/run&sslmode=require",
                "there is no TLS over a Unix socket: sslmode=disable",
            ),
        ] {
            assert_eq!(text.parse::<StoreUrl>().unwrap_err(), said, "{text}");
        }
    }

    #[test]
    fn nothing_shows_the_password() {
        let url = url("postgres://pigeon:hunter2@db/mail?sslmode=disable");
        let shown = format!("{url} {url:?}");
        assert!(!shown.contains("hunter2") && shown.contains("\"mail\" of \"pigeon\" at db:5432"), "{shown}");
    }
}
