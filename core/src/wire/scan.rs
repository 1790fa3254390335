//! Where the parts of a JSON text end (RFC 8259), without reading what they say.
//!
//! Every message goes through here whole, byte by byte, since a part of it is handed on as it came: whatever
//! passes must be JSON. Most of it lies in strings, and those are looked through many bytes at a time.

use alloc::vec::Vec;
use core::ops::Range;

use wide::u8x16;

use super::json::NotAnObject::{self, NotJson, TooDeep};

/// Reads on in a text.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How deep objects and arrays may lie in each other.
    levels: u32,
    /// How many of these levels are open already.
    opened: u32,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, levels: u32) -> Scanner<'a> {
        Scanner { bytes: text.as_bytes(), at: 0, levels, opened: 0 }
    }

    /// Takes the brace before members that are then taken one by one.
    pub(super) fn open_object(&mut self) -> Result<(), NotAnObject> {
        self.opened += 1;
        if self.opened > self.levels {
            return Err(TooDeep { levels: self.levels });
        }
        self.take(b'{')
    }

    /// The next byte that is not blank, which is not taken; `None` at the end.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// Takes the next byte that is not blank, which must be `byte`.
    pub(super) fn take(&mut self, byte: u8) -> Result<(), NotAnObject> {
        if self.peek() != Some(byte) {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(())
    }

    /// Nothing but blanks may be left.
    pub(super) fn end(&mut self) -> Result<(), NotAnObject> {
        if self.peek().is_none() { Ok(()) } else { Err(NotJson) }
    }

    /// Takes a string; it reaches from quote to quote.
    pub(super) fn string(&mut self) -> Result<Range<usize>, NotAnObject> {
        self.take(b'"')?;
        self.rest_of_string()
    }

    /// Takes the rest of a string whose first quote has been taken.
    fn rest_of_string(&mut self) -> Result<Range<usize>, NotAnObject> {
        let start = self.at - 1;
        loop {
            self.at += plain_run(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                Some(b'"') => break self.at += 1,
                Some(b'\\') => self.escapes()?,
                // The end, or a control character.
                Some(_) | None => return Err(NotJson),
            }
        }
        Ok(start..self.at)
    }

    /// Takes a value of any kind.
    pub(super) fn value(&mut self) -> Result<Range<usize>, NotAnObject> {
        let first = self.peek().ok_or(NotJson)?;
        let start = self.at;
        match first {
            b'{' | b'[' => self.nest()?,
            _ => self.scalar(first)?,
        }
        Ok(start..self.at)
    }

    /// Takes an object or an array with everything in it: in a loop, so that no depth exhausts the stack.
    fn nest(&mut self) -> Result<(), NotAnObject> {
        let mut open = Levels::default();
        loop {
            let mut is_first = match self.peek() {
                Some(b'{') => self.enter(&mut open, Level::Object)?,
                Some(b'[') => self.enter(&mut open, Level::Array)?,
                Some(first) => {
                    self.scalar(first)?;
                    false
                }
                None => return Err(NotJson),
            };
            loop {
                let Some(level) = open.last() else { return Ok(()) };
                let close = if level == Level::Object { b'}' } else { b']' };
                if self.peek() == Some(close) {
                    self.at += 1;
                    self.opened -= 1;
                    open.pop();
                    is_first = false;
                    continue;
                }
                if !is_first {
                    self.take(b',')?;
                }
                if level == Level::Object {
                    self.string()?;
                    self.take(b':')?;
                }
                break;
            }
        }
    }

    fn enter(&mut self, open: &mut Levels, level: Level) -> Result<bool, NotAnObject> {
        self.at += 1;
        self.opened += 1;
        if self.opened > self.levels {
            return Err(TooDeep { levels: self.levels });
        }
        open.push(level);
        Ok(true)
    }

    /// Takes a value without others in it, which begins with `first`.
    fn scalar(&mut self, first: u8) -> Result<(), NotAnObject> {
        match first {
            b'"' => {
                self.at += 1;
                self.rest_of_string().map(|_| ())
            }
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => Err(NotJson),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), NotAnObject> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), NotAnObject> {
        self.take_if(|byte| byte == b'-');
        if !self.take_if(|byte| byte == b'0') {
            self.digits()?;
        }
        if self.take_if(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.take_if(|byte| matches!(byte, b'e' | b'E')) {
            self.take_if(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), NotAnObject> {
        let start = self.at;
        while self.take_if(|byte| byte.is_ascii_digit()) {}
        if self.at == start { Err(NotJson) } else { Ok(()) }
    }

    fn take_if(&mut self, is_right: impl Fn(u8) -> bool) -> bool {
        let is = self.bytes.get(self.at).is_some_and(|byte| is_right(*byte));
        self.at += usize::from(is);
        is
    }

    /// Takes all escapes up to the next byte that is none.
    fn escapes(&mut self) -> Result<(), NotAnObject> {
        // The end of every line of a session description.
        while self.bytes[self.at..].first_chunk() == Some(br"\r\n") {
            self.at += 4;
        }
        while self.bytes.get(self.at) == Some(&b'\\') {
            self.escape()?;
        }
        Ok(())
    }

    /// Takes a backslash and what belongs to it. Half of a surrogate pair passes: it is JSON all the same.
    fn escape(&mut self) -> Result<(), NotAnObject> {
        let bytes = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or(NotJson)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(NotJson);
                }
                6
            }
            Some(_) | None => return Err(NotJson),
        };
        self.at += bytes;
        Ok(())
    }
}

