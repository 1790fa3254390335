//! Frames in, whole messages out.

use crate::websocket::Violation;
use crate::websocket::header::{self, Header, MAX_HEADER_BYTES, Opcode};
use crate::websocket::mask::unmask;
use std::ops::Range;
use std::str;
use tungstenite::protocol::frame::coding::CloseCode;

/// Something whole that a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'b> {
    /// A message, text or binary, that is UTF-8.
    Text(&'b str),
    /// A binary message that is not.
    Binary(&'b [u8]),
    /// A ping with its payload, which the pong must carry.
    Ping(&'b [u8]),
    /// A pong; its payload does not matter.
    Pong,
    /// A close frame with its code; what comes behind it does not count.
    Close(Option<CloseCode>),
}

/// Decodes the frames of one client.
///
/// It owns memory only while a frame or a message is incomplete: a message that lies whole in the input is
/// decoded where it lies.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
}

impl Decoder {
    /// Reads on in `input` from `at`, which it moves, up to the next thing that is whole. `None`: the
    /// input is used up, and what was incomplete is kept. `limit` is the longest message, in bytes.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, as soon as a byte shows it. The decoder is of no use afterwards.
    pub fn next<'b>(
        &'b mut self,
        input: &'b mut [u8],
        at: &mut usize,
        limit: usize,
    ) -> Result<Option<Found<'b>>, Violation> {
        let Some((kind, place)) = self.step(input, at, limit)? else { return Ok(None) };
        let payload = match (place, &self.partial) {
            (PayloadPlace::Input(range), _) => &input[range],
            (PayloadPlace::Message, Some(partial)) => &partial.message,
            (PayloadPlace::Control, Some(partial)) => &partial.control,
            (PayloadPlace::Message | PayloadPlace::Control, None) => &[],
        };
        Ok(Some(match kind {
            Opcode::Text | Opcode::Binary | Opcode::Continuation => match simdutf8::basic::from_utf8(payload)
            {
                Ok(text) => Found::Text(text),
                // Of a message in pieces, text was looked at as it came.
                Err(_) if kind != Opcode::Text => Found::Binary(payload),
                Err(_) => return Err(Violation::NotUtf8),
            },
            Opcode::Ping => Found::Ping(payload),
            Opcode::Pong => Found::Pong,
            Opcode::Close => Found::Close(close_code(payload)?),
        }))
    }

    /// Whether nothing is incomplete, when the input is used up. Then the decoder keeps nothing of its client: it can be
    /// dropped, or serve another one, and what memory it owns is little.
    pub fn is_idle(&mut self) -> bool {
        self.partial.as_mut().is_none_or(|partial| {
            partial.forget_delivered();
            partial.is_idle()
        })
    }

    /// Bytes of memory that this decoder owns.
    #[must_use]
    pub fn owned_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            size_of::<Partial>() + partial.message.capacity() + partial.control.capacity()
        })
    }

    fn step(
        &mut self,
        input: &mut [u8],
        at: &mut usize,
        limit: usize,
    ) -> Result<Option<(Opcode, PayloadPlace)>, Violation> {
        if let Some(partial) = &mut self.partial {
            partial.forget_delivered();
        }
        loop {
            let frame = match self.partial.as_mut().and_then(|partial| partial.frame.take()) {
                // The limit may be lower than it was when the frame began.
                Some(frame) => self.within(frame, limit)?,
                None => match self.header(input, at)? {
                    Some(header) => self.begin(header, limit)?,
                    None => return Ok(None),
                },
            };
            if let Some(place) = self.whole_in_input(&frame, input, at) {
                return Ok(Some((frame.header.kind, place)));
            }
            let partial = self.partial.get_or_insert_default();
            let Some(kind) = partial.payload(frame, input, at)? else { return Ok(None) };
            if let Some(kind) = kind {
                let place = if kind.is_control() { PayloadPlace::Control } else { PayloadPlace::Message };
                return Ok(Some((kind, place)));
            }
        }
    }

    /// The next header, from the input alone or from its beginning that was kept and the input.
    fn header(&mut self, input: &[u8], at: &mut usize) -> Result<Option<Header>, Violation> {
        let rest = &input[*at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let kept = self.partial.as_ref().map_or(0, |partial| partial.header_len);
        if kept == 0
            && let Some(header) = header::parse(rest)?
        {
            *at += header.header_bytes;
            return Ok(Some(header));
        }
        let partial = self.partial.get_or_insert_default();
        let taken = rest.len().min(MAX_HEADER_BYTES - kept);
        partial.header[kept..kept + taken].copy_from_slice(&rest[..taken]);
        match header::parse(&partial.header[..kept + taken])? {
            Some(header) => {
                *at += header.header_bytes - kept;
                partial.header_len = 0;
                Ok(Some(header))
            }
            None => {
                *at += taken;
                partial.header_len = kept + taken;
                Ok(None)
            }
        }
    }

    /// Checks a header against the message that it belongs to.
    fn begin(&self, header: Header, limit: usize) -> Result<FrameState, Violation> {
        let unfinished = self.partial.as_ref().is_some_and(|partial| partial.unfinished);
        match header.kind {
            Opcode::Text | Opcode::Binary if unfinished => return Err(Violation::MessageInMessage),
            Opcode::Continuation if !unfinished => return Err(Violation::NothingToContinue),
            Opcode::Text
            | Opcode::Binary
            | Opcode::Continuation
            | Opcode::Ping
            | Opcode::Pong
            | Opcode::Close => {}
        }
        self.within(FrameState { header, received: 0 }, limit)
    }

    /// The same frame, unless its message becomes too long with it.
    fn within(&self, frame: FrameState, limit: usize) -> Result<FrameState, Violation> {
        if frame.header.kind.is_control() {
            return Ok(frame);
        }
        let come = self.partial.as_ref().map_or(0, |partial| partial.message.len() as u64);
        let missing = frame.header.payload_bytes - frame.received;
        if come.saturating_add(missing) > limit as u64 { Err(Violation::TooBig) } else { Ok(frame) }
    }

    /// The way without a copy: a frame that is all there and all there is.
    fn whole_in_input(&self, frame: &FrameState, input: &mut [u8], at: &mut usize) -> Option<PayloadPlace> {
        let Header { kind, is_final, mask, payload_bytes, .. } = frame.header;
        let alone = kind.is_control() || (kind != Opcode::Continuation && is_final);
        let payload_bytes = usize::try_from(payload_bytes).ok()?;
        if !alone || frame.received > 0 || input.len() - *at < payload_bytes {
            return None;
        }
        let range = *at..*at + payload_bytes;
        unmask(&mut input[range.clone()], mask, 0);
        *at = range.end;
        Some(PayloadPlace::Input(range))
    }
}

