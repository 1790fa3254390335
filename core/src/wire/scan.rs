//! Where the parts of a JSON text end (RFC 8259), without reading what they say.
//!
//! Every message goes through here whole, byte by byte, since a part of it is handed on as it came: whatever
//! passes must be JSON. Most of it lies in strings, and those are looked through many bytes at a time. A message has some
//! fifty parts, most of them short: their calls would cost more than their bytes, hence `inline(always)`.

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
    /// What is special within a string, of the block that was looked at last: a bit for each byte.
    specials: u64,
    /// Which block that is.
    block: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, levels: u32) -> Scanner<'a> {
        let bytes = text.as_bytes();
        Scanner { bytes, at: 0, levels, opened: 0, specials: specials(bytes, 0), block: 0 }
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
    #[inline(always)]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                next => return next.copied(),
            }
        }
    }

    /// Takes the next byte that is not blank, which must be `byte`.
    #[inline(always)]
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
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<Range<usize>, NotAnObject> {
        self.take(b'"')?;
        let start = self.at - 1;
        self.rest_of_string()?;
        Ok(start..self.at)
    }

    /// Takes the rest of a string whose first quote has been taken.
    #[inline(always)]
    fn rest_of_string(&mut self) -> Result<(), NotAnObject> {
        self.skip_plain();
        if self.bytes.get(self.at) != Some(&b'"') {
            return self.rest_behind_escapes();
        }
        self.at += 1;
        Ok(())
    }

    /// The same for a string in which something else came before its last quote.
    #[inline(never)]
    fn rest_behind_escapes(&mut self) -> Result<(), NotAnObject> {
        loop {
            match self.bytes.get(self.at..).unwrap_or_default() {
                // The end of every line of a session description.
                [b'\\', b'r', b'\\', b'n', ..] => self.at += 4,
                [b'"', ..] => break self.at += 1,
                [b'\\', ..] => self.escape()?,
                // The end, or a control character.
                _ => return Err(NotJson),
            }
            self.skip_plain();
        }
        Ok(())
    }

    /// Takes the bytes up to the next that is special within a string, or to the end.
    #[inline(always)]
    fn skip_plain(&mut self) {
        loop {
            let block = self.at / BLOCK_BYTES;
            if block != self.block {
                self.look_at(block);
            }
            let specials = self.specials >> (self.at % BLOCK_BYTES);
            if specials != 0 {
                return self.at += specials.trailing_zeros() as usize;
            }
            self.at = (block + 1) * BLOCK_BYTES;
        }
    }

    #[inline(never)]
    fn look_at(&mut self, block: usize) {
        (self.specials, self.block) = (specials(self.bytes, block), block);
    }

    /// Takes a value of any kind.
    #[inline(always)]
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
    #[inline(always)]
    fn scalar(&mut self, first: u8) -> Result<(), NotAnObject> {
        match first {
            b'"' => {
                self.at += 1;
                self.rest_of_string()
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

    #[inline(never)]
    fn number(&mut self) -> Result<(), NotAnObject> {
        self.at += usize::from(self.bytes.get(self.at) == Some(&b'-'));
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if let Some(b'.' | b'e' | b'E') = self.bytes.get(self.at) {
            return self.rest_of_number();
        }
        Ok(())
    }

    /// What follows the whole part of a number.
    #[inline(never)]
    fn rest_of_number(&mut self) -> Result<(), NotAnObject> {
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
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(NotJson) } else { Ok(()) }
    }

    fn take_if(&mut self, is_right: impl Fn(u8) -> bool) -> bool {
        let is = self.bytes.get(self.at).is_some_and(|byte| is_right(*byte));
        self.at += usize::from(is);
        is
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

/// Which bytes of a block end a run of plain ones within a string: quotes, backslashes, control characters, and those behind
/// the end of the text. Most texts have many short strings, so a block is looked at once for all that lie in it.
fn specials(bytes: &[u8], block: usize) -> u64 {
    let rest = bytes.get(block * BLOCK_BYTES..).unwrap_or_default();
    match rest.first_chunk() {
        Some(block) => specials_of(block),
        None => {
            let mut block = [b'"'; BLOCK_BYTES];
            block[..rest.len()].copy_from_slice(rest);
            specials_of(&block)
        }
    }
}

fn specials_of(block: &[u8; BLOCK_BYTES]) -> u64 {
    block.as_chunks::<LANES>().0.iter().rev().fold(0, |specials, lanes| {
        let lanes = u8x16::new(*lanes);
        let backslashes = lanes.simd_eq(u8x16::splat(b'\\'));
        // With this bit turned over a quote stands right behind the control characters.
        let turned = lanes ^ u8x16::splat(0b10);
        let quotes_and_controls = turned.simd_eq(turned.min(u8x16::splat(LAST_CONTROL + 1)));
        specials << LANES | u64::from((backslashes | quotes_and_controls).to_bitmask())
    })
}

const BLOCK_BYTES: usize = 64;

const LANES: usize = 16;

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
            for at in 0..200 {
                let mut text = [&[b'"'][..], &[b'x'; 200], b"\""].concat();
                text[1 + at] = byte;
                assert!(!is_json(str::from_utf8(&text).unwrap()), "{byte} at {at}");
            }
        }
        assert!(is_json("\n{\t\"a\" : \r\n \"b\" }\n"));
    }

    #[test]
    fn strings_end_where_they_end_wherever_they_lie() {
        for (before, length) in (0..130).flat_map(|before| (0..70).map(move |length| (before, length))) {
            for rest in ["", r"\r\n", r"\u00e4", r"\\", "é"] {
                let string = ["\"", &"x".repeat(length), rest, &"y".repeat(length), "\""].concat();
                let text = [" ".repeat(before), string.clone()].concat();
                let mut scanner = Scanner::new(&text, 0);
                assert_eq!(scanner.string(), Ok(before..before + string.len()), "{text}");
                assert_eq!(scanner.end(), Ok(()));
                assert_eq!(Scanner::new(&text[..text.len() - 1], 0).string(), Err(NotJson), "{text}");
            }
        }
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
