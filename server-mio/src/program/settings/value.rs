//! What a setting may be, and how it is read.

use super::handed::{self, Pem};
use super::kind::ValueKind;
use super::secrecy;
use super::sources::Sources;
use super::{Setting, SettingsError};
use crate::access::AddressList;
use crate::access::Origins;
use crate::access::Tokens;
use crate::access::{PublicKey, Secret};
use crate::bus::BusUrls;
use crate::http::{Demo, PublicUrl};
use crate::store::StoreUrl;
use core::fmt;
use log::LevelFilter;
use peerpigeon_core::DuplicatePeer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenHost {
    /// IPv4 and IPv6 loopback.
    Localhost,
    /// This address.
    Address(IpAddr),
    /// A Unix socket, by its absolute path.
    Unix(PathBuf),
}

impl ListenHost {
    /// The addresses to bind; a Unix socket has none.
    #[must_use]
    pub(in crate::program) fn addresses(&self) -> Vec<IpAddr> {
        match self {
            ListenHost::Localhost => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            ListenHost::Address(address) => vec![*address],
            ListenHost::Unix(_) => Vec::new(),
        }
    }

    /// Whether nobody outside this machine can connect.
    #[must_use]
    pub(in crate::program) fn is_loopback(&self) -> bool {
        match self {
            ListenHost::Localhost => true,
            ListenHost::Address(address) => address.to_canonical().is_loopback(),
            // In a container it is shared as a file.
            ListenHost::Unix(_) => false,
        }
    }
}

/// What comes before the path of a Unix socket.
const UNIX: &str = "unix:";

/// Who may use a file: the last nine bits of a `chmod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode(pub u32);

/// Something that is done or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// Done.
    On,
    /// Not done.
    Off,
}

/// What names begin with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) String);

/// As it is shown.
impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({})", secrecy::shown(&self.0))
    }
}

impl Prefix {
    const MOST_BYTES: usize = 64;
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines to read.
    Text,
    /// One JSON object per line.
    Json,
}

/// Reads the value that is given for `row`, or else `fallback`.
pub(super) fn read<V: Value>(sources: &Sources, row: &Setting, fallback: &str) -> Result<V, SettingsError> {
    match V::UNSET {
        Some(unset) if sources.text(row.name).is_none() => Ok(unset),
        _ => text(sources, row, fallback)
            .and_then(|text| match row.kind {
                ValueKind::Word(words) => V::read(&handed::word(text, words), row.kind),
                ValueKind::Tokens | ValueKind::Secret | ValueKind::Store | ValueKind::Bus => {
                    V::read(&handed::secret(text).map_err(ValueError::Because)?, row.kind)
                }
                ValueKind::Number { .. }
                | ValueKind::Host
                | ValueKind::Mode
                | ValueKind::Endpoint
                | ValueKind::Url
                | ValueKind::Path
                | ValueKind::Addresses
                | ValueKind::Origins
                | ValueKind::PublicKey
                | ValueKind::Prefix
                | ValueKind::File => V::read(text, row.kind),
            })
            .map_err(|refusal| bad_value(sources, row, fallback, refusal)),
    }
}

fn text<'a>(sources: &'a Sources, row: &Setting, fallback: &'a str) -> Result<&'a str, ValueError> {
    match sources.text(row.name) {
        Some(text) => text.to_str().ok_or_else(|| ValueError::Because("it is not UTF-8".to_owned())),
        None => Ok(fallback),
    }
}

fn bad_value(sources: &Sources, row: &Setting, fallback: &str, refusal: ValueError) -> SettingsError {
    let shown = sources.text(row.name).map_or(fallback.into(), |text| text.to_string_lossy());
    SettingsError::BadValue {
        name: sources.spelled(row.name),
        value: (!row.kind.is_secret()).then(|| secrecy::shown(&shown).into_owned()),
        detail: match refusal {
            ValueError::NotAllowed => None,
            ValueError::Because(detail) => Some(detail),
        },
        allowed: row.kind.to_string(),
    }
}

/// Why a text is no value.
pub(super) enum ValueError {
    /// It is not what [`ValueKind`] allows.
    NotAllowed,
    /// There is more to say.
    Because(String),
}

/// The type of a setting.
pub(super) trait Value: Sized {
    /// The value of a setting that is not given; `None`: its default is read.
    const UNSET: Option<Self> = None;

    fn read(text: &str, kind: ValueKind) -> Result<Self, ValueError>;

    /// As [`Value::read`] reads it; for a secret only whether it is there.
    fn show(&self) -> String;
}

macro_rules! numbers {
    ($($type:ty)*) => {
        $(impl Value for $type {
            fn read(text: &str, kind: ValueKind) -> Result<Self, ValueError> {
                number(text, kind).and_then(|n| n.try_into().ok()).ok_or(ValueError::NotAllowed)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        })*
    };
}

numbers! { u8 u16 u32 u64 usize }

/// Digits and nothing else: no sign, no blank, no unit.
fn number(text: &str, kind: ValueKind) -> Option<u64> {
    let ValueKind::Number { unit: _, least, most, zero } = kind else { return None };
    let number: u64 = text.parse().ok().filter(|_| !text.starts_with('+'))?;
    ((least..=most).contains(&number) || (number == 0 && zero.is_some())).then_some(number)
}

impl Value for ListenHost {
    fn read(text: &str, _: ValueKind) -> Result<ListenHost, ValueError> {
        if text.eq_ignore_ascii_case("localhost") {
            return Ok(ListenHost::Localhost);
        }
        if let Some(path) = text.strip_prefix(UNIX) {
            let is_path = cfg!(unix) && path.starts_with('/') && !path.ends_with('/');
            return if is_path { Ok(ListenHost::Unix(path.into())) } else { Err(ValueError::NotAllowed) };
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        bare.parse().map(ListenHost::Address).map_err(|_| ValueError::NotAllowed)
    }

    fn show(&self) -> String {
        match self {
            ListenHost::Localhost => "localhost".to_owned(),
            ListenHost::Address(address) => address.to_string(),
            ListenHost::Unix(path) => format!("{UNIX}{}", path.display()),
        }
    }
}

impl Value for Option<SocketAddr> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: ValueKind) -> Result<Option<SocketAddr>, ValueError> {
        text.parse().map(Some).map_err(|_| ValueError::NotAllowed)
    }

    fn show(&self) -> String {
        self.map_or("(not set)".to_owned(), |address| address.to_string())
    }
}

