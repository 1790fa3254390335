//! Strings and numbers of envelopes.

use alloc::borrow::Cow;

use super::{Envelope, NAME_BYTES};
use crate::wire::json::read_string;

/// Bytes that one byte takes at most where it is escaped.
const ESCAPED: usize = 6;

/// What a raw JSON string says. `None` when it is not a string, says more than [`NAME_BYTES`], or holds half of a
/// surrogate pair, which other readers replace: two ids could become one.
pub(super) fn short_string(raw: &str) -> Option<Cow<'_, str>> {
    if raw.len() > ESCAPED * NAME_BYTES + 2 {
        return None;
    }
    read_string(raw).filter(|text| text.len() <= NAME_BYTES)
}

pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_white)
}

/// Without the white space around it.
pub(super) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(is_white)),
        Cow::Owned(text) if text.starts_with(is_white) || text.ends_with(is_white) => {
            Cow::Owned(text.trim_matches(is_white).into())
        }
        owned @ Cow::Owned(_) => owned,
    }
}

/// White space as JavaScript's `trim` knows it (ECMA-262, `WhiteSpace` and `LineTerminator`).
fn is_white(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

/// A number of JSON. What no `f64` holds is infinite.
#[derive(Clone, Copy)]
pub(super) struct Number(f64);

/// `None` for what is no number.
pub(super) fn number(raw: &str) -> Option<Number> {
    raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then(|| raw.parse().ok().map(Number))?
}

impl Number {
    pub(super) fn is_positive(self) -> bool {
        self.0 > 0.0
    }

    /// Without its fraction, and clamped to what can be told apart.
    pub(super) fn unsigned(self) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let whole = self.0 as u64;
        whole.min(Envelope::LATEST)
    }
}
