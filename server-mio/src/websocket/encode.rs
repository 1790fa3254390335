//! Frames that the server sends: never masked, never fragmented (RFC 6455 section 5.1).

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// Bytes of the longest header of a frame that is not masked.
pub const MAX_HEADER_BYTES: usize = 10;

/// Bytes that a control frame carries at most (RFC 6455 section 5.5).
pub const MAX_CONTROL_BYTES: usize = 125;

/// Appends a text frame.
pub fn text(out: &mut Vec<u8>, text: &str) {
    frame(out, OpCode::Data(Data::Text), text.as_bytes());
}

/// Appends a ping without payload.
pub fn ping(out: &mut Vec<u8>) {
    frame(out, OpCode::Control(Control::Ping), b"");
}

/// Appends the answer to a ping with this payload.
///
/// # Panics
///
/// When the payload is longer than [`MAX_CONTROL_BYTES`], which no decoded ping is.
pub fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    assert!(payload.len() <= MAX_CONTROL_BYTES, "a pong answers a ping that was checked");
    frame(out, OpCode::Control(Control::Pong), payload);
}

/// Appends a close frame; without a code it has no payload at all, as the echo of one that had none.
///
/// # Panics
///
/// When the reason has more than 123 bytes: all of them are constants of ours.
pub fn close(out: &mut Vec<u8>, code: Option<CloseCode>, reason: &str) {
    let mut payload = [0; MAX_CONTROL_BYTES];
    let mut len = 0;
    if let Some(code) = code {
        len = 2 + reason.len();
        payload[..2].copy_from_slice(&u16::from(code).to_be_bytes());
        payload[2..len].copy_from_slice(reason.as_bytes());
    }
    frame(out, OpCode::Control(Control::Close), &payload[..len]);
}

#[expect(clippy::expect_used, reason = "writing to a Vec cannot fail")]
fn frame(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    header.format(payload.len() as u64, out).expect("writing to a Vec cannot fail");
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_their_shortest_form() {
        for (len, header) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 0xff, 0xff]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            text(&mut out, &"x".repeat(len));
            assert_eq!(&out[..header.len()], header);
            assert_eq!(out.len(), header.len() + len);
        }
    }

    #[test]
    fn a_close_frame_carries_its_code_and_reason() {
        let mut out = Vec::new();
        close(&mut out, Some(CloseCode::Away), "Server shutting down");
        assert_eq!(out, [&[0x88, 22, 0x03, 0xe9][..], b"Server shutting down"].concat());
    }

    #[test]
    fn a_close_frame_without_a_code_is_empty() {
        let mut out = Vec::new();
        close(&mut out, None, "");
        assert_eq!(out, [0x88, 0]);
    }

    #[test]
    fn a_pong_carries_the_payload_of_its_ping() {
        let mut out = Vec::new();
        pong(&mut out, b"hello");
        ping(&mut out);
        assert_eq!(out, b"\x8a\x05hello\x89\x00");
    }
}
