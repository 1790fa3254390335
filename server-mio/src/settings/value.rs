//! What a setting may be, and how it is read.

use super::given::Given;
use super::{Row, SettingsError};
use crate::access::Tokens;
use crate::addresses::AddressList;
use crate::http::Demo;
use crate::origins::Origins;
use core::fmt;
use log::LevelFilter;
use peerpigeon_core::DuplicatePeer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

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
    /// A [`Host`].
    Host,
    /// A [`SocketAddr`].
    Endpoint,
    /// A file.
    File,
    /// An [`AddressList`].
    Addresses,
    /// An [`Origins`].
    Origins,
    /// A [`Tokens`]; never shown.
    Tokens,
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
        match self {
            Kind::Number { unit, least, most, zero: _ } => {
                Kind::Number { unit, least, most, zero: Some(means) }
            }
            Kind::Word(_)
            | Kind::Host
            | Kind::Endpoint
            | Kind::File
            | Kind::Addresses
            | Kind::Origins
            | Kind::Tokens => self,
        }
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
            Kind::Endpoint => "ADDRESS:PORT",
            Kind::File => "FILE",
            Kind::Addresses | Kind::Origins => "LIST",
            Kind::Tokens => "TOKEN",
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
            Kind::Host => f.write_str("localhost, 0.0.0.0, :: or another address of this machine"),
            Kind::Endpoint => f.write_str("an address and a port such as 127.0.0.1:9464 or [::1]:9464"),
            Kind::File => f.write_str("the path of a file"),
            Kind::Addresses => {
                f.write_str("a comma list of addresses and networks such as 10.0.0.0/8,::1, or none")
            }
            Kind::Origins => f.write_str(
                "* or a comma list of origins such as https://example.com, https://*.example.com, null",
            ),
            Kind::Tokens => f.write_str("visible ASCII characters, several tokens apart by commas"),
        }
    }
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// IPv4 and IPv6 loopback.
    Localhost,
    /// This address.
    Address(IpAddr),
}

impl Host {
    /// The addresses to bind.
    #[must_use]
    pub fn addresses(self) -> Vec<IpAddr> {
        match self {
            Host::Localhost => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            Host::Address(address) => vec![address],
        }
    }

    /// Whether nobody outside this machine can connect.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        match self {
            Host::Localhost => true,
            Host::Address(address) => address.to_canonical().is_loopback(),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines to read.
    Text,
    /// One JSON object per line.
    Json,
}

/// Reads the value that is given for `row`, or else `fallback`.
pub(super) fn read<V: Value>(given: &Given, row: &Row, fallback: &str) -> Result<V, SettingsError> {
    let shown = given.text(row.name).map_or(fallback.into(), |text| text.to_string_lossy());
    let text = match given.text(row.name) {
        Some(text) => text.to_str().ok_or_else(|| Refusal::Because("it is not UTF-8".to_owned())),
        None => Ok(fallback),
    };
    if given.text(row.name).is_none()
        && let Some(unset) = V::UNSET
    {
        return Ok(unset);
    }
    text.and_then(|text| V::read(text, row.kind)).map_err(|refusal| SettingsError::BadValue {
        name: given.spelled(row.name),
        value: (row.kind != Kind::Tokens).then(|| shown.into_owned()),
        detail: match refusal {
            Refusal::NotAllowed => None,
            Refusal::Because(detail) => Some(detail),
        },
        allowed: row.kind.to_string(),
    })
}

/// Why a text is no value.
pub(super) enum Refusal {
    /// It is not what [`Kind`] allows.
    NotAllowed,
    /// There is more to say.
    Because(String),
}

/// The type of a setting.
pub(super) trait Value: Sized {
    /// The value of a setting that is not given; `None`: its default is read.
    const UNSET: Option<Self> = None;

    fn read(text: &str, kind: Kind) -> Result<Self, Refusal>;

    /// As [`Value::read`] reads it; for a secret only whether it is there.
    fn show(&self) -> String;
}

