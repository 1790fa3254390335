//! RESP3, as much of it as a bus needs: commands out; in, replies and pushes as flat lists of what is in them.
//!
//! Written by hand, since the codec that there is recurses for each level of nesting: 40 kB of `*1\r\n` end a process whose stack
//! has 8 MiB. Here nothing recurses, and a reply can have no more parts and no more bytes than are ever asked for.

use core::fmt;
use core::ops::Range;

/// The longest string that is taken in.
pub(super) const LONGEST_STRING: usize = 128 * 1024;

/// The most parts of one reply; `HELLO` has some thirty.
const MOST_PARTS: usize = 256;

/// The longest line: the type of a value with its length or number, or a text of its own, such as an error.
const LONGEST_LINE: usize = 4 * 1024;

/// What is no RESP3, or too much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RespError {
    NotResp,
    TooLong,
    TooMany,
}

impl fmt::Display for RespError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RespError::NotResp => f.write_str("what it sends is no RESP3"),
            RespError::TooLong => write!(f, "it sends a string of more than {LONGEST_STRING} bytes"),
            RespError::TooMany => write!(f, "it sends a reply of more than {MOST_PARTS} parts"),
        }
    }
}

/// What comes, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    /// Where what has not been looked at begins.
    start: usize,
    /// Of the reply that was taken last.
    parts: Vec<Range<usize>>,
    kind: Kind,
}

/// What a reply is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// An answer to a command.
    #[default]
    Reply,
    /// The answer to a command that was refused.
    Error,
    /// Nothing that was asked for.
    Push,
}

/// One reply, however it was nested.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) kind: Kind,
    bytes: &'a [u8],
    parts: &'a [Range<usize>],
}

impl<'a> Reply<'a> {
    /// What is in it, in order: texts, and numbers as digits.
    pub(super) fn parts(self) -> impl Iterator<Item = &'a [u8]> {
        self.parts.iter().map(|part| self.bytes.get(part.clone()).unwrap_or_default())
    }

    pub(super) fn part(self, place: usize) -> Option<&'a [u8]> {
        self.bytes.get(self.parts.get(place)?.clone())
    }
}

impl Reader {
    /// More has come.
    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole reply, if there is one.
    ///
    /// # Errors
    ///
    /// When what has come is no RESP3, or too much.
    pub(super) fn next(&mut self) -> Result<Option<Reply<'_>>, RespError> {
        self.parts.clear();
        let (mut at, mut missing, mut values) = (self.start, 1_usize, 0);
        let mut kind = None;
        while missing > 0 {
            let Some(line) = line(&self.bytes, at)? else { return Ok(None) };
            let (head, text) = (self.bytes[line.start], line.start + 1..line.end);
            at = line.end + 2;
            missing -= 1;
            values += 1;
            match head {
                b'$' | b'=' | b'!' => {
                    let Some(length) = length(&self.bytes[text.clone()])? else {
                        // A null, as RESP2 has it.
                        self.parts.push(text.end..text.end);
                        continue;
                    };
                    if length > LONGEST_STRING {
                        return Err(RespError::TooLong);
                    }
                    match self.bytes.get(at + length..at + length + 2) {
                        None => return Ok(None),
                        Some(b"\r\n") => {}
                        Some(_) => return Err(RespError::NotResp),
                    }
                    self.parts.push(at..at + length);
                    at += length + 2;
                }
                b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => self.parts.push(text),
                b'*' | b'~' | b'>' => missing += many(&self.bytes[text])?,
                b'%' => missing += 2 * many(&self.bytes[text])?,
                _ => return Err(RespError::NotResp),
            }
            if missing + values > MOST_PARTS {
                return Err(RespError::TooMany);
            }
            kind.get_or_insert(match head {
                b'-' | b'!' => Kind::Error,
                b'>' => Kind::Push,
                _ => Kind::Reply,
            });
        }
        self.start = at;
        self.kind = kind.unwrap_or_default();
        Ok(Some(Reply { kind: self.kind, bytes: &self.bytes, parts: &self.parts }))
    }
}

/// The line that begins there, without its end; `None` if that has not come.
fn line(bytes: &[u8], start: usize) -> Result<Option<Range<usize>>, RespError> {
    let rest = bytes.get(start..).unwrap_or_default();
    match rest.iter().take(LONGEST_LINE).position(|byte| *byte == b'\r') {
        Some(0) => Err(RespError::NotResp),
        Some(length) => match rest.get(length + 1) {
            None => Ok(None),
            Some(b'\n') => Ok(Some(start..start + length)),
            Some(_) => Err(RespError::NotResp),
        },
        None if rest.len() >= LONGEST_LINE => Err(RespError::TooLong),
        None => Ok(None),
    }
}

