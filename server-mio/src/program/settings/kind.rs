//! What a setting may be, in words.

use core::fmt;

use crate::access::Secret;

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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
    /// A [`Host`](super::Host).
    Host,
    /// A [`Mode`](super::Mode).
    Mode,
    /// A [`SocketAddr`](std::net::SocketAddr).
    Endpoint,
    /// A path.
    Path,
    /// An [`AddressList`](crate::access::AddressList).
    Addresses,
    /// An [`Origins`](crate::access::Origins).
    Origins,
    /// A [`Tokens`](crate::access::Tokens); never shown.
    Tokens,
    /// A [`Secret`]; never shown.
    Secret,
    /// A [`PublicKey`](crate::access::PublicKey).
    PublicKey,
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

impl Kind {
    pub(super) const fn number(least: u64, most: u64) -> Kind {
        Kind::Number { unit: Unit::None, least, most, zero: None }
    }

    pub(super) const fn millis(least: u64, most: u64) -> Kind {
        Kind::Number { unit: Unit::Millis, least, most, zero: None }
    }

    pub(super) const fn bytes(least: u64, most: u64) -> Kind {
        Kind::Number { unit: Unit::Bytes, least, most, zero: None }
    }

    pub(super) const fn or_zero(self, means: &'static str) -> Kind {
        if let Kind::Number { unit, least, most, zero: _ } = self {
            Kind::Number { unit, least, most, zero: Some(means) }
        } else {
            self
        }
    }

    /// Whether its value is never shown.
    #[must_use]
    pub fn is_secret(self) -> bool {
        matches!(self, Kind::Tokens | Kind::Secret)
    }

    /// What stands for the value in the help.
    #[must_use]
    pub fn placeholder(self) -> &'static str {
        match self {
            Kind::Number { unit: Unit::None, .. } => "NUMBER",
            Kind::Number { unit: Unit::Millis, .. } => "MS",
            Kind::Number { unit: Unit::Bytes, .. } => "BYTES",
            Kind::Word(_) => "WORD",
            Kind::Host => "ADDRESS",
            Kind::Mode => "OCTAL",
            Kind::Endpoint => "ADDRESS:PORT",
            Kind::Path => "FILE",
            Kind::Addresses | Kind::Origins => "LIST",
            Kind::Tokens => "TOKEN",
            Kind::Secret => "SECRET",
            Kind::PublicKey => "KEY",
            Kind::File => "FILE",
        }
    }
}

/// What is allowed, as a noun phrase.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Number { unit, least, most, zero } => {
                let unit = match unit {
                    Unit::None => "",
                    Unit::Millis => " (milliseconds)",
                    Unit::Bytes => " (bytes)",
                };
                write!(f, "a whole number from {least} to {most}{unit}")?;
                zero.map_or(Ok(()), |zero| write!(f, ", or 0 ({zero})"))
            }
            Kind::Word(words) => match words {
                [some @ .., last] => write!(f, "{} or {last}", some.join(", ")),
                [] => Ok(()),
            },
            Kind::Host => f.write_str(
                "localhost, 0.0.0.0, :: or another address of this machine, or unix:/path/of/a/socket",
            ),
            Kind::Mode => f.write_str("an octal number from 0 to 777, as of chmod"),
            Kind::Endpoint => f.write_str("an address and a port such as 127.0.0.1:9464 or [::1]:9464"),
            Kind::Path => f.write_str("the path of a file"),
            Kind::Addresses => {
                f.write_str("a comma list of addresses and networks such as 10.0.0.0/8,::1, or none")
            }
            Kind::Origins => f.write_str(
                "* or a comma list of origins such as https://example.com, https://*.example.com, null",
            ),
            Kind::Tokens => f.write_str(
                "visible ASCII characters, several tokens apart by commas, or the absolute path of a file with them",
            ),
            Kind::Secret => write!(
                f,
                "a text of {} bytes at least, or the absolute path of a file with it",
                Secret::LEAST_BYTES
            ),
            Kind::File => f.write_str("a file in PEM, or the text itself"),
            Kind::PublicKey => f.write_str("an Ed25519 public key in PEM: the file, or the text itself"),
        }
    }
}
