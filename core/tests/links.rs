//! What the signals between two peers tell of their links and their room, and what is done with refusals.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use crate::common::{Board, link, peer_id};
use peerpigeon_core::{Event, Limits, Occasion, PeerId, Signal};

const FULL: &str = r#"{"reason":"max_peers_reached","details":"x"}"#;
const OUT_OF_TURN: &str = r#"{"details":"x","reason":"initiator_role_conflict"}"#;

/// Announced peers `0..peers` that have not signalled yet.
fn board(peers: u64, max_peers: u8) -> Board {
    board_with(peers, max_peers, Limits::default())
}

fn board_with(peers: u64, max_peers: u8, limits: Limits) -> Board {
    let mut board = Board::new(Limits { ping_interval_ms: 0, ..limits });
    for peer in 0..peers {
        announce(&mut board, peer, max_peers);
    }
    board.events.clear();
    board.raw.clear();
    board
}

fn announce(board: &mut Board, peer: u64, max_peers: u8) {
    board.open(peer, &peer_id(peer).to_string());
    board.text(peer, &format!(r#"{{"type":"announce","maxPeers":{max_peers}}}"#));
}

fn offer(board: &mut Board, from: u64, to: u64) {
    board.signal(from, "offer", &peer_id(to).to_string(), "{}", "global");
}

fn refuse(board: &mut Board, from: u64, to: u64, reason: &str) {
    board.signal(from, "connection-rejected", &peer_id(to).to_string(), reason, "global");
}

/// Pages 40…, 70… and 41… with one link each, of which the last is nearer to the first than the second is.
fn three_pages() -> Board {
    let mut board = board(0, 1);
    for peer in [0x40, 0x70, 0x41] {
        announce(&mut board, peer << 56, 1);
    }
    board
}

/// Those whom a newcomer that takes one link is introduced to for it: who has room, as far as the server knows.
fn met_by_newcomer(board: &mut Board, newcomer: u64) -> Vec<PeerId> {
    board.events.clear();
    announce(board, newcomer, 1);
    let mut met = board.introductions();
    met.0.retain(|(.., occasion)| *occasion == Occasion::Announce);
    met.with(newcomer).collect()
}

#[test]
fn a_page_that_turned_somebody_away_for_being_full_is_passed_over_until_it_dials() {
    let mut board = board(2, 2);
    offer(&mut board, 1, 0);
    refuse(&mut board, 0, 1, FULL);
    assert_eq!(met_by_newcomer(&mut board, 10), [peer_id(1)]);
    offer(&mut board, 1, 10);
    offer(&mut board, 1, 5);
    offer(&mut board, 0, 10);
    // 1 has both its places taken, by what it dialled itself; 0 has shown that it has one.
    assert_eq!(met_by_newcomer(&mut board, 11), [peer_id(0)]);
}

#[test]
fn whoever_is_turned_away_is_told_to_forget_the_full_one_before_the_refusal_comes_and_then_of_another() {
    let mut board = board(6, 1);
    board.raw.clear();
    offer(&mut board, 5, 0);
    board.raw.clear();
    refuse(&mut board, 0, 5, FULL);
    let goodbye = board.raw.iter().find(|(to, _)| *to == 5).map(|(_, text)| text.clone()).unwrap();
    assert!(goodbye.contains(&format!(r#""fromPeerId":"{}""#, peer_id(0))), "{goodbye}");
    let types = board.types(5);
    assert_eq!(types.first().map(String::as_str), Some("goodbye"));
    assert_eq!(types.last().map(String::as_str), Some("connection-rejected"));
    assert!(board.events.contains(&Event::Struck { peer: peer_id(5), of: peer_id(0) }));
    assert!(board.types(0).is_empty(), "who refused is told nothing");
}

#[test]
fn a_refusal_out_of_turn_says_nothing_of_room_and_makes_the_one_that_is_to_dial_hear_of_the_other() {
    let mut board = board(3, 3);
    board.pass(7_000);
    // 1, who could have dialled, is taken to be full; it has shown since then that it is not.
    offer(&mut board, 1, 2);
    board.raw.clear();
    offer(&mut board, 0, 1);
    board.raw.clear();
    refuse(&mut board, 1, 0, OUT_OF_TURN);
    assert_eq!(board.types(1), ["goodbye", "peer-discovered"]);
    assert_eq!(board.types(0), ["goodbye", "peer-discovered", "connection-rejected"]);
    // Once: the one that is to dial has been told now.
    offer(&mut board, 0, 1);
    board.raw.clear();
    refuse(&mut board, 1, 0, OUT_OF_TURN);
    assert_eq!(
        (board.types(1).len(), board.types(0)),
        (0, vec!["goodbye".to_owned(), "connection-rejected".to_owned()])
    );
}

#[test]
fn a_full_page_that_refuses_out_of_turn_is_left_alone_and_the_dialler_meets_another() {
    let mut board = board(4, 1);
    link(&mut board, 3, 2);
    offer(&mut board, 0, 3);
    board.events.clear();
    board.raw.clear();
    refuse(&mut board, 3, 0, OUT_OF_TURN);
    assert!(board.types(3).is_empty());
    assert!(board.introductions().with(0).all(|other| other == peer_id(1)));
}

#[test]
fn a_refusal_that_crosses_with_an_offer_of_its_sender_is_withheld() {
    for answered in [false, true] {
        let mut board = board(2, 3);
        offer(&mut board, 0, 1);
        offer(&mut board, 1, 0);
        if answered {
            board.signal(0, "answer", &peer_id(1).to_string(), "{}", "global");
        }
        board.raw.clear();
        refuse(&mut board, 1, 0, OUT_OF_TURN);
        assert_eq!(board.raw, [], "answered: {answered}");
        let withheld =
            Event::Withheld { from: peer_id(1), to: peer_id(0), signal: Signal::ConnectionRejected };
        assert!(board.events.contains(&withheld));
    }
}

#[test]
fn a_refusal_long_after_an_answer_is_relayed() {
    let mut board = board(2, 3);
    link(&mut board, 1, 0);
    board.pass(5_000);
    board.raw.clear();
    refuse(&mut board, 1, 0, OUT_OF_TURN);
    assert!(board.types(0).contains(&"connection-rejected".to_owned()));
}

#[test]
fn a_full_page_that_answers_has_given_up_its_farthest_link_and_that_one_has_room_when_it_has_noticed() {
    let mut board = three_pages();
    link(&mut board, 0x70 << 56, 0x40 << 56);
    // Nearer to 40… than 70… is.
    link(&mut board, 0x41 << 56, 0x40 << 56);
    assert_eq!(met_by_newcomer(&mut board, 0x90 << 56), []);
    board.pass(500);
    assert_eq!(met_by_newcomer(&mut board, 0x91 << 56), [peer_id(0x70 << 56)]);
}

#[test]
fn a_full_page_that_dials_has_lost_a_link() {
    let mut board = board(3, 1);
    link(&mut board, 1, 0);
    board.pass(7_000);
    // 0 was left by its link without anybody saying so.
    offer(&mut board, 0, 2);
    board.pass(600);
    let met = met_by_newcomer(&mut board, 10);
    assert!(met.contains(&peer_id(1)), "{met:?}");
}

#[test]
fn the_places_of_those_who_left_are_free_when_the_pages_have_noticed() {
    for (goodbye, noticed) in [(true, 500), (false, 12_000)] {
        let mut board = board(4, 1);
        link(&mut board, 1, 0);
        link(&mut board, 3, 2);
        if goodbye {
            board.text(1, r#"{"type":"goodbye"}"#);
        }
        board.lose(1);
        board.pass(noticed - 1);
        assert_eq!(met_by_newcomer(&mut board, 10), [], "goodbye: {goodbye}");
        board.lose(10);
        board.pass(1);
        assert_eq!(met_by_newcomer(&mut board, 11), [peer_id(0)]);
    }
}

#[test]
fn a_page_that_dials_sooner_than_it_was_expected_to_notice_has_room() {
    let mut board = board(2, 2);
    link(&mut board, 1, 0);
    board.lose(1);
    offer(&mut board, 0, 7);
    board.pass(12_000);
    // One place is taken by the offer until it is given up, and the other is free.
    assert_eq!(met_by_newcomer(&mut board, 10), [peer_id(0)]);
}

#[test]
fn an_offer_that_is_not_answered_takes_a_place_for_ten_seconds() {
    let mut board = board(2, 1);
    board.pass(7_000);
    offer(&mut board, 1, 0);
    offer(&mut board, 1, 0);
    board.pass(9_999);
    assert_eq!(met_by_newcomer(&mut board, 10), []);
    board.lose(10);
    board.pass(1);
    assert_eq!(met_by_newcomer(&mut board, 11).len(), 1);
}

#[test]
fn signals_that_say_nothing_of_links_and_those_to_peers_without_a_network_introduce_nobody() {
    let mut board = board(4, 1);
    board.open(50, &"e".repeat(40));
    board.events.clear();
    for kind in
        ["ice-candidate", "renegotiation-offer", "renegotiation-answer", "answer", "connection-rejected"]
    {
        board.signal(0, kind, &"e".repeat(40), "{}", "global");
    }
    assert_eq!(board.introductions().0, []);
}

#[test]
fn a_refusal_between_two_of_whom_one_has_not_announced_itself_says_nothing_of_room() {
    const STRANGER: u64 = 9;
    for reason in [FULL, OUT_OF_TURN] {
        let mut board = board(3, 1);
        // 1 was to dial 0 and did not: it is full.
        board.pass(7_000);
        link(&mut board, 2, 0);
        board.open(STRANGER, &peer_id(STRANGER).to_string());
        board.raw.clear();
        refuse(&mut board, STRANGER, 1, reason);
        assert_eq!(board.types(1), ["connection-rejected"], "{reason}");
        assert_eq!(met_by_newcomer(&mut board, 10), [], "{reason}");
        // The newcomer has room, whatever it tells the stranger.
        refuse(&mut board, 10, STRANGER, reason);
        assert_eq!(met_by_newcomer(&mut board, 11), [peer_id(10)], "{reason}");
    }
}

#[test]
fn more_links_than_a_page_can_have_are_not_followed() {
    let mut board = board(60, 1);
    for peer in 1..60 {
        offer(&mut board, peer, 0);
        board.signal(0, "answer", &peer_id(peer).to_string(), "{}", "global");
    }
    for peer in 1..60 {
        offer(&mut board, 0, peer);
    }
    board.pass(60_000);
}

#[test]
fn what_a_refusal_makes_others_receive_is_charged_to_who_refuses() {
    let limits = Limits { message_rate_per_second: 1, message_burst: 40, ..Limits::default() };
    let mut board = board_with(3, 1, limits);
    let mut refusals = 0;
    while !board.types(2).contains(&"error".to_owned()) {
        refuse(&mut board, 2, 0, FULL);
        refusals += 1;
    }
    assert_eq!(refusals, 19, "an announce and two introductions took five of 40, and each refusal takes two");
}

#[test]
fn in_a_shutdown_nobody_is_introduced_to_anybody() {
    let mut board = board(6, 1);
    link(&mut board, 1, 0);
    link(&mut board, 3, 2);
    (board.events, board.raw) = (Vec::new(), Vec::new());
    board.input(peerpigeon_core::Input::Drain { until: peerpigeon_core::Time(10_000) });
    assert_eq!(board.closed.len(), 6);
    assert!(!board.events.iter().any(|event| matches!(event, Event::Introduced { .. })));
    assert!(!board.raw.iter().any(|(_, text)| text.contains("peer-discovered")));
}

#[test]
fn two_who_dial_again_after_an_answer_that_no_link_came_of_give_up_and_each_meets_another() {
    let mut board = board_with(4, 1, Limits { peer_timeout_ms: 0, ..Limits::default() });
    link(&mut board, 3, 2);
    link(&mut board, 1, 0);
    // So long after it ICE has given up.
    board.pass(15_000);
    board.raw.clear();
    board.events.clear();
    offer(&mut board, 3, 2);
    assert_eq!(board.types(3).first().map(String::as_str), Some("goodbye"));
    assert!(!board.types(2).contains(&"offer".to_owned()), "it would be in vain");
    assert!(board.events.contains(&Event::Struck { peer: peer_id(3), of: peer_id(2) }));
    let withheld = Event::Withheld { from: peer_id(3), to: peer_id(2), signal: Signal::Offer };
    assert!(board.events.contains(&withheld));
    // They are the only ones with room, and are not introduced to each other again.
    board.pass(2_000_000);
    assert_eq!(board.introductions().0, []);
    assert_eq!(met_by_newcomer(&mut board, 10).len(), 1);
}

#[test]
fn where_there_is_nobody_else_two_may_dial_each_other_as_often_as_they_like() {
    let mut board = board(2, 1);
    link(&mut board, 1, 0);
    board.pass(15_000);
    board.raw.clear();
    offer(&mut board, 1, 0);
    assert_eq!((board.types(0), board.types(1)), (vec!["offer".to_owned()], vec![]));
}

#[test]
fn an_offer_sooner_or_later_after_an_answer_is_an_offer_like_any_other() {
    for millis in [9_999, 32_001] {
        let mut board = board(4, 1);
        link(&mut board, 3, 0);
        board.pass(millis);
        board.raw.clear();
        offer(&mut board, 3, 0);
        assert!(board.types(0).contains(&"offer".to_owned()), "after {millis} ms");
    }
}

#[test]
fn a_page_that_said_that_it_is_full_has_room_when_a_link_of_it_was_given_up() {
    let mut board = three_pages();
    link(&mut board, 0x70 << 56, 0x40 << 56);
    refuse(&mut board, 0x70 << 56, 0x41 << 56, FULL);
    link(&mut board, 0x41 << 56, 0x40 << 56);
    board.pass(500);
    assert_eq!(met_by_newcomer(&mut board, 0x91 << 56), [peer_id(0x70 << 56)]);
}

#[test]
fn who_dials_a_lost_peer_is_told_to_dial_another_and_its_offer_is_kept() {
    let mut board = board(2, 1);
    board.lose(0);
    board.raw.clear();
    offer(&mut board, 1, 0);
    assert_eq!(board.types(1), ["goodbye"]);
    assert!(board.events.contains(&Event::Mailed { from: peer_id(1), to: peer_id(0) }));
}
