//! Reading an envelope.

use alloc::borrow::Cow;

use super::values::{is_blank, number, short_string, trimmed};
use super::{Envelope, EnvelopeKind, EnvelopeMember, Flaw, Malformed};
use crate::Limits;
use crate::wire::json::{self, each_member, says};

/// `psp_version`
const LONGEST_MEMBER: usize = 11;

/// `connect_request`
const LONGEST_TYPE: usize = 15;

/// A longer `type` is not repeated in the error about it.
const OFFENDING_TYPE_BYTES: usize = 66;

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
            kind: self.kind.filter(|raw| raw.len() <= OFFENDING_TYPE_BYTES && repeatable(raw)),
            from: self.from.filter(repeatable),
        }
    }
}

fn required(raw: Option<&str>, member: EnvelopeMember) -> Result<Cow<'_, str>, Flaw> {
    raw.and_then(short_string).filter(|text| !is_blank(text)).ok_or(Flaw::Member(member))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;
    use alloc::{format, vec};
    use proptest::prelude::*;
    use serde_json::Value;

    /// An envelope in which these members are otherwise; an empty value leaves one out.
    fn text(changes: &[(&str, &str)]) -> String {
        let members = [
            ("psp_version", "\"1.0\""),
            ("type", "\"offer\""),
            ("network", "\"n\""),
            ("from", "\"a\""),
            ("to", "\"b\""),
            ("session_id", "\"r\""),
            ("message_id", "\"m\""),
            ("timestamp", "1700000000000"),
            ("ttl_ms", "null"),
            ("reply_to", "null"),
            ("body", "{\"sdp\":\"v=0\\r\\n\"}"),
        ];
        let written = members.iter().filter_map(|(name, value)| {
            let value =
                changes.iter().find(|(changed, _)| changed == name).map_or(*value, |(_, value)| value);
            (!value.is_empty()).then(|| format!("\"{name}\":{value}"))
        });
        format!("{{{}}}", written.collect::<Vec<_>>().join(","))
    }

    fn flaw(text: &str) -> Option<Flaw> {
        read(text, &Limits::default()).err().map(|malformed| malformed.flaw)
    }

    #[test]
    fn an_envelope_is_read_as_it_was_written() {
        let expected = Envelope {
            kind: EnvelopeKind::Offer,
            network: Cow::Borrowed("n"),
            room: Cow::Borrowed("r"),
            states_room: true,
            from: Cow::Borrowed("a"),
            to: Some(Cow::Borrowed("b")),
            message_id: "\"m\"",
            timestamp: 1_700_000_000_000,
            ttl_ms: None,
            body: Some("{\"sdp\":\"v=0\\r\\n\"}"),
        };
        assert_eq!(read(&text(&[]), &Limits::default()), Ok(expected));
        // Members that mean nothing, some of them to JavaScript only.
        let more = text(&[]).replacen(
            '{',
            r#"{"__proto__":{"from":"x"},"constructor":1,"From":"x","via":["y"],"#,
            1,
        );
        assert_eq!(read(&more, &Limits::default()).unwrap().from, "a");
    }

    #[test]
    fn a_client_that_names_no_room_is_in_the_room_of_its_networks_name() {
        for session in ["", "null", "\"\"", "\" \\t\\u00a0\\ufeff\""] {
            let text = text(&[("session_id", session), ("network", "\" net \"")]);
            let envelope = read(&text, &Limits::default()).unwrap();
            assert_eq!((&*envelope.network, &*envelope.room), (" net ", "net"), "{session}");
            assert!(!envelope.states_room);
        }
        for session in ["\" r\\n\"", "\"r\\ufeff\"", "\"\\u2003r\""] {
            let text = text(&[("session_id", session)]);
            let envelope = read(&text, &Limits::default()).unwrap();
            assert_eq!((&*envelope.room, envelope.states_room), ("r", true), "{session}");
        }
    }

    #[test]
    fn each_flaw_is_named() {
        use EnvelopeMember::{Body, From, MessageId, Network, PspVersion, SessionId, Timestamp, To, Type};
        let wrong = |name: &str, values: &[&str], member: EnvelopeMember| {
            for value in values {
                assert_eq!(flaw(&text(&[(name, value)])), Some(Flaw::Member(member)), "{name}: {value}");
            }
        };
        wrong("psp_version", &["", "null", "1.0", "\"1\"", "\"1.00\"", "91.00", "\"2.0\""], PspVersion);
        wrong("type", &["", "null", "7", "{}"], Type);
        let lone = r#""\ud800""#;
        let long = format!("\"{}\"", "x".repeat(129));
        let escaped = format!("\"{}\"", r"\u0078".repeat(129));
        let text_members = [("network", Network), ("from", From), ("message_id", MessageId), ("to", To)];
        for (name, member) in text_members {
            wrong(name, &["7", "{}", "[]", "true", "\"\"", "\" \\n\\u2003\"", lone, &long, &escaped], member);
        }
        for (name, member) in text_members.into_iter().take(3) {
            wrong(name, &["", "null"], member);
        }
        wrong("session_id", &["7", "{}", lone, &long], SessionId);
        wrong("timestamp", &["", "null", "\"7\"", "{}"], Timestamp);
        wrong("body", &["null", "[]", "\"{}\"", "7"], Body);
        for name in ["\"\"", "\"toString\"", "\"Offer\"", "\"offer \"", "\"peer-list\"", lone] {
            assert_eq!(flaw(&text(&[("type", name)])), Some(Flaw::UnknownType), "{name}");
        }
        for text in
            ["", "[]", "7", "\"x\"", "{", "{}x", &format!("{{\"a\":{}{}}}", "[".repeat(128), "]".repeat(128))]
        {
            assert_eq!(flaw(text), Some(Flaw::Json), "{text}");
        }
    }

    #[test]
    fn names_may_be_as_long_as_the_limit_however_they_are_written() {
        for name in ["x".repeat(128), "é".repeat(64), r"\u0078".repeat(128), r"\ud83d\ude00".repeat(32)] {
            let name = format!("\"{name}\"");
            let text = text(&[
                ("network", &name),
                ("from", &name),
                ("to", &name),
                ("session_id", &name),
                ("message_id", &name),
            ]);
            let envelope = read(&text, &Limits::default()).unwrap();
            assert_eq!(envelope.from.len(), 128);
            assert_eq!((&envelope.network, &envelope.room), (&envelope.from, &envelope.from));
            assert_eq!((envelope.to.as_deref(), envelope.message_id), (Some(&*envelope.from), &*name));
        }
    }

    #[test]
    fn the_last_of_two_members_counts_however_they_are_spelled() {
        let forged = text(&[]).replacen('{', r#"{"from":"x","\u0066rom":"y","type":"bye","#, 1);
        assert_eq!(read(&forged, &Limits::default()).unwrap().from, "a");
        let text = text(&[]);
        let (forged, _) = text.rsplit_once('}').unwrap();
        let forged = format!(r#"{forged},"fr\u006fm":"\u0079","t\u0079pe":"\u0062ye","to":null}}"#);
        let envelope = read(&forged, &Limits::default()).unwrap();
        assert_eq!((&*envelope.from, envelope.kind, envelope.to), ("y", EnvelopeKind::Bye, None));
    }

    #[test]
    fn numbers_are_cut_and_clamped() {
        let latest = Envelope::LATEST;
        for (raw, timestamp, ttl) in [
            ("0", 0, None),
            ("-0", 0, None),
            ("-7", 0, None),
            ("-1e400", 0, None),
            ("0.5", 0, Some(1)),
            ("1700000000000.9", 1_700_000_000_000, Some(1_700_000_000_000)),
            ("1.5e3", 1_500, Some(1_500)),
            ("9007199254740991", latest, Some(latest)),
            ("9007199254740993", latest, Some(latest)),
            ("1e400", latest, Some(latest)),
        ] {
            let text = text(&[("timestamp", raw), ("ttl_ms", raw)]);
            let envelope = read(&text, &Limits::default()).unwrap();
            assert_eq!((envelope.timestamp, envelope.ttl_ms), (timestamp, ttl), "{raw}");
        }
        for raw in ["", "null", "\"7\"", "{}", "true"] {
            assert_eq!(read(&text(&[("ttl_ms", raw)]), &Limits::default()).unwrap().ttl_ms, None, "{raw}");
        }
    }

    #[test]
    fn the_answer_to_what_is_refused_finds_what_it_needs() {
        let text = text(&[("type", "\"\\u0078\""), ("to", "7")]);
        let expected = Malformed {
            flaw: Flaw::UnknownType,
            message_id: Some("\"m\""),
            kind: Some("\"\\u0078\""),
            from: Some("\"a\""),
        };
        assert_eq!(read(&text, &Limits::default()), Err(expected));
        let broken = format!("{}]", text.trim_end_matches('}'));
        assert_eq!(read(&broken, &Limits::default()).unwrap_err().from, Some("\"a\""));
        let long = format!("\"{}\"", "x".repeat(129));
        let text = self::text(&[("type", &long), ("from", &long), ("message_id", "\"\\ud800\"")]);
        let expected = Malformed { flaw: Flaw::UnknownType, message_id: None, kind: None, from: None };
        assert_eq!(read(&text, &Limits::default()), Err(expected));
        // Nor is half a surrogate pair repeated, which not every client can read.
        let text = self::text(&[("type", "\"\\ud800\"")]);
        assert_eq!(read(&text, &Limits::default()).unwrap_err().kind, None);
    }

    #[test]
    fn an_envelope_is_known_by_its_version() {
        let is_psp = |text: &str| is_psp(text, &Limits::default());
        assert!(is_psp(&text(&[])) && is_psp(r#"{"psp\u005fversion":2}"#));
        assert!(!is_psp(r#"{"type":"register","data":{"psp_version":"1.0"}}"#));
        assert!(!is_psp(r#"{"psp_version":"1.0""#) && !is_psp("[]") && !is_psp(""));
    }

    fn member() -> impl Strategy<Value = String> {
        let keys = prop::sample::select(
            &[
                "psp_version",
                "type",
                "network",
                "from",
                "to",
                "session_id",
                "message_id",
                "timestamp",
                "ttl_ms",
                "body",
                "x",
            ][..],
        );
        let key = (keys, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(key, at, is_escaped)| {
            let at = at.index(key.len());
            let escaped = format!("\\u{:04x}", key.as_bytes()[at]);
            if is_escaped { format!("{}{escaped}{}", &key[..at], &key[at + 1..]) } else { key.into() }
        });
        let value = prop_oneof![
            3 => prop::sample::select(&["null", "true", "7", "-1", "1.5", "1e3", "{}", "[]", "{\"from\":\"z\"}"][..]).prop_map(String::from),
            3 => prop::sample::select(&["\"\"", "\" \"", "\"1.0\"", "\"a\"", "\" a \"", r#""\u0061""#, "\"é\"", r#""\ud83d\ude00\n""#][..])
                .prop_map(String::from),
            1 => prop::sample::select(&EnvelopeKind::ALL[..]).prop_map(|kind| format!("\"{}\"", kind.name())),
            1 => (120_usize..140, prop::sample::select(&["x", r"\u0078"][..])).prop_map(|(bytes, x)| format!("\"{}\"", x.repeat(bytes))),
        ];
        (key, value, "[ \n]?")
            .prop_map(|(key, value, blank)| format!("{blank}\"{key}\"{blank}:{blank}{value}{blank}"))
    }

    /// What another parser, which lets the last of two members count, takes this text to say.
    fn as_others_read_it(text: &str) -> Option<(String, String, Option<String>, String, u64)> {
        let object: Value = serde_json::from_str(text).ok()?;
        let short = |value: &Value| value.as_str().filter(|text| text.len() <= 128).map(String::from);
        let named = |name: &str| object.get(name).and_then(short).filter(|text| !text.trim().is_empty());
        let or_null = |name: &str| object.get(name).is_none_or(|value| value.is_null());
        EnvelopeKind::named(object.get("type")?.as_str()?)?;
        let network = named("network")?;
        let to = if or_null("to") { None } else { Some(named("to")?) };
        let room = if or_null("session_id") { String::new() } else { short(&object["session_id"])? };
        let room = if room.trim().is_empty() { &network } else { &room }.trim().into();
        named("message_id")?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let timestamp = object.get("timestamp")?.as_f64()? as u64;
        let is_whole =
            object.get("psp_version")? == "1.0" && object.get("body").is_none_or(|body| body.is_object());
        is_whole.then_some((network, named("from")?, to, room, timestamp))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

        #[test]
        fn an_envelope_says_the_same_to_the_server_as_to_its_receiver(
            before in prop::collection::vec(member(), 0..3),
            after in prop::collection::vec(member(), 0..2),
        ) {
            let whole = text(&[]);
            let parts = [before, vec![whole[1..whole.len() - 1].into()], after].concat();
            let text = format!("{{{}}}", parts.join(","));
            let envelope = read(&text, &Limits::default()).ok();
            let said = envelope.map(|read| {
                let to = read.to.map(Cow::into_owned);
                (read.network.into_owned(), read.from.into_owned(), to, read.room.into_owned(), read.timestamp)
            });
            prop_assert_eq!(said, as_others_read_it(&text), "{}", text);
        }

        #[test]
        fn no_text_makes_its_reader_panic(
            pieces in prop::collection::vec(prop_oneof![member(), "[{}\\[\\]:,\"\\\\ ]{0,3}"], 0..8),
        ) {
            let text = pieces.concat();
            for text in [&text, &format!("{{{text}}}")] {
                let _ = read(text, &Limits::default());
                let mut out = String::new();
                super::super::with_room(&mut out, text, "\"r\"");
            }
        }
    }
}
