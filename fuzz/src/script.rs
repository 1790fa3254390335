//! Scripts: one action in each line, its name in the first byte, who in the second.
//!
//! Text, so that a finding can be read, and so that the fuzzer's cuts and copies make other scripts.

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// What is done.
    pub action: u8,
    /// By whom: 0 to 15, written as a hex digit; anything else is 0.
    pub who: usize,
    /// The rest.
    pub rest: &'a [u8],
}

/// The lines of a script; those without an action are left out.
pub fn lines(script: &[u8]) -> impl Iterator<Item = Line<'_>> {
    script.split(|byte| *byte == b'\n').filter_map(|line| {
        let (&action, rest) = line.split_first()?;
        let (who, rest) = rest.split_first().unwrap_or((&b'0', b""));
        let who = char::from(*who).to_digit(16).unwrap_or(0) as usize;
        Some(Line { action, who, rest })
    })
}

/// The rest of a line as text, with `@x` for the id whose 40 digits are all `x`.
pub fn text(rest: &[u8]) -> String {
    let rest = String::from_utf8_lossy(rest);
    let mut text = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '@' => (0..40).for_each(|_| text.push(chars.as_str().chars().next().unwrap_or('0'))),
            c => {
                text.push(c);
                continue;
            }
        }
        chars.next();
    }
    text
}

/// The rest of a line as bytes: `\r`, `\n`, `\\` and `\xNN` are what they usually are, `@x` as in [`text`].
pub fn bytes(rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rest.len());
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        let (value, length) = match (byte, rest.get(at + 1)) {
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'\\')) => (b'\\', 2),
            (b'\\', Some(b'x')) => match rest.get(at + 2..at + 4).and_then(hex) {
                Some(value) => (value, 4),
                None => (byte, 1),
            },
            (b'@', Some(digit)) => {
                bytes.extend([*digit; 39]);
                (*digit, 2)
            }
            _ => (byte, 1),
        };
        bytes.push(value);
        at += length;
    }
    bytes
}

/// The rest of a line as a number; what is none is 0, and none is above `most`.
pub fn number(rest: &[u8], most: u64) -> u64 {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u64, |sum, digit| (sum * 10 + u64::from(digit - b'0')).min(most))
}

fn hex(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
