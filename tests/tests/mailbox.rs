//! A peer that drops out for a moment loses nothing that was sent to it, within limits.

use peerpigeon_tests::{Peer, Received, Server, id, wait_until};

/// The `n` of each signal among what a peer got, in order.
fn numbers(received: &[Received]) -> Vec<u64> {
    let texts = received.iter().filter_map(|received| match received {
        Received::Text(text) => Some(text),
        Received::Closed(_) | Received::Lost => None,
    });
    let values =
        texts.map(|text| serde_json::from_str::<serde_json::Value>(text).expect("the server sends JSON"));
    values
        .filter(|value| value["type"] == "ice-candidate")
        .map(|value| value["data"]["n"].as_u64().unwrap_or(0))
        .collect()
}

/// A sender, and a peer that was announced in the same network and has dropped out.
fn with_absent(settings: &[(&str, &str)]) -> (Server, Peer, String) {
    let server = Server::with(settings);
    let mut sender = Peer::announced(&server, &id::of('a'), "net");
    let mut absent = Peer::announced(&server, &id::of('b'), "net");
    absent.settle();
    absent.drop_connection();
    server.wait_for_peers(1);
    sender.settle();
    (server, sender, id::of('b'))
}

fn send(sender: &mut Peer, to: &str, numbers: std::ops::Range<u64>) {
    for n in numbers {
        sender.signal("ice-candidate", to, "net", &format!(r#"{{"n":{n}}}"#));
    }
    assert_eq!(sender.settle(), [], "what goes into a mailbox is not answered");
}

#[test]
fn what_came_while_it_was_away_is_delivered_in_order_and_once() {
    let (server, mut sender, absent) = with_absent(&[]);
    send(&mut sender, &absent, 0..50);
    let mut back = Peer::connect(&server, &absent);
    // Not before it has announced itself; and what comes now does not overtake what waits.
    send(&mut sender, &absent, 50..60);
    assert_eq!(back.settle(), []);
    back.announce("net");
    assert_eq!(numbers(&back.settle()), Vec::from_iter(0..60));
    assert_eq!(server.gauge("/health", "messageQueueSize"), 0);
    sender.settle();
    send(&mut sender, &absent, 60..61);
    back.announce("net");
    assert_eq!(numbers(&back.settle()), [60]);
}

#[test]
fn it_can_drop_out_again_and_again() {
    let (server, mut sender, absent) = with_absent(&[]);
    for round in 0..10 {
        send(&mut sender, &absent, round * 10..round * 10 + 10);
        let mut back = Peer::announced(&server, &absent, "net");
        assert_eq!(numbers(&back.settle()), Vec::from_iter(round * 10..round * 10 + 10));
        back.drop_connection();
        server.wait_for_peers(1);
        sender.settle();
    }
}

#[test]
fn a_full_mailbox_loses_the_oldest() {
    let (server, mut sender, absent) = with_absent(&[("MAILBOX_MESSAGES", "3")]);
    send(&mut sender, &absent, 0..10);
    assert_eq!(server.gauge("/health", "messageQueueSize"), 3);
    let mut back = Peer::announced(&server, &absent, "net");
    assert_eq!(numbers(&back.settle()), [7, 8, 9]);
}

#[test]
fn a_mailbox_is_bounded_in_bytes_too() {
    let (server, mut sender, absent) = with_absent(&[("MAILBOX_BYTES", "5000")]);
    let filler = "x".repeat(1_000);
    for n in 0..20 {
        sender.signal("ice-candidate", &absent, "net", &format!(r#"{{"n":{n},"filler":"{filler}"}}"#));
    }
    assert_eq!(sender.settle(), []);
    let mut back = Peer::announced(&server, &absent, "net");
    let got = numbers(&back.settle());
    assert!((1..5).contains(&got.len()) && got.ends_with(&[19]), "{got:?}");
}

#[test]
fn nothing_past_its_time_is_delivered() {
    let (server, mut sender, absent) = with_absent(&[("MESSAGE_TTL", "300"), ("CLEANUP_INTERVAL", "100")]);
    sender.signal("ice-candidate", &absent, "net", r#"{"n":1}"#);
    sender.settle();
    wait_until("no mail", || server.gauge("/health", "messageQueueSize") == 0);
    // Whoever signals it later is told that it is not there.
    wait_until("it is forgotten", || {
        sender.signal("ice-candidate", &absent, "net", r#"{"n":2}"#);
        match sender.settle().as_slice() {
            [] => false,
            [Received::Text(text)] => text.contains(r#""code":"target-not-connected""#),
            other => panic!("{other:?}"),
        }
    });
    wait_until("no mail", || server.gauge("/health", "messageQueueSize") == 0);
    let mut back = Peer::announced(&server, &absent, "net");
    assert_eq!(numbers(&back.settle()), [0; 0]);
}

#[test]
fn a_peer_that_said_goodbye_has_no_mailbox() {
    let server = Server::start();
    let mut sender = Peer::announced(&server, &id::of('a'), "net");
    let mut leaving = Peer::announced(&server, &id::of('b'), "net");
    leaving.send(r#"{"type":"goodbye"}"#);
    leaving.settle();
    leaving.drop_connection();
    sender.settle();
    sender.signal("offer", &id::of('b'), "net", "{}");
    assert_eq!(sender.expect("goodbye")["fromPeerId"], id::of('b'));
    assert_eq!(sender.expect("error")["data"]["code"], "target-not-connected");
    assert_eq!(server.gauge("/health", "messageQueueSize"), 0);
}
