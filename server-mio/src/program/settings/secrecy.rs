//! What may be shown of a value. Whatever looks like a secret may not, wherever it was put: a key ends up in the variable of
//! another setting sooner or later, and what is shown ends up in logs.

use std::borrow::Cow;

/// The same text, with what looks like a secret replaced by `(hidden)`: keys in PEM up to their end, passwords in URLs,
/// and long words that nobody would have thought up.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if let Some(begin) = text.find(PEM_START) {
        return Cow::Owned(format!("{}{HIDDEN}", shown(&text[..begin])));
    }
    let mut shown = String::new();
    let mut rest = text;
    while let Some(word) = rest.find(is_of_word).map(|at| &rest[at..]) {
        let before = rest.len() - word.len();
        let length = word.find(|char| !is_of_word(char)).unwrap_or(word.len());
        shown.push_str(&rest[..before]);
        shown.push_str(if looks_secret(&word[..length]) { HIDDEN } else { &word[..length] });
        rest = &word[length..];
    }
    shown.push_str(rest);
    let shown = without_password(&shown).unwrap_or(shown);
    if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

/// Digits of base64 in either alphabet, and of hex.
fn is_of_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || "+/=_-".contains(char)
}

/// Words that people choose are short, or have marks between their parts, or have no digits in the middle.
fn looks_secret(word: &str) -> bool {
    let is_mixed = |part: &str| {
        part.bytes().any(|b| b.is_ascii_digit()) && part.bytes().any(|b| b.is_ascii_alphabetic())
    };
    let has_long_part =
        word.split(|char: char| !char.is_ascii_alphanumeric()).any(|part| part.len() >= 20 && is_mixed(part));
    let has_all = is_mixed(word)
        && word.bytes().any(|b| b.is_ascii_uppercase())
        && word.bytes().any(|b| b.is_ascii_lowercase());
    has_long_part || (word.len() >= 32 && has_all && !word.starts_with('/'))
}

/// `scheme://user:password@host` without what stands before the `@`.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', ',', '"']).unwrap_or(rest.len());
    let at = rest[..end].rfind('@').filter(|at| rest[..*at].contains(':'))?;
    Some(format!("{scheme}://{HIDDEN}{}", &rest[at..]))
}

const PEM_START: &str = "-----BEGIN";
const HIDDEN: &str = "(hidden)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        for (text, expected) in [
            ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----", "(hidden)"),
            ("it is \"-----BEGIN CERTIFICATE-----\\nMII\"", "it is \"(hidden)"),
            ("5f4dcc3b5aa765d61d8327deb882cf99", "(hidden)"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x", "(hidden).(hidden).x"),
            ("no such file: MC4CAQAwBQYDK2VwBCIEIKd1", "no such file: (hidden)"),
            ("aB3/aB3_aB3-aB3/aB3_aB3-aB3/aB3+aB3=", "(hidden)"),
            ("https://user:hunter2@signal.example/x", "https://(hidden)@signal.example/x"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn what_people_write_is_shown() {
        for text in [
            "",
            "3000",
            "99999999999999999999",
            "https://*.signaling.example.com:8443,null",
            "10.0.0.0/8,2001:db8:85a3:8d3:1319:8a2e:370:7348",
            "/etc/letsencrypt/live/signal.example/privkey.pem",
            "/etc/ssl/Example-Signaling-Server-2026/Private.key",
            "unix:/run/peerpigeon/peerpigeon-12345.sock",
            "123e4567-e89b-12d3-a456-426614174000",
            "user@signal.example",
            "\u{e4}\u{20ac}\u{1f426}",
        ] {
            assert_eq!(shown(text), text);
        }
    }
}
