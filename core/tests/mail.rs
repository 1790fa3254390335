//! Signals for peers that dropped out moments ago.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use crate::common::{BOOT, Board, id};
use peerpigeon_core::{Event, Limits, MailEnd};
use serde_json::Value;

/// Two peers of network `n`, of which the first has just been lost.
fn dropped(limits: Limits) -> Board {
    let mut board = Board::new(Limits { ping_interval_ms: 0, peer_timeout_ms: 0, ..limits });
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.lose(1);
    board.take(2);
    board
}

fn data(messages: &[Value]) -> Vec<Value> {
    messages.iter().filter(|message| message["type"] == "ice-candidate").map(|m| m["data"].clone()).collect()
}

fn ends(board: &Board) -> Vec<MailEnd> {
    let end = |event: &Event| if let Event::MailEnded { end, .. } = event { Some(*end) } else { None };
    board.events.iter().filter_map(end).collect()
}

#[test]
fn what_was_sent_to_a_peer_that_dropped_out_arrives_in_order_once_when_it_announces_again() {
    let mut board = dropped(Limits::default());
    for n in 0..5 {
        board.now = board.now + 1;
        board.signal(2, "ice-candidate", &id('A'), &n.to_string(), "n");
    }
    assert!(board.take(2).is_empty(), "no error and no answer");
    board.pass(3_000);
    board.open(3, &id('a'));
    board.signal(2, "ice-candidate", &id('a'), "5", "n");
    assert_eq!(board.types(3), ["connected"], "nothing before it announces, and nothing overtakes");
    board.announce(3, "n");
    let messages = board.take(3);
    assert_eq!(messages[0]["type"], "peer-discovered");
    assert_eq!(data(&messages), [0, 1, 2, 3, 4, 5].map(Value::from));
    assert_eq!(messages[1]["fromPeerId"], id('b'));
    assert_eq!(messages[1]["targetPeerId"], id('a'));
    assert!(messages[1]["timestamp"].as_u64().unwrap() >= BOOT + 3_000);
    board.announce(3, "n");
    assert!(data(&board.take(3)).is_empty());
    assert_eq!(ends(&board), [MailEnd::Delivered; 6]);
    assert_eq!(board.board.census().mail_bytes, 0);
}

#[test]
fn nothing_older_than_its_time_is_delivered() {
    let mut board = dropped(Limits { cleanup_interval_ms: 1_000_000, ..Limits::default() });
    board.signal(2, "ice-candidate", &id('a'), "1", "n");
    board.pass(200_000);
    board.signal(2, "ice-candidate", &id('a'), "2", "n");
    board.pass(100_000);
    board.join(3, &id('a'), "n");
    assert_eq!(data(&board.take(3)), [Value::from(2)]);
    assert_eq!(ends(&board), [MailEnd::Expired, MailEnd::Delivered]);
}

#[test]
fn a_peer_is_forgotten_after_the_time_to_live() {
    let mut board = dropped(Limits { cleanup_interval_ms: 1_000_000, ..Limits::default() });
    board.pass(299_999);
    board.signal(2, "ice-candidate", &id('a'), "1", "n");
    assert!(board.take(2).is_empty());
    board.pass(1);
    board.signal(2, "ice-candidate", &id('a'), "2", "n");
    assert_eq!(board.only_error(2), "target-not-connected", "whoever wrote to it meanwhile");
    board.pass(1_000);
    board.join(3, &id('a'), "n");
    assert_eq!(data(&board.take(3)), [Value::from(1)], "what was kept in time is still good");
}

#[test]
fn a_time_to_live_of_zero_keeps_nothing() {
    let mut board = dropped(Limits { message_ttl_ms: 0, ..Limits::default() });
    board.signal(2, "answer", &id('a'), "1", "n");
    assert_eq!(board.only_error(2), "target-not-connected");
}

#[test]
fn mail_stays_in_its_network() {
    let mut board = dropped(Limits::default());
    board.join(4, &id('d'), "other");
    board.take(4);
    board.signal(4, "answer", &id('a'), "1", "other");
    assert_eq!(board.only_error(4), "target-not-connected");
    board.signal(2, "ice-candidate", &id('a'), "1", "n");
    board.join(3, &id('a'), "other");
    board.announce(3, "n");
    assert!(data(&board.take(3)).is_empty());
    assert_eq!(ends(&board), [MailEnd::Dropped]);
}

#[test]
fn a_network_that_is_empty_but_remembered_is_the_same_one_afterwards() {
    let mut board = dropped(Limits::default());
    board.signal(2, "ice-candidate", &id('a'), "1", "n");
    board.lose(2);
    assert_eq!(board.board.census().networks, 0);
    board.join(3, &id('a'), "n");
    assert_eq!(data(&board.take(3)), [Value::from(1)]);
}

