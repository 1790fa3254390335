//! Who is silent for too long is closed; who answers stays.

use std::time::Duration;

use peerpigeon_tests::{Crowd, Peer, Received, Server, http, id};

const SHORT: [(&str, &str); 2] = [("PING_INTERVAL", "300"), ("PONG_TIMEOUT", "300")];

/// Seconds that the server has been running, by its own clock.
fn uptime(server: &Server) -> f64 {
    http::get(server.address(), "/health").json()["uptime"].as_f64().expect("a number of seconds")
}

#[test]
fn a_peer_that_answers_no_ping_is_closed_and_its_acquaintances_are_told() {
    let server = Server::with(&SHORT);
    let mut silent = Peer::announced(&server, &id::of('a'), "net");
    let mut other = Peer::announced(&server, &id::of('b'), "net");
    silent.expect("peer-discovered");
    other.expect("peer-discovered");
    silent.freeze();
    assert_eq!(other.expect("peer-disconnected")["data"]["peerId"], id::of('a'));
    assert_eq!(silent.receive(), Received::Closed(Some((1001, "Inactive timeout".to_owned()))));
    assert!(silent.pings() > 0, "it was never asked");
}

#[test]
fn a_hundred_peers_that_answer_stay() {
    let server = Server::with(&SHORT);
    let mut crowd = Crowd::new();
    crowd.connect(&server, 100);
    let start = uptime(&server);
    // Ten times as long as a silent peer would live.
    while uptime(&server) < start + 6.0 {
        crowd.turn(Duration::from_millis(50), |member, news| panic!("{member} got {news:?}"));
    }
    assert!((0..100).all(|member| crowd.is_connected(member)));
    assert_eq!(server.gauge("/health", "connections"), 100);
}

#[test]
fn any_frame_counts_as_life() {
    let server = Server::with(&[("PING_INTERVAL", "1000"), ("PONG_TIMEOUT", "1000")]);
    let mut talking = Peer::announced(&server, &id::of('a'), "net");
    let mut ponging = Peer::announced(&server, &id::of('b'), "net");
    talking.expect("peer-discovered");
    ponging.expect("peer-discovered");
    talking.freeze();
    ponging.freeze();
    let start = uptime(&server);
    while uptime(&server) < start + 6.0 {
        talking.send(r#"{"type":"cleanup-all","networkName":"net"}"#);
        // A pong that nobody asked for.
        ponging.send_bytes(&peerpigeon_tests::websocket::frame(10, b""));
        assert_eq!(talking.receive_within(Duration::from_millis(50)), None);
        assert_eq!(ponging.receive_within(Duration::from_millis(50)), None);
    }
}

#[test]
fn a_peer_that_sends_nothing_for_peer_timeout_is_closed_even_without_pings() {
    let server = Server::with(&[("PING_INTERVAL", "0"), ("PEER_TIMEOUT", "500")]);
    let mut peer = Peer::connect(&server, &id::of('a'));
    assert_eq!(peer.receive(), Received::Closed(Some((1001, "Inactive timeout".to_owned()))));
    assert_eq!(peer.pings(), 0);
}
