//! RFC 6455 seen from the client, without I/O: strict about what the server sends, free in what is sent to it.
//!
//! Written apart from the server's codec on purpose, so that a fault in that one cannot hide in this one.

/// The key of every handshake here, and what a server must make of it: the example of RFC 6455 section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// See [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Opcodes (RFC 6455 section 5.2).
pub mod opcode {
    /// A further part of a message.
    pub const CONTINUATION: u8 = 0;
    /// A text message.
    pub const TEXT: u8 = 1;
    /// A binary message.
    pub const BINARY: u8 = 2;
    /// A close frame.
    pub const CLOSE: u8 = 8;
    /// A ping.
    pub const PING: u8 = 9;
    /// A pong.
    pub const PONG: u8 = 10;
}

/// What a server may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole text message.
    Text(String),
    /// A ping with its payload.
    Ping(Vec<u8>),
    /// A pong with its payload.
    Pong(Vec<u8>),
    /// A close frame: code and reason; `None` without a code.
    Close(Option<(u16, String)>),
}

/// The upgrade request for `target`.
#[must_use]
pub fn upgrade(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// Whether this head of an answer (up to and with its blank line) accepts [`upgrade`].
///
/// # Errors
///
/// What is wrong with it.
pub fn check_accepted(head: &str) -> Result<(), String> {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 101 ") {
        return Err(format!("the upgrade was answered by: {head}"));
    }
    let accept = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-accept"));
    match accept {
        Some((_, value)) if value.trim() == ACCEPT => Ok(()),
        _ => Err(format!("no right Sec-WebSocket-Accept in: {head}")),
    }
}

/// One whole frame of a client: final and masked.
#[must_use]
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 14);
    append_frame(&mut bytes, 0x80 | opcode, payload);
    bytes
}

/// The payload of a close frame.
#[must_use]
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// Appends a masked frame whose first byte (FIN, reserved bits and opcode) is `first`.
#[expect(clippy::cast_possible_truncation, reason = "each length is checked before it is narrowed")]
pub fn append_frame(bytes: &mut Vec<u8>, first: u8, payload: &[u8]) {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    bytes.push(first);
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Takes the server's bytes, gives frames.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Takes what was read.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        } else if self.start > 64 * 1024 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether bytes of an incomplete frame are left.
    #[must_use]
    pub fn is_in_frame(&self) -> bool {
        self.start < self.bytes.len()
    }

    /// The next whole frame; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// What the server did that RFC 6455 forbids, or that it has no reason to do: this server splits no message
    /// and sends no binary one.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, String> {
        let bytes = &self.bytes[self.start..];
        let &[first, second, ..] = bytes else { return Ok(None) };
        if first & 0x80 == 0 || first & 0x70 != 0 {
            return Err(format!("a frame that begins with {first:#04x}: split, or with reserved bits"));
        }
        if second & 0x80 != 0 {
            return Err("a masked frame from the server (section 5.1)".to_owned());
        }
        let (head, length) = match second {
            126 => match bytes.get(2..4) {
                Some(&[a, b]) => (4, usize::from(u16::from_be_bytes([a, b]))),
                _ => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(|length| <[u8; 8]>::try_from(length).ok()) {
                Some(length) => (10, usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX)),
                None => return Ok(None),
            },
            length => (2, usize::from(length)),
        };
        if (head == 4 && length < 126) || (head == 10 && length < 0x1_0000) {
            return Err(format!("a length of {length} that is not minimal (section 5.2)"));
        }
        let Some(payload) = bytes[head..].get(..length) else { return Ok(None) };
        let frame = decode(first & 0x0f, payload)?;
        self.start += head + length;
        Ok(Some(frame))
    }
}

fn decode(code: u8, payload: &[u8]) -> Result<Frame, String> {
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|error| format!("text that is not UTF-8: {error}"))
    };
    if code >= opcode::CLOSE && payload.len() > 125 {
        return Err(format!("a control frame of {} bytes (section 5.5)", payload.len()));
    }
    match (code, payload) {
        (opcode::TEXT, _) => Ok(Frame::Text(text(payload)?)),
        (opcode::PING, _) => Ok(Frame::Ping(payload.to_vec())),
        (opcode::PONG, _) => Ok(Frame::Pong(payload.to_vec())),
        (opcode::CLOSE, []) => Ok(Frame::Close(None)),
        (opcode::CLOSE, [high, low, reason @ ..]) => {
            Ok(Frame::Close(Some((u16::from_be_bytes([*high, *low]), text(reason)?))))
        }
        _ => Err(format!("a frame with opcode {code} and {} bytes", payload.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server would send: the same frame without its mask.
    fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = frame(opcode, payload);
        let head = bytes.len() - payload.len() - 4;
        bytes.truncate(head);
        bytes[1] &= 0x7f;
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn frames_of_every_length_are_read_however_they_are_cut() {
        for length in [0, 1, 125, 126, 127, 0xffff, 0x1_0000, 0x1_0001] {
            let text = "x".repeat(length);
            let bytes = server_frame(opcode::TEXT, text.as_bytes());
            for cut in [1, 2, 3, 9, bytes.len() - 1].map(|cut| cut.min(bytes.len() - 1)) {
                let mut decoder = Decoder::default();
                decoder.extend(&bytes[..cut]);
                assert_eq!(decoder.next_frame(), Ok(None));
                decoder.extend(&bytes[cut..]);
                assert_eq!(decoder.next_frame(), Ok(Some(Frame::Text(text.clone()))));
                assert!(!decoder.is_in_frame());
            }
        }
    }

    #[test]
    fn what_a_server_must_not_send_is_a_fault() {
        let masked = frame(opcode::TEXT, b"hi");
        let split = [0x01, 0x02, b'h', b'i'];
        let reserved = [0xc1, 0x02, b'h', b'i'];
        let long = [0x81, 126, 0, 2, b'h', b'i'];
        let broken_text = server_frame(opcode::TEXT, &[0xff]);
        let binary = server_frame(opcode::BINARY, b"hi");
        let lone_close_byte = server_frame(opcode::CLOSE, &[3]);
        for bytes in [&masked[..], &split, &reserved, &long, &broken_text, &binary, &lone_close_byte] {
            let mut decoder = Decoder::default();
            decoder.extend(bytes);
            assert!(decoder.next_frame().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_close_frame_has_its_code_and_reason() {
        let mut decoder = Decoder::default();
        decoder.extend(&server_frame(opcode::CLOSE, &close_payload(1001, "Server shutting down")));
        let close = Frame::Close(Some((1001, "Server shutting down".to_owned())));
        assert_eq!(decoder.next_frame(), Ok(Some(close)));
    }
}
