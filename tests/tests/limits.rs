//! Who asks for more than is allowed is told, and ends alone.

use peerpigeon_tests::{Healthy, Peer, Received, Server, http, id, wait_until, websocket};

#[test]
fn a_message_of_the_set_size_passes_and_one_byte_more_does_not() {
    let server = Server::with(&[("MAX_MESSAGE_SIZE", "2000")]);
    let mut a = Peer::connect(&server, &id::of('a'));
    let message = |size: usize| {
        let text = r#"{"type":"ping","data":""}"#;
        text.replace(r#""""#, &format!("\"{}\"", "x".repeat(size - text.len())))
    };
    assert_eq!(message(2000).len(), 2000);
    a.send(&message(2000));
    a.expect("pong");
    a.send(&message(2001));
    assert_eq!(a.closed().0, 1009);
}

#[test]
fn the_size_of_a_message_counts_all_its_frames() {
    let server = Server::with(&[("MAX_MESSAGE_SIZE", "2000")]);
    let mut a = Peer::connect(&server, &id::of('a'));
    let mut frames = Vec::new();
    websocket::append_frame(&mut frames, 0x01, &[b'x'; 1200]);
    websocket::append_frame(&mut frames, 0x00, &[b'x'; 1200]);
    a.send_bytes(&frames);
    assert_eq!(a.closed().0, 1009);
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_payload_comes() {
    let server = Server::start();
    let mut a = Peer::connect(&server, &id::of('a'));
    // 2^62 bytes are announced; none follows.
    a.send_bytes(&[0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(a.closed().0, 1009);
}

#[test]
fn a_peer_over_its_rate_is_warned_first_and_then_closed() {
    let server = Server::with(&[("MESSAGE_RATE", "5"), ("MESSAGE_BURST", "20")]);
    let mut flooding = Peer::connect(&server, &id::of('a'));
    for _ in 0..1000 {
        flooding.send(r#"{"type":"ping"}"#);
    }
    let (mut pongs, mut warnings) = (0, 0);
    loop {
        match flooding.receive() {
            Received::Text(text) if text.starts_with(r#"{"type":"pong""#) => pongs += 1,
            Received::Text(text) => {
                assert!(text.contains(r#""code":"rate-limited""#), "{text}");
                warnings += 1;
            }
            other @ (Received::Closed(_) | Received::Lost) => {
                break assert_eq!(other, Received::Closed(Some((1008, "Rate limit exceeded".to_owned()))));
            }
        }
    }
    assert!((20..100).contains(&pongs), "{pongs} messages were let through");
    assert!(warnings >= 1, "it was closed without a warning");
}

#[test]
fn the_burst_of_a_real_client_passes() {
    let server = Server::start();
    let mut a = Peer::connect(&server, &id::of('a'));
    let mut b = Peer::connect(&server, &id::of('b'));
    // Fifty links at once with twenty candidates each.
    for n in 0..1000 {
        a.signal("ice-candidate", b.id(), "global", &n.to_string());
    }
    for n in 0..1000 {
        assert_eq!(b.expect("ice-candidate")["data"], n);
    }
    assert_eq!(a.settle(), []);
}

#[test]
fn who_finds_the_server_full_is_told_by_a_close_and_the_others_notice_nothing() {
    let server = Server::with(&[("MAX_CONNECTIONS", "21"), ("MESSAGE_RATE", "0")]);
    let healthy = Healthy::start(&server, 20);
    let last = Peer::connect(&server, &id::of('a'));
    let mut waiting: Vec<Peer> =
        (0..5).map(|n| Peer::upgrade(server.address(), &id::target(&id::number(n)))).collect();
    let full = Received::Closed(Some((1013, "Maximum connections reached".to_owned())));
    for peer in &mut waiting {
        assert_eq!(peer.receive(), full);
    }
    // A place becomes free: the next one gets it.
    last.drop_connection();
    wait_until("a place", || server.gauge("/health", "connections") == 20);
    drop(Peer::connect(&server, &id::of('b')));
    healthy.stop();
}

#[test]
fn a_handshake_that_does_not_come_to_an_end_is_ended() {
    let server = Server::with(&[("HANDSHAKE_TIMEOUT", "300")]);
    for begun in ["", "GET", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = http::connect(server.address());
        std::io::Write::write_all(&mut stream, begun.as_bytes()).expect("the server listens");
        let answer = http::lossy(&http::read_to_end(&mut stream));
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{begun:?}: {answer}");
    }
}

#[test]
fn a_client_that_does_not_answer_a_close_frame_is_ended_all_the_same() {
    let server = Server::start();
    let mut stream = http::connect(server.address());
    std::io::Write::write_all(&mut stream, websocket::upgrade("/?peerId=none").as_bytes())
        .expect("the server reads");
    let got = http::read_to_end(&mut stream);
    assert!(got.ends_with(b"Invalid peerId: expected 40 hex digits"), "{}", http::lossy(&got));
}

#[test]
fn one_address_gets_no_more_connections_than_its_share() {
    let server = Server::with(&[("MAX_CONNECTIONS_PER_IP", "2"), ("LIMIT_EXEMPT", "10.0.0.0/8")]);
    let mut first = Peer::connect(&server, &id::of('a'));
    let _second = Peer::connect(&server, &id::of('b'));
    let mut third = Peer::upgrade(server.address(), &id::target(&id::of('c')));
    assert_eq!(third.closed(), (1013, "Too many connections from this address".to_owned()));
    first.send(r#"{"type":"ping"}"#);
    first.expect("pong");
    // Without that, the loopback has no such limit: a proxy on this machine would share it.
    let server = Server::with(&[("MAX_CONNECTIONS_PER_IP", "2")]);
    let _many: Vec<Peer> = (0..10).map(|n| Peer::connect(&server, &id::number(n))).collect();
}

#[test]
fn a_peer_that_does_not_read_is_closed_and_its_sender_and_the_others_go_on() {
    let server = Server::with(&[
        ("MESSAGE_RATE", "0"),
        ("BYTE_RATE", "0"),
        ("MAX_MESSAGE_SIZE", "100000"),
        ("MAX_QUEUE_SIZE", "200000"),
        ("PONG_TIMEOUT", "1000"),
    ]);
    let healthy = Healthy::start(&server, 20);
    let mut sender = Peer::announced(&server, &id::of('a'), "net");
    let mut sleeping = Peer::announced(&server, &id::of('b'), "net");
    sender.expect("peer-discovered");
    sleeping.expect("peer-discovered");
    let filler = format!("\"{}\"", "x".repeat(60_000));
    let (mut accepted, started) = (0, std::time::Instant::now());
    // Until what the kernel and the server keep for it is full.
    let told = loop {
        sender.signal("ice-candidate", sleeping.id(), "net", &filler);
        let refusal =
            |news: &Received| matches!(news, Received::Text(text) if text.contains("reads too slowly"));
        let news = sender.settle();
        accepted += usize::from(!news.iter().any(refusal));
        if let Some(Received::Text(told)) = news.into_iter().find(|news| !refusal(news)) {
            break told;
        }
        assert!(accepted < 2_000, "120 MB are kept for a peer that does not read");
        assert!(started.elapsed().as_secs() < 60, "it is never closed");
    };
    assert!(told.starts_with(r#"{"type":"peer-disconnected""#), "{told}");
    sender.send(r#"{"type":"ping","networkName":"net"}"#);
    sender.expect("pong");
    // It reads after all: what was queued, and why it is over.
    assert_eq!(sleeping.closed(), (1013, "Too slow".to_owned()));
    healthy.stop();
}
