//! Who is free to take one more link is introduced to others who are.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use common::Board;
use peerpigeon_core::{Event, Limits, Occasion, PeerId};

/// A network in which nobody is chosen but by being free: `k` is 1, and everybody is near somebody else.
fn board(peers: u64, max_peers: u8) -> Board {
    board_with(peers, max_peers, Limits::default())
}

fn board_with(peers: u64, max_peers: u8, limits: Limits) -> Board {
    let limits = Limits { introductions: 1, reintroduce_interval_ms: 0, ping_interval_ms: 0, ..limits };
    let mut board = Board::new(limits);
    for peer in 0..peers {
        board.open(peer, &id(peer));
        board.text(peer, &format!(r#"{{"type":"announce","maxPeers":{max_peers}}}"#));
    }
    board.events.clear();
    board.raw.clear();
    board
}

/// In pairs that are each other's nearest.
fn id(peer: u64) -> String {
    format!("{:02x}{:038x}", (peer / 2).reverse_bits() >> 56, peer)
}

fn peer(number: u64) -> PeerId {
    *peerpigeon_core::Spelling::parse(&id(number)).unwrap().id()
}

fn free(board: &mut Board) -> Vec<(PeerId, PeerId)> {
    let pairs = board.events.drain(..).filter_map(|event| match event {
        Event::Introduced { newcomer, other, occasion: Occasion::Free } => Some((newcomer, other)),
        _ => None,
    });
    pairs.collect()
}

fn link(board: &mut Board, one: u64, two: u64) {
    board.signal(one, "offer", &id(two), "{}", "global");
    board.signal(two, "answer", &id(one), "{}", "global");
}

fn reject(board: &mut Board, dialler: u64, full: u64) {
    board.signal(dialler, "offer", &id(full), "{}", "global");
    board.signal(full, "connection-rejected", &id(dialler), "{}", "global");
}

#[test]
fn who_is_turned_away_is_introduced_to_the_next_who_is_free() {
    let mut board = board(6, 1);
    link(&mut board, 1, 2);
    reject(&mut board, 0, 1);
    // 1 and 2 are full; 3 came next.
    assert_eq!(free(&mut board), [(peer(0), peer(3))]);
    assert!(board.types(3).contains(&"peer-discovered".to_owned()));
    reject(&mut board, 4, 1);
    assert_eq!(free(&mut board), [(peer(4), peer(5))]);
    // After the last comes the first.
    reject(&mut board, 5, 1);
    assert_eq!(free(&mut board), [(peer(5), peer(0))]);
}

#[test]
fn who_turned_somebody_away_counts_as_full_until_it_dials_or_loses_a_link() {
    let mut board = board(4, 2);
    link(&mut board, 1, 3);
    reject(&mut board, 0, 1);
    reject(&mut board, 0, 2);
    assert_eq!(free(&mut board), [(peer(0), peer(2)), (peer(0), peer(3))]);
    board.signal(2, "offer", &id(3), "{}", "global");
    reject(&mut board, 0, 1);
    assert_eq!(free(&mut board), [(peer(0), peer(2))]);
    board.lose(3);
    // 1, who was linked to 3, looks for another.
    assert_eq!(free(&mut board), [(peer(1), peer(2))]);
}

#[test]
fn those_whose_link_ended_are_introduced_to_others_who_are_free() {
    let mut board = board(6, 1);
    link(&mut board, 0, 1);
    link(&mut board, 2, 3);
    board.events.clear();
    board.text(1, r#"{"type":"goodbye"}"#);
    assert_eq!(free(&mut board), [(peer(0), peer(4))]);
    board.lose(2);
    assert_eq!(free(&mut board), [(peer(3), peer(4))]);
}

#[test]
fn two_who_are_linked_to_the_same_peer_are_not_introduced_for_being_free() {
    let mut board = board(5, 2);
    link(&mut board, 0, 1);
    link(&mut board, 1, 2);
    // 2 comes next, but both are linked to 1.
    reject(&mut board, 0, 4);
    assert_eq!(free(&mut board), [(peer(0), peer(3))]);
}

#[test]
fn nobody_full_is_introduced_for_being_free_and_nobody_to_a_full_network() {
    let mut board = board(4, 1);
    link(&mut board, 0, 1);
    reject(&mut board, 2, 0);
    assert_eq!(free(&mut board), [(peer(2), peer(3))]);
    link(&mut board, 2, 3);
    board.events.clear();
    board.open(9, &id(9));
    board.text(9, r#"{"type":"announce","maxPeers":3}"#);
    reject(&mut board, 9, 0);
    assert_eq!(free(&mut board), []);
}

#[test]
fn who_lowers_its_max_peers_is_free_only_when_it_has_fewer_links_than_that() {
    let mut board = board(6, 2);
    link(&mut board, 0, 1);
    link(&mut board, 0, 2);
    board.text(0, r#"{"type":"announce","maxPeers":1}"#);
    board.events.clear();
    board.lose(1);
    board.lose(2);
    assert_eq!(free(&mut board), [(peer(0), peer(3))]);
}

#[test]
fn signals_that_say_nothing_of_links_and_those_to_peers_without_a_network_introduce_nobody() {
    let mut board = board(4, 1);
    board.open(50, &"e".repeat(40));
    board.events.clear();
    for kind in ["ice-candidate", "renegotiation-offer", "renegotiation-answer", "answer"] {
        board.signal(0, kind, &"e".repeat(40), "{}", "global");
    }
    board.signal(0, "connection-rejected", &"e".repeat(40), "{}", "global");
    assert_eq!(free(&mut board), []);
}

#[test]
fn an_introduction_for_a_rejection_is_charged_to_who_rejects() {
    for (free, allowed) in [(true, 3), (false, 7)] {
        let limits = Limits { message_rate_per_second: 1, message_burst: 12, ..Limits::default() };
        let mut board = Board::new(limits);
        for peer in 0..3 {
            board.join(peer, &id(peer), "global");
        }
        if !free {
            board.lose(1);
        }
        board.raw.clear();
        // Of twelve, the announce took one, and two for each of the two that it introduced. A rejection takes one,
        // and two where it introduces somebody.
        (0..allowed - 1).for_each(|_| board.signal(2, "connection-rejected", &id(0), "{}", "global"));
        assert!(!board.types(2).contains(&"error".to_owned()));
        (0..2).for_each(|_| board.signal(2, "connection-rejected", &id(0), "{}", "global"));
        assert!(board.types(2).contains(&"error".to_owned()), "{allowed}");
    }
}

#[test]
fn two_who_are_linked_already_are_not_introduced_for_being_free() {
    let mut board = board(4, 2);
    link(&mut board, 0, 1);
    reject(&mut board, 0, 3);
    assert_eq!(free(&mut board), [(peer(0), peer(2))]);
}

#[test]
fn a_link_counts_once_and_only_where_both_have_a_place_for_it() {
    let mut linked_twice = board(4, 2);
    link(&mut linked_twice, 0, 1);
    link(&mut linked_twice, 1, 0);
    reject(&mut linked_twice, 2, 3);
    assert_eq!(free(&mut linked_twice), [(peer(2), peer(0))], "with one link of two");
    let mut board = board(4, 1);
    link(&mut board, 0, 1);
    link(&mut board, 0, 2);
    link(&mut board, 2, 1);
    reject(&mut board, 3, 1);
    assert_eq!(free(&mut board), [(peer(3), peer(2))], "nobody had a place for a link with it");
}

#[test]
fn who_has_all_the_acquaintances_it_may_have_is_introduced_only_to_those() {
    // Each knows its neighbour, which turns it away.
    let mut board = board_with(4, 1, Limits { acquaintances: 1, ..Limits::default() });
    reject(&mut board, 0, 1);
    assert_eq!(free(&mut board), []);
    // All three know each other.
    let mut board = board_with(3, 2, Limits { acquaintances: 2, ..Limits::default() });
    assert_eq!(board.board.census().acquaintances, 3);
    reject(&mut board, 0, 1);
    assert_eq!(free(&mut board), [(peer(0), peer(2))]);
}

#[test]
fn in_a_shutdown_nobody_is_introduced_to_anybody() {
    let mut board = board(6, 1);
    link(&mut board, 0, 1);
    link(&mut board, 2, 3);
    (board.events, board.raw) = (Vec::new(), Vec::new());
    board.input(peerpigeon_core::Input::Drain { until: peerpigeon_core::Time(10_000) });
    assert_eq!(board.closed.len(), 6);
    assert!(!board.events.iter().any(|event| matches!(event, Event::Introduced { .. })));
    assert!(!board.raw.iter().any(|(_, text)| text.contains("peer-discovered")));
}
