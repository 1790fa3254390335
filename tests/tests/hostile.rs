//! Bad input: the process lives, its sender is told, and twenty healthy peers notice nothing.

use std::io::Write;

use peerpigeon_tests::websocket::{self, append_frame, frame, opcode};
use peerpigeon_tests::{Healthy, Peer, Received, Server, http, id, wait_until};

/// Runs `abuse` while twenty peers signal each other, and asserts afterwards that nothing was left behind.
fn while_others_signal(abuse: impl FnOnce(&Server)) {
    let server = Server::with(&[("MESSAGE_RATE", "0"), ("BYTE_RATE", "0")]);
    let healthy = Healthy::start(&server, 20);
    abuse(&server);
    wait_until("the abuser's connections are gone", || server.gauge("/health", "connections") == 20);
    let report = healthy.stop();
    assert_eq!(server.health().status, 200);
    eprintln!("{} signals meanwhile, the slowest round took {:.1?}", report.signals, report.slowest_round);
    server.stop();
}

/// The status of the first answer; 0 when there is none.
fn status(bytes: &[u8]) -> u16 {
    let head = http::lossy(bytes);
    head.strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

#[test]
fn odd_requests_are_answered_and_the_process_lives() {
    while_others_signal(|server| {
        for (request, expected) in [
            // One of these ended the servers before ours (observed).
            ("GET // HTTP/1.1\r\nHost: x\r\n\r\n", &[400, 404][..]),
            ("GET //host/path HTTP/1.1\r\nHost: x\r\n\r\n", &[400, 404]),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", &[400]),
            ("GET / HTTP/1.1\r\nHost: \r\n\r\n", &[200, 400]),
            ("GET http://example.org/health HTTP/1.1\r\nHost: example.org\r\n\r\n", &[200, 400, 404]),
            ("GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", &[400, 404]),
            ("GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
            // Exactly one Host is needed (RFC 9112 section 3.2).
            ("GET / HTTP/1.1\r\n\r\n", &[400]),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400]),
            ("GET /% HTTP/1.1\r\nHost: x\r\n\r\n", &[400, 404]),
            ("GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", &[400, 404]),
            ("GET /?peerId=%zz HTTP/1.1\r\nHost: x\r\n\r\n", &[200, 400]),
            ("GET * HTTP/1.1\r\nHost: x\r\n\r\n", &[400, 404]),
            ("GET nothing HTTP/1.1\r\nHost: x\r\n\r\n", &[400, 404]),
            ("CONNECT example.org:80 HTTP/1.1\r\nHost: example.org\r\n\r\n", &[400, 404, 405, 501]),
            ("get / HTTP/1.1\r\nHost: x\r\n\r\n", &[400, 405, 501]),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", &[400, 505]),
            ("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", &[400]),
            ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
            ("GET /\r\n\r\n", &[400]),
            (" GET / HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
            ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", &[400]),
            ("GET / HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n", &[400]),
            ("GET / HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n", &[400]),
            ("GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", &[400]),
            ("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n", &[400]),
            // What smuggles requests (RFC 9112 section 6.3).
            (
                "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
                &[400, 405],
            ),
            ("POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", &[400, 405]),
            (
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
                &[400, 405],
            ),
            (
                "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                &[400, 405, 413],
            ),
            ("\0\0\0\0\r\n\r\n", &[400]),
            ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n", &[400]),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400, 405, 505]),
        ] {
            let got = http::exchange_and_end(server.address(), request.as_bytes());
            assert!(
                expected.contains(&status(&got)),
                "{request:?} instead of {expected:?}: {}",
                http::lossy(&got)
            );
            assert_eq!(server.health().status, 200, "after {request:?}");
        }
    });
}

#[test]
fn oversized_heads_are_refused() {
    while_others_signal(|server| {
        let long = "x".repeat(100_000);
        for (request, expected) in [
            (format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), &[414, 431][..]),
            (format!("GET /?peerId={long} HTTP/1.1\r\nHost: x\r\n\r\n"), &[414, 431]),
            (format!("GET / HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n"), &[431]),
            (format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(20_000)), &[431]),
            (long.clone(), &[400, 414, 431]),
        ] {
            let got = http::exchange(server.address(), request.as_bytes());
            // A refusal may be overtaken by a reset, since the rest of the head is not read.
            assert!(
                got.is_empty() || expected.contains(&status(&got)),
                "{request:.40}: {}",
                http::lossy(&got)
            );
        }
    });
}

