//! One id, two connections; and more connections than places.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{CloseReason, DuplicatePeer, Limits};

fn challenge() -> Board {
    let mut board = Board::new(Limits { ping_interval_ms: 0, ..Limits::default() });
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.take(1);
    board.take(2);
    board
}

#[test]
fn a_live_incumbent_keeps_its_id() {
    let mut board = challenge();
    board.join(3, &id('A'), "n");
    assert_eq!(board.pinged, [1]);
    assert!(board.take(3).is_empty(), "a newcomer waits unanswered");
    board.pass(1_999);
    board.heard(1);
    assert_eq!(board.closed, [(3, CloseReason::PeerAlreadyConnected)]);
    assert!(board.take(2).is_empty());
    board.signal(2, "offer", &id('a'), "1", "n");
    assert_eq!(board.types(1), ["offer"]);
}

#[test]
fn a_silent_incumbent_is_replaced_and_what_the_newcomer_sent_is_handled() {
    let mut board = challenge();
    board.join(3, &id('A'), "n");
    board.signal(3, "offer", &id('b'), "7", "n");
    board.pass(1_999);
    assert!(board.closed.is_empty());
    board.pass(1);
    assert_eq!(board.closed, [(1, CloseReason::Replaced)]);
    assert_eq!(board.types(3), ["connected", "peer-discovered"]);
    let told = board.take(2);
    let types: Vec<_> = told.iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["peer-disconnected", "peer-discovered", "offer"]);
    assert_eq!(told[0]["data"]["reason"], "replaced");
    assert_eq!(told[2]["fromPeerId"], id('A'), "in the spelling of the newcomer");
}

#[test]
fn the_late_close_of_a_replaced_connection_does_not_touch_its_successor() {
    let mut board = challenge();
    board.join(3, &id('a'), "n");
    board.pass(2_000);
    board.take(2);
    board.lose(1);
    board.text(1, r#"{"type":"goodbye"}"#);
    assert!(board.take(2).is_empty());
    board.signal(2, "offer", &id('a'), "1", "n");
    assert_eq!(board.types(3), ["connected", "peer-discovered", "offer"]);
}

#[test]
fn an_incumbent_that_goes_by_itself_lets_its_challenger_in_at_once() {
    let mut board = challenge();
    board.join(3, &id('a'), "n");
    board.lose(1);
    assert_eq!(board.types(3), ["connected", "peer-discovered"]);
    assert!(board.closed.is_empty());
    board.pass(2_000);
    assert!(board.closed.is_empty());
}

#[test]
fn a_third_connection_of_an_id_is_closed_and_a_challenger_may_give_up() {
    let mut board = challenge();
    board.open(3, &id('a'));
    board.open(4, &id('a'));
    assert_eq!(board.closed, [(4, CloseReason::PeerAlreadyConnected)]);
    board.lose(3);
    board.pass(2_000);
    assert_eq!(board.closed.len(), 1, "the incumbent stays");
}

#[test]
fn a_challenger_that_talks_too_much_is_closed() {
    let mut board = challenge();
    board.open(3, &id('a'));
    for _ in 0..=64 {
        board.text(3, r#"{"type":"ping"}"#);
    }
    assert_eq!(board.closed, [(3, CloseReason::RateLimitExceeded)]);
    board.open(4, &id('a'));
    board.text(4, &"x".repeat(65_537));
    assert_eq!(board.closed[1], (4, CloseReason::RateLimitExceeded));
    assert_eq!(board.board.census().held_bytes, 0);
}

#[test]
fn a_driver_that_was_asleep_gives_the_incumbent_another_second() {
    let mut board = challenge();
    board.open(3, &id('a'));
    board.now = board.now + 60_000;
    board.heard(1);
    assert_eq!(board.closed, [(3, CloseReason::PeerAlreadyConnected)]);
    board.open(4, &id('a'));
    board.now = board.now + 60_000;
    board.heard(2);
    board.pass(1_000);
    assert_eq!(board.closed[1], (1, CloseReason::Replaced));
}

#[test]
fn reject_closes_the_newcomer_and_replace_the_incumbent() {
    for (mode, closed) in [
        (DuplicatePeer::Reject, (2, CloseReason::PeerAlreadyConnected)),
        (DuplicatePeer::Replace, (1, CloseReason::Replaced)),
    ] {
        let limits =
            Limits { duplicate_peer: mode, connections: 1, held_connections: 0, ..Limits::default() };
        let mut board = Board::new(limits);
        board.open(1, &id('a'));
        board.open(2, &id('A'));
        assert_eq!(board.closed, [closed]);
        assert!(board.pinged.is_empty());
        assert_eq!(board.board.census().connections, 1);
    }
}

#[test]
fn a_full_server_holds_newcomers_for_three_seconds() {
    let mut board = Board::new(Limits { connections: 2, held_connections: 2, ..Limits::default() });
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.join(3, &id('c'), "n");
    board.join(4, &id('d'), "n");
    board.join(5, &id('e'), "n");
    assert_eq!(board.closed, [(5, CloseReason::MaximumConnections)], "no room to hold a third one");
    board.lose(1);
    assert_eq!(board.types(3), ["connected", "peer-discovered"]);
    board.pass(3_000);
    assert_eq!(board.closed[1], (4, CloseReason::MaximumConnections));
    assert_eq!(board.board.census().connections, 2);
}

#[test]
fn an_address_has_its_own_cap_and_others_pass_it_by() {
    let mut board = Board::new(Limits { connections_per_address: 1, ..Limits::default() });
    board.open_from(1, &id('a'), Some(7));
    board.open_from(2, &id('b'), Some(7));
    board.open_from(3, &id('c'), Some(8));
    board.open_from(4, &id('d'), None);
    board.open_from(5, &id('e'), None);
    assert!(board.take(2).is_empty());
    for conn in [1, 3, 4, 5] {
        assert_eq!(board.types(conn), ["connected"]);
    }
    board.lose(3);
    assert!(board.take(2).is_empty(), "the place of another address is of no use to it");
    board.lose(1);
    assert_eq!(board.types(2), ["connected"]);
    board.open_from(6, &id('f'), Some(7));
    board.pass(3_000);
    assert_eq!(board.closed, [(6, CloseReason::TooManyFromAddress)]);
}

#[test]
fn an_address_cap_of_zero_is_none() {
    let mut board = Board::new(Limits { connections_per_address: 0, ..Limits::default() });
    for conn in 1..=20_u64 {
        board.open_from(conn, &format!("{conn:040x}"), Some(7));
        assert_eq!(board.types(conn), ["connected"]);
    }
}

#[test]
fn an_upgrade_without_a_peer_id_is_closed() {
    let mut board = Board::new(Limits::default());
    board.open(1, "xyz");
    assert_eq!(board.closed, [(1, CloseReason::InvalidPeerId)]);
    board.text(1, r#"{"type":"ping"}"#);
    assert!(board.raw.is_empty());
    assert_eq!(board.board.census().connections, 0);
}
