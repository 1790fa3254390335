//! Reading an envelope.

use alloc::borrow::Cow;

use super::{Envelope, EnvelopeKind, EnvelopeMember, Flaw, Malformed, NAME_BYTES};
use crate::Limits;
use crate::wire::json::{self, each_member, read_string, says};

/// `psp_version`
const LONGEST_MEMBER: usize = 11;

/// `connect_request`
const LONGEST_TYPE: usize = 15;

/// A longer `type` is not repeated in the error about it.
const OFFENDING_TYPE_BYTES: usize = 66;

/// Bytes that one byte takes at most where it is escaped.
const ESCAPED: usize = 6;

/// What a client says.
///
/// # Errors
/// The first flaw that is found, with what the answer needs.
pub(crate) fn read<'a>(text: &'a str, limits: &Limits) -> Result<Envelope<'a>, Malformed<'a>> {
    let mut members = Members::default();
    let is_object = each_member(text, limits.nesting_levels, |member| {
        if let Some(place) = members.place(member.key()) {
            *place = Some(member.value());
        }
    });
    let envelope = if is_object.is_ok() { members.envelope() } else { Err(Flaw::Json) };
    envelope.map_err(|flaw| members.malformed(flaw))
}

/// Whether a text looks like an envelope: an object with a `psp_version`, whatever that is.
pub(crate) fn is_psp(text: &str, limits: &Limits) -> bool {
    let mut is_psp = false;
    let is_object =
        each_member(text, limits.nesting_levels, |member| is_psp |= says(member.key(), "psp_version"));
    is_object.is_ok() && is_psp
}

/// Each as it came. Of a member that comes twice the last one counts, as in `JSON.parse`, however its name is spelled: a
/// receiver reads the same out of a relayed text as the server did. Members with other names mean nothing.
#[derive(Default)]
struct Members<'a> {
    psp_version: Option<&'a str>,
    kind: Option<&'a str>,
    network: Option<&'a str>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    session_id: Option<&'a str>,
    message_id: Option<&'a str>,
    timestamp: Option<&'a str>,
    ttl_ms: Option<&'a str>,
    body: Option<&'a str>,
}

impl<'a> Members<'a> {
    /// Where a member with this key belongs.
    fn place(&mut self, key: &str) -> Option<&mut Option<&'a str>> {
        let escaped = json::read_escaped::<LONGEST_MEMBER>(key);
        let name = escaped
            .as_ref()
            .map_or_else(|| &key.as_bytes()[1..key.len() - 1], |name| name.as_str().as_bytes());
        // Compared whole: patterns would be compared byte by byte.
        Some(match name {
            _ if name == b"psp_version" => &mut self.psp_version,
            _ if name == b"type" => &mut self.kind,
            _ if name == b"network" => &mut self.network,
            _ if name == b"from" => &mut self.from,
            _ if name == b"to" => &mut self.to,
            _ if name == b"session_id" => &mut self.session_id,
            _ if name == b"message_id" => &mut self.message_id,
            _ if name == b"timestamp" => &mut self.timestamp,
            _ if name == b"ttl_ms" => &mut self.ttl_ms,
            _ if name == b"body" => &mut self.body,
            _ => return None,
        })
    }

    fn envelope(&self) -> Result<Envelope<'a>, Flaw> {
        if !self.psp_version.is_some_and(|raw| raw.starts_with('"') && says(raw, "1.0")) {
            return Err(Flaw::Member(EnvelopeMember::PspVersion));
        }
        let kind = self.kind()?;
        let network = required(self.network, EnvelopeMember::Network)?;
        let from = required(self.from, EnvelopeMember::From)?;
        let to = match self.to.filter(|raw| *raw != "null") {
            None => None,
            to => Some(required(to, EnvelopeMember::To)?),
        };
        let stated = self.stated_room()?;
        let states_room = stated.is_some();
        let room = stated.unwrap_or_else(|| trimmed(network.clone()));
        required(self.message_id, EnvelopeMember::MessageId)?;
        let timestamp =
            self.timestamp.and_then(number).ok_or(Flaw::Member(EnvelopeMember::Timestamp))?.unsigned();
        if self.body.is_some_and(|raw| !raw.starts_with('{')) {
            return Err(Flaw::Member(EnvelopeMember::Body));
        }
        Ok(Envelope {
            kind,
            network,
            room,
            states_room,
            from,
            to,
            message_id: self.message_id.unwrap_or_default(),
            timestamp,
            ttl_ms: self
                .ttl_ms
                .and_then(number)
                .filter(|ttl| ttl.is_positive())
                .map(|ttl| ttl.unsigned().max(1)),
            body: self.body,
        })
    }

    fn kind(&self) -> Result<EnvelopeKind, Flaw> {
        let raw = self.kind.filter(|raw| raw.starts_with('"')).ok_or(Flaw::Member(EnvelopeMember::Type))?;
        let escaped = json::read_escaped::<LONGEST_TYPE>(raw);
        let name = escaped.as_ref().map_or_else(|| &raw[1..raw.len() - 1], json::Ascii::as_str);
        EnvelopeKind::named(name).ok_or(Flaw::UnknownType)
    }

    /// `None` when absent, `null` or blank.
    fn stated_room(&self) -> Result<Option<Cow<'a, str>>, Flaw> {
        let Some(raw) = self.session_id.filter(|raw| *raw != "null") else { return Ok(None) };
        let room = short_string(raw).ok_or(Flaw::Member(EnvelopeMember::SessionId))?;
        Ok(Some(trimmed(room)).filter(|room| !room.is_empty()))
    }

    fn malformed(&self, flaw: Flaw) -> Malformed<'a> {
        let repeatable = |raw: &&str| short_string(raw).is_some();
        Malformed {
            flaw,
            message_id: self.message_id.filter(repeatable),
            kind: self.kind.filter(|raw| raw.starts_with('"') && raw.len() <= OFFENDING_TYPE_BYTES),
            from: self.from.filter(repeatable),
        }
    }
}

fn required(raw: Option<&str>, member: EnvelopeMember) -> Result<Cow<'_, str>, Flaw> {
    raw.and_then(short_string).filter(|text| !is_blank(text)).ok_or(Flaw::Member(member))
}

/// What a raw JSON string says. `None` when it is not a string, says more than [`NAME_BYTES`], or holds half of a
/// surrogate pair, which other readers replace: two ids could become one.
pub(super) fn short_string(raw: &str) -> Option<Cow<'_, str>> {
    if raw.len() > ESCAPED * NAME_BYTES + 2 {
        return None;
    }
    read_string(raw).filter(|text| text.len() <= NAME_BYTES)
}

fn is_blank(text: &str) -> bool {
    text.chars().all(is_white)
}

/// Without the white space around it.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
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
    fn is_positive(self) -> bool {
        self.0 > 0.0
    }

    /// Without its fraction, and clamped to what can be told apart.
    pub(super) fn unsigned(self) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let whole = self.0 as u64;
        whole.min(Envelope::LATEST)
    }
}