#[test]
fn upgrades_that_are_none_are_refused() {
    while_others_signal(|server| {
        let target = id::target(&id::of('a'));
        let whole = websocket::upgrade(&target);
        for (line, other, expected) in [
            ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 12", &[426][..]),
            ("Sec-WebSocket-Version: 13\r\n", "", &[400, 426]),
            ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13, 8", &[400, 426]),
            (websocket::KEY, "short", &[400]),
            (websocket::KEY, "!!!!!!!!!!!!!!!!!!!!!!==", &[400]),
            (&format!("Sec-WebSocket-Key: {}\r\n", websocket::KEY), "", &[400]),
            ("Connection: Upgrade", "Connection: close", &[200, 400, 426]),
            ("GET", "POST", &[400, 405]),
            ("HTTP/1.1", "HTTP/1.0", &[200, 400, 426, 505]),
        ] {
            let request = whole.replace(line, other).replacen("\r\n\r\n", "\r\nX-Last: 1\r\n\r\n", 1);
            let got = http::exchange_and_end(server.address(), request.as_bytes());
            assert!(expected.contains(&status(&got)), "{other:?} instead of {line:?}: {}", http::lossy(&got));
            if status(&got) == 426 {
                let (answer, _) = http::parse(&got, false).expect("a whole answer");
                assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{answer:?}");
            }
        }
    });
}

#[test]
fn broken_frames_end_their_sender_with_the_right_code() {
    while_others_signal(|server| {
        let mut unmasked = frame(opcode::TEXT, b"hi");
        unmasked[1] &= 0x7f;
        let mut fragment_then_text = Vec::new();
        append_frame(&mut fragment_then_text, 0x01, b"{");
        append_frame(&mut fragment_then_text, 0x81, b"{}");
        let mut split_ping = Vec::new();
        append_frame(&mut split_ping, 0x09, b"");
        let mut close_1005 = Vec::new();
        append_frame(&mut close_1005, 0x88, &1005_u16.to_be_bytes());
        for (what, bytes, code) in [
            ("a frame without a mask (5.1)", unmasked, 1002),
            ("a reserved bit (5.2)", vec![0xc1, 0x80, 1, 2, 3, 4], 1002),
            ("a reserved opcode (5.2)", vec![0x83, 0x80, 1, 2, 3, 4], 1002),
            ("a reserved control opcode (5.2)", vec![0x8b, 0x80, 1, 2, 3, 4], 1002),
            ("a continuation of nothing (5.4)", frame(opcode::CONTINUATION, b"x"), 1002),
            ("a new message within another (5.4)", fragment_then_text, 1002),
            ("a split ping (5.5)", split_ping, 1002),
            ("a ping of 126 bytes (5.5)", frame(opcode::PING, &[0; 126]), 1002),
            ("a close frame of one byte (5.5.1)", frame(opcode::CLOSE, &[3]), 1002),
            ("a close code that must not be sent (7.4.1)", close_1005, 1002),
            ("garbage", vec![0xff; 100], 1002),
            ("text that is not UTF-8 (8.1)", frame(opcode::TEXT, b"\"\xff\""), 1007),
            ("an overlong form (8.1)", frame(opcode::TEXT, b"\xc0\xaf"), 1007),
            ("half of a surrogate pair as UTF-8 (8.1)", frame(opcode::TEXT, b"\xed\xa0\x80"), 1007),
            ("a close reason that is not UTF-8 (5.5.1)", frame(opcode::CLOSE, b"\x03\xe8\xff"), 1007),
        ] {
            let mut peer = Peer::connect(server, &id::of('a'));
            peer.send_bytes(&bytes);
            assert_eq!(peer.closed().0, code, "{what}");
            peer.drop_connection();
            wait_until("its end", || server.gauge("/health", "connections") == 20);
        }
    });
}

