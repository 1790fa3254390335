//! The settings for readers: help, check, and the tables of the document.

use super::sources::{Sources, flag_of};
use super::token_arguments::{self, TokenFlag};
use super::{Group, SETTINGS, Setting, Settings, ValueKind};
use crate::program::worst_case::WorstCase;
use core::fmt::Write as _;

/// What `--help` shows; no line is longer than 100 characters.
#[must_use]
pub fn help() -> String {
    let mut text = format!("{} {}\n\n{INTRODUCTION}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    for group in Group::ALL {
        section(&mut text, group.title());
        for row in SETTINGS.iter().filter(|row| row.group == group) {
            let left = format!("{} {}", flag_of(row.name), row.kind.placeholder());
            entry(&mut text, &left, &in_a_sentence(row));
        }
    }
    section(&mut text, "Instead of serving");
    for flag in token_arguments::FLAGS {
        let sentence = match flag {
            TokenFlag::PeerId => "Mint a token, signed with AUTH_JWT_SECRET, that is bound to this peer;",
            TokenFlag::Network => "to these networks;",
            TokenFlag::ExpiresIn => "until then [1h].",
        };
        entry(&mut text, &format!("token {} VALUE", flag.name()), &format!("{sentence} {flag}."));
    }
    let sentence = "Ask the server that runs with these settings whether it is well: exit status 0 or 1.";
    entry(&mut text, "healthcheck", sentence);
    entry(&mut text, "--check", "Look the settings over, show those in force, and exit.");
    entry(&mut text, "-h, --help", "Show this.");
    entry(&mut text, "-V, --version", "Show the version.");
    text.replace(NO_BREAK, " ")
}

/// What `--check` shows: each setting, its value, and where that comes from; and the memory that they allow.
#[must_use]
pub(crate) fn effective(settings: &Settings, sources: &Sources) -> String {
    let values: Vec<String> =
        SETTINGS.iter().map(|row| format!("{}={}", row.name, row.show(settings))).collect();
    let width = values.iter().map(String::len).filter(|width| *width <= VALUE_WIDTH).max().unwrap_or(0);
    let mut text = String::new();
    for (row, value) in SETTINGS.iter().zip(values) {
        let source = match sources.text(row.name) {
            Some(_) => sources.spelled(row.name),
            None => "default".to_owned(),
        };
        line(&mut text, format_args!("{value:width$}  # {source}"));
    }
    line(&mut text, format_args!("{}", WorstCase::of(settings).to_string().trim_end()));
    text
}

/// A table of settings for `docs/SETTINGS.md`.
#[must_use]
pub fn markdown_table<'a>(rows: impl IntoIterator<Item = &'a Setting>) -> String {
    let mut text =
        "| variable | default | allowed | takes effect by | |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for row in rows {
        let default = match (row.default, &row.kind) {
            ("", _) => "none".to_owned(),
            (computed, ValueKind::Number { .. }) if computed.contains(' ') => computed.to_owned(),
            (value, _) => format!("`{value}`"),
        };
        let by = if row.waits_for_start() { "restart" } else { "reload" };
        line(&mut text, format_args!("| `{}` | {default} | {} | {by} | {} |", row.name, row.kind, row.help));
    }
    text
}

fn in_a_sentence(row: &Setting) -> String {
    let mut text = row.help.replace('`', "");
    // Writing to a string cannot fail.
    let _ = match row.kind {
        ValueKind::Number { zero: Some(zero), .. } => write!(text, " 0{NO_BREAK}={NO_BREAK}{zero}."),
        ValueKind::Word(_) => write!(text, " One of {}.", row.kind),
        ValueKind::Secret
        | ValueKind::PublicKey
        | ValueKind::Store
        | ValueKind::Bus
        | ValueKind::Prefix
        | ValueKind::File => {
            write!(text, " Allowed is {}.", row.kind)
        }
        ValueKind::Number { zero: None, .. }
        | ValueKind::Host
        | ValueKind::Mode
        | ValueKind::Endpoint
        | ValueKind::Url
        | ValueKind::Path
        | ValueKind::Addresses
        | ValueKind::Origins
        | ValueKind::Tokens => Ok(()),
    };
    let _ = match row.default {
        "" => Ok(()),
        default => write!(text, " [{default}]"),
    };
    text
}

fn section(text: &mut String, title: &str) {
    line(text, format_args!("\n{title}:"));
}

/// `left`, and beside it `right`, wrapped.
fn entry(text: &mut String, left: &str, right: &str) {
    let mut current = format!("  {left:LEFT_WIDTH$}");
    let mut at_start = true;
    for word in right.split(' ') {
        if !at_start && current.chars().count() + 1 + word.chars().count() > WIDTH {
            line(text, format_args!("{current}"));
            current = " ".repeat(2 + LEFT_WIDTH);
            at_start = true;
        }
        if !at_start {
            current.push(' ');
        }
        current.push_str(word);
        at_start = false;
    }
    line(text, format_args!("{current}"));
}

fn line(text: &mut String, content: core::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{content}");
}

const INTRODUCTION: &str = "\
The signaling server of the PeerPigeon WebRTC mesh.

Usage: peerpigeon-server [--FLAG VALUE]...

Each setting is a flag and an environment variable: --max-connections 2000 is MAX_CONNECTIONS=2000,
and PEERPIGEON_MAX_CONNECTIONS=2000 where another program uses the plain name. The flag wins over
both, and the longer name over the plain one. Times are milliseconds, sizes are bytes.
";

/// A blank that no line ends at.
const NO_BREAK: char = '\u{a0}';
const WIDTH: usize = 100;
const LEFT_WIDTH: usize = 34;
/// A value that is longer does not push all sources to the right.
const VALUE_WIDTH: usize = 48;
