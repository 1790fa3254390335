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