/// How many bytes at the start of `bytes` are nothing special within a string: no quote, no backslash, no
/// control character.
fn plain_run(bytes: &[u8]) -> usize {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
    for (i, block) in blocks.iter().enumerate() {
        let block = u8x16::new(*block);
        let quotes = block.simd_eq(u8x16::splat(b'"'));
        let backslashes = block.simd_eq(u8x16::splat(b'\\'));
        let controls = block.simd_eq(block.min(u8x16::splat(LAST_CONTROL)));
        let specials = (quotes | backslashes | controls).to_bitmask();
        if specials != 0 {
            return BLOCK_BYTES * i + specials.trailing_zeros() as usize;
        }
    }
    let is_special = |byte: &u8| matches!(*byte, b'"' | b'\\' | 0..=LAST_CONTROL);
    BLOCK_BYTES * blocks.len() + rest.iter().position(is_special).unwrap_or(rest.len())
}

const BLOCK_BYTES: usize = 16;

/// RFC 8259 section 7.
const LAST_CONTROL: u8 = 0x1F;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Object,
    Array,
}

/// The objects and arrays that are open, one bit each; nearly all texts have fewer than 64.
#[derive(Debug, Default)]
struct Levels {
    /// The innermost ones, the last in the lowest bit; set means object.
    bits: u64,
    /// How many of the bits count.
    count: u32,
    /// Those around them, 64 each.
    outer: Vec<u64>,
}

impl Levels {
    fn push(&mut self, level: Level) {
        if self.count == u64::BITS {
            self.outer.push(self.bits);
            self.count = 0;
        }
        self.bits = self.bits << 1 | u64::from(level == Level::Object);
        self.count += 1;
    }

    fn pop(&mut self) {
        self.bits >>= 1;
        self.count -= 1;
        if self.count == 0
            && let Some(bits) = self.outer.pop()
        {
            (self.bits, self.count) = (bits, u64::BITS);
        }
    }

    fn last(&self) -> Option<Level> {
        match (self.count, self.bits & 1) {
            (0, _) => None,
            (_, 1) => Some(Level::Object),
            (_, _) => Some(Level::Array),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    fn is_json(text: &str) -> bool {
        let mut scanner = Scanner::new(text, u32::MAX);
        scanner.value().is_ok() && scanner.end().is_ok()
    }

    /// Texts that are JSON or nearly: pieces of it in any order.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => prop::sample::select(&["{", "}", "[", "]", ",", ":", "\"", "\\", " ", "\n"][..]).prop_map(String::from),
            2 => prop::sample::select(&["0", "1", "-", ".", "e", "E", "+", "12", "1.5e-7", "true", "false", "null"][..])
                .prop_map(String::from),
            2 => prop::sample::select(&[r"\u00e4", r"\ud800", r"\n", r"\x", r"\u12g4", "\u{1}", "\u{7f}", "é", "😀"][..])
                .prop_map(String::from),
            3 => prop::sample::select(&["\"a\":", "\"\"", "\"abcdefghijkl\"", "{}", "[]", "{\"a\":1}", "[1,2]"][..])
                .prop_map(String::from),
            1 => "[a-z\"\\\\\u{0}-\u{1f}]{0,20}",
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn it_accepts_exactly_what_another_parser_accepts(text in text()) {
            prop_assert_eq!(is_json(&text), serde_json::from_str::<IgnoredAny>(&text).is_ok());
        }

        #[test]
        fn a_changed_byte_of_a_json_text_is_judged_as_by_another_parser(at in any::<prop::sample::Index>(), byte in 0_u8..128) {
            const TEXT: &str = r#" {"type":"offer", "data":{"sdp":"v=0\r\no=- 46\u00e4","n":[-1.5e+7,0,true,{}],"x":null}} "#;
            let mut bytes = TEXT.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(is_json(&text), serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn no_control_character_passes_in_a_string_and_blanks_pass_outside() {
        for byte in 0..0x20 {
            for at in 0..40 {
                let mut text = [&[b'"'][..], &[b'x'; 40], b"\""].concat();
                text[1 + at] = byte;
                assert!(!is_json(str::from_utf8(&text).unwrap()), "{byte} at {at}");
            }
        }
        assert!(is_json("\n{\t\"a\" : \r\n \"b\" }\n"));
    }

    #[test]
    fn levels_are_kept_apart_at_any_depth() {
        for depth in [1, 63, 64, 65, 128, 129, 1000] {
            let (mut text, mut end) = (String::new(), String::new());
            for level in 0..depth {
                let is_object = level % 3 == 0;
                text.push_str(if is_object { "{\"a\":" } else { "[" });
                end.insert(0, if is_object { '}' } else { ']' });
            }
            assert!(is_json(&(text.clone() + "1" + &end)), "{depth}");
            assert!(!is_json(&(text + "1" + &end.replace('}', "]"))), "{depth}");
        }
    }
}
