//! What the server says that it takes at worst holds when everything is filled at once.

use crate::alone;
use peerpigeon_tests::websocket::{self, append_frame, frame, opcode};
use peerpigeon_tests::{Peer, Received, Server, http, id, process, wait_until};
use std::io::Write;
use std::net::TcpStream;

const MIB: u64 = 1024 * 1024;
/// What the server may take; more than that the kernel does not give, and a server that asks for more ends.
const MEMORY: u64 = 256 * MIB;
/// `MEMORY_BUDGET` in that much: queues and incomplete messages.
const BUDGET: u64 = MEMORY / 4;
/// `MAX_MESSAGE_SIZE`
const MAX_MESSAGE: usize = 1024 * 1024;
/// `MAILBOX_TOTAL_BYTES`
const MAIL: u64 = 16 * MIB;
/// `MAX_CONNECTIONS`
const SEATS: usize = 1_000;
/// What a peer may send at once.
const BYTE_BURST: usize = MAX_MESSAGE + 4 * 1024 * 1024;

#[test]
fn an_attack_that_fills_everything_stays_below_what_the_server_says() {
    let _alone = alone();
    // All settings are the defaults.
    let server = Server::under(&format!("ulimit -d {}", MEMORY / 1024), &[]);
    assert_eq!(server.health().json()["memory"]["budget"], BUDGET);
    let (empty, worst) = (process::anonymous_bytes(server.pid()), worst_case(&server));
    let files = server.resident_bytes() - empty;
    fill(&server);
    // As the kernel has seen it, with the pages of the program.
    let peak = process::most_resident_bytes(server.pid());
    eprintln!("memory: {empty} bytes at first, {peak} at most; the server says {worst} at worst");
    assert!(empty < 4 * MIB, "the process itself takes more than is reckoned with: {empty} bytes");
    assert!(peak > BUDGET + MAIL + 2 * files, "the attack does not fill the budget: {peak} bytes");
    assert!(peak < worst, "{peak} bytes, and the server said {worst}");
    assert!(worst < MEMORY, "at worst {worst} bytes of {MEMORY}");
    assert_eq!(server.health().status, 200);
    server.stop();
}

/// What the server has said at its start.
fn worst_case(server: &Server) -> u64 {
    const WORDS: &str = "memory at worst: ";
    wait_until("what it says of its memory", || server.log().contains(WORDS));
    let log = server.log();
    let (_, said) = log.split_once(WORDS).expect("it says so");
    said.split(' ').next().and_then(|bytes| bytes.parse().ok()).expect("a number")
}

/// All at the same time: announced data, networks, mail, inboxes, heads that do not end, half messages, those who wait for
/// a place, and queues of peers that do not read, until the budget sheds them.
fn fill(server: &Server) {
    post_mail(server);
    let talkers = talkers(server);
    fill_inboxes(server);
    eprintln!("  {} bytes with mail, inboxes, networks", process::anonymous_bytes(server.pid()));
    let heads = endless_heads(server);
    let halves = half_messages(server);
    let deaf: Vec<Peer> = (200..280).map(|i| Peer::announced(server, &id::number(i), "net")).collect();
    let senders: Vec<Peer> = (0..100).map(|i| Peer::connect(server, &id::number(40_000 + i))).collect();
    let taken = usize::try_from(server.gauge("/health", "activeConnections")).expect("a few");
    let seats: Vec<Peer> = (taken..SEATS).map(|i| Peer::connect(server, &id::number(10_000 + i))).collect();
    assert_eq!(server.gauge("/health", "activeConnections"), SEATS as u64);
    let waiting = waiting(server);
    eprintln!("  {} bytes with heads, halves, and who waits", process::anonymous_bytes(server.pid()));
    let filler = format!("\"{}\"", "x".repeat(200_000));
    let mut targets = deaf.iter().cycle();
    for mut sender in senders {
        sender.announce("net");
        for target in targets.by_ref().take(BYTE_BURST / filler.len() - 1) {
            sender.signal("ice-candidate", target.id(), "net", &filler);
        }
        for received in sender.settle() {
            assert!(matches!(received, Received::Text(_)), "the sender reads, and is ended: {received:?}");
        }
        if shed(server) > 20 {
            break;
        }
    }
    eprintln!("  {} attackers were shed", shed(server));
    assert!(shed(server) > 20);
    drop((talkers, heads, halves, deaf, seats, waiting));
}