/// A length; `None` for -1.
fn length(digits: &[u8]) -> Result<Option<usize>, RespError> {
    if digits == b"-1" {
        return Ok(None);
    }
    let is_number = !digits.is_empty() && digits.len() < 12 && digits.iter().all(u8::is_ascii_digit);
    let digits = is_number.then(|| core::str::from_utf8(digits).ok()).flatten();
    digits.and_then(|digits| digits.parse().ok()).map(Some).ok_or(RespError::NotResp)
}

fn many(digits: &[u8]) -> Result<usize, RespError> {
    match length(digits)?.unwrap_or(0) {
        count if count > MOST_PARTS => Err(RespError::TooMany),
        count => Ok(count),
    }
}

/// Appends a command.
pub(super) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    number(out, b'*', words.len());
    for word in words {
        number(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the head of a `PUBLISH`, whose `length` bytes and line end follow.
pub(super) fn publish(out: &mut Vec<u8>, channel: &[u8], length: usize) {
    out.extend_from_slice(b"*3\r\n$7\r\nPUBLISH\r\n");
    number(out, b'$', channel.len());
    out.extend_from_slice(channel);
    out.extend_from_slice(b"\r\n");
    number(out, b'$', length);
}

fn number(out: &mut Vec<u8>, head: u8, number: usize) {
    use std::io::Write as _;
    out.push(head);
    // Writing into a vector cannot fail.
    let _ = write!(out, "{number}\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], piece: usize) -> Result<Vec<(Kind, Vec<String>)>, RespError> {
        let (mut reader, mut all) = (Reader::default(), Vec::new());
        for part in bytes.chunks(piece) {
            reader.take_in(part);
            while let Some(reply) = reader.next()? {
                let parts = reply.parts().map(|part| String::from_utf8_lossy(part).into_owned());
                all.push((reply.kind, parts.collect()));
            }
        }
        Ok(all)
    }

    #[test]
    fn replies_come_whole_however_they_are_cut() {
        let bytes = b"+OK\r\n:12\r\n$5\r\na\r\nbc\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n\
            -ERR no\r\n%2\r\n+role\r\n+master\r\n+modules\r\n*1\r\n*2\r\n#t\r\n_\r\n$-1\r\n,1.5\r\n";
        let expected = [
            (Kind::Reply, vec!["OK"]),
            (Kind::Reply, vec!["12"]),
            (Kind::Reply, vec!["a\r\nbc"]),
            (Kind::Push, vec!["message", "c", ""]),
            (Kind::Error, vec!["ERR no"]),
            (Kind::Reply, vec!["role", "master", "modules", "t", ""]),
            (Kind::Reply, vec![""]),
            (Kind::Reply, vec!["1.5"]),
        ];
        for piece in 1..=bytes.len() {
            let read = all(bytes, piece).unwrap();
            assert_eq!(read.len(), expected.len());
            for ((kind, parts), (expected_kind, expected)) in read.iter().zip(&expected) {
                assert_eq!(
                    (kind, parts),
                    (expected_kind, &expected.iter().map(|part| (*part).to_owned()).collect())
                );
            }
        }
    }

    #[test]
    fn what_is_no_resp_or_too_much_of_it_is_refused_at_once() {
        for (bytes, error) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], RespError::NotResp),
            (b"\r\n", RespError::NotResp),
            (b"$x\r\n", RespError::NotResp),
            (b"$-2\r\n", RespError::NotResp),
            (b"$1\r\nab\r\n", RespError::NotResp),
            (b"+a\rb", RespError::NotResp),
            (b"$536870912\r\n", RespError::TooLong),
            (b"$99999999999999999999\r\n", RespError::NotResp),
            (b"*4000000000\r\n", RespError::TooMany),
            (b"%200\r\n", RespError::TooMany),
        ] {
            assert_eq!(all(bytes, bytes.len()), Err(error), "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(all(&[b'+'; LONGEST_LINE + 1], 100), Err(RespError::TooLong));
    }

    #[test]
    fn nesting_takes_no_stack() {
        for nested in [&b"*1\r\n"[..], b"*2\r\n", b"%1\r\n", b">1\r\n"] {
            assert_eq!(all(&nested.repeat(100_000), 4_096), Err(RespError::TooMany));
        }
    }

    #[test]
    fn a_command_is_an_array_of_strings() {
        let mut out = Vec::new();
        command(&mut out, &[b"PING", b""]);
        publish(&mut out, b"a:b", 12);
        assert_eq!(out, b"*2\r\n$4\r\nPING\r\n$0\r\n\r\n*3\r\n$7\r\nPUBLISH\r\n$3\r\na:b\r\n$12\r\n");
    }
}
