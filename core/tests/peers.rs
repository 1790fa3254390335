//! What peers see of each other.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use crate::common::{BOOT, Board, id};
use peerpigeon_core::{Census, CloseReason, Event, Limits};
use serde_json::json;

#[test]
fn a_newcomer_is_greeted_with_its_own_id() {
    let mut board = Board::new(Limits::default());
    let spelling = "0123456789abcdefABCDEF0123456789abcdefAB";
    board.now = board.now + 7;
    board.open(1, spelling);
    let expected = format!(
        r#"{{"type":"connected","peerId":"{spelling}","data":{{"peerId":"{spelling}"}},"fromPeerId":"system","targetPeerId":"{spelling}","networkName":"global","timestamp":{}}}"#,
        BOOT + 7
    );
    assert_eq!(board.raw, [(1, expected)]);
}

#[test]
fn two_peers_of_a_network_are_told_of_each_other_with_what_they_announced() {
    let mut board = Board::new(Limits::default());
    board.open(1, &id('a'));
    board.open(2, &id('B'));
    board.text(1, r#"{"type":"announce","data":{"peerId":"forged","name":"x"},"networkName":"n"}"#);
    board.take(1);
    board.take(2);
    board.announce(2, "n");
    let first = board.take(1);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["type"], "peer-discovered");
    assert_eq!(first[0]["data"], json!({"peerId": id('B')}));
    assert_eq!(first[0]["fromPeerId"], "system");
    assert_eq!(first[0]["targetPeerId"], id('a'));
    assert_eq!(first[0]["networkName"], "n");
    assert_eq!(board.take(2)[0]["data"], json!({"peerId": id('a'), "name": "x"}));
}

#[test]
fn a_signal_arrives_with_its_sender_and_its_data_untouched() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.raw.clear();
    let data = r#"{ "z":1e400,"a":"\ud800\u00e4", "n":[-0, 12345678901234567890.10] }"#;
    board.text(
        1,
        &format!(
            r#"{{"fromPeerId":"{}","timestamp":1,"data":{data},"type":"offer","x":[1],"targetPeerId":"{}","networkName":"n"}}"#,
            id('c'),
            id('B')
        ),
    );
    let expected = format!(
        r#"{{"type":"offer","data":{data},"fromPeerId":"{}","targetPeerId":"{}","networkName":"n","timestamp":{BOOT}}}"#,
        id('a'),
        id('b')
    );
    assert_eq!(board.raw, [(2, expected)]);
}

#[test]
fn who_vanishes_is_reported_once_to_acquaintances_and_is_not_said_goodbye_for() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.join(3, &id('c'), "other");
    for conn in 1..=3 {
        board.take(conn);
    }
    board.lose(1);
    board.lose(1);
    let told = board.take(2);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["type"], "peer-disconnected");
    assert_eq!(told[0]["data"], json!({"peerId": id('a'), "reason": "reset", "timestamp": BOOT}));
    assert_eq!(told[0]["fromPeerId"], "system");
    assert!(board.take(3).is_empty());
}

#[test]
fn goodbye_counts_once_and_in_the_announced_network() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.take(2);
    for _ in 0..3 {
        board.text(1, r#"{"type":"goodbye","data":{"reason":"peer_disconnect"}}"#);
    }
    board.text(1, r#"{"type":"cleanup-all"}"#);
    assert_eq!(board.types(2), ["goodbye", "peer-disconnected"]);
    board.lose(1);
    assert!(board.take(2).is_empty());
    board.signal(2, "offer", &id('a'), "1", "n");
    assert_eq!(board.types(2), ["goodbye", "error"]);
}

#[test]
fn after_goodbye_a_peer_cannot_be_reached_until_it_announces_again() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "global");
    board.join(2, &id('b'), "global");
    board.text(1, r#"{"type":"goodbye"}"#);
    board.take(1);
    board.take(2);
    board.signal(2, "answer", &id('a'), "1", "global");
    assert_eq!(board.only_error(2), "target-not-connected");
    board.signal(1, "answer", &id('b'), "1", "global");
    assert_eq!(board.only_error(1), "not-announced");
    board.announce(1, "global");
    assert_eq!(board.types(2), ["peer-discovered"]);
    board.signal(2, "answer", &id('a'), "1", "global");
    assert_eq!(board.types(1), ["peer-discovered", "answer"]);
}

#[test]
fn a_peer_that_never_announces_can_signal_in_global_but_is_not_introduced() {
    let mut board = Board::new(Limits::default());
    board.open(1, &id('a'));
    board.open(2, &id('b'));
    board.join(3, &id('c'), "global");
    for conn in 1..=3 {
        board.take(conn);
    }
    board.signal(1, "offer", &id('b'), "1", "global");
    board.signal(1, "offer", &id('c'), "1", "global");
    board.signal(3, "answer", &id('a'), "1", "global");
    assert_eq!(
        (board.types(1), board.types(2), board.types(3)),
        (vec!["answer".into()], vec!["offer".into()], vec!["offer".into()])
    );
    board.signal(1, "offer", &id('b'), "1", "n");
    assert_eq!(board.only_error(1), "other-network");
}

