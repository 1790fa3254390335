//! The peer's end of a WebSocket: frames written and read (RFC 6455 section 5), apart from the server's own code.

use crate::random::Random;
use crate::scenario::FrameFlaw;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FIN: u8 = 0x80;

/// A text message as one frame.
pub(super) fn text(text: &str, random: &mut Random) -> Vec<u8> {
    frame(FIN | TEXT, text.as_bytes(), random)
}

/// A text message in several frames, a ping between them.
pub(super) fn fragments(text: &str, random: &mut Random) -> Vec<u8> {
    let (bytes, mut out) = (text.as_bytes(), Vec::new());
    let cut = random.index(bytes.len() + 1);
    out.extend(frame(TEXT, &bytes[..cut], random));
    out.extend(frame(FIN | PING, b"between", random));
    out.extend(frame(0, b"", random));
    out.extend(frame(FIN, &bytes[cut..], random));
    out
}

/// A pong.
pub(super) fn pong(random: &mut Random) -> Vec<u8> {
    frame(FIN | PONG, b"", random)
}

/// A close frame.
pub(super) fn close(code: u16, random: &mut Random) -> Vec<u8> {
    frame(FIN | CLOSE, &code.to_be_bytes(), random)
}

/// The header of a frame that is longer than anybody takes, and nothing behind it.
pub(super) fn endless(max_message_bytes: u64) -> Vec<u8> {
    let mut out = vec![FIN | TEXT, 0x80 | 127];
    out.extend((max_message_bytes + 1).to_be_bytes());
    out.extend([1, 2, 3, 4]);
    out
}