macro_rules! numbers {
    ($($type:ty)*) => {
        $(impl Value for $type {
            fn read(text: &str, kind: Kind) -> Result<Self, Refusal> {
                number(text, kind).and_then(|n| n.try_into().ok()).ok_or(Refusal::NotAllowed)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        })*
    };
}

numbers! { u8 u16 u32 u64 usize }

/// Digits and nothing else: no sign, no blank, no unit.
fn number(text: &str, kind: Kind) -> Option<u64> {
    let Kind::Number { unit: _, least, most, zero } = kind else { return None };
    let number: u64 = text.parse().ok().filter(|_| !text.starts_with('+'))?;
    ((least..=most).contains(&number) || (number == 0 && zero.is_some())).then_some(number)
}

impl Value for Host {
    fn read(text: &str, _: Kind) -> Result<Host, Refusal> {
        if text == "localhost" {
            return Ok(Host::Localhost);
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        bare.parse().map(Host::Address).map_err(|_| Refusal::NotAllowed)
    }

    fn show(&self) -> String {
        match self {
            Host::Localhost => "localhost".to_owned(),
            Host::Address(address) => address.to_string(),
        }
    }
}

impl Value for Option<SocketAddr> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: Kind) -> Result<Option<SocketAddr>, Refusal> {
        text.parse().map(Some).map_err(|_| Refusal::NotAllowed)
    }

    fn show(&self) -> String {
        self.map_or("(not set)".to_owned(), |address| address.to_string())
    }
}

impl Value for Option<PathBuf> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: Kind) -> Result<Option<PathBuf>, Refusal> {
        Some(text).filter(|text| !text.is_empty()).map(|text| Some(text.into())).ok_or(Refusal::NotAllowed)
    }

    fn show(&self) -> String {
        self.as_ref().map_or("(not set)".to_owned(), |path| path.to_string_lossy().into_owned())
    }
}

impl Value for Demo {
    fn read(text: &str, _: Kind) -> Result<Demo, Refusal> {
        match text {
            "loopback" => Ok(Demo::Loopback),
            "on" => Ok(Demo::On),
            "off" => Ok(Demo::Off),
            _ => Err(Refusal::NotAllowed),
        }
    }

    fn show(&self) -> String {
        match self {
            Demo::Loopback => "loopback",
            Demo::On => "on",
            Demo::Off => "off",
        }
        .to_owned()
    }
}

impl Value for DuplicatePeer {
    fn read(text: &str, _: Kind) -> Result<DuplicatePeer, Refusal> {
        match text {
            "challenge" => Ok(DuplicatePeer::Challenge),
            "reject" => Ok(DuplicatePeer::Reject),
            "replace" => Ok(DuplicatePeer::Replace),
            _ => Err(Refusal::NotAllowed),
        }
    }

    fn show(&self) -> String {
        match self {
            DuplicatePeer::Challenge => "challenge",
            DuplicatePeer::Reject => "reject",
            DuplicatePeer::Replace => "replace",
        }
        .to_owned()
    }
}

impl Value for LevelFilter {
    fn read(text: &str, _: Kind) -> Result<LevelFilter, Refusal> {
        LevelFilter::iter().find(|level| level.show() == text).ok_or(Refusal::NotAllowed)
    }

    fn show(&self) -> String {
        self.as_str().to_ascii_lowercase()
    }
}

impl Value for LogFormat {
    fn read(text: &str, _: Kind) -> Result<LogFormat, Refusal> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(Refusal::NotAllowed),
        }
    }

    fn show(&self) -> String {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
        .to_owned()
    }
}

impl Value for AddressList {
    fn read(text: &str, _: Kind) -> Result<AddressList, Refusal> {
        AddressList::parse(text).map_err(|error| Refusal::Because(error.to_string()))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Origins {
    fn read(text: &str, _: Kind) -> Result<Origins, Refusal> {
        Origins::parse(text).map_err(|error| Refusal::Because(error.to_string()))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A variable that is given but empty is a mistake, such as a file that could not be read: it must not open
/// the door as a variable that is not given does.
impl Value for Option<Tokens> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: Kind) -> Result<Option<Tokens>, Refusal> {
        Tokens::parse(text).map(Some).map_err(|error| Refusal::Because(error.to_string()))
    }

    fn show(&self) -> String {
        self.as_ref().map_or("(not set)", |_| "(set)").to_owned()
    }
}
