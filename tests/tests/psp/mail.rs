//! What waits for whom.

use std::time::Duration;

use peerpigeon_tests::Server;
use serde_json::{Value, json};

use crate::client::{Client, id, is_push};

/// A peer, and the id of one that has dropped out a moment ago.
fn with_an_absent_peer(server: &Server) -> (Client, String) {
    let mut a = Client::join(server, &id('a'), "n", "r");
    let b = Client::join(server, &id('b'), "n", "r");
    a.knows_at_last(&[&id('b')]);
    b.peer.drop_connection();
    a.knows_at_last(&[]);
    (a, id('b'))
}

/// What is behind the ack of a peer that comes back.
fn collected(server: &Server, room: &str) -> Vec<Value> {
    let mut back = Client::join(server, &id('b'), "n", room);
    back.settle().into_iter().filter(|frame| !is_push(frame)).collect()
}

#[test]
fn who_dropped_out_gets_what_was_said_meanwhile_once_and_as_it_was_sent() {
    let server = Server::start();
    let (mut a, b) = with_an_absent_peer(&server);
    let offer = a.envelope("offer", Some(&b), json!({"sdp": "\u{e4}"})).to_string().replace('ä', r"\u00e4");
    a.peer.send(&offer);
    a.quiet();
    let mut back = Client::open(&server, &b, "n", "r");
    back.send_announce();
    back.expect("ack");
    assert_eq!(back.text(), offer);
    back.quiet();
    back.announce();
    back.quiet();
}

#[test]
fn mail_is_not_there_for_who_has_only_pinged() {
    let server = Server::start();
    let (mut a, b) = with_an_absent_peer(&server);
    a.offer(&b, "1");
    a.settle();
    let mut somebody = Client::open(&server, &b, "n", "r");
    somebody.quiet();
    somebody.announce();
    somebody.expect("offer");
}

#[test]
fn mail_keeps_its_order() {
    let server = Server::start();
    let (mut a, b) = with_an_absent_peer(&server);
    a.offer(&b, "1");
    for n in 0..10 {
        a.send("ice_candidate", Some(&b), json!({"candidate": {"candidate": n}}));
    }
    a.send("ice_end", Some(&b), json!({}));
    a.settle();
    let mail = collected(&server, "r");
    let kinds: Vec<&str> = mail.iter().map(|frame| frame["type"].as_str().expect("a type")).collect();
    assert_eq!((kinds.len(), kinds[0], kinds[11]), (12, "offer", "ice_end"));
    for n in 0..10 {
        assert_eq!(mail[1 + n]["body"]["candidate"]["candidate"], n);
    }
}

#[test]
fn of_offers_that_repeat_the_newest_waits() {
    let server = Server::start();
    let (mut a, b) = with_an_absent_peer(&server);
    let mut c = Client::join(&server, &id('c'), "n", "r");
    for n in 0..5 {
        a.offer(&b, &format!("a{n}"));
        c.offer(&b, &format!("c{n}"));
        a.send("ice_candidate", Some(&b), json!({"candidate": n}));
    }
    a.settle();
    c.settle();
    let mail = collected(&server, "r");
    let mut offers: Vec<&str> = mail.iter().filter_map(|frame| frame["body"]["sdp"].as_str()).collect();
    offers.sort_unstable();
    assert_eq!(offers, ["a4", "c4"]);
    assert_eq!(mail.iter().filter(|frame| frame["type"] == "ice_candidate").count(), 5);
}

#[test]
fn nothing_waits_for_who_withdrew_or_was_never_there() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "r");
    let mut b = Client::join(&server, &id('b'), "n", "r");
    b.send("withdraw", None, json!({"reason": "user_disconnect"}));
    b.settle();
    b.peer.close(1000, "user_disconnect");
    for target in [id('b'), id('c')] {
        a.offer(&target, "1");
        a.refused("target_not_connected");
    }
    assert_eq!(collected(&server, "r"), Vec::<Value>::new());
}

#[test]
fn mail_is_not_delivered_in_another_room() {
    let server = Server::start();
    let (mut a, b) = with_an_absent_peer(&server);
    a.offer(&b, "1");
    a.settle();
    assert_eq!(collected(&server, "other"), Vec::<Value>::new());
    assert_eq!(collected(&server, "r").len(), 1);
}

#[test]
fn mail_does_not_outlive_what_its_sender_said() {
    let server = Server::start();
    let (mut a, b) = with_an_absent_peer(&server);
    a.send_changed("offer", Some(&b), &[("ttl_ms", 300.into())]);
    a.send_changed("answer", Some(&b), &[("ttl_ms", 25_000.into())]);
    a.stay_for(Duration::from_millis(400));
    let kinds: Vec<Value> = collected(&server, "r").into_iter().map(|frame| frame["type"].clone()).collect();
    assert_eq!(kinds, ["answer"]);
}

#[test]
fn an_offer_to_who_left_eleven_seconds_ago_is_never_delivered() {
    let server = Server::start();
    let (mut a, b) = with_an_absent_peer(&server);
    a.offer(&b, "1");
    a.send("bye", Some(&b), json!({"reason": "local_close"}));
    a.stay_for(Duration::from_secs(11));
    let kinds: Vec<Value> = collected(&server, "r").into_iter().map(|frame| frame["type"].clone()).collect();
    // What negotiates is dead after ten seconds; the rest waits for thirty.
    assert_eq!(kinds, ["bye"]);
}

#[test]
fn what_waits_for_one_peer_has_a_limit() {
    let server = Server::with(&[("MAILBOX_MESSAGES", "8")]);
    let (mut a, b) = with_an_absent_peer(&server);
    for n in 0..100 {
        a.send("ice_candidate", Some(&b), json!({"candidate": n}));
    }
    a.settle();
    let mail = collected(&server, "r");
    assert!((1..=8).contains(&mail.len()), "{} messages", mail.len());
}

#[test]
fn who_names_no_room_gets_its_mail_too() {
    let server = Server::start();
    let mut a = Client::join(&server, &id('a'), "n", "n");
    let go = Client::join_as_go(&server, &id('b'), "n");
    a.knows_at_last(&[&id('b')]);
    go.peer.drop_connection();
    a.knows_at_last(&[]);
    a.offer(&id('b'), "1");
    a.settle();
    let mut go = Client::join_as_go(&server, &id('b'), "n");
    assert_eq!(go.expect("offer")["body"]["sdp"], "1");
    a.send("withdraw", None, json!({}));
    go.settle();
}

#[test]
fn mail_of_who_names_no_room_has_the_room_written_in() {
    let server = Server::start();
    let mut go = Client::join_as_go(&server, &id('a'), "n");
    let mut c = Client::join(&server, &id('c'), "n", "n");
    let b = Client::join(&server, &id('b'), "n", "n");
    c.offer(&id('b'), "before");
    c.settle();
    b.peer.drop_connection();
    go.knows_at_last(&[&id('c')]);
    go.offer(&id('b'), "1");
    go.settle();
    let mut back = Client::join(&server, &id('b'), "n", "n");
    let offer = back.expect("offer");
    assert_eq!((&offer["session_id"], &offer["body"]["sdp"]), (&json!("n"), &json!("1")));
}
