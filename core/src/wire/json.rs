//! Reading the top level of a JSON object without touching what is in it.

use alloc::borrow::Cow;
use alloc::string::String;
use core::ops::Range;

use super::Refusal;
use super::scan::Scanner;

/// Why a text is not a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAnObject {
    NotJson,
    OtherJson,
    /// Objects and arrays lie in each other deeper than this allows.
    TooDeep {
        levels: u32,
    },
}

/// A member of an object, as it came.
pub(crate) struct Member<'a> {
    text: &'a str,
    key: Range<usize>,
    value: Range<usize>,
}

impl<'a> Member<'a> {
    /// A JSON string.
    pub(crate) fn key(&self) -> &'a str {
        self.text.get(self.key.clone()).unwrap_or_default()
    }

    /// The same: cheaper, since nobody has to look whether it begins and ends between two characters.
    pub(crate) fn key_bytes(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.key.clone()]
    }

    /// Any JSON value.
    pub(crate) fn value(&self) -> &'a str {
        // What the scanner takes begins and ends with ASCII characters.
        self.text.get(self.value.clone()).unwrap_or_default()
    }
}

/// Whether `text` is one JSON value.
pub(crate) fn is_json(text: &str, nesting_levels: u32) -> bool {
    let mut scanner = Scanner::new(text, nesting_levels);
    scanner.value().is_ok() && scanner.end().is_ok()
}

/// Calls `visit` with each member of the object `text`, until the text turns out not to be JSON, or to be nested
/// deeper than `nesting_levels`.
pub(crate) fn each_member<'a>(
    text: &'a str,
    nesting_levels: u32,
    mut visit: impl FnMut(Member<'a>),
) -> Result<(), NotAnObject> {
    let mut scanner = Scanner::new(text, nesting_levels);
    if scanner.peek() != Some(b'{') {
        scanner.value()?;
        scanner.end()?;
        return Err(NotAnObject::OtherJson);
    }
    scanner.open_object()?;
    if scanner.peek() == Some(b'}') {
        scanner.take(b'}')?;
        return scanner.end();
    }
    loop {
        let key = scanner.string()?;
        scanner.take(b':')?;
        let value = scanner.value()?;
        visit(Member { text, key, value });
        if scanner.peek() != Some(b',') {
            scanner.take(b'}')?;
            return scanner.end();
        }
        scanner.take(b',')?;
    }
}

/// What a raw JSON string says; `None` when it is not a string, or holds half of a surrogate pair.
pub(crate) fn read_string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Bytes that one takes at most: `\u0000`.
const LONGEST_ESCAPE: usize = 6;

/// A short text without an allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ascii<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Ascii<N> {
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// What a raw JSON string says, if that is ASCII and at most `N` bytes long: enough for all names and ids that mean something.
/// However a string is escaped, it costs nothing to find out that it is none of these.
pub(crate) fn read_ascii<const N: usize>(raw: &str) -> Option<Ascii<N>> {
    let mut rest = raw.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    if rest.len() > N * LONGEST_ESCAPE {
        return None;
    }
    let mut read = Ascii { bytes: [0; N], len: 0 };
    while let Some(first) = rest.first() {
        let (byte, taken) = match (first, rest) {
            (b'\\', [_, b'u', b'0', b'0', high, low, ..]) => (hex(*high)? << 4 | hex(*low)?, LONGEST_ESCAPE),
            (b'\\', [_, escaped @ (b'"' | b'\\' | b'/'), ..]) => (*escaped, 2),
            // Control characters, which no name has; and what is beyond ASCII.
            (b'\\', _) => return None,
            (plain, _) => (*plain, 1),
        };
        *read.bytes.get_mut(read.len).filter(|_| byte.is_ascii())? = byte;
        read.len += 1;
        rest = &rest[taken..];
    }
    Some(read)
}

/// The same for one that has escapes; `None` for one that says what it says as it is.
pub(crate) fn read_escaped<const N: usize>(raw: &str) -> Option<Ascii<N>> {
    if raw.len() > N * LONGEST_ESCAPE + 2 || !raw.as_bytes().contains(&b'\\') {
        return None;
    }
    read_ascii(raw)
}

