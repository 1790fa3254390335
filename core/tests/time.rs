//! What happens by itself: pings, time-outs, re-introductions.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use crate::common::{self, Board, id};
use peerpigeon_core::{CloseReason, ConnId, Input, Limits, UnixMillis};

#[test]
fn a_silent_peer_is_pinged_and_one_that_stays_silent_is_closed() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.take(2);
    board.pass(19_999);
    assert!(board.pinged.is_empty());
    board.pass(10_001);
    assert_eq!(board.pinged.len(), 2);
    board.heard(2);
    board.pass(20_000);
    assert_eq!(board.closed, [(1, CloseReason::InactiveTimeout)]);
    assert_eq!(board.take(2)[0]["data"]["reason"], "timeout");
}

#[test]
fn who_talks_is_not_pinged() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    for _ in 0..60 {
        board.pass(10_000);
        board.text(1, r#"{"type":"ping"}"#);
    }
    assert!(board.pinged.is_empty());
    assert!(board.closed.is_empty());
}

#[test]
fn a_peer_that_answers_pings_stays_for_ever() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    for _ in 0..1_000 {
        board.pass(5_000);
        if board.pinged.pop().is_some() {
            board.heard(1);
        }
    }
    assert!(board.closed.is_empty());
}

/// Were each pinged at a time of its own, they would cost a server of many idle peers most of its work: a wake-up for each
/// ping and one more for each answer.
#[test]
fn a_thousand_silent_peers_wake_the_server_no_more_than_twenty_times_a_second() {
    let mut board = Board::unwatched(Limits::default());
    for conn in 0..1_000 {
        // Everybody at a millisecond of its own, as over an hour.
        board.now = board.now + 7;
        board.join(conn, &format!("{conn:040x}"), "n");
    }
    let (mut wake_ups, mut pings, start) = (0_u64, 0, board.now);
    while board.now.since(start) < 300_000 {
        let (due, _) = board.board.poll_timeout().unwrap();
        board.pass(due.since(board.now));
        wake_ups += 1;
        for conn in core::mem::take(&mut board.pinged) {
            pings += 1;
            board.heard(conn);
        }
    }
    assert!(pings > 10_000, "{pings}");
    assert!(wake_ups <= 300 * 20, "{wake_ups} for {pings} pings");
    assert!(board.closed.is_empty());
}

#[test]
fn without_pings_the_peer_timeout_counts_and_without_both_nothing_does() {
    let mut board =
        Board::new(Limits { ping_interval_ms: 0, reintroduce_interval_ms: 0, ..Limits::default() });
    board.join(1, &id('a'), "n");
    board.pass(299_999);
    assert!(board.closed.is_empty() && board.pinged.is_empty());
    board.pass(1);
    assert_eq!(board.closed, [(1, CloseReason::InactiveTimeout)]);

    let limits =
        Limits { ping_interval_ms: 0, peer_timeout_ms: 0, reintroduce_interval_ms: 0, ..Limits::default() };
    let mut board = Board::new(limits);
    board.join(1, &id('a'), "n");
    assert_eq!(board.board.poll_timeout(), None);
}

#[test]
fn a_driver_that_was_asleep_closes_nobody_who_has_something_to_say() {
    let mut board = Board::new(Limits::default());
    for (conn, digit) in [(1, 'a'), (2, 'b'), (3, 'c')] {
        board.join(conn, &id(digit), "n");
    }
    board.pass(30_000);
    assert_eq!(board.pinged.len(), 3);
    board.now = board.now + 3_600_000;
    board.heard(1);
    board.heard(2);
    assert!(board.closed.is_empty());
    board.pass(1_000);
    assert_eq!(board.closed, [(3, CloseReason::InactiveTimeout)]);
}

#[test]
fn those_who_lack_links_are_told_again_of_each_other_when_their_pages_have_forgotten() {
    let mut board = Board::new(Limits { ping_interval_ms: 0, peer_timeout_ms: 0, ..Limits::default() });
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.take(1);
    board.take(2);
    board.pass(331_999);
    assert_eq!((board.types(1), board.types(2)), (vec![], vec![]));
    board.pass(42_000);
    assert_eq!(board.types(1), ["peer-discovered"]);
    assert_eq!(board.types(2), ["peer-discovered"]);
    board.text(1, r#"{"type":"goodbye"}"#);
    board.take(2);
    board.pass(400_000);
    assert!(board.take(2).is_empty());
}

#[test]
fn a_peer_that_does_not_read_is_closed() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.input(Input::QueueFull { conn: ConnId(1) });
    board.input(Input::QueueFull { conn: ConnId(1) });
    assert_eq!(board.closed, [(1, CloseReason::TooSlow)]);
}

/// The `timestamp` of everything that a ping and a request without a connection are answered by.
fn timestamps(board: &mut Board) -> Vec<u64> {
    board.text(1, r#"{"type":"ping"}"#);
    let mut answers = board.take(1);
    answers.push(board.post(100, &format!(r#"{{"type":"register","peerId":"{}"}}"#, id('c'))).1);
    board.poll(101, &id('c'), 0);
    answers.push(serde_json::from_str(&board.replies.pop().unwrap().2).unwrap());
    let pong = answers[0]["data"]["timestamp"].clone();
    answers
        .iter()
        .map(|answer| &answer["timestamp"])
        .chain([&pong])
        .map(|time| time.as_u64().unwrap())
        .collect()
}

#[test]
fn what_peers_are_told_follows_the_clock_on_the_wall() {
    let mut board = Board::new(Limits { ping_interval_ms: 0, ..Limits::default() });
    board.join(1, &id('a'), "n");
    board.take(1);
    board.pass(1_000);
    assert_eq!(timestamps(&mut board), [common::BOOT + 1_000; 4]);
    for wall in [0, common::BOOT - 3_600_000, common::BOOT + 86_400_000, u64::MAX] {
        board.input(Input::ClockSet { wall: UnixMillis(wall) });
        assert_eq!(timestamps(&mut board), [wall; 4]);
        board.pass(500);
        assert_eq!(timestamps(&mut board), [wall.saturating_add(500); 4]);
    }
}

#[test]
fn what_is_measured_does_not_follow_the_clock_on_the_wall() {
    for wall in [0, common::BOOT + 86_400_000] {
        let limits = Limits {
            message_ttl_ms: 10_000,
            peer_timeout_ms: 20_000,
            ping_interval_ms: 0,
            ..Limits::default()
        };
        let mut board = Board::new(limits);
        board.join(1, &id('a'), "n");
        board.join(2, &id('b'), "n");
        board.lose(2);
        board.signal(1, "offer", &id('b'), "{}", "n");
        let deadline = board.board.poll_timeout();
        board.input(Input::ClockSet { wall: UnixMillis(wall) });
        assert_eq!(board.board.poll_timeout(), deadline);
        board.pass(9_999);
        board.heard(1);
        board.take(2);
        board.open(3, &id('b'));
        board.announce(3, "n");
        assert!(board.types(3).contains(&"offer".to_owned()), "its time is not over");
        board.pass(20_001);
        assert_eq!(board.board.census().peers, 0);
    }
}
