//! The WebSocket handshake (RFC 6455 section 4), and what may stand around it.

use crate::exchange::Reply::Status;
use crate::exchange::{Exchange, get};
use crate::report::Level::{May, Must, Should};
use peerpigeon_tests::websocket::{self, Frame, close_payload, frame, opcode};

pub(crate) fn all() -> Vec<Exchange> {
    [requests(), versions(), keys(), options(), pipelined()].concat()
}

/// The handshake of which `line` is replaced by `other`.
fn with(line: &str, other: &str) -> String {
    let whole = upgrade();
    assert!(whole.contains(line), "{line} is in {whole}");
    whole.replacen(line, other, 1)
}

/// The handshake with more header fields.
fn and(fields: &str) -> String {
    with("\r\n\r\n", &format!("\r\n{fields}\r\n"))
}

fn upgrade() -> String {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(2_000_000);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    websocket::upgrade(&peerpigeon_tests::id::target(&peerpigeon_tests::id::number(number)))
}

fn requests() -> Vec<Exchange> {
    let case = |level, what: &str, request: String| Exchange::new("RFC 6455 4.2.1", level, what, &request);
    let connection = "Connection: Upgrade\r\n";
    let asks = "Upgrade: websocket\r\n";
    vec![
        case(Must, "the handshake", upgrade()).switches(),
        case(Must, "names in another case", upgrade().replace("Sec-WebSocket-", "SEC-WEBSOCKET-")).switches(),
        case(Must, "WebSocket in another case", with("websocket", "WebSocket")).switches(),
        case(Must, "WEBSOCKET in capitals", with("websocket", "WEBSOCKET")).switches(),
        case(Must, "upgrade in lower case", with("Connection: Upgrade", "Connection: upgrade")).switches(),
        case(Must, "what a browser says", with("Connection: Upgrade", "Connection: keep-alive, Upgrade"))
            .switches(),
        case(
            Must,
            "Connection on two lines",
            with(connection, "Connection: keep-alive\r\nConnection: Upgrade\r\n"),
        )
        .switches(),
        case(Must, "Upgrade as a list", with("websocket", "h2c, websocket")).switches(),
        case(Must, "no Connection", with(connection, "")).ends(400),
        case(Must, "Connection without Upgrade", with(connection, "Connection: keep-alive\r\n")).ends(400),
        case(Must, "no Upgrade", with(asks, "")).stays(200),
        case(Must, "Upgrade to something else", with("websocket", "websockets")).stays(200),
        case(Must, "no Host", with("Host: 127.0.0.1\r\n", "")).ends(400),
        case(Must, "POST", with("GET", "POST")).ends(405),
        case(Must, "PUT", with("GET", "PUT")).ends(405),
        case(Must, "OPTIONS", with("GET", "OPTIONS")).ends(405),
        case(Must, "HTTP/1.0", with("HTTP/1.1", "HTTP/1.0")).ends(200),
        case(Must, "HTTP/2.0", with("HTTP/1.1", "HTTP/2.0")).ends(505),
        case(Must, "an absolute target", with("GET /", "GET ws://example.org/")).switches(),
        case(Must, "an absolute target without a path", with("GET /?", "GET wss://example.org?")).switches(),
        case(Must, "fields in another order", reversed()).switches(),
        case(Must, "a field folded", and("A: b\r\n c\r\n")).ends(400),
        Exchange::new("RFC 9110 9.3.1", May, "a body", &and("Content-Length: 5\r\n")).then("hello").ends(400),
        Exchange::new("RFC 9110 9.3.1", May, "an empty body", &and("Content-Length: 0\r\n")).switches(),
        Exchange::new("RFC 9112 6.3", May, "chunks", &and("Transfer-Encoding: chunked\r\n"))
            .then("0\r\n\r\n")
            .ends(400),
    ]
}

fn reversed() -> String {
    let whole = upgrade();
    let mut lines: Vec<&str> = whole.trim_end().split("\r\n").collect();
    lines[1..].reverse();
    lines.join("\r\n") + "\r\n\r\n"
}

fn versions() -> Vec<Exchange> {
    const LINE: &str = "Sec-WebSocket-Version: 13\r\n";
    let case = |what: &str, other: &str| {
        let line =
            if other.is_empty() { String::new() } else { format!("Sec-WebSocket-Version:{other}\r\n") };
        Exchange::new("RFC 6455 4.4", Must, what, &with(LINE, &line))
    };
    let refused = |what: &str, other: &str| {
        // The version that is spoken, and by RFC 9110 section 15.5.22 the protocol.
        case(what, other)
            .ends(426)
            .with_field("sec-websocket-version", "13")
            .with_field("upgrade", "websocket")
    };
    vec![
        refused("version 12", " 12"),
        refused("version 8", " 8"),
        refused("version 14", " 14"),
        refused("version 0", " 0"),
        refused("version 255", " 255"),
        refused("version 13.0", " 13.0"),
        refused("version 013", " 013"),
        refused("a word", " thirteen"),
        refused("an empty version", " "),
        refused("no version", ""),
        refused("two versions as a list", " 13, 8"),
        refused("two versions on two lines", " 13\r\nSec-WebSocket-Version: 8"),
        case("blanks around the version", " \t13\t ").switches(),
        case("no blank before the version", "13").switches(),
    ]
}