#[test]
fn a_full_mailbox_loses_its_oldest() {
    let limits = Limits { mailbox_messages: 3, mailbox_bytes: 1_568, ..Limits::default() };
    let mut board = dropped(limits);
    for n in 0..4 {
        board.signal(2, "ice-candidate", &id('a'), &n.to_string(), "n");
    }
    board.signal(2, "ice-candidate", &id('a'), &format!("{:0>150}", "1e1").replace("0", "9"), "n");
    assert!(board.take(2).is_empty());
    board.signal(2, "ice-candidate", &id('a'), &"9".repeat(1_057), "n");
    assert_eq!(board.only_error(2), "target-not-connected", "larger than a whole mailbox");
    board.signal(2, "offer", &id('a'), &"9".repeat(1_057), "n");
    assert_eq!(board.types(2), ["goodbye", "error"], "a dialler must not wait for it");
    board.join(3, &id('a'), "n");
    assert_eq!(data(&board.take(3)).len(), 2);
}

#[test]
fn the_oldest_mailbox_makes_room_for_a_new_one() {
    let mut board = Board::new(Limits { mailboxes: 1, ..Limits::default() });
    for (conn, digit) in [(1, 'a'), (2, 'b'), (3, 'c')] {
        board.join(conn, &id(digit), "n");
    }
    board.lose(1);
    board.lose(2);
    board.take(3);
    board.signal(3, "answer", &id('a'), "1", "n");
    assert_eq!(board.only_error(3), "target-not-connected");
    board.signal(3, "answer", &id('b'), "1", "n");
    assert!(board.take(3).is_empty());
}

#[test]
fn without_mailboxes_nobody_is_remembered() {
    let mut board = dropped(Limits { mailboxes: 0, ..Limits::default() });
    board.signal(2, "answer", &id('a'), "1", "n");
    assert_eq!(board.only_error(2), "target-not-connected");
    assert_eq!(board.board.census().mailboxes, 0);
}

#[test]
fn a_sweep_ends_what_has_expired_and_counts_it() {
    let mut board = dropped(Limits::default());
    for n in 0..3 {
        board.signal(2, "ice-candidate", &id('a'), &n.to_string(), "n");
    }
    board.pass(30_000);
    board.join(3, &id('c'), "n");
    board.lose(3);
    board.signal(2, "ice-candidate", &id('c'), "3", "n");
    board.pass(270_000);
    let swept =
        |board: &Board| board.events.iter().rfind(|event| matches!(event, Event::Swept { .. })).copied();
    assert_eq!(swept(&board), Some(Event::Swept { mailboxes: 1, mails: 3 }));
    assert_eq!((board.board.census().mailboxes, board.board.census().mails), (1, 1));
    board.pass(60_000);
    assert_eq!(swept(&board), Some(Event::Swept { mailboxes: 1, mails: 1 }));
    assert_eq!(ends(&board), [MailEnd::Expired; 4]);
    assert_eq!(board.board.poll_timeout().map(|(_, kind)| kind), Some(peerpigeon_core::TimerKind::Introduce));
}

#[test]
fn cleanup_forgets_the_mail_between_two_and_cleanup_all_everything_from_one() {
    let mut board = dropped(Limits::default());
    board.join(3, &id('c'), "n");
    board.join(4, &id('d'), "n");
    board.lose(4);
    for conn in [2, 3] {
        board.take(conn);
        board.signal(conn, "ice-candidate", &id('a'), &conn.to_string(), "n");
        board.signal(conn, "ice-candidate", &id('d'), &conn.to_string(), "n");
    }
    board.text(2, &format!(r#"{{"type":"cleanup","targetPeerId":"{}"}}"#, id('a')));
    board.text(3, r#"{"type":"goodbye"}"#);
    board.text(3, r#"{"type":"cleanup-all"}"#);
    assert_eq!(board.types(2), ["goodbye", "peer-disconnected"]);
    assert!(board.take(3).is_empty());
    board.join(5, &id('a'), "n");
    board.join(6, &id('d'), "n");
    assert!(data(&board.take(5)).is_empty());
    assert_eq!(data(&board.take(6)), [Value::from(2)]);
    assert_eq!(
        ends(&board),
        [MailEnd::Forgotten, MailEnd::Forgotten, MailEnd::Forgotten, MailEnd::Delivered]
    );
}

#[test]
fn an_offer_to_nobody_is_answered_with_a_goodbye_from_it() {
    let mut board = Board::new(Limits::default());
    board.join(2, &id('b'), "n");
    board.take(2);
    board.signal(2, "offer", &id('F'), "1", "n");
    let messages = board.take(2);
    assert_eq!(messages[0]["type"], "goodbye");
    assert_eq!(messages[0]["fromPeerId"], id('F'), "as the client spelled it");
    assert_eq!(messages[0]["networkName"], "n");
    assert_eq!(messages[1]["data"]["code"], "target-not-connected");
    board.signal(2, "answer", &id('F'), "1", "n");
    assert_eq!(board.types(2), ["error"]);
}
