//! A body in chunks (RFC 9112 section 7.1), taken apart as it comes.

use crate::http::request::is_token;
use crate::http::{HttpRefusal, Status};

/// Where in such a body its reader is. Strict: what two readers could understand in two ways is refused, since whatever
/// follows would be another request to one of them than to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunked {
    state: ChunkState,
    /// Bytes of extensions and trailers so far. Nobody here understands any, but they may be there.
    extra_bytes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChunkState {
    /// In the size of a chunk, of which so many digits have come.
    Size { size: u64, digits: u8 },
    /// Behind the size, where blanks can only lead to an extension.
    Blank { size: u64 },
    /// In the extensions.
    Extension { size: u64 },
    /// Behind the CR that ends the line.
    SizeEnd { size: u64 },
    /// In the data, of which so much is missing.
    Data { left: u64 },
    /// Behind the data.
    DataEnd(LineEnd),
    /// At the start of a line of the trailer section, which an empty one ends.
    Trailer,
    /// In the name of a trailer field.
    Name,
    /// In its value.
    Value,
    /// Behind the CR of such a line.
    ValueEnd,
    /// Behind the CR of the empty line.
    LastEnd,
    /// Behind all of it.
    Whole,
}

/// What must come next of a CR LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Cr,
    Lf,
}

impl Default for Chunked {
    fn default() -> Chunked {
        Chunked { state: ChunkState::Size { size: 0, digits: 0 }, extra_bytes: 0 }
    }
}

impl Chunked {
    pub(crate) fn is_whole(&self) -> bool {
        self.state == ChunkState::Whole
    }

    /// Reads `input` up to the end of the next piece of data, or of the body, or of itself; says how much of it that
    /// was, and which part of it is data.
    ///
    /// # Errors
    ///
    /// What to answer. Nobody knows where the next request begins after it.
    pub(super) fn next<'b>(&mut self, input: &'b [u8]) -> Result<(usize, &'b [u8]), HttpRefusal> {
        let mut at = 0;
        while at < input.len() && !self.is_whole() {
            if let ChunkState::Data { left } = self.state {
                let piece = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - at);
                let left = left - piece as u64;
                self.state =
                    if left == 0 { ChunkState::DataEnd(LineEnd::Cr) } else { ChunkState::Data { left } };
                return Ok((at + piece, &input[at..at + piece]));
            }
            self.state = self.step(input[at])?;
            at += 1;
        }
        Ok((at, &[]))
    }

    /// The state behind one more byte.
    fn step(&mut self, byte: u8) -> Result<ChunkState, HttpRefusal> {
        let state = match (self.state, byte) {
            (ChunkState::Size { digits: 1.., size }, b'\r') => ChunkState::SizeEnd { size },
            (ChunkState::Size { digits: 1.., size } | ChunkState::Blank { size }, b';') => {
                ChunkState::Extension { size }
            }
            (ChunkState::Size { digits: 1.., size } | ChunkState::Blank { size }, b' ' | b'\t') => {
                ChunkState::Blank { size }
            }
            (ChunkState::Size { size, digits }, _) => match char::from(byte).to_digit(16) {
                Some(digit) if digits < MAX_SIZE_DIGITS => {
                    ChunkState::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
                }
                Some(_) => return Err(bad("Size of a chunk has more than 15 digits")),
                None => return Err(bad("Size of a chunk is not hexadecimal")),
            },
            (ChunkState::Extension { size }, b'\r') => ChunkState::SizeEnd { size },
            (ChunkState::Extension { .. } | ChunkState::Value, _) if is_of_value(byte) => self.state,
            (ChunkState::SizeEnd { size: 0 } | ChunkState::ValueEnd, b'\n') => ChunkState::Trailer,
            (ChunkState::SizeEnd { size }, b'\n') => ChunkState::Data { left: size },
            (ChunkState::DataEnd(LineEnd::Cr), b'\r') => ChunkState::DataEnd(LineEnd::Lf),
            (ChunkState::DataEnd(LineEnd::Lf), b'\n') => Chunked::default().state,
            (ChunkState::Trailer, b'\r') => ChunkState::LastEnd,
            (ChunkState::Trailer | ChunkState::Name, _) if is_token(&[byte]) => ChunkState::Name,
            (ChunkState::Name, b':') => ChunkState::Value,
            (ChunkState::Value, b'\r') => ChunkState::ValueEnd,
            (ChunkState::LastEnd, b'\n') => ChunkState::Whole,
            (ChunkState::DataEnd(_), _) => return Err(bad("Chunk is longer than its size says")),
            (
                ChunkState::Trailer
                | ChunkState::Name
                | ChunkState::Value
                | ChunkState::ValueEnd
                | ChunkState::LastEnd,
                _,
            ) => {
                return Err(bad("Malformed trailer field"));
            }
            (ChunkState::Blank { .. } | ChunkState::Extension { .. } | ChunkState::SizeEnd { .. }, _) => {
                return Err(bad("Malformed chunk extension"));
            }
            (ChunkState::Data { .. } | ChunkState::Whole, _) => self.state,
        };
        if matches!(
            state,
            ChunkState::Blank { .. } | ChunkState::Extension { .. } | ChunkState::Name | ChunkState::Value
        ) {
            self.extra_bytes += 1;
            if self.extra_bytes > MAX_EXTRA_BYTES {
                let text = "Chunk extensions and trailer fields are longer than 8192 bytes";
                return Err(HttpRefusal::new(Status::HeadersTooLarge, text));
            }
        }
        Ok(state)
    }
}

