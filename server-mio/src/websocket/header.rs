//! One frame header, checked as far as its own bytes allow.

use crate::websocket::Violation;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Bytes of the longest header of a masked frame.
pub(super) const MAX_HEADER_BYTES: usize = 14;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    /// The beginning of a text message.
    Text,
    /// The beginning of a binary message.
    Binary,
    /// More of the message before.
    Continuation,
    Ping,
    Pong,
    Close,
}

impl Opcode {
    pub(super) fn is_control(self) -> bool {
        matches!(self, Opcode::Ping | Opcode::Pong | Opcode::Close)
    }
}

/// A header that keeps every rule that concerns one frame alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Opcode,
    /// The last frame of its message.
    pub(super) is_final: bool,
    pub(super) mask: [u8; 4],
    /// Bytes of the payload.
    pub(super) payload_bytes: u64,
    /// Bytes of the header itself.
    pub(super) header_bytes: usize,
}

/// Reads the header at the start of `bytes`; `None` when it is not all there. A rule that is broken shows
/// at the first byte that breaks it, not when the header is whole.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Header>, Violation> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let kind = check_first(first)?;
    let Some(&second) = bytes.get(1) else { return Ok(None) };
    check_second(kind, second)?;
    check_length(second, bytes)?;
    let (payload_bytes, rest) = match (second & 0x7f, &bytes[2..]) {
        (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
        (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest)
        }
        (126 | 127, _) => return Ok(None),
        (short, rest) => (u64::from(short), rest),
    };
    let Some(mask) = rest.first_chunk::<4>() else { return Ok(None) };
    let header_bytes = bytes.len() - rest.len() + mask.len();
    Ok(Some(Header { kind, is_final: first & 0x80 != 0, mask: *mask, payload_bytes, header_bytes }))
}

fn check_first(first: u8) -> Result<Opcode, Violation> {
    if first & 0x70 != 0 {
        return Err(Violation::ReservedBits);
    }
    let kind = match OpCode::from(first & 0x0f) {
        OpCode::Data(Data::Text) => Opcode::Text,
        OpCode::Data(Data::Binary) => Opcode::Binary,
        OpCode::Data(Data::Continue) => Opcode::Continuation,
        OpCode::Control(Control::Ping) => Opcode::Ping,
        OpCode::Control(Control::Pong) => Opcode::Pong,
        OpCode::Control(Control::Close) => Opcode::Close,
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
            return Err(Violation::UnknownOpcode);
        }
    };
    if kind.is_control() && first & 0x80 == 0 {
        return Err(Violation::FragmentedControl);
    }
    Ok(kind)
}

fn check_second(kind: Opcode, second: u8) -> Result<(), Violation> {
    if second & 0x80 == 0 {
        return Err(Violation::Unmasked);
    }
    if kind.is_control() && second & 0x7f > 125 {
        return Err(Violation::LongControl);
    }
    Ok(())
}

/// The extended length, as far as it has come.
fn check_length(second: u8, bytes: &[u8]) -> Result<(), Violation> {
    match (second & 0x7f, &bytes[2..]) {
        (126, [high, low, ..]) if u16::from_be_bytes([*high, *low]) < 126 => Err(Violation::NonMinimalLength),
        (127, [top, ..]) if top & 0x80 != 0 => Err(Violation::LengthTopBit),
        (127, [0, 0, 0, 0, 0, 0, ..]) => Err(Violation::NonMinimalLength),
        _ => Ok(()),
    }
}
