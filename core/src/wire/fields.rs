//! The members of a client's message that mean something, as all dialects spell them.

use alloc::borrow::Cow;

use super::json;
use super::{Kind, Refusal, Target};
use crate::mesh::networks::{GLOBAL, GLOBAL_JSON};
use crate::{Signal, Spelling, Verb};

/// A longer `type` is not repeated in the error about it.
const OFFENDING_TYPE_BYTES: usize = 66;

/// `targetPeerId`
const LONGEST_NAME: usize = 12;

/// `renegotiation-answer`
const LONGEST_TYPE: usize = 20;

/// Each as it came. Of a key that comes twice the last one counts; unknown keys are skipped.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) data: Option<&'a str>,
    pub(super) peer: Option<&'a str>,
    pub(super) target: Option<&'a str>,
    pub(super) network: Option<&'a str>,
    pub(super) max_peers: Option<&'a str>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(text: &'a str, nesting_levels: u32) -> Result<Fields<'a>, Refusal> {
        let mut fields = Fields::default();
        let object = json::each_member(text, nesting_levels, |member| {
            let key = member.key_bytes();
            // Without its quotes.
            if let Some(field) = fields.field(&key[1..key.len() - 1]) {
                *field = Some(member.value());
            } else if let Some(name) = json::read_escaped::<LONGEST_NAME>(member.key())
                && let Some(field) = fields.field(name.as_str().as_bytes())
            {
                *field = Some(member.value());
            }
        });
        match object {
            Ok(()) => Ok(fields),
            Err(reason) => Err(reason.into()),
        }
    }

    /// The field with this name.
    fn field(&mut self, name: &[u8]) -> Option<&mut Option<&'a str>> {
        // Compared whole: patterns would be compared byte by byte.
        Some(match name {
            _ if name == b"type" => &mut self.kind,
            _ if name == b"data" => &mut self.data,
            _ if name == b"peerId" => &mut self.peer,
            _ if name == b"targetPeerId" => &mut self.target,
            _ if name == b"networkName" => &mut self.network,
            _ if name == b"maxPeers" => &mut self.max_peers,
            _ => return None,
        })
    }

    /// The `type`, if it is a string that is short enough to be repeated in an error.
    pub(super) fn offending_type(&self) -> Option<&'a str> {
        self.kind.filter(|raw| raw.starts_with('"') && raw.len() <= OFFENDING_TYPE_BYTES)
    }

    pub(super) fn kind(&self) -> Result<Kind, Refusal> {
        let raw = self.kind.filter(|raw| raw.starts_with('"')).ok_or(Refusal::TypeNotAString)?;
        let escaped = json::read_escaped::<LONGEST_TYPE>(raw);
        let name = escaped.as_ref().map_or_else(|| raw.trim_matches('"'), json::Ascii::as_str);
        let signal = Signal::named(name).map(Kind::Signal);
        let verbs = Verb::ALL.into_iter().filter(|verb| *verb != Verb::Discover);
        let verb = || verbs.clone().find(|verb| verb.name() == name).map(Kind::Verb);
        signal.or_else(verb).ok_or(Refusal::UnknownType)
    }

    /// `absent` when missing, `null` or empty.
    pub(super) fn target(&self, absent: Target) -> Result<Target, Refusal> {
        match said(self.target) {
            None => Ok(absent),
            Some(raw) => peer_id(raw).map(Target::Peer).ok_or(Refusal::TargetNotAnId),
        }
    }

    /// `None` when missing, `null` or empty.
    pub(super) fn peer(&self) -> Result<Option<Spelling>, Refusal> {
        said(self.peer).map(|raw| peer_id(raw).ok_or(Refusal::PeerNotAnId)).transpose()
    }

    /// The default when missing, `null` or empty.
    pub(super) fn network(&self, max_bytes: u32) -> Result<Cow<'a, str>, Refusal> {
        match said(self.network) {
            None | Some(GLOBAL_JSON) => Ok(Cow::Borrowed(GLOBAL)),
            Some(raw) => {
                let too_long = Refusal::NetworkTooLong { bytes: max_bytes };
                // No byte takes more than six where it is escaped.
                if raw.starts_with('"') && raw.len() - 2 > 6 * max_bytes as usize {
                    return Err(too_long);
                }
                let name = json::read_string(raw).ok_or(Refusal::NetworkNotAString)?;
                if name.len() > max_bytes as usize { Err(too_long) } else { Ok(name) }
            }
        }
    }

    /// `None` when missing or not a number. A number that no `f64` holds is infinite.
    pub(super) fn max_peers(&self) -> Option<f64> {
        let raw = self.max_peers?;
        if !raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return None;
        }
        Some(serde_json::from_str(raw).unwrap_or(if raw.starts_with('-') {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        }))
    }
}

/// `null` and the empty string say nothing.
fn said(raw: Option<&str>) -> Option<&str> {
    raw.filter(|raw| !matches!(*raw, "null" | "\"\""))
}

fn peer_id(raw: &str) -> Option<Spelling> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    // Digits may be escaped, too.
    Spelling::parse(inner)
        .or_else(|| Spelling::parse(json::read_ascii::<{ Spelling::DIGITS }>(raw)?.as_str()))
}
