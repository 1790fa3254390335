//! Heads of requests, by the rules of RFC 9112, RFC 9110 and RFC 6455.

use crate::access::AllowOrigin;
use crate::http::{
    self, Answer, BodyLength, Framing, Handshake, HttpRefusal, MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES,
    Method, Status, Upgrade,
};
use peerpigeon_core::UnixMillis;
use proptest::prelude::*;

/// What matters of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read {
    method: Method,
    target: String,
    keep_alive: bool,
    body: BodyLength,
    head_bytes: usize,
}

fn read(bytes: &[u8], seen: usize) -> Result<Option<Read>, HttpRefusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let parsed = http::parse(bytes, seen, &mut headers, MAX_HEAD_BYTES)?;
    Ok(parsed.map(|(request, head_bytes)| Read {
        method: request.method,
        target: request.target.to_owned(),
        keep_alive: request.keep_alive,
        body: request.body,
        head_bytes,
    }))
}

/// As [`read`], but the bytes come in pieces of this size.
fn read_in_pieces(bytes: &[u8], piece: usize) -> Result<Option<Read>, HttpRefusal> {
    let mut seen = 0;
    for end in (piece..bytes.len()).step_by(piece).chain([bytes.len()]) {
        if let Some(read) = read(&bytes[..end], seen)? {
            return Ok(Some(read));
        }
        seen = end;
    }
    Ok(None)
}

/// The status of the refusal, however the bytes are cut.
#[track_caller]
fn assert_refused(name: &str, head: &[u8], status: Status) {
    for piece in [1, 2, 1000, head.len()] {
        let outcome = read_in_pieces(head, piece).map_err(|refusal| refusal.status);
        assert_eq!(outcome, Err(status), "{name}, {piece} bytes at a time");
    }
}

