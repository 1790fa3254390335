//! What can be wrong with the settings.

use super::secrecy::shown;
use core::fmt;

/// Why the server does not start. Shown as one line, whatever the values hold; never shows a secret, nor
/// what looks like one.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// A value that is not allowed.
    BadValue {
        /// The variable or flag.
        name: String,
        /// What it was set to; `None` where that is a secret.
        value: Option<String>,
        /// What is wrong with it, where there is more to say than what is allowed.
        detail: Option<String>,
        /// What it may be.
        allowed: String,
    },
    /// A file that a setting names is wrong.
    BadFile {
        name: String,
        /// Which file, and what is wrong with it.
        detail: String,
    },
    /// One setting needs another.
    Alone {
        /// The one that is given.
        given: String,
        /// The one that is missing.
        missing: &'static str,
    },
    /// Two values that do not go together, each as `NAME=value`.
    Conflict {
        first: String,
        second: String,
        /// What must hold.
        rule: String,
    },
    /// The file that `CONFIG_FILE` names.
    File {
        /// Its path, and the line.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// A variable `PEERPIGEON_…` that is no setting.
    UnknownVariable {
        name: String,
        /// The variable that looks most like it.
        nearest: Option<String>,
    },
    /// A flag that is none.
    UnknownFlag {
        name: String,
        /// The flag that looks most like it.
        nearest: Option<String>,
    },
    /// A setting that this build cannot follow; to start without it could open a door.
    NotBuilt {
        /// The variable or flag.
        name: String,
    },
    /// A token is to be minted, and there is nothing to sign it with.
    SecretMissing { name: String },
    /// A flag without its value.
    NoValue {
        name: String,
        /// What it may be.
        allowed: String,
    },
    /// A value for a flag that takes none.
    UnexpectedValue { name: String },
    /// Something on the command line that belongs to no flag.
    UnexpectedArgument { argument: String },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingsError::BadValue { name, value, detail, allowed } => {
                match value {
                    Some(value) => write!(f, "{name}={}: ", Quoted(value))?,
                    None => write!(f, "{name}=(hidden): ")?,
                }
                if let Some(detail) = detail {
                    write!(f, "{}; ", shortened(&shown(detail)))?;
                }
                write!(f, "allowed is {allowed}")
            }
            SettingsError::BadFile { name, detail } => write!(f, "{name}: {}", Plain(detail)),
            SettingsError::Alone { given, missing } => {
                write!(f, "{given}: goes with {missing}, which is not set")
            }
            SettingsError::Conflict { first, second, rule } => write!(f, "{first} with {second}: {rule}"),
            SettingsError::File { place, detail } => write!(f, "{}: {}", Plain(place), shown(detail)),
            SettingsError::UnknownVariable { name, nearest } => {
                write!(f, "{}: there is no such setting", Plain(name))?;
                suggestion(f, nearest.as_deref())
            }
            SettingsError::UnknownFlag { name, nearest } => {
                write!(f, "{}: there is no such flag", Plain(name))?;
                suggestion(f, nearest.as_deref())
            }
            SettingsError::NotBuilt { name } => {
                write!(f, "{name}: this build cannot do that; it does not start as if it could")
            }
            SettingsError::SecretMissing { name } => {
                write!(f, "{name}: not set; a token is signed with it")
            }
            SettingsError::NoValue { name, allowed } => write!(f, "{name}: needs a value, {allowed}"),
            SettingsError::UnexpectedValue { name } => write!(f, "{name}: takes no value"),
            SettingsError::UnexpectedArgument { argument } => {
                write!(f, "{}: belongs to no flag; see --help", Quoted(argument))
            }
        }
    }
}

impl core::error::Error for SettingsError {}

fn suggestion(f: &mut fmt::Formatter<'_>, nearest: Option<&str>) -> fmt::Result {
    match nearest {
        Some(nearest) => write!(f, "; did you mean {nearest}?"),
        None => f.write_str("; see --help"),
    }
}

/// In quotes, on one line, and not longer than a line should be.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", shortened(&shown(self.0)))
    }
}

/// The same without quotes.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shortened(&shown(self.0)).escape_debug())
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

const SHOWN_CHARS: usize = 100;
