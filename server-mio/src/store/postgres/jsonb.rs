//! What `JSONB` takes of JSON.

use serde_json::value::RawValue;

/// Whether a text is JSON that can be kept as `JSONB`, too, judged so that what passes is never refused: that would cost
/// others their letters. Kept out are NUL and halves of characters outside the basic plane, which it has no room for
/// (all escapes of such halves, whole or not), numbers that a `NUMERIC` may not hold, and what is nested very deeply.
pub(super) fn takes(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok() && is_keepable(text)
}

fn is_keepable(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => match end_of_string(bytes, at + 1) {
                Some(end) => at = end,
                None => return false,
            },
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let end =
                    bytes[at..].iter().position(|byte| !is_of_number(*byte)).map_or(bytes.len(), |n| at + n);
                if !is_modest(&text[at..end]) {
                    return false;
                }
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// Where the quotation mark is that ends a string; `None` where the string cannot be kept.
fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => {
                let is_unkeepable = |hex: &[u8]| {
                    hex == b"0000" || (hex[0].eq_ignore_ascii_case(&b'd') && !matches!(hex[1], b'0'..=b'7'))
                };
                if bytes.get(at + 1) == Some(&b'u') && bytes.get(at + 2..at + 6).is_none_or(is_unkeepable) {
                    return None;
                }
                at += 2;
            }
            _ => at += 1,
        }
    }
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Within what the type allows: 131072 digits before the point, 16383 behind it.
fn is_modest(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    digits.len() <= MAX_DIGITS && exponent.parse::<i64>().is_ok_and(|exponent| exponent.abs() <= MAX_EXPONENT)
}

/// PostgreSQL reads JSON by recursion, and its stack is 2 MB.
const MAX_DEPTH: usize = 256;
const MAX_DIGITS: usize = 1_000;
const MAX_EXPONENT: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_cannot_hold_is_told_apart() {
        for (text, expected) in [
            (r#"{"type":"offer","sdp":"v=0\r\n\u00e4"}"#, true),
            (r#"["\\u0000", "\ud7ff", "\uE000", 1.5e300, -0]"#, true),
            (r#""\u0000""#, false),
            (r#"{"\u0000":1}"#, false),
            (r#""\\\u0000""#, false),
            (r#""\ud83d""#, false),
            (r#""\uD83D\uDC26""#, false),
            ("1e999999", false),
            ("1e-99999999999999999999", false),
            (&"9".repeat(2_000), false),
            (&("[".repeat(300) + &"]".repeat(300)), false),
            (&("[".repeat(100) + &"]".repeat(100)), true),
            (r#""[[[[1e999999""#, true),
            ("", false),
            ("{", false),
            ("x", false),
            ("1 2", false),
            ("[1,]", false),
        ] {
            assert_eq!(takes(text), expected, "{text:.40}");
        }
    }
}
