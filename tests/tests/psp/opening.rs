//! Which requests are PSP, and who may come in.

use std::time::{Duration, Instant};

use peerpigeon_tests::{Peer, Received, Server, http, websocket};
use serde_json::json;

use crate::client::{Client, id};

fn joins_by(server: &Server, target: &str) {
    let mut client = Client::open_by(server, target, &id('a'), "n", "r".into());
    client.announce();
}

#[test]
fn a_network_or_a_room_in_the_query_is_psp_whatever_the_path_is() {
    let server = Server::start();
    for target in [
        "/ws?networkId=n&room=r",
        "/?networkId=n",
        "/ws?room=r",
        "/some/path?x=1&networkId=n",
        "/signaling?networkId=n&room=r",
        "/ws?networkId=&room=",
        "/ws?networkId=a%20b%2F%C3%A9&room=%F0%9F%98%80",
    ] {
        joins_by(&server, target);
    }
}

#[test]
fn without_a_query_the_first_envelope_makes_it_psp() {
    let server = Server::start();
    for target in ["/ws", "/", "/ws?token=x", "/other"] {
        joins_by(&server, target);
    }
}

#[test]
fn without_a_query_a_registration_makes_it_the_older_dialect() {
    let server = Server::start();
    let mut peer = Peer::upgrade(server.address(), "/ws");
    peer.send(&format!(r#"{{"type":"register","peerId":"{}","data":{{}}}}"#, "a".repeat(40)));
    let registered = peer.json();
    assert_eq!((&registered["success"], &registered["type"]), (&json!(true), &json!("registered")));
}

#[test]
fn without_a_query_a_first_message_of_no_dialect_ends_the_connection() {
    let server = Server::start();
    for text in ["hello", "{}", r#"{"type":"announce"}"#, r#"{"data":{"psp_version":"1.0"}}"#] {
        let mut peer = Peer::upgrade(server.address(), "/ws");
        peer.send(text);
        assert_eq!(peer.closed().0, 1008, "{text}");
    }
}

#[test]
fn a_peer_id_in_the_query_is_the_dialect_of_the_library() {
    let server = Server::start();
    let mut peer =
        Peer::upgrade(server.address(), &format!("/ws?peerId={}&networkId=n&room=r", "a".repeat(40)));
    assert_eq!(peer.expect("connected")["peerId"], "a".repeat(40));
}

#[test]
fn the_query_is_a_hint_and_the_envelopes_decide() {
    let server = Server::start();
    let mut a = Client::open_by(&server, "/ws?networkId=other&room=elsewhere", &id('a'), "n", "r".into());
    assert_eq!(a.announce()["session_id"], "r");
    let _b = Client::join(&server, &id('b'), "n", "r");
    a.knows_at_last(&[&id('b')]);
}

#[test]
fn nothing_is_said_to_a_client_before_it_speaks() {
    let server = Server::start();
    for target in ["/ws?networkId=n&room=r", "/ws"] {
        let mut client = Client::open_by(&server, target, &id('a'), "n", "r".into());
        assert_eq!(client.peer.settle(), [], "{target}");
        assert_eq!(client.settle(), Vec::<serde_json::Value>::new(), "{target}");
    }
}

#[test]
fn a_token_in_the_query_lets_a_client_in_and_its_lack_refuses_the_upgrade() {
    const TOKEN: &str = "7d1f0a4c5b9e8d7c6a5f4e3d2c1b0a9f";
    let server = Server::with(&[("AUTH_TOKEN", TOKEN)]);
    joins_by(&server, &format!("/ws?token={TOKEN}&networkId=n&room=r"));
    let refused = refusal(&server, websocket::upgrade("/ws?networkId=n&room=r"));
    assert_eq!(refused.status, 401, "{refused:?}");
}

#[test]
fn a_page_of_a_foreign_origin_is_refused_at_the_upgrade() {
    let server = Server::with(&[("CORS_ORIGIN", "https://app.example")]);
    let from = |origin: &str| {
        let request = websocket::upgrade("/ws?networkId=n&room=r");
        request.replacen("\r\n\r\n", &format!("\r\nOrigin: {origin}\r\n\r\n"), 1)
    };
    assert_eq!(refusal(&server, from("https://other.example")).status, 403);
    let mut stream = http::connect(server.address());
    std::io::Write::write_all(&mut stream, from("https://app.example").as_bytes()).expect("the server reads");
    assert_eq!(http::read_answer(&mut stream, true).status, 101);
}

#[test]
fn a_full_server_makes_nobody_dial_in_a_loop() {
    let server = Server::with(&[("MAX_CONNECTIONS", "1")]);
    let _first = Client::join(&server, &id('a'), "n", "r");
    let start = Instant::now();
    let mut stream = http::connect(server.address());
    std::io::Write::write_all(&mut stream, websocket::upgrade("/ws?networkId=n&room=r").as_bytes())
        .expect("the server reads");
    let answer = http::read_answer(&mut stream, true);
    // Clients dial again at once when a socket was accepted: then it must have been held for a while.
    if answer.status == 101 {
        drop(stream);
        let mut second = Client::open(&server, &id('b'), "n", "r");
        second.send_announce();
        let closed = loop {
            if let closed @ (Received::Closed(_) | Received::Lost) = second.peer.receive() {
                break closed;
            }
        };
        assert!(matches!(&closed, Received::Closed(Some((1013, _)))), "{closed:?}");
        assert!(start.elapsed() >= Duration::from_secs(1), "closed after {:?}", start.elapsed());
    } else {
        assert_eq!(answer.status, 503, "{answer:?}");
    }
}

/// The answer to an upgrade that is refused.
fn refusal(server: &Server, request: String) -> http::Answer {
    let mut stream = http::connect(server.address());
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("the server reads");
    http::read_answer(&mut stream, false)
}