#[test]
fn messages_that_mean_nothing_get_an_error_each_and_the_connection_stays() {
    while_others_signal(|server| {
        let mut peer = Peer::connect(server, &id::of('a'));
        let target = id::of('b');
        for (text, code) in [
            ("", "invalid-json"),
            ("\0", "invalid-json"),
            ("\u{feff}{}", "invalid-json"),
            ("{\"type\":", "invalid-json"),
            ("[[[[", "invalid-json"),
            ("1", "invalid-message"),
            ("[]", "invalid-message"),
            ("{}", "invalid-message"),
            (r#"{"type":{}}"#, "invalid-message"),
            (r#"{"type":"offer","targetPeerId":{}}"#, "invalid-message"),
            (r#"{"type":"ping","networkName":[]}"#, "invalid-message"),
            (r#"{"type":"announce","data":[]}"#, "invalid-message"),
            (r#"{"type":"__proto__"}"#, "unknown-type"),
            (r#"{"type":"constructor"}"#, "unknown-type"),
            (r#"{"type":"offer"}"#, "missing-target"),
            (&format!(r#"{{"type":"answer","targetPeerId":"{target}"}}"#), "target-not-connected"),
            (&format!(r#"{{"type":"answer","targetPeerId":"{target}","networkName":"x"}}"#), "other-network"),
            (&format!(r#"{{"type":"announce","networkName":"{}"}}"#, "x".repeat(100_000)), "invalid-message"),
            (
                &format!(r#"{{"type":"announce","data":{{"x":"{}"}}}}"#, "x".repeat(100_000)),
                "invalid-message",
            ),
            (&format!(r#"{{"type":"{}"}}"#, "x".repeat(100_000)), "unknown-type"),
            (&"[".repeat(100), "invalid-json"),
            (&"[".repeat(100_000), "invalid-message"),
            (&"{\"a\":".repeat(100_000), "invalid-message"),
        ] {
            peer.send(text);
            let error = peer.expect("error");
            assert_eq!(error["data"]["code"], code, "{text:.60}: {error}");
            assert_eq!(error["error"], error["data"]["message"]);
            assert!(error.to_string().len() < 1_000, "an error does not repeat what was too long");
            assert_eq!(peer.settle(), [], "one answer to {text:.60}");
        }
        peer.send(r#"{"type":"ping"}"#);
        peer.expect("pong");
    });
}

#[test]
fn connections_that_come_and_go_at_every_point_leave_nothing_behind() {
    while_others_signal(|server| {
        let target = id::target(&id::of('a'));
        let mut whole = websocket::upgrade(&target).into_bytes();
        append_frame(&mut whole, 0x81, br#"{"type":"announce","networkName":"net"}"#);
        append_frame(&mut whole, 0x81, br#"{"type":"ping","networkName":"net"}"#);
        for cut in (0..=whole.len()).step_by(7) {
            let mut stream = http::connect(server.address());
            stream.write_all(&whole[..cut]).expect("the server reads");
            if cut % 2 == 0 {
                // A reset instead of an end, when there is something unread.
                drop(stream);
            } else {
                stream.shutdown(std::net::Shutdown::Write).expect("it is open");
                http::read_to_end(&mut stream);
            }
        }
    });
}

#[test]
fn frames_sent_together_with_the_upgrade_are_not_lost() {
    let server = Server::start();
    let mut stream = http::connect(server.address());
    let mut bytes = websocket::upgrade(&id::target(&id::of('a'))).into_bytes();
    for _ in 0..3 {
        append_frame(&mut bytes, 0x81, br#"{"type":"ping"}"#);
    }
    append_frame(&mut bytes, 0x88, &websocket::close_payload(1000, ""));
    stream.write_all(&bytes).expect("the server reads");
    let answer = http::lossy(&http::read_to_end(&mut stream));
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert_eq!(answer.matches(r#"{"type":"connected""#).count(), 1, "{answer}");
    assert_eq!(answer.matches(r#"{"type":"pong""#).count(), 3, "{answer}");
}

#[test]
fn the_clients_own_close_is_echoed_with_its_code() {
    let server = Server::start();
    for code in [1000, 1001, 3000, 4999] {
        let peer = Peer::connect(&server, &id::of('a'));
        let last = peer.close(code, "bye").pop();
        let Some(Received::Closed(Some((echoed, _)))) = last else { panic!("{code}: {last:?}") };
        assert_eq!(echoed, code);
        wait_until("its end", || server.gauge("/health", "connections") == 0);
    }
    // Without a code there is none to echo.
    let mut peer = Peer::connect(&server, &id::of('a'));
    peer.send_bytes(&frame(opcode::CLOSE, b""));
    assert!(matches!(peer.receive(), Received::Closed(None)));
}