/// Where a payload lies.
enum PayloadPlace {
    Input(Range<usize>),
    Message,
    Control,
}

/// A frame under way.
#[derive(Clone, Copy, Debug)]
struct FrameState {
    header: Header,
    /// Bytes of its payload that have come.
    received: u64,
}

/// What is incomplete.
#[derive(Debug, Default)]
struct Partial {
    /// The beginning of a header.
    header: [u8; MAX_HEADER_BYTES],
    header_len: usize,
    /// A frame whose payload is not all there.
    frame: Option<FrameState>,
    /// The payload of a control frame that came in pieces.
    control: Vec<u8>,
    /// The message so far; it grows with what has come, not with what a header promises.
    message: Vec<u8>,
    /// It is a binary one, which need not be UTF-8.
    is_binary: bool,
    /// How much of a text is known to be UTF-8.
    checked: usize,
    /// The message goes on in another frame.
    unfinished: bool,
    /// The message, or the control frame, has been handed out.
    delivered: Option<Opcode>,
}

impl Partial {
    /// Takes as much of the payload as there is. The outer `None`: the input is used up. The inner one:
    /// the frame is whole, but its message is not.
    fn payload(
        &mut self,
        mut frame: FrameState,
        input: &mut [u8],
        at: &mut usize,
    ) -> Result<Option<Option<Opcode>>, Violation> {
        let Header { kind, is_final, mask, payload_bytes, .. } = frame.header;
        let missing = payload_bytes - frame.received;
        let taken = usize::try_from(missing).unwrap_or(usize::MAX).min(input.len() - *at);
        let piece = &mut input[*at..*at + taken];
        unmask(piece, mask, frame.received);
        *at += taken;
        frame.received += taken as u64;
        if kind.is_control() {
            self.control.extend_from_slice(piece);
        } else {
            self.is_binary = kind == Opcode::Binary || (kind == Opcode::Continuation && self.is_binary);
            self.message.extend_from_slice(piece);
            if !self.is_binary {
                self.check_utf8()?;
            }
        }
        if frame.received < payload_bytes {
            self.frame = Some(frame);
            return Ok(None);
        }
        if !kind.is_control() && !is_final {
            self.unfinished = true;
            return Ok(Some(None));
        }
        if !kind.is_control() && !self.is_binary && self.checked < self.message.len() {
            return Err(Violation::NotUtf8);
        }
        self.delivered = Some(kind);
        Ok(Some(Some(kind)))
    }

    /// Fails at the first byte that no continuation can make UTF-8.
    fn check_utf8(&mut self) -> Result<(), Violation> {
        match str::from_utf8(&self.message[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_some() => return Err(Violation::NotUtf8),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }

    fn forget_delivered(&mut self) {
        let Some(kind) = self.delivered.take() else { return };
        if kind.is_control() {
            self.control.clear();
        } else {
            // The largest message ever seen must not stay in memory.
            self.message.clear();
            self.message.shrink_to(MAX_KEPT_BYTES);
            self.checked = 0;
            self.unfinished = false;
        }
    }

    fn is_idle(&self) -> bool {
        // A message is left behind without being unfinished only by a rule that was broken.
        self.header_len == 0 && self.frame.is_none() && !self.unfinished && self.message.is_empty()
    }
}

/// Capacity that a decoder keeps for its next message: enough for nearly all signals.
const MAX_KEPT_BYTES: usize = 4 * 1024;

/// In the registry of close codes, which the library does not follow that far.
const BAD_GATEWAY: CloseCode = CloseCode::Bad(1014);

/// Reads the payload of a close frame.
fn close_code(payload: &[u8]) -> Result<Option<CloseCode>, Violation> {
    let [high, low, reason @ ..] = payload else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::ShortClose) };
    };
    let code = CloseCode::from(u16::from_be_bytes([*high, *low]));
    if !code.is_allowed() && code != BAD_GATEWAY {
        return Err(Violation::CloseCode);
    }
    str::from_utf8(reason).map_err(|_| Violation::CloseReason)?;
    Ok(Some(code))
}