fn shed(server: &Server) -> u64 {
    const COUNTER: &str = "peerpigeon_limit_reached_total{setting=\"MEMORY_BUDGET\"} ";
    let metrics = http::get(server.address(), "/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(COUNTER));
    line.and_then(|number| number.parse().ok()).expect("a counter")
}

fn post_mail(server: &Server) {
    let mail = format!("\"{}\"", "m".repeat(60_000));
    let addressees: Vec<String> = (1..=280).map(|i| id::number(80_000 + i)).collect();
    for addressees in addressees.chunks(BYTE_BURST / mail.len() - 1) {
        let mut sender = Peer::announced(server, &id::number(0), "net");
        for addressee in addressees {
            let _ = Peer::announced(server, addressee, "net").settle();
            server.wait_for_peers(1);
            sender.signal("ice-candidate", addressee, "net", &mail);
        }
        let _ = sender.settle();
        drop(sender);
        server.wait_for_peers(0);
    }
    assert!(server.gauge("/health", "messageQueueSize") > MAIL / 65_536 - 20);
}

/// Each in a network of its own whose name is as long as it can be, also in JSON, with as much data as it can announce.
fn talkers(server: &Server) -> Vec<Peer> {
    let announce = |i: usize| {
        let name = format!("{}{i:08}", "\\u0001".repeat(120));
        format!(r#"{{"type":"announce","networkName":"{name}","data":{{"d":"{}"}}}}"#, "d".repeat(4_000))
    };
    let talker = |i: usize| {
        let mut peer = Peer::connect(server, &id::number(1_000 + i));
        peer.send(&announce(i));
        peer
    };
    (0..150).map(talker).collect()
}

const INBOXES: usize = 80;

/// Peers without a WebSocket that never fetch what is sent to them.
fn fill_inboxes(server: &Server) {
    let mut sender = Peer::announced(server, &id::number(0), "net");
    let letter = format!("\"{}\"", "p".repeat(60_000));
    for i in 0..INBOXES {
        let peer = id::number(5_000 + i);
        let body = format!(r#"{{"type":"announce","peerId":"{peer}","networkName":"net","data":{{}}}}"#);
        let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let request = format!("POST /signaling HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}");
        let answer = http::exchange(server.address(), request.as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", http::lossy(&answer));
        sender.signal("ice-candidate", &peer, "net", &letter);
    }
    let _ = sender.settle();
}

fn endless_heads(server: &Server) -> Vec<TcpStream> {
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "h".repeat(15_000));
    let begin = |_| {
        let mut socket = http::connect(server.address());
        socket.write_all(head.as_bytes()).expect("room in the kernel");
        socket
    };
    (0..400).map(begin).collect()
}

fn half_messages(server: &Server) -> Vec<Peer> {
    let mut half = Vec::new();
    append_frame(&mut half, 0x80 | opcode::TEXT, &[b'x'; MAX_MESSAGE]);
    half.truncate(half.len() - 1);
    let begin = |i| {
        let mut peer = Peer::connect(server, &id::number(i));
        peer.send_bytes(&half);
        peer
    };
    (100..108).map(begin).collect()
}

/// Peers that find every place taken, and send what is kept until they are let in.
fn waiting(server: &Server) -> Vec<TcpStream> {
    let text = frame(opcode::TEXT, &[b'w'; 60_000]);
    let begin = |i| {
        let mut socket = http::connect(server.address());
        let upgrade = websocket::upgrade(&id::target(&id::number(20_000 + i)));
        socket.write_all(&[upgrade.as_bytes(), &text].concat()).expect("room in the kernel");
        socket
    };
    (0..250_usize).map(begin).collect()
}
