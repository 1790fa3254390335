//! Values as shells, containers, orchestrators and service managers hand them over. One rule for all settings, wherever
//! they stand; `docs/OPERATIONS.md` tells it.

use core::fmt;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

/// The value without blanks and line ends around it, and without one pair of quotation marks, which `--env-file` of Docker
/// and `EnvironmentFile=` of others leave. `None`: nothing is left, so the setting counts as not given.
pub(super) fn unwrapped(value: OsString) -> Option<OsString> {
    let Some(text) = value.to_str() else { return Some(value) };
    let text = trimmed(text);
    if text.is_empty() { None } else { Some(text.to_owned().into()) }
}

fn trimmed(text: &str) -> &str {
    let text = text.trim();
    let inner = ['"', '\''].iter().find_map(|mark| text.strip_prefix(*mark)?.strip_suffix(*mark));
    inner.map_or(text, str::trim)
}

/// A word in lower case, and `on` or `off` where `words` has them and another program would say `true` or `0`.
pub(super) fn word(text: &str, words: &[&str]) -> String {
    let word = text.to_ascii_lowercase();
    let switch = match word.as_str() {
        "true" | "yes" | "1" => "on",
        "false" | "no" | "0" => "off",
        _ => return word,
    };
    if words.contains(&switch) { switch.to_owned() } else { word }
}

/// The text of a secret: that of the file, if the value is an absolute path, as of a secret that is mounted.
///
/// # Errors
///
/// Why the file cannot be read, or what is wrong with it.
pub(super) fn secret(value: &str) -> Result<String, String> {
    if !value.starts_with('/') {
        return Ok(value.to_owned());
    }
    let mut text = String::new();
    File::open(value)
        .and_then(|file| file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("what begins with / is a file: {error}"))?;
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(format!("the file is longer than {MAX_SECRET_BYTES} bytes"));
    }
    match trimmed(&text) {
        "" => Err("the file is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// A certificate or a key in PEM.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// In this file.
    File(PathBuf),
    /// The text itself.
    Text(String),
}

/// The file, or that it is given as text.
impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::File(path) => write!(f, "{}", path.display()),
            Pem::Text(_) => f.write_str("(PEM)"),
        }
    }
}

/// Never shows the text, which may be a key.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({self})")
    }
}

impl Pem {
    /// The text itself if there is one, else the name of a file.
    pub(crate) fn new(value: &str) -> Pem {
        pem(value).map_or_else(|| Pem::File(value.into()), Pem::Text)
    }
}

/// The text of something in PEM, given in one line with `\\n` for its line ends or not; `None`: it is no such text, so it
/// is the name of a file.
pub(crate) fn pem(value: &str) -> Option<String> {
    value.contains("-----BEGIN").then(|| value.replace("\\n", "\n"))
}

const MAX_SECRET_BYTES: u64 = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_value_does_not_count() {
        for (handed, value) in [
            ("3000", Some("3000")),
            (" 3000\r\n", Some("3000")),
            ("\"3000\"", Some("3000")),
            ("'a b'", Some("a b")),
            ("\" a \"\n", Some("a")),
            ("\"'a'\"", Some("'a'")),
            ("\"a", Some("\"a")),
            ("\"", Some("\"")),
            ("", None),
            (" \n", None),
            ("\"\"", None),
            ("''", None),
        ] {
            assert_eq!(unwrapped(handed.into()), value.map(OsString::from), "{handed:?}");
        }
    }

    #[test]
    fn words_have_no_case_and_switches_have_other_names() {
        for (text, words, expected) in [
            ("Info", &["info", "warn"][..], "info"),
            ("TRUE", &["on", "off"], "on"),
            ("0", &["on", "off"], "off"),
            ("No", &["loopback", "on", "off"], "off"),
            // Which of them is off, and which of them is meant, are two questions.
            ("true", &["off", "error"], "true"),
            ("1", &["text", "json"], "1"),
        ] {
            assert_eq!(word(text, words), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_mounted_is_read() {
        let path = std::env::temp_dir().join(format!("peerpigeon-secret-{}", std::process::id()));
        let name = path.to_str().unwrap();
        assert!(secret(name).is_err_and(|error| error.starts_with("what begins with / is a file: ")));
        for (text, expected) in
            [("s3cret\n", Ok("s3cret")), ("\"a b\"", Ok("a b")), ("\n", Err("the file is empty"))]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(secret(name).as_deref().map_err(String::as_str), expected, "{text:?}");
        }
        std::fs::write(&path, "x".repeat(70_000)).unwrap();
        assert!(secret(name).is_err_and(|error| error.contains("longer than 65536 bytes")));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(secret("s3cret").as_deref(), Ok("s3cret"));
    }
}
