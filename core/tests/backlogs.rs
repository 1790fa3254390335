//! Peers who read more slowly than others write to them: who sends too much is refused, and the reader stays.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{CloseReason, ConnId, Event, Grant, Input, Limit, Limits};

/// No deadlines of its own but those of liveness.
fn limits() -> Limits {
    let limits = Limits { reintroduce_interval_ms: 0, message_rate_per_second: 0, ..Limits::default() };
    Limits { byte_rate_per_second: 0, ping_interval_ms: 1_000, pong_timeout_ms: 5_000, ..limits }
}

/// The slow one is `a`, on connection 1; as many others as wanted, on those from 2 on.
fn crowd(others: u64) -> Board {
    let mut board = Board::new(limits());
    board.open(1, &id('a'));
    (2..2 + others).for_each(|conn| board.open(conn, &format!("{conn:040x}")));
    board.raw.clear();
    board
}

/// So many of at most 100,000 bytes wait for the slow one.
fn behind(board: &mut Board, waiting: usize) {
    board.input(Input::Backlog { conn: ConnId(1), waiting, capacity: 100_000 });
}

/// Sends the slow one so much, and says whether it was sent on.
fn reaches(board: &mut Board, conn: u64, bytes: usize) -> bool {
    board.signal(conn, "offer", &id('a'), &format!("\"{}\"", "x".repeat(bytes)), "global");
    let told = board.types(conn);
    let got = board.types(1);
    assert!(got.len() + told.len() == 1, "{told:?} {got:?}");
    told.is_empty()
}

#[test]
fn a_sender_gets_no_more_of_a_queue_than_it_leaves_to_others() {
    let mut board = crowd(2);
    assert!(reaches(&mut board, 2, 90_000), "who reads at once has no queue");
    behind(&mut board, 5_000);
    let accepted = (0..100).filter(|_| reaches(&mut board, 2, 2_000)).count();
    assert!((12..18).contains(&accepted), "{accepted}: half of 70,000");
    let accepted = (0..100).filter(|_| reaches(&mut board, 3, 2_000)).count();
    assert!((5..9).contains(&accepted), "{accepted}: half of what the first left");
    assert!(!reaches(&mut board, 2, 10));
    behind(&mut board, 0);
    assert!(reaches(&mut board, 2, 90_000), "it has read everything");
}

#[test]
fn however_many_fill_a_queue_one_who_comes_later_finds_room() {
    let mut board = crowd(60);
    behind(&mut board, 1_000);
    for _ in 0..40 {
        for conn in 2..61 {
            reaches(&mut board, conn, 100);
        }
    }
    assert!(!reaches(&mut board, 2, 100));
    assert!(reaches(&mut board, 61, 500));
}

#[test]
fn what_a_peer_has_read_is_taken_off_the_part_of_every_sender() {
    let mut board = crowd(2);
    behind(&mut board, 1_000);
    while reaches(&mut board, 2, 1_000) {}
    while reaches(&mut board, 3, 1_000) {}
    behind(&mut board, 20_000);
    assert!(reaches(&mut board, 2, 1_000) && reaches(&mut board, 3, 1_000));
}

#[test]
fn who_is_refused_is_told_why_in_its_dialect_and_it_is_counted() {
    let mut board = crowd(1);
    behind(&mut board, 80_000);
    board.signal(2, "offer", &id('a'), "1", "global");
    let told = board.take(2).pop().unwrap();
    assert_eq!(told["data"]["code"], "rate-limited");
    assert!(told["error"].as_str().unwrap().contains("reads too slowly"), "{told}");
    let offer =
        format!(r#"{{"type":"offer","peerId":"{}","targetPeerId":"{}","data":{{}}}}"#, id('c'), id('a'));
    assert_eq!(board.post(9, &offer).0, 429);
    let met = |event: &&Event| matches!(event, Event::Limited { limit: Limit::Queue, .. });
    assert_eq!((board.events.iter().filter(met).count(), board.closed.len()), (2, 0));
}

#[test]
fn who_stops_reading_is_closed_for_it_and_who_reads_on_is_not() {
    for reads in [true, false] {
        let mut board = crowd(1);
        behind(&mut board, 80_000);
        for second in 1..=20 {
            board.pass(1_000);
            board.heard(2);
            if board.closed.is_empty() {
                board.heard(1);
            }
            if reads {
                behind(&mut board, 80_000 - second);
            }
        }
        let expected = if reads { vec![] } else { vec![(1, CloseReason::TooSlow)] };
        assert_eq!(board.closed, expected);
    }
}

#[test]
fn without_pings_who_has_stopped_reading_is_closed_when_somebody_is_refused_for_it() {
    let mut board = Board::new(Limits { ping_interval_ms: 0, peer_timeout_ms: 0, ..limits() });
    board.open(1, &id('a'));
    board.open(2, &id('b'));
    board.raw.clear();
    behind(&mut board, 80_000);
    board.pass(4_999);
    assert!(!reaches(&mut board, 2, 1));
    board.pass(1);
    assert!(board.closed.is_empty());
    assert!(!reaches(&mut board, 2, 1));
    board.pass(1);
    assert_eq!(board.closed, [(1, CloseReason::TooSlow)]);
}

#[test]
fn a_signal_to_all_acquaintances_passes_over_those_who_are_behind() {
    let mut board = Board::new(limits());
    for (conn, digit) in (1..).zip("abc".chars()) {
        let grant = &Grant::ANY;
        board.input(Input::Opened { conn: ConnId(conn), target: "/signaling", address: None, grant });
        board.text(conn, &format!(r#"{{"type":"register","peerId":"{}"}}"#, id(digit)));
        board.text(conn, r#"{"type":"announce","data":{}}"#);
    }
    behind(&mut board, 80_000);
    board.raw.clear();
    board.text(2, r#"{"type":"offer","data":{}}"#);
    assert_eq!((board.take(1).len(), board.take(2).len(), board.take(3).len()), (0, 1, 1));
}

#[test]
fn who_announces_itself_again_and_again_fills_no_queue() {
    let mut board = Board::new(limits());
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.raw.clear();
    behind(&mut board, 1_000);
    for _ in 0..100 {
        board.text(
            2,
            &format!(r#"{{"type":"announce","networkName":"n","data":{{"a":"{}"}}}}"#, "x".repeat(4_000)),
        );
    }
    let bytes: usize = board.raw.iter().filter(|(conn, _)| *conn == 1).map(|(_, text)| text.len()).sum();
    assert!((45_000..56_000).contains(&bytes), "{bytes}: half of the queue");
    assert_eq!(board.closed, []);
    board.raw.clear();
    behind(&mut board, 0);
    board.pass(1_000);
    board.announce(2, "n");
    assert_eq!(board.types(1).last().map(String::as_str), Some("peer-discovered"));
}
