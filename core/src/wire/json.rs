//! Reading the top level of a JSON object without touching what is in it.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Why a text is not a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAnObject {
    NotJson,
    OtherJson,
}

/// Calls `member` with the key and the value of each member of the object `text`, both as they came.
pub(crate) fn each_member<'a>(
    text: &'a str,
    member: impl FnMut(&'a str, &'a str),
) -> Result<(), NotAnObject> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = deserializer.deserialize_map(Members { member }).and_then(|()| deserializer.end());
    object.map_err(|error| {
        // The deserializer stops at an array or a number before it has seen whether the rest is JSON.
        let is_json = error.is_data() && serde_json::from_str::<IgnoredAny>(text).is_ok();
        if is_json { NotAnObject::OtherJson } else { NotAnObject::NotJson }
    })
}

/// Whether more than so many arrays and objects are in one another. The text need not be JSON.
pub(crate) fn is_deeper_than(text: &str, levels: u32) -> bool {
    let mut bytes = text.bytes();
    let mut depth = 0_u32;
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > levels {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            // To the end of the string.
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
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

/// `text` as a JSON string, quotes included.
pub(crate) fn json_string(text: &str) -> String {
    // Writing a string into a string cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

struct Members<F> {
    member: F,
}

impl<'de, F: FnMut(&'de str, &'de str)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            (self.member)(key.get(), value.get());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn members(text: &str) -> Result<Vec<(&str, &str)>, NotAnObject> {
        let mut members = Vec::new();
        each_member(text, |key, value| members.push((key, value))).map(|()| members)
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
    fn a_hundred_thousand_levels_do_not_exhaust_the_stack() {
        let text = alloc::format!("{{\"data\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&text).unwrap().len(), 1);
        assert_eq!(members(&"[".repeat(100_000)), Err(NotAnObject::NotJson));
    }

    #[test]
    fn brackets_in_strings_make_no_depth() {
        for text in ["", "{}", "{\"a\":[]}", r#"{"[[[\"[[":["]","[","\\"]}"#, "}}}{{", "[][][]"] {
            assert!(!is_deeper_than(text, 2), "{text}");
        }
        for text in ["[[[", "{\"a\":{\"b\":[]}}", r#"{"\\":[[]]}"#] {
            assert!(is_deeper_than(text, 2), "{text}");
            assert!(!is_deeper_than(text, 3), "{text}");
        }
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
