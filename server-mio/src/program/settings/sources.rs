//! What the environment and the command line say.

use super::file::{self, FileEntry};
use super::handed;
use super::token_arguments::{self, TokenArguments};
use super::{SETTINGS, Setting, Settings, SettingsError};
use core::fmt;
use lexopt::{Arg, Parser};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve with these settings.
    Serve(Box<Settings>),
    /// Show these settings and where they come from, a line for each.
    Check(Box<Settings>, Sources),
    /// Mint a token that says this, with these settings, which have a secret.
    Token(Box<Settings>, TokenArguments),
    /// Find out whether the server with these settings is well.
    Healthcheck(Box<Settings>),
    /// Show the help.
    Help,
    /// Show the version.
    Version,
}

/// A setting and the value that a flag gives it.
pub(super) type Flag = (&'static Setting, OsString);

/// What the command line asks for, as far as it is no setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Serve,
    Token(TokenArguments),
    Check,
    Healthcheck,
    Help,
    Version,
}

/// Where a value comes from; what comes later wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// In this line of the file.
    File(usize),
    Variable,
    OwnVariable,
    Flag,
}

/// The values that are given, each with the spelling of its setting that won.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sources {
    values: Vec<(&'static str, Source, OsString)>,
    /// The file that some of them are from.
    file: String,
}

/// Its values may be secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values.iter().map(|(name, source, _)| (name, source))).finish()
    }
}

impl Sources {
    pub(crate) fn new(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: Vec<Flag>,
    ) -> Result<Sources, SettingsError> {
        let mut sources = Sources::default();
        for (name, value) in environment {
            let Some(name) = name.to_str() else { continue };
            if let Some((row, source)) = variable(name, &value)? {
                sources.insert(row, source, value);
            }
        }
        for (row, value) in flags {
            sources.insert(row, Source::Flag, value);
        }
        if let Some(file) = sources.text(CONFIG_FILE).map(PathBuf::from) {
            sources.read_file(&file)?;
        }
        Ok(sources)
    }