/// Whether a raw JSON string says this name, which is ASCII and at most 20 bytes long.
pub(crate) fn says(raw: &str, name: &str) -> bool {
    let plain = raw.len() == name.len() + 2 && raw[1..].starts_with(name);
    plain || read_escaped::<20>(raw).is_some_and(|read| read.as_str() == name)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Calls `visit` with each element of the array `text`, until it says that there are too many, or the text turns out to be no array.
/// Returns whether it was one, and had no more.
pub(crate) fn each_element<'a>(text: &'a str, mut visit: impl FnMut(&'a str) -> bool) -> bool {
    let mut scanner = Scanner::new(text, u32::MAX);
    if scanner.take(b'[').is_err() {
        return false;
    }
    if scanner.peek() == Some(b']') {
        return scanner.take(b']').is_ok() && scanner.end().is_ok();
    }
    loop {
        let Ok(element) = scanner.value() else { return false };
        // What the scanner takes begins and ends with ASCII characters.
        if !visit(text.get(element).unwrap_or_default()) {
            return false;
        }
        if scanner.peek() != Some(b',') {
            return scanner.take(b']').is_ok() && scanner.end().is_ok();
        }
        if scanner.take(b',').is_err() {
            return false;
        }
    }
}

/// `text` as a JSON string, quotes included.
pub(crate) fn json_string(text: &str) -> String {
    // Writing a string into a string cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

impl From<NotAnObject> for Refusal {
    fn from(reason: NotAnObject) -> Refusal {
        match reason {
            NotAnObject::NotJson => Refusal::NotJson,
            NotAnObject::OtherJson => Refusal::NotAnObject,
            NotAnObject::TooDeep { levels } => Refusal::TooDeep { levels },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn members(text: &str) -> Result<Vec<(&str, &str)>, NotAnObject> {
        let mut members = Vec::new();
        each_member(text, u32::MAX, |member| members.push((member.key(), member.value()))).map(|()| members)
    }

    #[test]
    fn members_come_as_they_were_written() {
        let text = r#" { "a" : [1e400, -0 ] , "\u0062":"\ud800\n", "a":{"x": {"y" :[]}} } "#;
        let expected =
            [("\"a\"", "[1e400, -0 ]"), (r#""\u0062""#, r#""\ud800\n""#), ("\"a\"", r#"{"x": {"y" :[]}}"#)];
        assert_eq!(members(text), Ok(expected.to_vec()));
        assert_eq!(members("{}"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_json_but_no_object_is_told_apart_from_what_is_no_json() {
        for text in ["[]", "[{}]", "1", "null", " \"{}\" ", "-1.5e3", "true"] {
            assert_eq!(members(text), Err(NotAnObject::OtherJson), "{text}");
        }
        for text in [
            "",
            "{",
            "[",
            "{}x",
            "{} {}",
            "{\"a\"}",
            "{\"a\":}",
            "{'a':1}",
            "{\"a\":1,}",
            "[1",
            "nul",
            "\u{feff}{}",
            "{\"a\":01}",
            "{\"a\":\"\\x\"}",
            "{1:2}",
        ] {
            assert_eq!(members(text), Err(NotAnObject::NotJson), "{text}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_at_the_level_that_is_one_too_many() {
        let nested = |levels: usize| {
            alloc::format!("{{\"data\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        let read = |text: &str| each_member(text, 5, |_| {});
        assert_eq!(read(&nested(5)), Ok(()));
        assert_eq!(read(r#"{"a":[[[[]]],[{"b":[]}],"[[[["],"b":[[[{}]]]}"#), Ok(()));
        assert_eq!(read(&nested(6)), Err(NotAnObject::TooDeep { levels: 5 }));
        assert_eq!(read("[[[[[["), Err(NotAnObject::TooDeep { levels: 5 }));
        assert_eq!(read("[[[[[]]]]]"), Err(NotAnObject::OtherJson));
        let flat = |text: &str| each_member(text, 1, |_| {});
        assert_eq!(flat(r#"{"a":1,"b":"{[{["}"#), Ok(()));
        assert_eq!(flat(r#"{"a":{}}"#), Err(NotAnObject::TooDeep { levels: 1 }));
        assert_eq!(each_member("{}", 0, |_| {}), Err(NotAnObject::TooDeep { levels: 0 }));
    }

    #[test]
    fn a_hundred_thousand_levels_do_not_exhaust_the_stack() {
        let text = alloc::format!("{{\"data\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&text).unwrap().len(), 1);
        assert_eq!(members(&"[".repeat(100_000)), Err(NotAnObject::NotJson));
    }

    #[test]
    fn a_short_name_is_read_as_by_another_parser_however_it_is_escaped() {
        for raw in [
            r#""type""#,
            r#""t\u0079pe""#,
            r#""\u0074\u0079\u0070\u0065""#,
            r#""\/\"\\\u007F\u007f""#,
            r#""""#,
            r#""12345678""#,
        ] {
            let expected: String = serde_json::from_str(raw).unwrap();
            assert_eq!(read_ascii::<8>(raw).unwrap().as_str(), expected, "{raw}");
        }
        for raw in
            ["1", "\"", r#""123456789""#, r#""\u00e4""#, r#""ä""#, r#""\n""#, r#""\ud800""#, r#""\u0179""#]
        {
            assert!(read_ascii::<8>(raw).is_none(), "{raw}");
        }
        assert!(says(r#""peer\u0049d""#, "peerId") && !says(r#""peerid""#, "peerId"));
    }

    #[test]
    fn elements_come_as_they_were_written_until_there_are_too_many() {
        let elements = |text: &'static str, most: usize| {
            let mut elements = Vec::new();
            let is_array = each_element(text, |element| {
                elements.push(element);
                elements.len() <= most
            });
            is_array.then_some(elements)
        };
        assert_eq!(elements(r#" [ {"a":[1]} , 2,"]" ] "#, 3), Some([r#"{"a":[1]}"#, "2", r#""]""#].to_vec()));
        assert_eq!((elements("[]", 0), elements("[ ]", 0)), (Some(Vec::new()), Some(Vec::new())));
        for wrong in ["", "{}", "[", "[1", "[1,]", "[,]", "[1 2]", "[1]]", "1"] {
            assert_eq!(elements(wrong, 9), None, "{wrong}");
        }
        assert_eq!(elements("[1,2,3", 1), None);
    }

    #[test]
    fn a_raw_string_is_read_with_its_escapes() {
        assert_eq!(read_string(r#""plain""#).as_deref(), Some("plain"));
        assert_eq!(read_string(r#""\u00e4\\""#).as_deref(), Some("ä\\"));
        for raw in ["1", "null", r#""\ud800""#, "{}", ""] {
            assert_eq!(read_string(raw), None, "{raw}");
        }
    }
}
