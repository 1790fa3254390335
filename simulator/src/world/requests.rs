//! What somebody sends who is no WebSocket client of ours.

use crate::scenario::Request;

/// The bytes of a request.
pub(super) fn bytes(request: Request) -> Vec<u8> {
    let upgrade = |more: &str| {
        format!(
            "GET /?peerId={PEER} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n{more}\r\n"
        )
    };
    let text = match request {
        Request::Nothing => String::new(),
        Request::HalfHead => "GET /health HTTP/1.1\r\nHo".to_owned(),
        Request::Health => "GET /health HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        Request::Pipelined => "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20),
        Request::Rubbish => "\u{1}\u{2}\u{3} hello\r\n\r\n".to_owned(),
        Request::DoubleSlash => "GET // HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(),
        Request::LongHead => format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(70_000)),
        Request::BodyWithoutEnd => {
            "POST /signaling HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{".to_owned()
        }
        Request::WrongVersion => {
            upgrade("Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
        }
        Request::NoKey => upgrade("Sec-WebSocket-Version: 13\r\n"),
        Request::FrameBeforeUpgrade => "\u{81}\u{85}aaaaaaaaa".to_owned(),
    };
    text.into_bytes()
}

/// Somebody who is not in any run.
const PEER: &str = "00112233445566778899aabbccddeeff00112233";