/// As in a field value (RFC 9110 section 5.5).
fn is_of_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn bad(text: &'static str) -> HttpRefusal {
    HttpRefusal::new(Status::BadRequest, text)
}

/// More than any body may have, and no overflow.
const MAX_SIZE_DIGITS: u8 = 15;

const MAX_EXTRA_BYTES: u32 = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a body and how long the body is, however it is cut; `None` while it is not whole.
    #[track_caller]
    fn read(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, HttpRefusal> {
        let outcomes: Vec<_> = [1, 2, 3, 7, usize::MAX].map(|size| read_in_pieces(bytes, size)).into();
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
        outcomes[0].clone()
    }

    fn read_in_pieces(bytes: &[u8], size: usize) -> Result<Option<(Vec<u8>, usize)>, HttpRefusal> {
        let (mut chunked, mut data, mut read) = (Chunked::default(), Vec::new(), 0);
        for mut piece in bytes.chunks(size.min(bytes.len())) {
            while !piece.is_empty() && !chunked.is_whole() {
                let (taken, more) = chunked.next(piece)?;
                assert!(taken > 0, "it goes on");
                data.extend_from_slice(more);
                piece = &piece[taken..];
                read += taken;
            }
        }
        Ok(chunked.is_whole().then_some((data, read)))
    }

    #[test]
    fn the_data_of_all_chunks_is_the_body() {
        for (bytes, data) in [
            ("0\r\n\r\n", ""),
            ("000\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "hello"),
            ("00000A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
            ("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello"),
            ("5 \t; a = \"b;\\\"c\"\r\nhello\r\n0\r\n\r\n", "hello"),
            ("5\r\nhello\r\n0\r\nA: b\r\nC:\r\n\r\n", "hello"),
            ("5\r\nhello\r\n0\r\nA: \u{e4}\tb\r\n\r\n", "hello"),
        ] {
            let behind = [bytes.as_bytes(), b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(read(&behind), Ok(Some((data.as_bytes().to_vec(), bytes.len()))), "{bytes:?}");
            for cut in 0..bytes.len() {
                if cut > 0 {
                    assert_eq!(read(&bytes.as_bytes()[..cut]), Ok(None), "{cut} of {bytes:?}");
                }
            }
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for bytes in [
            "\r\n",
            "\n",
            " 5\r\nhello",
            "5\nhello",
            "5\r\rhello",
            "5 \r\nhello",
            "5 5\r\nhello",
            "5;a\nhello",
            "5;a\rhello",
            "5;a\0\r\nhello",
            "0x5\r\nhello",
            "+5\r\nhello",
            "-5\r\nhello",
            "5,\r\nhello",
            "g\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\r0\r\n\r\n",
            "4\r\nhello\r\n0\r\n\r\n",
            "0\r\n\n",
            "0\r\n\rx",
            "0\r\nA b: c\r\n\r\n",
            "0\r\nA\r\n\r\n",
            "0\r\n: b\r\n\r\n",
            "0\r\n A: b\r\n\r\n",
            "0\r\nA: b\n\r\n",
            "0\r\nA: b\rc\r\n\r\n",
            "0\r\nA: \0\r\n\r\n",
            "0\r\nA: b\r\n c\r\n\r\n",
            "1000000000000000\r\n",
            "0000000000000005\r\nhello",
        ] {
            let status = read(bytes.as_bytes()).map_err(|refusal| refusal.status);
            assert_eq!(status, Err(Status::BadRequest), "{bytes:?}");
        }
    }

    #[test]
    fn what_nobody_here_understands_has_a_limit() {
        let long = "x".repeat(9_000);
        let many = "1;x=y\r\nz\r\n".repeat(3_000);
        let fields = "A: b\r\n".repeat(3_000);
        for bytes in [format!("5;{long}"), format!("5{}", " ".repeat(9_000)), format!("0\r\nA: {long}"), many]
            .into_iter()
            .chain([format!("0\r\n{fields}")])
        {
            let status = read(bytes.as_bytes()).map_err(|refusal| refusal.status);
            assert_eq!(status, Err(Status::HeadersTooLarge), "{}", &bytes[..20]);
        }
    }
}
