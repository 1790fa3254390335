//! The room, written into what is relayed.

use alloc::string::String;

use crate::wire::json::{NotAnObject, says};
use crate::wire::scan::Scanner;

/// Appends `text`, an envelope, with `room` (a JSON string) as its `session_id`; every other byte as it came.
///
/// JavaScript receivers drop what does not name their room, and some clients (Go) name none.
pub(crate) fn with_room(out: &mut String, text: &str, room: &str) {
    let mut copied = 0;
    let mut has_room = false;
    // What has been read before is an object.
    let _ = each_session_id(text, |start, end| {
        out.push_str(text.get(copied..start).unwrap_or_default());
        out.push_str(room);
        copied = end;
        has_room = true;
    });
    let rest = text.get(copied..).unwrap_or_default();
    match rest.split_once('{') {
        Some((before, members)) if !has_room => {
            out.push_str(before);
            out.push_str("{\"session_id\":");
            out.push_str(room);
            if !members.trim_start().starts_with('}') {
                out.push(',');
            }
            out.push_str(members);
        }
        _ => out.push_str(rest),
    }
}

/// Calls `visit` with where each value of this member begins and ends, however its name is spelled.
fn each_session_id(text: &str, mut visit: impl FnMut(usize, usize)) -> Result<(), NotAnObject> {
    let mut scanner = Scanner::new(text, u32::MAX);
    scanner.open_object()?;
    while scanner.peek() == Some(b'"') {
        let key = scanner.string()?;
        scanner.take(b':')?;
        let value = scanner.value()?;
        if says(text.get(key).unwrap_or_default(), "session_id") {
            visit(value.start, value.end);
        }
        if scanner.peek() != Some(b',') {
            break;
        }
        scanner.take(b',')?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;
    use serde_json::Value;

    fn written(text: &str) -> String {
        let mut out = String::from("before ");
        with_room(&mut out, text, "\"r\"");
        out.strip_prefix("before ").unwrap().into()
    }

    #[test]
    fn the_room_is_put_in_and_every_other_byte_stays() {
        for (text, expected) in [
            (r#"{"a":1}"#, r#"{"session_id":"r","a":1}"#),
            (" { \"a\" : 1 } ", " {\"session_id\":\"r\", \"a\" : 1 } "),
            (r#"{"session_id":null}"#, r#"{"session_id":"r"}"#),
            (
                r#"{"a":{"session_id":1}, "session_id" :  " " , "b":"}{"}"#,
                r#"{"a":{"session_id":1}, "session_id" :  "r" , "b":"}{"}"#,
            ),
            (
                r#"{"session_id":"x","a":1,"s\u0065ssion_id":null}"#,
                r#"{"session_id":"r","a":1,"s\u0065ssion_id":"r"}"#,
            ),
            ("{}", r#"{"session_id":"r"}"#),
            ("{ }", r#"{"session_id":"r" }"#),
        ] {
            assert_eq!(written(text), expected);
        }
    }

    #[test]
    fn what_is_no_object_does_no_harm() {
        for text in ["", "[]", "1", "{\"session_id\":nul", "{\"session_id\":null,"] {
            written(text);
        }
    }

    fn key() -> impl Strategy<Value = String> {
        prop::sample::select(
            &["session_id", r"\u0073ession_id", r"session\u005Fid", "sessionid", "a", "é", r"\n"][..],
        )
        .prop_map(|key| format!("\"{key}\""))
    }

    fn value() -> impl Strategy<Value = &'static str> {
        prop::sample::select(
            &["null", "\"\"", "\" \"", "-1.5", "{\"session_id\":[1]}", "[{}]", r#""\"}\\""#][..],
        )
    }

    proptest! {
        #[test]
        fn nothing_else_is_said_than_before(
            members in prop::collection::vec((key(), value(), " ?\n?"), 0..6),
        ) {
            let members: alloc::vec::Vec<String> =
                members.into_iter().map(|(key, value, blank)| format!("{blank}{key}{blank}:{blank}{value}{blank}")).collect();
            let text = format!("{{{}}}", members.join(","));
            let mut expected: Value = serde_json::from_str(&text).unwrap();
            expected["session_id"] = "r".into();
            let written = written(&text);
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), expected);
            // Written once more it stays: no spelling of the member was left out.
            let mut again = String::new();
            with_room(&mut again, &written, "\"r\"");
            prop_assert_eq!(again, written);
        }
    }
}