fn keys() -> Vec<Exchange> {
    let line = format!("Sec-WebSocket-Key: {}\r\n", websocket::KEY);
    let key = |what: &str, key: &str| {
        let other = format!("Sec-WebSocket-Key: {key}\r\n");
        Exchange::new("RFC 6455 4.2.1", Must, what, &with(&line, &other))
    };
    vec![
        Exchange::new("RFC 6455 4.2.1", Must, "no key", &with(&line, "")).ends(400),
        Exchange::new("RFC 6455 4.2.1", Must, "two keys", &and(&line)).ends(400),
        key("an empty key", "").ends(400),
        key("a key of 15 bytes", "AAAAAAAAAAAAAAAAAAAA").ends(400),
        key("a key of 17 bytes", "AAAAAAAAAAAAAAAAAAAAAAA=").ends(400),
        key("a key of 16 bytes without its padding", "AAAAAAAAAAAAAAAAAAAAAA").ends(400),
        key("a key with one sign of padding", "AAAAAAAAAAAAAAAAAAAAAA=").ends(400),
        key("a key that is no base64", "!!!!!!!!!!!!!!!!!!!!!!==").ends(400),
        key("a key in the other base64", "____________________-w==").ends(400),
        key("a key of 23 digits", "AAAAAAAAAAAAAAAAAAAAAAA==").ends(400),
        key("a key in hex", "00112233445566778899aabbccddeeff").ends(400),
        key("a key that is UTF-8", "ääääääääääää").ends(400),
        key("the key of the RFC between blanks", "  dGhlIHNhbXBsZSBub25jZQ== \t").switches(),
    ]
}

fn options() -> Vec<Exchange> {
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    vec![
        Exchange::new("RFC 6455 9.1", Must, "an extension on offer", &and(deflate))
            .switches()
            .without_field("sec-websocket-extensions"),
        Exchange::new(
            "RFC 6455 9.1",
            Must,
            "an extension that is nonsense",
            &and("Sec-WebSocket-Extensions: ,;=\r\n"),
        )
        .switches()
        .without_field("sec-websocket-extensions"),
        Exchange::new(
            "RFC 6455 4.2.2",
            Must,
            "subprotocols on offer",
            &and("Sec-WebSocket-Protocol: chat, mqtt\r\n"),
        )
        .switches()
        .with_field("sec-websocket-protocol", "chat"),
        Exchange::new(
            "RFC 6455 4.2.2",
            Must,
            "a subprotocol that is no name",
            &and("Sec-WebSocket-Protocol: a b\r\n"),
        )
        .switches()
        .without_field("sec-websocket-protocol"),
        Exchange::new("RFC 6455 10.2", May, "an origin", &and("Origin: https://app.example\r\n")).switches(),
        Exchange::new("RFC 6455 10.2", May, "an origin of no page", &and("Origin: null\r\n")).switches(),
        Exchange::new("RFC 6455 4.2.1", May, "a cookie", &and("Cookie: a=b; c=d\r\n")).switches(),
        Exchange::new("RFC 6455 4.1", Must, "unknown fields", &and("X-A: b\r\nSec-WebSocket-X: y\r\n"))
            .switches(),
    ]
}

fn pipelined() -> Vec<Exchange> {
    let ping = |payload: &str| frame(opcode::PING, payload.as_bytes());
    let pong = |payload: &str| Frame::Pong(payload.as_bytes().to_vec());
    let text = frame(opcode::TEXT, br#"{"type":"ping"}"#);
    let answer = Frame::Text(r#"{"type":"pong""#.to_owned());
    vec![
        Exchange::new("RFC 6455 4.1", Must, "a ping behind the handshake", &upgrade())
            .then(ping("early"))
            .switches_after(&[], vec![pong("early")]),
        Exchange::new("RFC 6455 4.1", Must, "a text behind the handshake", &upgrade())
            .then(&text)
            .switches_after(&[], vec![answer.clone()]),
        Exchange::new("RFC 6455 4.1", Must, "many frames behind the handshake", &upgrade())
            .then([ping("1"), text.clone(), ping("2"), text].concat())
            .switches_after(&[], vec![pong("1"), answer.clone(), pong("2"), answer]),
        Exchange::new("RFC 9112 9.3.2", Must, "a request before the handshake", &get("/health", ""))
            .then(upgrade())
            .switches_after(&[Status(200)], Vec::new()),
        Exchange::new(
            "RFC 9112 9.3.2",
            Must,
            "a body before the handshake",
            "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        )
        .then(upgrade())
        .switches_after(&[Status(405)], Vec::new()),
        Exchange::new(
            "RFC 9112 9.3.2",
            Must,
            "twenty requests before the handshake",
            &get("/", "").repeat(20),
        )
        .then(upgrade())
        .switches_after(&[Status(200); 20], Vec::new()),
        Exchange::new("RFC 6455 5.2", Must, "a second handshake behind the first", &upgrade())
            .then(upgrade())
            .switches_and_fails(1002),
        Exchange::new("RFC 6455 5.1", Must, "an unmasked frame behind the handshake", &upgrade())
            .then([0x81, 2, b'h', b'i'])
            .switches_and_fails(1002),
        Exchange::new("RFC 6455 7.1.1", Must, "a close frame behind the handshake", &upgrade())
            .then(frame(opcode::CLOSE, &close_payload(1000, "bye")))
            .switches_and_fails(1000),
        Exchange::new(
            "RFC 9112 9.6",
            Should,
            "the handshake behind a last request",
            &get("/", "Connection: close\r\n"),
        )
        .then(upgrade())
        .ends(200),
        Exchange::new(
            "RFC 6455 4.2.2",
            Must,
            "frames behind a refused handshake",
            &with("Version: 13", "Version: 12"),
        )
        .then(ping("early"))
        .ends(426),
    ]
}
