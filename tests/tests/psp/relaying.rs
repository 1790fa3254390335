//! What peers tell each other.

use peerpigeon_tests::Server;
use serde_json::{Value, json};

use crate::client::{Client, id};

fn pair(server: &Server) -> (Client, Client) {
    (Client::join(server, &id('a'), "n", "r"), Client::join(server, &id('b'), "n", "r"))
}

#[test]
fn an_envelope_arrives_as_the_bytes_that_were_sent() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let (from, to) = (a.id.clone(), b.id.clone());
    for text in [
        // Blanks, order, escapes, numbers that no float holds, members that nobody knows, members twice.
        format!(
            "\t{{ \"type\" : \"offer\",\r\n\"to\":\"{to}\", \"psp_version\":\"1.0\",\"from\":\"{from}\",\"network\":\"n\" ,\"session_id\":\"r\",\"message_id\":\"\",\"message_id\":\"x\",\"timestamp\":1.50e3 }} "
        ),
        format!(
            r#"{{"psp_version":"1.0","type":"\u006fffer","network":"\u006e","from":"{from}","to":"{to}","session_id":"\u0072","message_id":"\u0078","timestamp":1,"body":{{"sdp":"v=0\r\n\u00e4é😀\ud800\/","n":[1e400,-0,0.10,123456789012345678901234567890],"z":1,"a":2,"z":3}}}}"#
        ),
        format!(
            r#"{{"reply_to":{{}},"ttl_ms":[],"body":{{}},"x":null,"psp_version":"1.0","type":"bye","network":"n","from":"{from}","to":"{to}","session_id":"r","message_id":"x","timestamp":-0}}"#
        ),
    ] {
        a.peer.send(&text);
        assert_eq!(b.text(), text);
    }
    a.quiet();
}

#[test]
fn a_sender_that_names_no_room_is_relayed_with_the_room_written_in() {
    let server = Server::start();
    let mut b = Client::join(&server, &id('b'), "n", "n");
    let mut go = Client::join_as_go(&server, &id('a'), "n");
    for session in [Value::Null, "".into(), "  ".into()] {
        let mut sent =
            go.envelope("offer", Some(&b.id), json!({"session_id": null, "sdp": "\"session_id\":null"}));
        sent["session_id"] = session;
        go.send_value(&sent);
        let got = b.expect("offer");
        sent["session_id"] = "n".into();
        assert_eq!(got, sent);
    }
    let mut sent = go.envelope("answer", Some(&b.id), json!({}));
    sent.as_object_mut().expect("an object").remove("session_id");
    go.send_value(&sent);
    let got = b.expect("answer");
    sent["session_id"] = "n".into();
    assert_eq!(got, sent);
}

#[test]
fn no_spelling_of_an_empty_room_is_left_in_what_is_relayed() {
    let server = Server::start();
    let mut b = Client::join(&server, &id('b'), "n", "n");
    let mut go = Client::join_as_go(&server, &id('a'), "n");
    let text = go.envelope("offer", Some(&b.id), json!({})).to_string();
    go.peer.send(&format!("{},\"session\\u005fid\":null, \"session_id\" : \"\"}}", &text[..text.len() - 1]));
    let got = b.text();
    let value: Value = serde_json::from_str(&got).expect("JSON");
    assert_eq!(value["session_id"], "n", "{got}");
    assert_eq!(got.matches("\"n\"").count(), 1 + 3, "the network, and each spelling: {got}");
}

#[test]
fn who_names_the_room_and_who_does_not_signal_each_other() {
    let server = Server::start();
    let mut v4 = Client::join(&server, &id('a'), "n", "n");
    let mut go = Client::join_as_go(&server, &id('b'), "n");
    v4.knows_at_last(&[&id('b')]);
    v4.offer(&id('b'), "1");
    assert_eq!(go.expect("offer")["session_id"], "n");
    go.send("answer", Some(&id('a')), json!({"sdp": "2"}));
    assert_eq!(v4.expect("answer")["session_id"], "n");
    go.knows_at_last(&[&id('a')]);
}

#[test]
fn five_hundred_candidates_arrive_in_their_order() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    for n in 0..500 {
        a.send("ice_candidate", Some(&b.id), json!({"candidate": {"candidate": n}}));
    }
    for n in 0..500 {
        assert_eq!(b.expect("ice_candidate")["body"]["candidate"]["candidate"], n);
    }
    a.quiet();
}

#[test]
fn nobody_else_gets_what_is_for_one() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let mut third = Client::join(&server, &id('c'), "n", "r");
    let mut elsewhere = Client::join(&server, &id('b'), "n", "s");
    a.offer(&b.id, "1");
    b.expect("offer");
    third.quiet();
    elsewhere.quiet();
    b.quiet();
}

#[test]
fn an_offer_does_not_reach_another_room_of_the_network() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "blue");
    let mut b = Client::join(&server, &id('b'), "n", "red");
    a.offer(&b.id, "1");
    a.refused("target_not_connected");
    b.quiet();
}

#[test]
fn peers_that_were_never_listed_to_each_other_may_signal() {
    let server = Server::start();
    let mut b = Client::join(&server, &id('b'), "n", "r");
    let mut a = Client::join(&server, &id('a'), "n", "r");
    // The larger id is not told of the smaller one yet.
    b.offer(&a.id, "1");
    a.expect("offer");
    a.send("answer", Some(&b.id), json!({"sdp": "2"}));
    b.expect("answer");
}

#[test]
fn a_dial_with_all_that_belongs_to_it_passes_both_ways() {
    let server = Server::start();
    let (mut a, mut b) = pair(&server);
    let sdp = format!(
        "v=0\r\n{}",
        "a=candidate:842163049 1 udp 1677729535 192.0.2.3 46154 typ srflx\r\n".repeat(100)
    );
    for _ in 0..5 {
        a.offer(&b.id, &sdp);
        assert_eq!(b.expect("offer")["body"]["sdp"], *sdp);
    }
    b.send("answer", Some(&a.id), json!({"sdp": sdp, "trickle_ice": true}));
    a.expect("answer");
    for _ in 0..20 {
        b.send(
            "ice_candidate",
            Some(&a.id),
            json!({"candidate": {"candidate": "x", "sdpMid": "0", "sdpMLineIndex": 0}}),
        );
        a.expect("ice_candidate");
    }
    b.send("ice_end", Some(&a.id), json!({}));
    a.expect("ice_end");
}
