//! Limits that change while peers are here.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{CloseReason, DuplicatePeer, Input, Limits};

fn adjust(board: &mut Board, change: impl FnOnce(&mut Limits)) {
    let mut limits = Limits::default();
    change(&mut limits);
    board.input(Input::Adjust { limits: limits.live().unwrap() });
}

#[test]
fn whoever_waits_for_a_place_comes_in_when_there_are_more() {
    let mut board = Board::new(Limits { connections: 1, ..Limits::default() });
    board.join(1, &id('1'), "net");
    for (conn, digit) in [(2, '2'), (3, '3'), (4, '4')] {
        board.open(conn, &id(digit));
        assert_eq!(board.types(conn), [""; 0], "held");
    }
    adjust(&mut board, |limits| limits.connections = 3);
    assert_eq!(board.types(2), ["connected"]);
    assert_eq!(board.types(3), ["connected"]);
    assert_eq!(board.types(4), [""; 0], "still full");
    board.pass(3_000);
    assert_eq!(board.closed, [(4, CloseReason::MaximumConnections)]);
}

#[test]
fn nobody_is_closed_when_there_are_too_many_and_nobody_let_in() {
    let mut board = Board::new(Limits::default());
    for (conn, digit) in [(1, '1'), (2, '2'), (3, '3')] {
        board.join(conn, &id(digit), "net");
    }
    adjust(&mut board, |limits| limits.connections = 2);
    assert_eq!(board.closed, []);
    board.open(4, &id('4'));
    board.lose(1);
    board.take(4);
    assert_eq!(board.board.census().held, 1, "two are two");
    board.lose(2);
    assert_eq!(board.types(4), ["connected"]);
}

#[test]
fn other_limits_hold_from_then_on() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('1'), "net");
    adjust(&mut board, |limits| {
        limits.message_rate_per_second = 1;
        // One of them was the announce.
        limits.message_burst = 3;
        limits.duplicate_peer = DuplicatePeer::Reject;
        limits.connections_per_address = 1;
        limits.introductions = 1;
    });
    board.take(1);
    for _ in 0..3 {
        board.text(1, r#"{"type":"ping"}"#);
    }
    assert_eq!(board.types(1), ["pong", "pong", "error"]);
    board.open(2, &id('1'));
    assert_eq!(board.closed, [(2, CloseReason::PeerAlreadyConnected)]);
    board.open_from(3, &id('3'), Some(7));
    board.open_from(4, &id('4'), Some(7));
    assert_eq!((board.types(3), board.types(4)), (vec!["connected".to_owned()], vec![]));
}

#[test]
fn whoever_was_busy_when_a_rate_was_raised_goes_on_at_the_new_one() {
    let mut board =
        Board::new(Limits { message_rate_per_second: 1, message_burst: 100, ..Limits::default() });
    board.open(1, &id('1'));
    for _ in 0..101 {
        board.text(1, r#"{"type":"ping"}"#);
    }
    assert_eq!(board.types(1).last().map(String::as_str), Some("error"), "it has nothing left");
    adjust(&mut board, |limits| (limits.message_rate_per_second, limits.message_burst) = (100, 100));
    for _ in 0..36 {
        board.pass(10);
        board.text(1, r#"{"type":"ping"}"#);
    }
    assert_eq!(board.types(1), ["pong"; 36]);
}
