//! What the server says itself: acks, pongs and errors, whole envelopes all of them.

use std::collections::BTreeSet;
use std::time::Instant;

use peerpigeon_tests::Server;
use serde_json::{Value, json};

use crate::client::{Client, id, is_push, now};

/// Whether every member of an envelope of the server is there.
fn check_envelope(frame: &Value, to: &Value) {
    let names: BTreeSet<&str> = frame.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = BTreeSet::from([
        "psp_version",
        "type",
        "network",
        "from",
        "to",
        "session_id",
        "message_id",
        "timestamp",
        "ttl_ms",
        "reply_to",
        "body",
    ]);
    assert_eq!(names, expected, "{frame}");
    assert_eq!(frame["psp_version"], "1.0", "{frame}");
    assert_eq!((&frame["network"], &frame["session_id"]), (&json!("n"), &json!("r")), "{frame}");
    assert_eq!(frame["to"], *to, "{frame}");
    assert_eq!(frame["ttl_ms"], 30_000, "{frame}");
    assert!(frame["from"].as_str().is_some_and(|from| !from.trim().is_empty()), "{frame}");
    let message_id = frame["message_id"].as_str().expect("a string");
    assert!(message_id.len() == 16 && message_id.chars().all(|c| c.is_ascii_hexdigit()), "{frame}");
    let timestamp = frame["timestamp"].as_i64().expect("a number");
    assert!((timestamp - now()).abs() < 60_000, "{frame}");
}

#[test]
fn whatever_the_server_says_is_a_whole_envelope() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let _b = Client::join(&server, &id('b'), "n", "r");
    let own = json!(a.id);
    let ack = a.announce();
    a.send("ping", None, json!({}));
    let pong = a.expect("pong");
    let list = a.list();
    a.send("nonsense", None, json!({}));
    let error = a.refused("unknown_type");
    for frame in [&ack, &pong, &list, &error] {
        check_envelope(frame, &own);
        assert_eq!(frame["from"], ack["from"], "one server has one id: {frame}");
    }
    let message_ids: BTreeSet<&str> =
        [&ack, &pong, &list, &error].map(|frame| frame["message_id"].as_str().expect("a string")).into();
    assert_eq!(message_ids.len(), 4);
}

#[test]
fn a_pushed_list_is_a_whole_envelope_to_nobody_in_particular() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let _b = Client::join(&server, &id('b'), "n", "r");
    loop {
        let frame = a.peer.json();
        assert!(is_push(&frame), "{frame}");
        check_envelope(&frame, &Value::Null);
        if frame["body"]["peers"].as_array().is_some_and(|peers| !peers.is_empty()) {
            return;
        }
    }
}

#[test]
fn an_ack_says_that_the_announce_counts() {
    let server = Server::start();
    let mut a = Client::open(&server, &id('a'), "n", "r");
    let message_id = a.send_announce();
    let ack = a.peer.json();
    assert_eq!(ack["type"], "ack", "it comes before anything else: {ack}");
    assert_eq!(ack["reply_to"], *message_id);
    assert_eq!(ack["body"], json!({"status": "ok", "action": "announce"}));
}

#[test]
fn every_announce_is_acked_the_heartbeats_too() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let sent: Vec<String> = (0..100).map(|_| a.send_announce()).collect();
    for message_id in sent {
        assert_eq!(a.expect("ack")["reply_to"], *message_id);
    }
    a.quiet();
}

#[test]
fn a_heartbeat_pushes_nothing_to_anybody() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::join(&server, &id('b'), "n", "r");
    a.knows_at_last(&[&id('b')]);
    b.knows_at_last(&[&id('a')]);
    // What the joins had to tell is told, also what is told only once in a second.
    a.stay_for(std::time::Duration::from_millis(1_500));
    b.settle();
    for _ in 0..50 {
        a.announce();
    }
    assert_eq!((a.settle(), b.settle()), (Vec::new(), Vec::new()));
}

#[test]
fn a_pong_goes_to_who_pinged_whomever_the_ping_names() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::join(&server, &id('b'), "n", "r");
    let own = a.id.clone();
    for to in [None, Some(b.id.as_str()), Some(own.as_str()), Some("unknown")] {
        a.send("ping", to, json!({"nonce": "x"}));
        let pong = a.expect("pong");
        assert_eq!((&pong["to"], &pong["session_id"], &pong["body"]), (&json!(own), &json!("r"), &json!({})));
    }
    a.quiet();
    b.quiet();
}

#[test]
fn an_error_says_why_to_every_kind_of_client() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let message_id = a.offer("unknown", "1");
    let error = a.refused("target_not_connected");
    let body = &error["body"];
    assert_eq!(error["reply_to"], *message_id);
    for member in ["error", "code", "reason"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {error}");
    }
}

#[test]
fn an_error_before_any_announce_says_what_is_known() {
    let server = Server::start();
    let mut a = Client::open(&server, &id('a'), "n", "r");
    a.peer.send("{");
    let error = a.refused("invalid_json");
    assert!(error["from"].as_str().is_some_and(|from| !from.trim().is_empty()), "{error}");
    assert_eq!(error["psp_version"], "1.0");
    let message_id = a.send("ext", Some("b"), json!({}));
    assert_eq!(a.refused("not_announced")["reply_to"], *message_id);
}

#[test]
fn an_absent_target_is_reported_once_in_a_second() {
    const OFFERS: usize = 200;
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let start = Instant::now();
    for _ in 0..OFFERS {
        a.offer("unknown", "1");
    }
    let errors = a.settle().into_iter().filter(|frame| !is_push(frame)).count();
    let seconds = usize::try_from(start.elapsed().as_secs()).expect("few");
    assert!((1..=2 + seconds).contains(&errors), "{errors} errors in {seconds} s");
}

#[test]
fn each_absent_target_is_reported() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    for target in ["x", "y", "z"] {
        let message_id = a.offer(target, "1");
        assert_eq!(a.refused("target_not_connected")["reply_to"], *message_id, "{target}");
    }
}

#[test]
fn a_relayed_envelope_has_no_answer() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::join(&server, &id('b'), "n", "r");
    for kind in crate::client::RELAYED {
        a.send(kind, Some(&b.id), json!({}));
        b.expect(kind);
    }
    a.quiet();
}

#[test]
fn nobody_gets_a_bye_that_no_peer_said() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::join(&server, &id('b'), "n", "r");
    a.offer(&b.id, "1");
    b.expect("offer");
    b.peer.close(1000, "relay_idle");
    a.pushed_at_last(&[]);
    a.offer(&id('b'), "2");
    let got = a.settle();
    assert!(got.iter().all(|frame| frame["type"] != "bye"), "{got:?}");
}

#[test]
fn no_error_ends_the_connection() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    for _ in 0..20 {
        a.peer.send("[");
        a.send("nonsense", None, json!({}));
        a.send_changed("offer", Some("b"), &[("from", id('c').into())]);
        a.send_changed("offer", Some("b"), &[("network", "other".into())]);
        a.send_changed("offer", Some("b"), &[("body", 7.into())]);
        let refused: Vec<Value> = a.settle().into_iter().filter(|frame| !is_push(frame)).collect();
        let codes: Vec<&str> = refused.iter().filter_map(|frame| frame["body"]["code"].as_str()).collect();
        assert_eq!(codes, ["invalid_json", "unknown_type", "not_your_id", "other_scope", "invalid_envelope"]);
    }
}
