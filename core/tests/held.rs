//! Connections that wait for an answer: how much they may say meanwhile, and how their waiting ends.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{CloseReason, Limits};

/// Full with one peer, `a`.
fn full() -> Board {
    let mut board = Board::new(Limits { connections: 1, ping_interval_ms: 0, ..Limits::default() });
    board.join(1, &id('a'), "n");
    board.take(1);
    board
}

#[test]
fn whoever_waits_may_say_as_much_as_is_kept_and_no_more() {
    let mut board = full();
    board.open(2, &id('b'));
    board.text(2, &" ".repeat(65_536));
    assert_eq!(board.closed, []);
    assert_eq!(board.board.census().held_bytes, 65_536);
    board.text(2, " ");
    assert_eq!(board.closed, [(2, CloseReason::RateLimitExceeded)]);
    board.open(3, &id('c'));
    (0..64).for_each(|_| board.text(3, "x"));
    assert_eq!(board.board.census().held_bytes, 64);
    board.text(3, "x");
    assert_eq!(board.closed[1..], [(3, CloseReason::RateLimitExceeded)]);
}

#[test]
fn the_census_counts_who_waits_among_the_connections() {
    let mut board = full();
    board.open(2, &id('b'));
    board.open(3, &id('c'));
    let grant = &peerpigeon_core::Grant::ANY;
    for conn in 4..=6 {
        let conn = peerpigeon_core::ConnId(conn);
        board.input(peerpigeon_core::Input::Opened { conn, target: "/signaling", address: None, grant });
    }
    let census = board.board.census();
    assert_eq!((census.connections, census.held, census.unregistered), (6, 2, 3));
    (2..=6).for_each(|conn| board.heard(conn));
    assert_eq!(board.board.census(), census, "a ping closes nobody");
}

#[test]
fn whoever_waits_may_send_sixty_four_control_frames() {
    let mut board = full();
    board.open(2, &id('b'));
    (0..64).for_each(|_| board.heard(2));
    assert_eq!(board.closed, []);
    board.heard(2);
    assert_eq!(board.closed, [(2, CloseReason::RateLimitExceeded)]);
}

#[test]
fn a_driver_that_is_a_second_late_was_listening() {
    for (late, closed) in [(1_000, vec![(1, CloseReason::Replaced)]), (1_001, vec![])] {
        let mut board = full();
        board.open(2, &id('a'));
        board.now = board.now + 2_000 + late;
        board.input(peerpigeon_core::Input::Tick);
        assert_eq!(board.closed, closed, "{late} ms late");
    }
}

#[test]
fn waiting_for_a_place_does_not_push_out_who_has_got_the_same_id_meanwhile() {
    for is_challenged in [false, true] {
        let mut board = full();
        board.open(2, &id('b'));
        board.open(3, &id('b'));
        board.lose(1);
        assert_eq!((board.types(2), board.types(3)), (vec!["connected".to_owned()], vec![]));
        board.pass(2_000);
        if is_challenged {
            board.open(4, &id('b'));
        }
        board.pass(1_000);
        assert_eq!(board.closed, [(3, CloseReason::MaximumConnections)]);
        board.pass(1_000);
        let replaced = board.closed[1..] == [(2, CloseReason::Replaced)];
        assert_eq!(replaced, is_challenged, "{:?}", board.closed);
    }
}
