//! Frames: the same is found however they are cut, and it is what a slow reader of RFC 6455 finds.

use peerpigeon_server::websocket::Violation::{self, *};
use peerpigeon_server::websocket::{Decoder, Found};

/// What a client sent, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    Broken(Violation),
}

/// The first byte says how long a message may be, the second how the rest is cut.
pub fn run(data: &[u8]) {
    let &[limit, cut, ref bytes @ ..] = data else { return };
    let limit = [0, 1, 10, 125, 126, 300, 5_000, 70_000][usize::from(limit) % 8];
    let expected = plainly(bytes, limit);
    assert_eq!(decode([bytes], limit), expected, "in one piece");
    assert_eq!(decode(bytes.chunks(1), limit), expected, "byte by byte");
    assert_eq!(decode(Pieces { bytes, state: u32::from(cut) }, limit), expected, "in pieces, {cut}");
}

/// Pieces of 1 to 64 bytes, mostly short.
struct Pieces<'b> {
    bytes: &'b [u8],
    state: u32,
}

impl<'b> Iterator for Pieces<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        if self.bytes.is_empty() {
            return None;
        }
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let bits = (self.state >> 16) & 7;
        let size = 1 + ((self.state >> 24) & ((1 << bits.min(6)) - 1)) as usize;
        let (piece, rest) = self.bytes.split_at(size.min(self.bytes.len()));
        self.bytes = rest;
        Some(piece)
    }
}

/// As the loop does it: a decoder that keeps nothing is given away, and the next piece may meet another one.
fn decode<'b>(pieces: impl IntoIterator<Item = &'b [u8]>, limit: usize) -> Vec<Seen> {
    let mut decoder = Decoder::default();
    let mut spare = Decoder::default();
    let mut seen = Vec::new();
    for piece in pieces {
        let mut input = piece.to_vec();
        let mut at = 0;
        loop {
            seen.push(match decoder.next(&mut input, &mut at, limit) {
                Ok(None) => break,
                Ok(Some(Found::Text(text))) => Seen::Text(text.to_owned()),
                Ok(Some(Found::Binary(bytes))) => Seen::Binary(bytes.to_vec()),
                Ok(Some(Found::Ping(payload))) => Seen::Ping(payload.to_vec()),
                Ok(Some(Found::Pong)) => Seen::Pong,
                Ok(Some(Found::Close(code))) => Seen::Close(code.map(u16::from)),
                Err(violation) => {
                    assert!(!violation.text().is_empty() && violation.close_code().is_allowed());
                    seen.push(Seen::Broken(violation));
                    return seen;
                }
            });
        }
        assert_eq!(at, input.len(), "all input is used up");
        // It grows by doubling with what has come, and keeps a little for the next message.
        assert!(decoder.owned_bytes() <= 2 * limit + 8 * 1024, "{} bytes", decoder.owned_bytes());
        if decoder.is_idle() {
            std::mem::swap(&mut decoder, &mut spare);
        }
    }
    seen
}

/// RFC 6455 section 5.2, read slowly: byte after byte, everything copied.
fn plainly(bytes: &[u8], limit: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut rest = bytes;
    // What has come of a message that goes on in another frame, and whether it is a binary one.
    let mut message: Option<(bool, Vec<u8>)> = None;
    while !rest.is_empty() {
        match frame(&mut rest, &mut message, limit) {
            Ok(found) => seen.extend(found),
            Err(violation) => {
                seen.push(Seen::Broken(violation));
                break;
            }
        }
    }
    seen
}

/// One frame, or the beginning of one with which `rest` ends.
fn frame(
    rest: &mut &[u8],
    message: &mut Option<(bool, Vec<u8>)>,
    limit: usize,
) -> Result<Option<Seen>, Violation> {
    let mut bytes = std::mem::take(rest).iter();
    let Some(&first) = bytes.next() else { return Ok(None) };
    let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
    let is_control = opcode >= 8;
    if first & 0x70 != 0 {
        return Err(ReservedBits);
    }
    if !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10) {
        return Err(UnknownOpcode);
    }
    if is_control && !is_final {
        return Err(FragmentedControl);
    }
    let Some(&second) = bytes.next() else { return Ok(None) };
    if second & 0x80 == 0 {
        return Err(Unmasked);
    }
    let mut length = u64::from(second & 0x7f);
    if is_control && length > 125 {
        return Err(LongControl);
    }
    if length >= 126 {
        let size = if length == 126 { 2 } else { 8 };
        length = 0;
        for i in 0..size {
            let Some(&byte) = bytes.next() else { return Ok(None) };
            length = length << 8 | u64::from(byte);
            if size == 8 && i == 0 && byte & 0x80 != 0 {
                return Err(LengthTopBit);
            }
            // What is left can only make it shorter than the next form holds.
            if (size == 8 && i == 5 && length == 0) || (size == 2 && i == 1 && length < 126) {
                return Err(NonMinimalLength);
            }
        }
    }
    let mut mask = [0; 4];
    for byte in &mut mask {
        let Some(&next) = bytes.next() else { return Ok(None) };
        *byte = next;
    }
    match (opcode, &message) {
        (0, None) => return Err(NothingToContinue),
        (1 | 2, Some(_)) => return Err(MessageInMessage),
        _ => {}
    }
    let before = message.as_ref().map_or(0, |(_, text)| text.len());
    if !is_control && length.saturating_add(before as u64) > limit as u64 {
        return Err(TooBig);
    }
    let left = bytes.as_slice();
    let (payload, left) = left.split_at(usize::try_from(length).unwrap_or(usize::MAX).min(left.len()));
    let payload: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let is_whole = payload.len() as u64 == length;
    *rest = left;
    if is_control {
        return if is_whole { control(opcode, payload).map(Some) } else { Ok(None) };
    }
    let (is_binary, mut text) = message.take().unwrap_or((opcode == 2, Vec::new()));
    text.extend(payload);
    match std::str::from_utf8(&text) {
        Err(_) if is_binary && is_final && is_whole => Ok(Some(Seen::Binary(text))),
        Err(error) if !is_binary && error.error_len().is_some() => Err(NotUtf8),
        Err(_) if is_final && is_whole => Err(NotUtf8),
        Ok(whole) if is_final && is_whole => Ok(Some(Seen::Text(whole.to_owned()))),
        Ok(_) | Err(_) => {
            *message = Some((is_binary, text));
            Ok(None)
        }
    }
}

fn control(opcode: u8, payload: Vec<u8>) -> Result<Seen, Violation> {
    match (opcode, &payload[..]) {
        (9, _) => Ok(Seen::Ping(payload)),
        (10, _) => Ok(Seen::Pong),
        (_, []) => Ok(Seen::Close(None)),
        (_, [_]) => Err(ShortClose),
        (_, [high, low, reason @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            // RFC 6455 section 7.4 and the registry that it set up.
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Violation::CloseCode);
            }
            if std::str::from_utf8(reason).is_err() {
                return Err(CloseReason);
            }
            Ok(Seen::Close(Some(code)))
        }
    }
}
