//! Peers of both dialects and peers without a connection, among each other.
#![allow(missing_docs, reason = "tests")]

use std::io::Write as _;
use std::net::SocketAddr;

use peerpigeon_tests::{Peer, Server, http, id, wait_until};
use serde_json::{Value, json};

const NETWORK: &str = "across";

/// One peer, whatever it speaks.
enum Anybody {
    A(Peer),
    B(Peer),
    Http { address: SocketAddr, id: String, got: Vec<Value> },
}

impl Anybody {
    /// The three kinds, by number; announced.
    fn new(server: &Server, kind: usize, id: &str) -> Anybody {
        match kind {
            0 => Anybody::A(Peer::announced(server, id, NETWORK)),
            1 => {
                let mut peer = Peer::upgrade(server.address(), "/signaling");
                peer.send(&format!(r#"{{"type":"register","peerId":"{id}"}}"#));
                assert_eq!(peer.json()["type"], "registered");
                peer.send(&format!(r#"{{"type":"announce","data":{{}},"networkName":"{NETWORK}"}}"#));
                Anybody::B(peer)
            }
            _ => {
                let address = server.address();
                let body = format!(r#"{{"type":"announce","peerId":"{id}","networkName":"{NETWORK}"}}"#);
                assert_eq!(post(address, &body)["success"], true);
                Anybody::Http { address, id: id.to_owned(), got: Vec::new() }
            }
        }
    }

    fn signal(&mut self, kind: &str, target: &str, data: &Value) {
        let mut message = json!({"type": kind, "targetPeerId": target, "networkName": NETWORK, "data": data});
        match self {
            Anybody::A(peer) | Anybody::B(peer) => peer.send(&message.to_string()),
            Anybody::Http { address, id, .. } => {
                message["peerId"] = json!(id);
                assert_eq!(post(*address, &message.to_string())["success"], true);
            }
        }
    }

    /// The next message of one of `kinds`; whatever else comes is passed over.
    fn next(&mut self, kinds: &[&str]) -> Value {
        let wanted = |message: &Value| kinds.iter().any(|kind| message["type"] == *kind);
        match self {
            Anybody::A(peer) | Anybody::B(peer) => loop {
                let message = peer.json();
                if wanted(&message) {
                    return message;
                }
            },
            Anybody::Http { address, id, got } => loop {
                if got.is_empty() {
                    let path = format!("/signaling?peerId={id}&wait=20");
                    let answer = http::get(*address, &path).json();
                    got.extend(answer["messages"].as_array().cloned().unwrap_or_default());
                    assert!(!got.is_empty(), "nothing came for {id}");
                }
                let message = got.remove(0);
                if wanted(&message) {
                    return message;
                }
            },
        }
    }
}

fn post(address: SocketAddr, body: &str) -> Value {
    let mut stream = http::connect(address);
    let head = format!("POST /signaling HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).expect("the server reads");
    http::read_answer(&mut stream, false).json()
}

#[test]
fn offer_answer_and_candidate_go_in_all_nine_directions() {
    let server = Server::start();
    for (from, to) in (0..3).flat_map(|from| (0..3).map(move |to| (from, to))) {
        let (caller_id, callee_id) = (id::number(10 * from + to), id::number(100 + 10 * from + to));
        let mut caller = Anybody::new(&server, from, &caller_id);
        let mut callee = Anybody::new(&server, to, &callee_id);
        // Each hears of the other, as its dialect puts it.
        for (peer, other) in [(&mut caller, &callee_id), (&mut callee, &caller_id)] {
            while peer.next(&["peer-discovered", "announce"])["data"]["peerId"] != **other {}
        }
        for (kind, n) in [("offer", 1), ("ice-candidate", 2)] {
            caller.signal(kind, &callee_id, &json!({ "n": n }));
            let got = callee.next(&["offer", "answer", "ice-candidate"]);
            assert_eq!((&got["type"], &got["data"]), (&json!(kind), &json!({ "n": n })), "{from} to {to}");
            assert_eq!((&got["fromPeerId"], &got["targetPeerId"]), (&json!(caller_id), &json!(callee_id)));
        }
        callee.signal("answer", &caller_id, &json!({"sdp": "x"}));
        let got = caller.next(&["offer", "answer", "ice-candidate"]);
        assert_eq!((&got["type"], &got["data"]), (&json!("answer"), &json!({"sdp": "x"})), "{to} to {from}");
        assert_eq!(got["fromPeerId"], json!(callee_id));
    }
}

#[test]
fn ten_thousand_mailboxes_at_their_caps_stay_within_the_computed_memory() {
    const PEERS: usize = 10_000;
    const TOTAL_BYTES: u64 = 16 * 1024 * 1024;
    let server = Server::with(&[("MESSAGE_RATE", "0"), ("BYTE_RATE", "0"), ("MAX_CONNECTIONS", "20000")]);
    let mut sender = Peer::announced(&server, &id::of('f'), NETWORK);
    let before = server.resident_bytes();
    // Each comes, is lost, and leaves a mailbox behind.
    for batch in (0..PEERS).collect::<Vec<_>>().chunks(200) {
        let peers: Vec<Peer> =
            batch.iter().map(|n| Peer::announced(&server, &id::number(*n), NETWORK)).collect();
        drop(peers);
        wait_until("all of them are gone", || server.gauge("/health", "peers") == 1);
        sender.settle();
    }
    // More for each than there is room for in all.
    let data = "x".repeat(1_500);
    for n in 0..PEERS {
        for _ in 0..2 {
            sender.signal("ice-candidate", &id::number(n), NETWORK, &format!("\"{data}\""));
        }
        if n % 100 == 0 {
            sender.settle();
        }
    }
    sender.settle();
    let mail_bytes = server.health().json()["memory"]["mail"].as_u64().unwrap_or(u64::MAX);
    assert!(mail_bytes <= TOTAL_BYTES, "{mail_bytes} bytes of mail");
    assert!(mail_bytes > TOTAL_BYTES / 10 * 9, "only {mail_bytes} bytes of mail: the cap was not reached");
    let grown = server.resident_bytes().saturating_sub(before);
    // The mail itself, and what remembers ten thousand peers: well below a KiB for each.
    let computed = TOTAL_BYTES + PEERS as u64 * 1024;
    println!(
        "10,000 mailboxes with {mail_bytes} bytes of mail: {grown} bytes of memory, {computed} computed"
    );
    assert!(grown <= computed, "{grown} bytes of memory, {computed} computed");
}

#[test]
fn a_peer_that_drops_for_three_seconds_loses_nothing_and_after_a_goodbye_there_is_nothing() {
    let server = Server::start();
    let mut sender = Peer::announced(&server, &id::of('a'), NETWORK);
    Peer::announced(&server, &id::of('b'), NETWORK).drop_connection();
    sender.expect("peer-discovered");
    sender.expect("peer-disconnected");
    let clock = |sender: &mut Peer| {
        sender.send(r#"{"type":"ping"}"#);
        sender.expect("pong")["timestamp"].as_u64().unwrap()
    };
    let (gone, mut sent) = (clock(&mut sender), 0);
    wait_until("three seconds of the server's time", || {
        let away = clock(&mut sender) - gone;
        // A mailbox has room for 64.
        if away >= 60 * sent && sent < 50 {
            sender.signal("ice-candidate", &id::of('b'), NETWORK, &sent.to_string());
            sent += 1;
        }
        away >= 3_000
    });
    assert!(sender.settle().is_empty(), "nothing was refused");
    let mut back = Peer::announced(&server, &id::of('b'), NETWORK);
    back.expect("peer-discovered");
    for n in 0..sent {
        assert_eq!(back.expect("ice-candidate")["data"], json!(n));
    }
    assert!(back.settle().is_empty(), "each came once");
    back.send(r#"{"type":"goodbye"}"#);
    sender.expect("peer-discovered");
    sender.expect("goodbye");
    sender.expect("peer-disconnected");
    sender.signal("ice-candidate", &id::of('b'), NETWORK, "1");
    assert_eq!(sender.expect("error")["data"]["code"], "target-not-connected");
}