    fn read_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        self.file = path.to_string_lossy().into_owned();
        let wrong = |line: Option<usize>, detail: String| {
            let line = line.map_or(String::new(), |line| format!(":{line}"));
            SettingsError::File { place: format!("{}{line}", path.to_string_lossy()), detail }
        };
        let mut bytes = Vec::new();
        fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| wrong(None, error.to_string()))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(wrong(None, format!("it is longer than {MAX_FILE_BYTES} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong(None, "it is not UTF-8".to_owned()))?;
        let entries = file::parse(&text).map_err(|(line, detail)| wrong(Some(line), detail.to_owned()))?;
        for FileEntry { line, name, value } in entries {
            let plain = name.strip_prefix(PREFIX).unwrap_or(&name);
            // It is ours alone, so what is no setting is a mistake.
            let Some((row, _)) = variable(&format!("{PREFIX}{plain}"), OsStr::new(""))
                .map_err(|error| wrong(Some(line), error.to_string()))?
                .filter(|(row, _)| row.name != CONFIG_FILE)
            else {
                return Err(wrong(Some(line), format!("{name} cannot be set in this file")));
            };
            self.insert(row, Source::File(line), value.into());
        }
        Ok(())
    }

    /// The value of the setting of this name, if one is given.
    pub(super) fn text(&self, name: &str) -> Option<&OsStr> {
        self.find(name).map(|(_, _, value)| value.as_os_str())
    }

    /// The setting of this name as the user spelled it; the variable where it is not given.
    pub(super) fn spelled(&self, name: &str) -> String {
        match self.find(name).map(|(_, source, _)| source) {
            Some(Source::Variable) | None => name.to_owned(),
            Some(Source::OwnVariable) => format!("{PREFIX}{name}"),
            Some(Source::Flag) => flag_of(name),
            Some(Source::File(line)) => format!("{}:{line}: {name}", self.file),
        }
    }

    fn find(&self, name: &str) -> Option<&(&'static str, Source, OsString)> {
        self.values.iter().find(|(given, _, _)| *given == name)
    }

    fn insert(&mut self, row: &'static Setting, source: Source, value: OsString) {
        // A secret that something did not fill must not open the server: it stays, to be refused.
        let nothing = || row.kind.is_secret().then(OsString::new);
        let Some(value) = handed::unwrapped(value).or_else(nothing) else { return };
        match self.values.iter_mut().find(|(name, _, _)| *name == row.name) {
            Some(there) if there.1 > source => {}
            Some(there) => *there = (row.name, source, value),
            None => self.values.push((row.name, source, value)),
        }
    }
}

/// `--max-connections` for `MAX_CONNECTIONS`.
pub(super) fn flag_of(name: &str) -> String {
    format!("--{}", name.to_ascii_lowercase().replace('_', "-"))
}

/// Splits the command line into what to do and the settings in it. `--help` and `--version` end the reading:
/// they must work whatever else is wrong.
pub(super) fn command_line(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<(Action, Vec<Flag>), SettingsError> {
    let mut parser = Parser::from_args(arguments);
    let mut action = Action::Serve;
    let mut flags = Vec::new();
    loop {
        let name = match parser.next() {
            Ok(None) => return Ok((action, flags)),
            Ok(Some(Arg::Short('h'))) => return Ok((Action::Help, flags)),
            Ok(Some(Arg::Short('V'))) => return Ok((Action::Version, flags)),
            Ok(Some(Arg::Short(letter))) => {
                return Err(SettingsError::UnknownFlag { name: format!("-{letter}"), nearest: None });
            }
            Ok(Some(Arg::Value(word))) if word == TOKEN && action == Action::Serve && flags.is_empty() => {
                action = Action::Token(TokenArguments::default());
                continue;
            }
            Ok(Some(Arg::Value(word)))
                if word == HEALTHCHECK && action == Action::Serve && flags.is_empty() =>
            {
                action = Action::Healthcheck;
                continue;
            }
            Ok(Some(Arg::Value(argument))) => {
                let argument = argument.to_string_lossy().into_owned();
                return Err(SettingsError::UnexpectedArgument { argument });
            }
            Ok(Some(Arg::Long(name))) => format!("--{name}"),
            // The only error of `next` is a value that nobody asked for, as in `--check=yes`.
            Err(_) => return Err(SettingsError::UnexpectedValue { name: flag_of(CHECK) }),
        };
        match name.as_str() {
            "--help" => return Ok((Action::Help, flags)),
            "--version" => return Ok((Action::Version, flags)),
            "--check" => action = Action::Check,
            _ => {
                if let Action::Token(order) = &mut action
                    && let Some(flag) = token_arguments::FLAGS.into_iter().find(|flag| flag.name() == name)
                {
                    let value = parser
                        .value()
                        .map_err(|_| SettingsError::NoValue { name, allowed: flag.to_string() })?;
                    order.set(flag, &value)?;
                    continue;
                }
                let row = flag(&name)?;
                let value = parser
                    .value()
                    .map_err(|_| SettingsError::NoValue { name, allowed: row.kind.to_string() })?;
                flags.push((row, value));
            }
        }
    }
}

fn flag(name: &str) -> Result<&'static Setting, SettingsError> {
    if let Some(row) = SETTINGS.iter().find(|row| flag_of(row.name) == name) {
        return Ok(row);
    }
    let others = [CHECK, "HELP", "VERSION"];
    let flags = SETTINGS.iter().map(|row| row.name).chain(others).map(flag_of);
    Err(SettingsError::UnknownFlag { nearest: nearest(name, flags), name: name.to_owned() })
}

/// The setting that a variable is about; `None`: it is none of ours.
fn variable(name: &str, value: &OsStr) -> Result<Option<(&'static Setting, Source)>, SettingsError> {
    let (plain, source) = match name.strip_prefix(PREFIX) {
        Some(plain) => (plain, Source::OwnVariable),
        None => (name, Source::Variable),
    };
    if source == Source::OwnVariable && is_service_link(plain, value) {
        return Ok(None);
    }
    match (SETTINGS.iter().find(|row| row.name == plain), source) {
        (Some(row), _) => Ok(Some((row, source))),
        (None, Source::OwnVariable) => {
            let nearest = nearest(plain, SETTINGS.iter().map(|row| row.name.to_owned()));
            let nearest = nearest.map(|nearest| format!("{PREFIX}{nearest}"));
            Err(SettingsError::UnknownVariable { nearest, name: name.to_owned() })
        }
        (None, _) => Ok(None),
    }
}

/// Whether Kubernetes has set this variable because a service called `peerpigeon`, or `peerpigeon-…`, is in
/// the same namespace: `…_SERVICE_HOST`, `…_SERVICE_PORT…`, `…_PORT=tcp://…`, `…_PORT_3000_TCP…`.
fn is_service_link(plain: &str, value: &OsStr) -> bool {
    let is_url = value
        .to_str()
        .is_some_and(|value| ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme)));
    let has_port_and_protocol = plain.split("PORT_").skip(1).any(|behind| {
        behind.split_once('_').is_some_and(|(port, protocol)| {
            port.parse::<u16>().is_ok() && ["TCP", "UDP", "SCTP"].iter().any(|p| protocol.starts_with(p))
        })
    });
    plain.ends_with("SERVICE_HOST")
        || plain.contains("SERVICE_PORT")
        || (plain.ends_with("PORT") && is_url)
        || has_port_and_protocol
}

/// The candidate that is the fewest slips of the keyboard away, if that is near enough to be meant.
fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::osa_distance(name, &candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= candidate.len() / 4 + 1)
        .map(|(_, candidate)| candidate)
}

/// For who cannot use the plain name, since another program of the machine does.
const PREFIX: &str = "PEERPIGEON_";

const CHECK: &str = "CHECK";

/// Far more than all settings need; a device without end is no such file.
const MAX_FILE_BYTES: u64 = 1_024 * 1_024;

const CONFIG_FILE: &str = "CONFIG_FILE";

/// The subcommands.
const TOKEN: &str = "token";
const HEALTHCHECK: &str = "healthcheck";
