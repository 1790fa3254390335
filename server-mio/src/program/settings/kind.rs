//! What a setting may be, in words.

use core::fmt;

use crate::access::Secret;

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A whole number.
    Number {
        /// What it counts.
        unit: Unit,
        /// The least that is allowed, zero aside.
        least: u64,
        /// The most that is allowed.
        most: u64,
        /// What zero means; `None` where it is not allowed.
        zero: Option<&'static str>,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// An address to listen on, `localhost`, or the path of a Unix socket.
    Host,
    /// Permissions in octal, as of `chmod`.
    Mode,
    /// A [`SocketAddr`](std::net::SocketAddr).
    Endpoint,
    /// A [`PublicUrl`](crate::http::PublicUrl).
    Url,
    /// A path.
    Path,
    /// An [`AddressList`](crate::access::AddressList).
    Addresses,
    /// Origins of web pages, as a comma list.
    Origins,
    /// A [`Tokens`](crate::access::Tokens); never shown.
    Tokens,
    /// A secret shared with whoever mints tokens; never shown.
    Secret,
    /// A public key in PEM.
    PublicKey,
    /// A [`StoreUrl`](crate::StoreUrl), which may have a password; that is never shown.
    Store,
    /// [`BusUrls`](crate::BusUrls), which may have passwords; these are never shown.
    Bus,
    /// The beginning of a name.
    Prefix,
    /// A [`Pem`](super::Pem).
    File,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    None,
    /// Milliseconds.
    Millis,
    /// Bytes.
    Bytes,
}

impl ValueKind {
    pub(super) const fn number(least: u64, most: u64) -> ValueKind {
        ValueKind::Number { unit: Unit::None, least, most, zero: None }
    }

    pub(super) const fn millis(least: u64, most: u64) -> ValueKind {
        ValueKind::Number { unit: Unit::Millis, least, most, zero: None }
    }

    pub(super) const fn bytes(least: u64, most: u64) -> ValueKind {
        ValueKind::Number { unit: Unit::Bytes, least, most, zero: None }
    }

    pub(super) const fn or_zero(self, means: &'static str) -> ValueKind {
        if let ValueKind::Number { unit, least, most, zero: _ } = self {
            ValueKind::Number { unit, least, most, zero: Some(means) }
        } else {
            self
        }
    }

    /// Whether its value is never shown.
    #[must_use]
    pub fn is_secret(self) -> bool {
        matches!(self, ValueKind::Tokens | ValueKind::Secret | ValueKind::Store | ValueKind::Bus)
    }

    /// What stands for the value in the help.
    #[must_use]
    pub fn placeholder(self) -> &'static str {
        match self {
            ValueKind::Number { unit: Unit::None, .. } => "NUMBER",
            ValueKind::Number { unit: Unit::Millis, .. } => "MS",
            ValueKind::Number { unit: Unit::Bytes, .. } => "BYTES",
            ValueKind::Word(_) => "WORD",
            ValueKind::Host => "ADDRESS",
            ValueKind::Mode => "OCTAL",
            ValueKind::Endpoint => "ADDRESS:PORT",
            ValueKind::Url | ValueKind::Store | ValueKind::Bus => "URL",
            ValueKind::Prefix => "NAME",
            ValueKind::Path => "FILE",
            ValueKind::Addresses | ValueKind::Origins => "LIST",
            ValueKind::Tokens => "TOKEN",
            ValueKind::Secret => "SECRET",
            ValueKind::PublicKey => "KEY",
            ValueKind::File => "FILE",
        }
    }
}

/// What is allowed, as a noun phrase.
impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueKind::Number { unit, least, most, zero } => {
                let unit = match unit {
                    Unit::None => "",
                    Unit::Millis => " (milliseconds)",
                    Unit::Bytes => " (bytes)",
                };
                write!(f, "a whole number from {least} to {most}{unit}")?;
                zero.map_or(Ok(()), |zero| write!(f, ", or 0 ({zero})"))
            }
            ValueKind::Word(words) => match words {
                [some @ .., last] => write!(f, "{} or {last}", some.join(", ")),
                [] => Ok(()),
            },
            ValueKind::Host => f.write_str(
                "localhost, 0.0.0.0, :: or another address of this machine, or unix:/path/of/a/socket",
            ),
            ValueKind::Mode => f.write_str("an octal number from 0 to 777, as of chmod"),
            ValueKind::Url => f.write_str("a URL such as wss://signal.example.org/ws, without a query"),
            ValueKind::Endpoint => f.write_str("an address and a port such as 127.0.0.1:9464 or [::1]:9464"),
            ValueKind::Path => f.write_str("the path of a file"),
            ValueKind::Addresses => {
                f.write_str("a comma list of addresses and networks such as 10.0.0.0/8,::1, or none")
            }
            ValueKind::Origins => f.write_str(
                "* or a comma list of origins such as https://example.com, https://*.example.com, null",
            ),
            ValueKind::Tokens => f.write_str(
                "visible ASCII characters, several tokens apart by commas, or the absolute path of a file with them",
            ),
            ValueKind::Secret => write!(
                f,
                "a text of {} bytes at least, or the absolute path of a file with it",
                Secret::LEAST_BYTES
            ),
            ValueKind::Store => f.write_str(
                "postgres://user:password@host:port/database?sslmode=verify-full (or require, or disable), \
                 a Unix socket as ?host=/its/folder, or the absolute path of a file with it",
            ),
            ValueKind::Bus => f.write_str(
                "redis://user:password@host:port, rediss:// with TLS or unix:///path/of/a/socket, several apart by \
                 commas, or the absolute path of a file with them",
            ),
            ValueKind::Prefix => f.write_str("1 to 64 letters, digits and any of . _ - :"),
            ValueKind::File => f.write_str("a file in PEM, or the text itself"),
            ValueKind::PublicKey => f.write_str("an Ed25519 public key in PEM: the file, or the text itself"),
        }
    }
}
