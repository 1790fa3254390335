//! Frames of a WebSocket as a client sends and gets them (RFC 6455 section 5).

use core::fmt;

/// The mask of every frame. It is there to protect proxies from pages, not to be secret from the server, so
/// a constant one is allowed to a client that is neither; the server has the same work with it.
pub(super) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Close,
    Ping,
    Pong,
}

impl Kind {
    fn opcode(self) -> u8 {
        match self {
            Kind::Text => 0x1,
            Kind::Close => 0x8,
            Kind::Ping => 0x9,
            Kind::Pong => 0xA,
        }
    }
}

/// A whole frame of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'b> {
    pub(super) kind: Kind,
    pub(super) payload: &'b [u8],
    /// Its length, header included.
    pub(super) bytes: usize,
}

/// A frame that no server may send, or that this client does not need to understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    first: u8,
    second: u8,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server sent a frame that begins with {:02x} {:02x}", self.first, self.second)
    }
}

/// Reads the frame at the start of `bytes`; `None` when it is not all there.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Frame<'_>>, Malformed> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let kind = match first {
        0x81 => Kind::Text,
        0x88 => Kind::Close,
        0x89 => Kind::Ping,
        0x8A => Kind::Pong,
        _ => return Err(Malformed { first: *first, second: *second }),
    };
    let (header, len) = match (second, rest) {
        (0..=125, _) => (2, usize::from(*second)),
        (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, [0, 0, 0, 0, a, b, c, d, ..]) => (10, u32::from_be_bytes([*a, *b, *c, *d]) as usize),
        (126, _) => return Ok(None),
        (127, rest) if rest.len() < 8 => return Ok(None),
        (_, _) => return Err(Malformed { first: *first, second: *second }),
    };
    let payload = bytes.get(header..header + len);
    Ok(payload.map(|payload| Frame { kind, payload, bytes: header + len }))
}

/// Appends a masked frame.
pub(super) fn write(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    out.push(0x80 | kind.opcode());
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ 0..=125), _) => out.push(0x80 | len),
        (_, Ok(len)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&len.to_be_bytes());
        }
        (_, Err(_)) => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[start..], 0);
}

/// XORs `bytes` with [`MASK`]; `offset` is where in its frame's payload the first of them stands.
pub(super) fn mask(bytes: &mut [u8], offset: usize) {
    let mut mask = MASK;
    mask.rotate_left(offset % 4);
    let (chunks, tail) = bytes.as_chunks_mut::<4>();
    for chunk in chunks {
        *chunk = (u32::from_ne_bytes(*chunk) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_the_server_is_read_when_it_is_whole() {
        for len in [0, 125, 126, 65_535, 65_536] {
            let mut bytes = vec![0x81];
            match len {
                0..=125 => bytes.push(u8::try_from(len).unwrap()),
                126..=65_535 => {
                    bytes.push(126);
                    bytes.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend_from_slice(&u64::try_from(len).unwrap().to_be_bytes());
                }
            }
            bytes.resize(bytes.len() + len, b'x');
            let whole = bytes.len();
            bytes.extend_from_slice(&[0x89, 0]);
            for cut in [0, 1, 2, 3, whole - 1] {
                if cut < whole {
                    assert_eq!(parse(&bytes[..cut]), Ok(None), "{cut} of {whole}");
                }
            }
            let frame = parse(&bytes).unwrap().unwrap();
            assert_eq!((frame.kind, frame.payload.len(), frame.bytes), (Kind::Text, len, whole));
        }
    }

    #[test]
    fn a_masked_or_fragmented_frame_of_a_server_is_malformed() {
        for bytes in [[0x81, 0x80, 0], [0x01, 0, 0], [0x82, 0, 0], [0xC1, 0, 0]] {
            assert!(parse(&bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn a_frame_of_ours_is_masked_byte_by_byte() {
        for len in [0, 1, 5, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..=255).cycle().take(len).collect();
            let mut out = Vec::new();
            write(&mut out, Kind::Text, &payload);
            let start = out.len() - len;
            assert_eq!(out[start - 4..start], MASK);
            for (i, byte) in out[start..].iter().enumerate() {
                assert_eq!(byte ^ MASK[i % 4], payload[i]);
            }
        }
    }
}