impl Value for Option<PublicUrl> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: ValueKind) -> Result<Option<PublicUrl>, ValueError> {
        text.parse().map(Some).map_err(|_| ValueError::NotAllowed)
    }

    fn show(&self) -> String {
        self.as_ref().map_or("(not set)".to_owned(), ToString::to_string)
    }
}

impl Value for Demo {
    fn read(text: &str, _: ValueKind) -> Result<Demo, ValueError> {
        match text {
            "loopback" => Ok(Demo::Loopback),
            "on" => Ok(Demo::On),
            "off" => Ok(Demo::Off),
            _ => Err(ValueError::NotAllowed),
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

impl Value for Mode {
    fn read(text: &str, _: ValueKind) -> Result<Mode, ValueError> {
        let is_octal =
            text.len() <= 4 && !text.is_empty() && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
        mode.map(Mode).ok_or(ValueError::NotAllowed)
    }

    fn show(&self) -> String {
        format!("{:o}", self.0)
    }
}

impl Value for Switch {
    fn read(text: &str, _: ValueKind) -> Result<Switch, ValueError> {
        match text {
            "on" => Ok(Switch::On),
            "off" => Ok(Switch::Off),
            _ => Err(ValueError::NotAllowed),
        }
    }

    fn show(&self) -> String {
        match self {
            Switch::On => "on",
            Switch::Off => "off",
        }
        .to_owned()
    }
}

impl Value for DuplicatePeer {
    fn read(text: &str, _: ValueKind) -> Result<DuplicatePeer, ValueError> {
        match text {
            "challenge" => Ok(DuplicatePeer::Challenge),
            "reject" => Ok(DuplicatePeer::Reject),
            "replace" => Ok(DuplicatePeer::Replace),
            _ => Err(ValueError::NotAllowed),
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
    fn read(text: &str, _: ValueKind) -> Result<LevelFilter, ValueError> {
        LevelFilter::iter().find(|level| level.show() == text).ok_or(ValueError::NotAllowed)
    }

    fn show(&self) -> String {
        self.as_str().to_ascii_lowercase()
    }
}

impl Value for LogFormat {
    fn read(text: &str, _: ValueKind) -> Result<LogFormat, ValueError> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(ValueError::NotAllowed),
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
    fn read(text: &str, _: ValueKind) -> Result<AddressList, ValueError> {
        AddressList::parse(text).map_err(|error| ValueError::Because(error.to_string()))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Origins {
    fn read(text: &str, _: ValueKind) -> Result<Origins, ValueError> {
        Origins::parse(text).map_err(|error| ValueError::Because(error.to_string()))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Option<Tokens> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: ValueKind) -> Result<Option<Tokens>, ValueError> {
        Tokens::parse(text).map(Some).map_err(|error| ValueError::Because(error.to_string()))
    }

    fn show(&self) -> String {
        self.as_ref().map_or("(not set)", |_| "(set)").to_owned()
    }
}

impl Value for Option<Secret> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: ValueKind) -> Result<Option<Secret>, ValueError> {
        Secret::parse(text).map(Some).map_err(|error| ValueError::Because(error.to_string()))
    }

    fn show(&self) -> String {
        self.as_ref().map_or("(not set)", |_| "(set)").to_owned()
    }
}

impl Value for Option<PublicKey> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: ValueKind) -> Result<Option<PublicKey>, ValueError> {
        PublicKey::parse(text).map(Some).map_err(|error| ValueError::Because(error.to_string()))
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "(not set)".to_owned(), PublicKey::to_string)
    }
}

impl Value for Option<Pem> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: ValueKind) -> Result<Option<Pem>, ValueError> {
        Ok(Some(Pem::new(text)))
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "(not set)".to_owned(), Pem::to_string)
    }
}

impl Value for Option<StoreUrl> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: ValueKind) -> Result<Option<StoreUrl>, ValueError> {
        text.parse().map(Some).map_err(ValueError::Because)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "(not set)".to_owned(), StoreUrl::to_string)
    }
}

impl Value for Option<BusUrls> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: ValueKind) -> Result<Option<BusUrls>, ValueError> {
        text.parse().map(Some).map_err(ValueError::Because)
    }

    fn show(&self) -> String {
        let Some(urls) = self else { return "(not set)".to_owned() };
        urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl Value for Prefix {
    fn read(text: &str, _: ValueKind) -> Result<Prefix, ValueError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        let fits = (1..=Prefix::MOST_BYTES).contains(&text.len()) && text.bytes().all(is_allowed);
        if fits { Ok(Prefix(text.to_owned())) } else { Err(ValueError::NotAllowed) }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Value for Option<PathBuf> {
    const UNSET: Option<Self> = Some(None);

    fn read(text: &str, _: ValueKind) -> Result<Option<PathBuf>, ValueError> {
        if text.is_empty() { Err(ValueError::NotAllowed) } else { Ok(Some(text.into())) }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "(not set)".to_owned(), |path| path.display().to_string())
    }
}