#[test]
fn networks_never_meet() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "one");
    board.join(2, &id('b'), "two");
    assert_eq!((board.types(1), board.types(2)), (vec!["connected".into()], vec!["connected".into()]));
    board.signal(1, "offer", &id('b'), "1", "one");
    assert_eq!(board.only_error(1), "other-network");
    board.signal(1, "offer", &id('b'), "1", "two");
    assert_eq!(board.only_error(1), "other-network");
    board.text(1, &format!(r#"{{"type":"offer","targetPeerId":"{}"}}"#, id('b')));
    assert_eq!(board.only_error(1), "other-network");
    assert!(board.take(2).is_empty());
}

#[test]
fn announcing_elsewhere_leaves_the_old_network_first() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "one");
    board.join(2, &id('b'), "one");
    board.join(3, &id('c'), "two");
    for conn in 1..=3 {
        board.take(conn);
    }
    board.announce(1, "two");
    let told = board.take(2);
    assert_eq!(
        (told.len(), &told[0]["type"], &told[0]["data"]["reason"]),
        (1, &json!("peer-disconnected"), &json!("moved"))
    );
    assert_eq!(
        (board.types(1), board.types(3)),
        (vec!["peer-discovered".into()], vec!["peer-discovered".into()])
    );
    board.signal(2, "offer", &id('a'), "1", "one");
    assert_eq!(board.only_error(2), "other-network");
    assert_eq!(board.board.census().networks, 2);
}

#[test]
fn a_network_has_a_number_of_its_own_and_a_new_one_when_it_opens_again() {
    let mut board = Board::new(Limits { message_ttl_ms: 0, ..Limits::default() });
    board.join(1, &id('a'), "one");
    board.join(2, &id('b'), "two");
    board.lose(1);
    board.join(3, &id('c'), "one");
    let opened: Vec<_> = board
        .events
        .iter()
        .filter_map(|event| match event {
            Event::NetworkOpened { network } => Some(*network),
            _ => None,
        })
        .collect();
    assert_eq!(opened, [1, 2, 3].map(peerpigeon_core::NetworkId));
    let closed = |event: &&Event| **event == Event::NetworkClosed { network: opened[0] };
    assert_eq!(board.events.iter().filter(closed).count(), 1);
}

#[test]
fn bad_messages_are_answered_and_change_nothing() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.take(1);
    board.take(2);
    let own = format!(r#"{{"type":"offer","networkName":"n","targetPeerId":"{}"}}"#, id('A'));
    for (text, code) in [
        ("{", "invalid-json"),
        ("[]", "invalid-message"),
        (r#"{"type":"nope"}"#, "unknown-type"),
        (r#"{"type":"offer","networkName":"n"}"#, "missing-target"),
        (r#"{"type":"cleanup","networkName":"n"}"#, "missing-target"),
        (r#"{"type":"announce","data":[],"networkName":"n"}"#, "invalid-message"),
        (own.as_str(), "invalid-message"),
    ] {
        board.text(1, text);
        assert_eq!(board.only_error(1), code, "{text}");
    }
    assert!(board.take(2).is_empty());
    board.text(1, r#"{"type":"nope"}"#);
    let expected = format!(
        r#"{{"type":"error","error":"Unknown message type","data":{{"code":"unknown-type","message":"Unknown message type","type":"nope"}},"fromPeerId":"system","targetPeerId":"{}","networkName":"n","timestamp":{BOOT}}}"#,
        id('a')
    );
    assert_eq!(board.raw, [(1, expected)]);
}

#[test]
fn a_flood_is_warned_first_and_ended_then() {
    let limits = Limits { message_rate_per_second: 10, message_burst: 5, ..Limits::default() };
    let mut board = Board::new(limits);
    board.open(1, &id('a'));
    board.take(1);
    for _ in 0..6 {
        board.text(1, r#"{"type":"ping"}"#);
    }
    assert_eq!(board.types(1), ["pong", "pong", "pong", "pong", "pong", "error"]);
    for _ in 0..10 {
        board.text(1, r#"{"type":"ping"}"#);
    }
    assert_eq!(board.closed, [(1, CloseReason::RateLimitExceeded)]);
    assert_eq!(board.board.census(), Census::default());
}

#[test]
fn when_everybody_has_left_nothing_remains() {
    let mut board = Board::new(Limits::default());
    for (conn, digit) in (1..).zip("0123456789abcdef".chars()) {
        board.join(conn, &id(digit), "n");
    }
    assert!(board.board.census().acquaintances >= 15);
    for conn in 1..=16 {
        board.lose(conn);
    }
    assert_eq!(board.board.census().mailboxes, 16);
    board.pass(360_001);
    assert_eq!(board.board.census(), Census::default());
    assert_eq!(board.board.poll_timeout(), None);
    let swept = |event: &&Event| matches!(event, Event::Swept { mailboxes: 16, mails: 0 });
    assert_eq!(board.events.iter().filter(swept).count(), 1);
}
