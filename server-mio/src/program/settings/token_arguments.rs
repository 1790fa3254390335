//! `peerpigeon-server token`: what the token to be minted says.

use super::{Settings, SettingsError, secrecy};
use crate::access::Claims;
use crate::access::is_bindable;
use core::fmt;
use peerpigeon_core::Grant;
use std::ffi::OsString;

/// What the command line asks a token for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenArguments {
    peer: Option<String>,
    networks: Vec<String>,
    lives_seconds: u64,
}

impl Default for TokenArguments {
    fn default() -> TokenArguments {
        TokenArguments { peer: None, networks: Vec::new(), lives_seconds: HOUR }
    }
}

impl TokenArguments {
    /// What a token minted at `now`, in seconds since 1970, says.
    #[must_use]
    pub fn claims(&self, now: u64) -> Claims {
        let expires = now.saturating_add(self.lives_seconds);
        Claims { peer: self.peer.clone(), networks: self.networks.clone(), expires }
    }

    /// Takes the value of one of the [`FLAGS`].
    pub(super) fn set(&mut self, flag: TokenFlag, value: &OsString) -> Result<(), SettingsError> {
        let text = value.to_str().unwrap_or_default();
        let taken = match flag {
            TokenFlag::PeerId => {
                // A token in the place of an id is a mistake.
                let is_id = is_bindable(text) && (secrecy::shown(text) == text || is_hex(text));
                self.peer = is_id.then(|| text.to_owned());
                self.peer.is_some()
            }
            TokenFlag::Network => {
                self.networks.push(text.to_owned());
                // An empty name would be another way to say `global`.
                self.networks.len() <= Grant::MAX_NETWORKS && !text.is_empty()
            }
            TokenFlag::ExpiresIn => {
                self.lives_seconds = seconds(text).unwrap_or(0);
                self.lives_seconds > 0
            }
        };
        if taken {
            return Ok(());
        }
        Err(refused(flag, &value.to_string_lossy(), None))
    }

    /// Whether a server with these settings takes what it says.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), SettingsError> {
        let most = settings.max_network_name;
        match self.networks.iter().find(|name| name.len() > most as usize) {
            Some(name) => {
                let detail = format!("it is longer than {most} bytes (MAX_NETWORK_NAME)");
                Err(refused(TokenFlag::Network, name, Some(detail)))
            }
            None => Ok(()),
        }
    }
}

fn refused(flag: TokenFlag, value: &str, detail: Option<String>) -> SettingsError {
    let value = Some(value.to_owned());
    SettingsError::BadValue { name: flag.name().to_owned(), value, detail, allowed: flag.to_string() }
}

/// The flags behind `token`, beside those of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenFlag {
    PeerId,
    Network,
    ExpiresIn,
}

/// All of them.
pub(super) const FLAGS: [TokenFlag; 3] = [TokenFlag::PeerId, TokenFlag::Network, TokenFlag::ExpiresIn];

impl TokenFlag {
    pub(super) fn name(self) -> &'static str {
        match self {
            TokenFlag::PeerId => "--peer-id",
            TokenFlag::Network => "--network",
            TokenFlag::ExpiresIn => "--expires-in",
        }
    }
}

/// What is allowed, as a noun phrase.
impl fmt::Display for TokenFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenFlag::PeerId => {
                f.write_str("an id of 1 to 128 bytes, for most clients 40 hexadecimal digits")
            }
            TokenFlag::Network => write!(f, "a network name, {} times at most", Grant::MAX_NETWORKS),
            TokenFlag::ExpiresIn => f.write_str("a time such as 90s, 15m, 12h or 30d, up to 3650d"),
        }
    }
}

fn seconds(text: &str) -> Option<u64> {
    let unit = match text.chars().next_back()? {
        's' => 1,
        'm' => 60,
        'h' => HOUR,
        'd' => DAY,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let count: u64 = digits.parse().ok().filter(|_| !digits.starts_with('+'))?;
    count.checked_mul(unit).filter(|seconds| *seconds <= 3_650 * DAY)
}

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_unit() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("12h", Some(43_200)),
            ("3650d", Some(315_360_000)),
            ("3651d", None),
            ("90", None),
            ("", None),
            ("h", None),
            ("+1h", None),
            ("-1h", None),
            ("1.5h", None),
            ("1ä", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}
