//! HTTP.

use peerpigeon_tests::{Server, http};
use serde_json::json;

use crate::client::{Client, id};

#[test]
fn health_says_what_clients_of_psp_look_for() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let server_id = a.announce()["from"].clone();
    let health = server.health().json();
    assert_eq!((&health["ok"], &health["protocol_version"]), (&json!(true), &json!("1.0")), "{health}");
    assert_eq!(health["peers"], 1, "{health}");
    assert_eq!(health["relay_peer_id"], server_id, "{health}");
    // What it says to others is still there.
    assert_eq!(health["status"], "healthy", "{health}");
}

#[test]
fn peers_of_every_dialect_are_counted() {
    let server = Server::start();
    let _old = peerpigeon_tests::Peer::announced(&server, &"a".repeat(40), "n");
    let b = Client::join(&server, &id('b'), "n", "r");
    let _c = Client::join(&server, &id('c'), "n", "r");
    server.wait_for_peers(3);
    b.peer.drop_connection();
    server.wait_for_peers(2);
}

#[test]
fn no_relays_are_named_without_a_public_address() {
    let server = Server::start();
    let answer = http::get(server.address(), "/api/v1/relays");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"ok": true, "relays": []}));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer:?}");
}

#[test]
fn nobody_registers_a_relay() {
    let server = Server::start();
    let body = r#"{"url":"wss://x.example/ws","name":"x"}"#;
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let request =
        format!("POST /api/v1/relays HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}");
    let bytes = http::exchange(server.address(), request.as_bytes());
    let (answer, _) = http::parse(&bytes, false).expect("an answer");
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(http::get(server.address(), "/api/v1/relays").json()["relays"], json!([]));
}

#[test]
fn strangers_see_no_peers_speak_for_nobody_and_find_no_overlay() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    for (method, path) in [
        ("GET", "/api/v1/peers?network=n&room=r"),
        ("POST", "/api/v1/relay"),
        ("POST", "/api/v1/kad/find"),
        ("POST", "/api/v1/kad/store"),
        ("POST", "/api/v1/kad/ping"),
        ("GET", "/debug/state"),
    ] {
        let answer = http::request(server.address(), method, path, "Content-Length: 0\r\n");
        assert!((403..=405).contains(&answer.status), "{method} {path}: {answer:?}");
        assert!(!answer.body.contains(&id('a')), "{method} {path}: {answer:?}");
    }
    a.quiet();
}

#[test]
fn pages_may_ask_for_relays_from_anywhere() {
    let server = Server::start();
    let headers = "Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n";
    let answer = http::request(server.address(), "OPTIONS", "/api/v1/relays", headers);
    assert!(matches!(answer.status, 200 | 204), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer:?}");
}
