//! Tokens: those of the setting `AUTH_TOKEN`, and where a request has its own.

use core::fmt;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use subtle::{Choice, ConstantTimeEq as _};

/// The tokens that let somebody in; each is as good as the others.
///
/// Several, since a token can be replaced only while both are valid: pages that are open keep the old one.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens(Vec<String>);

impl Tokens {
    /// Reads a comma list of tokens: visible ASCII characters other than the comma.
    ///
    /// # Errors
    ///
    /// What is wrong; never says what the token is.
    pub fn parse(text: &str) -> Result<Tokens, TokensError> {
        let tokens: Vec<String> = text.split(',').map(|token| token.trim().to_owned()).collect();
        if tokens.iter().any(String::is_empty) {
            Err(TokensError::Empty)
        } else if !tokens.iter().all(|token| token.bytes().all(|b| b.is_ascii_graphic())) {
            Err(TokensError::BadCharacter)
        } else {
            Ok(Tokens(tokens))
        }
    }

    /// Whether `token` is one of them. Takes as long for every wrong token of one length.
    #[must_use]
    pub fn contains(&self, token: &[u8]) -> bool {
        let found = self.0.iter().fold(Choice::from(0), |found, ours| found | ours.as_bytes().ct_eq(token));
        found.into()
    }
}

/// Never shows a token.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({} hidden)", self.0.len())
    }
}

/// Why a text is no [`Tokens`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokensError {
    /// Nothing between two commas.
    Empty,
    /// A blank, a control character, or one outside ASCII.
    BadCharacter,
}

impl fmt::Display for TokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokensError::Empty => "a token is empty",
            TokensError::BadCharacter => "a token has a character that is not visible ASCII",
        })
    }
}

impl core::error::Error for TokensError {}

/// The tokens that a request brings: the first `token` in the query of `target`, and that of `authorization`, the
/// value of its header, as `Bearer TOKEN` (RFC 6750 section 2.1).
///
/// Browsers cannot set headers of an upgrade, so most clients use the query. One valid token is enough:
/// proxies add an `Authorization` of their own.
pub(crate) fn presented<'a>(
    target: &'a str,
    authorization: Option<&'a str>,
) -> impl Iterator<Item = Cow<'a, [u8]>> {
    let header = authorization.and_then(bearer);
    let query = in_query(target).map(|token| percent_decode_str(token).into());
    query.into_iter().chain(header.map(|token| token.as_bytes().into()))
}

/// The first `token` in the query of an origin-form or absolute-form target (RFC 9112 section 3.2), still
/// percent-encoded.
///
/// A `+` stays one: tokens hold no blanks, and base64 has `+`.
fn in_query(target: &str) -> Option<&str> {
    let (_, query) = target.split_once('?')?;
    query.split('&').find_map(|parameter| {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        percent_decode_str(key).eq(*b"token").then_some(value)
    })
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_brought_by_the_query_or_by_the_header() {
        const MISSING: (bool, bool) = (true, false);
        const WRONG: (bool, bool) = (false, false);
        const GOOD: (bool, bool) = (false, true);
        let tokens = Tokens::parse("s3cret+/=,second").unwrap();
        for (target, authorization, expected) in [
            ("/", None, MISSING),
            ("/?", None, MISSING),
            ("/?peerId=1&tokens=s3cret+/=", None, MISSING),
            ("/token=second", None, MISSING),
            ("/?token", None, WRONG),
            ("/?token=", None, WRONG),
            ("/?token=second", None, GOOD),
            ("/?peerId=1&token=second&x=y", None, GOOD),
            ("http://host/ws?token=second", None, GOOD),
            ("/?token=s3cret+/=", None, GOOD),
            ("/?token=s3cret%2B%2f%3D", None, GOOD),
            ("/?%74oken=second", None, GOOD),
            ("/?token=secon", None, WRONG),
            ("/?token=secondd", None, WRONG),
            ("/?token=SECOND", None, WRONG),
            ("/?token=%ff%fe", None, WRONG),
            ("/?token=second%", None, WRONG),
            ("/?token=s3cret+/=,second", None, WRONG),
            ("/?token=wrong&token=second", None, WRONG),
            ("/?token=second&token=wrong", None, GOOD),
            ("/", Some("Bearer second"), GOOD),
            ("/", Some("bearer  second "), GOOD),
            ("/", Some("Bearer s3cret+/="), GOOD),
            ("/", Some("Bearer s3cret%2B/="), WRONG),
            ("/", Some("Bearer"), MISSING),
            ("/", Some("Basic second"), MISSING),
            ("/", Some("Basic eDp5"), MISSING),
            ("/", Some("Bearer wrong"), WRONG),
            ("/?token=wrong", Some("Bearer second"), GOOD),
            ("/?token=second", Some("Basic eDp5"), GOOD),
            ("/?token=wrong", Some("Basic eDp5"), WRONG),
        ] {
            let brought: Vec<_> = presented(target, authorization).collect();
            let is_good = brought.iter().any(|token| tokens.contains(token));
            assert_eq!((brought.is_empty(), is_good), expected, "{target} {authorization:?}");
        }
    }

    #[test]
    fn a_token_is_visible_ascii() {
        for (text, expected) in [
            ("", TokensError::Empty),
            (" ", TokensError::Empty),
            ("a,", TokensError::Empty),
            ("a,,b", TokensError::Empty),
            ("two words", TokensError::BadCharacter),
            ("a\nb", TokensError::BadCharacter),
            ("schlüssel", TokensError::BadCharacter),
        ] {
            assert_eq!(Tokens::parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn tokens_are_never_shown() {
        let tokens = Tokens::parse("s3cret,second").unwrap();
        assert_eq!(format!("{tokens:?}"), "Tokens(2 hidden)");
    }
}