#[test]
fn well_formed_requests_are_read() {
    let long_path = format!("/{}", "a".repeat(MAX_TARGET_BYTES - 1));
    let cases: &[(&str, String, Method, &str, bool, u64)] = &[
        ("a plain one", "GET /health HTTP/1.1\r\nHost: a".into(), Method::Get, "/health", true, 0),
        (
            "a query",
            "GET /?peerId=1&x=%20 HTTP/1.1\r\nHost: a".into(),
            Method::Get,
            "/?peerId=1&x=%20",
            true,
            0,
        ),
        ("an empty host", "GET / HTTP/1.1\r\nHost:".into(), Method::Get, "/", true, 0),
        ("a host in IPv6", "GET / HTTP/1.1\r\nhOST: [::1]:3000".into(), Method::Get, "/", true, 0),
        ("a path of slashes", "GET // HTTP/1.1\r\nHost: a".into(), Method::Get, "//", true, 0),
        ("dots", "GET /../.. HTTP/1.1\r\nHost: a".into(), Method::Get, "/../..", true, 0),
        ("an absolute target", "GET http://a:1/b?c HTTP/1.1\r\nHost: x".into(), Method::Get, "/b?c", true, 0),
        ("one without a path", "GET HTTP://a HTTP/1.1\r\nHost: a".into(), Method::Get, "/", true, 0),
        ("one with a query only", "GET ws://a?x=/ HTTP/1.1\r\nHost: a".into(), Method::Get, "?x=/", true, 0),
        ("every path", "OPTIONS * HTTP/1.1\r\nHost: a".into(), Method::Options, "*", true, 0),
        ("an authority", "CONNECT a:443 HTTP/1.1\r\nHost: a".into(), Method::Known, "a:443", true, 0),
        ("an unknown method", "BREW / HTTP/1.1\r\nHost: a".into(), Method::Unknown, "/", true, 0),
        ("methods have case", "get / HTTP/1.1\r\nHost: a".into(), Method::Unknown, "/", true, 0),
        ("HTTP/1.0", "GET / HTTP/1.0".into(), Method::Get, "/", false, 0),
        ("HTTP/1.0, kept", "GET / HTTP/1.0\r\nConnection: Keep-Alive".into(), Method::Get, "/", true, 0),
        ("close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close".into(), Method::Get, "/", false, 0),
        ("a body", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 12".into(), Method::Post, "/x", true, 12),
        (
            "an expectation",
            "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2".into(),
            Method::Known,
            "/x",
            false,
            2,
        ),
        (
            "a length with a zero before it",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 012".into(),
            Method::Post,
            "/",
            true,
            12,
        ),
        (
            "a length beyond numbers",
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}", "9".repeat(40)),
            Method::Post,
            "/",
            true,
            u64::MAX,
        ),
        ("an empty line before", "\r\nGET / HTTP/1.1\r\nHost: a".into(), Method::Get, "/", true, 0),
        (
            "bytes above ASCII in a value",
            "GET / HTTP/1.1\r\nHost: a\r\nX: ä".into(),
            Method::Get,
            "/",
            true,
            0,
        ),
        (
            "the longest target",
            format!("GET {long_path} HTTP/1.1\r\nHost: a"),
            Method::Get,
            &long_path,
            true,
            0,
        ),
    ];
    for (name, head, method, target, keep_alive, body_bytes) in cases {
        let mut bytes = format!("{head}\r\n\r\n").into_bytes();
        let head_bytes = bytes.len();
        let expected = Read {
            method: *method,
            target: (*target).to_owned(),
            keep_alive: *keep_alive,
            body: BodyLength::Known(*body_bytes),
            head_bytes,
        };
        for piece in [1, 2, 1000, head_bytes] {
            assert_eq!(read_in_pieces(&bytes, piece).as_ref(), Ok(&Some(expected.clone())), "{name}");
        }
        bytes.extend_from_slice(b"\x81\x85what follows is not looked at\n");
        assert_eq!(read(&bytes, 0), Ok(Some(expected)), "{name}, with something behind");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let cases: &[(&str, &[u8])] = &[
        ("LF alone behind empty lines", b"\r\n\r\nGET / HTTP/1.1\nHost: a\n\n\r\n\r\n"),
        ("an empty line of LF alone behind empty lines", b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\n\r\n\r\n"),
        ("no target", b"GET HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("two blanks", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("no version", b"GET /\r\nHost: a\r\n\r\n"),
        ("a version in lower case", b"GET / http/1.1\r\nHost: a\r\n\r\n"),
        ("a blank in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a control character in the target", b"GET /\x07 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a target without a slash", b"GET health HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("* for GET", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a strange scheme", b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a scheme without a host", b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("an authority with a user's blank", b"GET http://a\"b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("an IPv6 address without its end", b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("no IPv6 address in brackets", b"GET http://[::g]/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("something behind the brackets", b"GET http://[::1]80/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("brackets in a name", b"GET http://a[b]/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("two ports", b"GET http://a:1:2/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a port in letters", b"GET http://a:b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a host that is an IPv6 address without its end", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
        ("a host that is an IPv6 address without brackets", b"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"),
        ("a host with a port in letters", b"GET / HTTP/1.1\r\nHost: a:http\r\n\r\n"),
        ("a line feed alone", b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
        ("line feeds alone everywhere", b"GET / HTTP/1.1\nHost: a\n\n"),
        ("a carriage return alone", b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
        ("no host", b"GET / HTTP/1.1\r\n\r\n"),
        ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        ("two hosts in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
        ("a host with a blank", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        ("a host with a slash", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        ("a host with a user", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        ("a blank before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        ("a folded line", b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
        ("a first line that is folded", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        ("a field without a colon", b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
        ("a field without a name", b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n"),
        ("NUL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
        ("two lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        ("a list of lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"),
        ("a length with a sign", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"),
        ("a negative length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        ("an empty length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
        (
            "a length and a coding",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        ("a coding in HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("a coding that does not end", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
        ("chunks in a coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"),
        ("chunks in chunks", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"),
        ("an empty coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n"),
        ("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("a greeting of another protocol", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    ];
    for (name, head) in cases {
        if name.contains("greeting") {
            // Refused as soon as it comes: nobody waits for an end that will not come.
            assert!(read(head, 0).is_err_and(|refusal| refusal.status == Status::BadRequest), "{name}");
        } else {
            assert_refused(name, head, Status::BadRequest);
        }
    }
}

#[test]
fn what_is_too_long_or_not_spoken_here_has_its_own_status() {
    let long = "x".repeat(MAX_HEAD_BYTES);
    let many = "X: y\r\n".repeat(MAX_HEADERS + 1);
    let cases: &[(&str, String, Status)] = &[
        ("HTTP/2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n".into(), Status::VersionNotSupported),
        ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n".into(), Status::VersionNotSupported),
        ("a long field", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), Status::HeadersTooLarge),
        (
            "a long field without an end",
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"),
            Status::HeadersTooLarge,
        ),
        ("many fields", format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), Status::HeadersTooLarge),
        (
            "a long target",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(MAX_TARGET_BYTES)),
            Status::UriTooLong,
        ),
        (
            "a target without an end",
            format!("GET /{}", "a".repeat(MAX_TARGET_BYTES + 100)),
            Status::UriTooLong,
        ),
        (
            "a compressed body",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".into(),
            Status::NotImplemented,
        ),
    ];
    for (name, head, status) in cases {
        assert_refused(name, head.as_bytes(), *status);
    }
}

const HANDSHAKE: &str = "GET /?peerId=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The status of the refusal, or whether it makes a WebSocket.
fn classify(head: &str) -> Result<bool, Status> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let Ok(Some((request, _))) = http::parse(head.as_bytes(), 0, &mut headers, MAX_HEAD_BYTES) else {
        panic!("{head}")
    };
    match http::classify(&request) {
        Ok(Upgrade::No) => Ok(false),
        Ok(Upgrade::WebSocket(_)) => Ok(true),
        Err(refusal) => Err(refusal.status),
    }
}

#[test]
fn a_handshake_keeps_every_rule_or_is_refused() {
    let cases: &[(&str, &str, &str, Result<bool, Status>)] = &[
        ("as it should be", "", "", Ok(true)),
        ("with a list of protocols", "websocket", "foo, WebSocket", Ok(true)),
        (
            "from a browser that keeps alive",
            "Connection: Upgrade",
            "Connection: keep-alive, Upgrade",
            Ok(true),
        ),
        ("another protocol", "websocket", "h2c", Ok(false)),
        ("HTTP/1.0", "HTTP/1.1", "HTTP/1.0", Ok(false)),
        ("by POST", "GET", "POST", Err(Status::MethodNotAllowed)),
        ("no Connection", "Connection: Upgrade\r\n", "", Err(Status::BadRequest)),
        ("another Connection", "Connection: Upgrade", "Connection: close", Err(Status::BadRequest)),
        ("version 8", "Version: 13", "Version: 8", Err(Status::UpgradeRequired)),
        ("no version", "Sec-WebSocket-Version: 13\r\n", "", Err(Status::UpgradeRequired)),
        (
            "two versions",
            "Version: 13",
            "Version: 13\r\nSec-WebSocket-Version: 8",
            Err(Status::UpgradeRequired),
        ),
        ("no key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", Err(Status::BadRequest)),
        ("two keys", "Host: a", "Host: a\r\nSec-WebSocket-Key: x", Err(Status::BadRequest)),
        ("a short key", "dGhl", "", Err(Status::BadRequest)),
        ("a long key", "dGhl", "dGhldGhl", Err(Status::BadRequest)),
        ("a key without padding", "ZQ==", "ZQAA", Err(Status::BadRequest)),
        ("a key that is not base64", "dGhl", "dG l", Err(Status::BadRequest)),
        ("the key of section 4.1", "dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEC==", Ok(true)),
        ("a body", "Host: a", "Host: a\r\nContent-Length: 1", Err(Status::BadRequest)),
        ("a body in chunks", "Host: a", "Host: a\r\nTransfer-Encoding: chunked", Err(Status::BadRequest)),
    ];
    for (name, what, instead, expected) in cases {
        assert_eq!(classify(&HANDSHAKE.replacen(what, instead, 1)), *expected, "{name}");
    }
}

#[test]
fn the_answer_to_a_handshake_is_the_one_of_the_rfc() {
    let mut out = Vec::new();
    let handshake = Handshake { key: b"dGhlIHNhbXBsZSBub25jZQ==", protocol: None };
    http::write_switch(&mut out, handshake, AllowOrigin::Nobody);
    let text = String::from_utf8(out).unwrap();
    // The example of RFC 6455 section 1.3.
    assert!(text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{text}");
    assert!(text.starts_with("HTTP/1.1 101 Switching Protocols\r\n") && text.ends_with("\r\n\r\n"), "{text}");
}

/// The subprotocol that is answered to these fields of a handshake.
fn protocol(fields: &str) -> Option<String> {
    let head = HANDSHAKE.replacen("Host: a", &format!("Host: a\r\n{fields}"), 1);
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let (request, _) = http::parse(head.as_bytes(), 0, &mut headers, MAX_HEAD_BYTES).unwrap().unwrap();
    let Ok(Upgrade::WebSocket(handshake)) = http::classify(&request) else { panic!("{head}") };
    let mut out = Vec::new();
    http::write_switch(&mut out, handshake, AllowOrigin::Nobody);
    let text = String::from_utf8(out).unwrap();
    text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: ")).map(str::to_owned)
}

#[test]
fn the_first_subprotocol_on_offer_is_answered_if_it_is_a_token() {
    for (fields, expected) in [
        ("X: y", None),
        ("Sec-WebSocket-Protocol: json", Some("json")),
        ("sec-websocket-protocol:json, other", Some("json")),
        ("Sec-WebSocket-Protocol: , ,a.b+c!#$%&'*-^_`|~", Some("a.b+c!#$%&'*-^_`|~")),
        ("Sec-WebSocket-Protocol: one\r\nSec-WebSocket-Protocol: two", Some("one")),
        ("Sec-WebSocket-Protocol:", None),
        ("Sec-WebSocket-Protocol: ,", None),
        ("Sec-WebSocket-Protocol: a b, c", None),
        ("Sec-WebSocket-Protocol: a;b", None),
        ("Sec-WebSocket-Protocol: \"a\"", None),
        ("Sec-WebSocket-Protocol: ä", None),
        ("Sec-WebSocket-Protocol: a\tb", None),
    ] {
        assert_eq!(protocol(fields).as_deref(), expected, "{fields}");
    }
    let long = "x".repeat(10_000);
    assert_eq!(protocol(&format!("Sec-WebSocket-Protocol: {long}")), Some(long));
}

fn written(answer: &Answer, frame: Framing<'_>) -> String {
    let mut out = Vec::new();
    http::write(&mut out, answer, frame);
    String::from_utf8(out).unwrap()
}

const FRAME: Framing<'static> = Framing {
    cors: AllowOrigin::Always("*"),
    wall: UnixMillis(784_111_777_000),
    is_head: false,
    is_1_1: true,
    keep_alive: true,
};

#[test]
fn an_answer_is_written_as_its_request_asks() {
    let answer = Answer::text(Status::Ok, "hello");
    assert_eq!(
        written(&answer, FRAME),
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nAccess-Control-Allow-Origin: *\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"
    );
    let head = written(&answer, Framing { is_head: true, ..FRAME });
    assert!(head.ends_with("\r\nContent-Length: 5\r\n\r\n"), "{head}");
    assert!(written(&answer, Framing { keep_alive: false, ..FRAME }).contains("\r\nConnection: close\r\n"));
    assert!(written(&answer, Framing { is_1_1: false, ..FRAME }).contains("\r\nConnection: keep-alive\r\n"));
    let echo = written(&answer, Framing { cors: AllowOrigin::ThisOne("https://a.example"), ..FRAME });
    assert!(
        echo.contains("\r\nAccess-Control-Allow-Origin: https://a.example\r\nVary: Origin\r\n"),
        "{echo}"
    );
    let nobody = written(&answer, Framing { cors: AllowOrigin::Nobody, ..FRAME });
    assert!(!nobody.contains("Access-Control") && nobody.contains("\r\nVary: Origin\r\n"), "{nobody}");
}

#[test]
fn a_refusal_tells_what_would_be_accepted() {
    for (status, line) in [
        (Status::UpgradeRequired, "\r\nSec-WebSocket-Version: 13\r\n"),
        (Status::UpgradeRequired, "\r\nUpgrade: websocket\r\n"),
        (Status::MethodNotAllowed, "\r\nAllow: GET, HEAD, OPTIONS\r\n"),
        (Status::Unauthorized, "\r\nWWW-Authenticate: Bearer\r\n"),
    ] {
        let text =
            written(&Answer::refusal(HttpRefusal::new(status, "")), Framing { keep_alive: false, ..FRAME });
        assert!(text.contains(line), "{text}");
    }
}

/// A proxy may serve them below a path of its own.
#[test]
fn no_page_asks_for_an_absolute_path() {
    for (name, text) in [
        ("demo.html", include_str!("pages/demo.html")),
        ("demo.js", include_str!("pages/demo.js")),
        ("client.js", include_str!("../../client/client.js")),
        ("status.html", include_str!("../observe/status.html")),
    ] {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for mark in ['"', '\'', '`'] {
                let start = format!("{mark}/");
                let mut behind = line.split(start.as_str()).skip(1);
                let is_path = |rest: &str| !rest.starts_with(['/', '>', ' ', ')']);
                assert!(!behind.any(is_path), "{name}: {line}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1..50_usize) {
        let _ = read_in_pieces(&bytes, piece);
    }

    #[test]
    fn nothing_near_a_request_makes_it_panic(
        mut bytes in Just(HANDSHAKE.as_bytes().to_vec()),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        piece in 1..50_usize,
    ) {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let whole = read(&bytes, 0);
        if whole.is_ok() {
            prop_assert_eq!(read_in_pieces(&bytes, piece), whole);
        }
    }
}