fn frame(first: u8, payload: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(0x80 | u8::try_from(short).unwrap_or(0)),
        medium @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend(u16::try_from(medium).unwrap_or(0).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend(u64::try_from(long).unwrap_or(0).to_be_bytes());
        }
    }
    let mask = random.bits().to_be_bytes();
    out.extend(&mask[..4]);
    out.extend(payload.iter().zip(mask[..4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// The bytes of a frame that is wrong, or at the edge of it.
pub(super) fn flawed(flaw: FrameFlaw, random: &mut Random) -> Vec<u8> {
    match flaw {
        FrameFlaw::Unmasked => vec![FIN | TEXT, 2, b'{', b'}'],
        FrameFlaw::ReservedBit => frame(FIN | 0x40 | TEXT, b"{}", random),
        FrameFlaw::UnknownOpcode => frame(FIN | 3, b"{}", random),
        FrameFlaw::FragmentedPing => frame(PING, b"", random),
        FrameFlaw::LongPing => frame(FIN | PING, &[7; 126], random),
        FrameFlaw::LengthNotMinimal => vec![FIN | TEXT, 0x80 | 126, 0, 2, 0, 0, 0, 0, b'{', b'}'],
        FrameFlaw::NothingToContinue => frame(FIN, b"{}", random),
        FrameFlaw::MessageInMessage => [frame(TEXT, b"{", random), frame(FIN | TEXT, b"{}", random)].concat(),
        FrameFlaw::NotUtf8 => frame(FIN | TEXT, b"{\"type\":\"\xff\xfe\"}", random),
        FrameFlaw::ShortClose => frame(FIN | CLOSE, b"\x03", random),
        FrameFlaw::ReservedCloseCode => frame(FIN | CLOSE, &1005_u16.to_be_bytes(), random),
        FrameFlaw::Binary => frame(FIN | 2, br#"{"type":"ping"}"#, random),
        FrameFlaw::ManyPings => (0..50).flat_map(|_| frame(FIN | PING, b"again", random)).collect(),
        FrameFlaw::EmptyFragments => {
            let mut out = frame(TEXT, br#"{"type":"#, random);
            out.extend((0..20).flat_map(|_| frame(0, b"", random)));
            out.extend(frame(FIN, br#""ping"}"#, random));
            out
        }
    }
}

/// Reads what the server writes, and says where it breaks the rules.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    kept: Vec<u8>,
    has_closed: bool,
}

/// One thing that the server wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Text(String),
    Ping,
    Pong,
    Close { code: u16, reason: String },
}

impl Decoder {
    /// Takes in bytes; the frames that are whole by them.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Read>, String> {
        self.kept.extend(bytes);
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some((read, length)) = next(&self.kept[at..])? {
            if self.has_closed {
                return Err(format!("a frame follows the close frame: {read:?}"));
            }
            self.has_closed = matches!(read, Read::Close { .. });
            found.push(read);
            at += length;
        }
        self.kept.drain(..at);
        Ok(found)
    }

    /// Whether a frame has begun and not ended.
    pub(super) fn is_within(&self) -> bool {
        !self.kept.is_empty()
    }
}

/// The first whole frame and its length.
fn next(bytes: &[u8]) -> Result<Option<(Read, usize)>, String> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    if second & 0x80 != 0 {
        return Err("a frame of the server is masked (RFC 6455 section 5.1)".to_owned());
    }
    let (head, length): (usize, usize) = match second & 127 {
        126 => match bytes.get(2..4).and_then(|long| long.try_into().ok()) {
            Some(long) => (4, usize::from(u16::from_be_bytes(long))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|long| long.try_into().ok()) {
            Some(long) => (10, usize::try_from(u64::from_be_bytes(long)).unwrap_or(usize::MAX)),
            None => return Ok(None),
        },
        short => (2, usize::from(short)),
    };
    let minimal = match head {
        2 => true,
        4 => length >= 126,
        _ => length > 0xffff,
    };
    if !minimal {
        return Err(format!("the length {length} is not in its shortest form (RFC 6455 section 5.2)"));
    }
    let Some(payload) = bytes.get(head..head.saturating_add(length)) else { return Ok(None) };
    Ok(Some((meaning(first, payload)?, head + length)))
}

fn meaning(first: u8, payload: &[u8]) -> Result<Read, String> {
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|_| "a text of the server is not UTF-8".to_owned())
    };
    let is_control = first & 8 != 0;
    if is_control && payload.len() > 125 {
        return Err("a control frame is longer than 125 bytes (RFC 6455 section 5.5)".to_owned());
    }
    match (first, payload) {
        (0x81, text_bytes) => Ok(Read::Text(text(text_bytes)?)),
        (0x89, _) => Ok(Read::Ping),
        (0x8a, _) => Ok(Read::Pong),
        (0x88, []) => Ok(Read::Close { code: 1005, reason: String::new() }),
        (0x88, [high, low, reason @ ..]) => {
            Ok(Read::Close { code: u16::from_be_bytes([*high, *low]), reason: text(reason)? })
        }
        _ => Err(format!("the server sent a frame that begins with {first:#04x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_read_in_any_pieces() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let mut bytes = vec![0x81];
            match (u8::try_from(length), u16::try_from(length)) {
                (Ok(short @ 0..126), _) => bytes.push(short),
                (_, Ok(medium)) => bytes.extend([&[126][..], &medium.to_be_bytes()].concat()),
                (_, Err(_)) => bytes.extend([127, 0, 0, 0, 0, 0, 1, 0, 0]),
            }
            bytes.extend(vec![b'x'; length]);
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(1_000) {
                found.extend(decoder.read(piece).unwrap());
            }
            assert_eq!(found, [Read::Text("x".repeat(length))]);
            assert!(!decoder.is_within());
        }
    }

    #[test]
    fn broken_frames_of_the_server_are_found() {
        for bytes in [
            &[0x81, 0x80, 0, 0, 0, 0][..],
            &[0x81, 126, 0, 5, b'a', b'a', b'a', b'a', b'a'],
            &[0x01, 1, b'a'],
            &[0xc1, 1, b'a'],
            &[0x81, 1, 0xff],
            &[0x88, 1, 3],
            &[0x88, 0, 0x81, 0],
        ] {
            assert!(Decoder::default().read(bytes).is_err(), "{bytes:?}");
        }
    }
}
