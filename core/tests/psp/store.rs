//! Frames that a store keeps for whoever dropped out.

use super::page::{Page, only_code};
use crate::common::Board;
use crate::store::shelf::{Said, Shelf};
use peerpigeon_core::{Input, Limits};
use serde_json::json;

const TIMEOUT: u64 = 1_000;

/// `a` and `b` in one room, of whom `a` has just been lost.
fn dropped() -> (Board, Shelf, Page<'static>, Page<'static>) {
    let limits = Limits { store_timeout_ms: TIMEOUT, ..Limits::default() };
    let (mut board, mut shelf) = (Board::new(limits), Shelf::default());
    board.input(Input::Store { is_up: true });
    let (a, b) = (Page::new(1, "a"), Page::new(2, "b"));
    a.join(&mut board);
    b.join(&mut board);
    shelf.serve(&mut board);
    board.lose(1);
    board.take(2);
    shelf.done.clear();
    (board, shelf, Page::new(3, "a"), b)
}

/// The frames of these kinds that a page has got since the last call, byte for byte.
fn frames(board: &mut Board, page: &Page<'_>) -> Vec<String> {
    let taken: Vec<String> =
        board.raw.extract_if(.., |(to, _)| *to == page.conn).map(|(_, text)| text).collect();
    taken.into_iter().filter(|text| text.contains("\"offer\"") || text.contains("ice_candidate")).collect()
}

#[test]
fn frames_for_somebody_who_dropped_out_come_from_the_store_before_what_is_sent_now() {
    let (mut board, mut shelf, a, b) = dropped();
    let one = b.say(&mut board, "ice_candidate", "a", json!({"n": 1}));
    let two = b.say(&mut board, "ice_candidate", "a", json!({"n": 2}));
    shelf.serve(&mut board);
    assert_eq!((shelf.len(), board.board.census().mails), (2, 0));
    a.join(&mut board);
    let three = b.say(&mut board, "ice_candidate", "a", json!({"n": 3}));
    assert_eq!(frames(&mut board, &a), [""; 0]);
    shelf.serve(&mut board);
    assert_eq!(frames(&mut board, &a), [one, two, three]);
    let four = b.say(&mut board, "ice_candidate", "a", json!({"n": 4}));
    assert_eq!(frames(&mut board, &a), [four]);
    assert_eq!(shelf.done.last().unwrap(), "take [\"n\"", "{:?}", shelf.done);
}

#[test]
fn of_offers_of_one_sender_the_store_keeps_the_newest() {
    let (mut board, mut shelf, a, b) = dropped();
    b.say(&mut board, "offer", "a", json!({"sdp": "old"}));
    let new = b.say(&mut board, "offer", "a", json!({"sdp": "new"}));
    shelf.serve(&mut board);
    a.join(&mut board);
    shelf.serve(&mut board);
    assert_eq!(frames(&mut board, &a), [new]);
}

#[test]
fn rooms_and_ids_of_other_rooms_and_dialects_have_other_addresses() {
    let (mut board, mut shelf, a, b) = dropped();
    b.say(&mut board, "ice_candidate", "a", json!({}));
    shelf.serve(&mut board);
    let elsewhere = Page { conn: 4, room: "other", ..a };
    elsewhere.join(&mut board);
    board.join(5, &common_id(), "n");
    shelf.serve(&mut board);
    assert_eq!((frames(&mut board, &elsewhere).len(), shelf.len()), (0, 1));
}

fn common_id() -> String {
    crate::common::id('a')
}

#[test]
fn who_does_not_come_back_or_says_so_gets_nothing() {
    let (mut board, mut shelf, a, b) = dropped();
    b.say(&mut board, "ice_candidate", "a", json!({}));
    shelf.serve(&mut board);
    // Another page says of its former self that it will not come back.
    let other = Page::new(6, "a");
    other.open(&mut board);
    let text = other.says("withdraw", json!(null), json!({})).to_string();
    board.text(6, &text);
    shelf.serve(&mut board);
    assert_eq!(shelf.len(), 0);
    a.join(&mut board);
    b.say(&mut board, "ice_candidate", "a", json!({}));
    board.lose(3);
    shelf.serve(&mut board);
    assert_eq!(board.board.census().mails, 0, "what waited for its mail went with it");
}

#[test]
fn nobody_waits_longer_than_the_store_has_and_too_much_is_refused_meanwhile() {
    let (mut board, mut shelf, a, b) = dropped();
    b.say(&mut board, "ice_candidate", "a", json!({}));
    shelf.serve(&mut board);
    a.join(&mut board);
    board.asked.clear();
    let waiting: Vec<String> =
        (0..64).map(|n| b.say(&mut board, "ice_candidate", "a", json!({"n": n}))).collect();
    board.take(2);
    b.say(&mut board, "ice_candidate", "a", json!({"n": 64}));
    assert_eq!(only_code(&mut board, 2), "queue_full");
    board.pass(TIMEOUT);
    assert_eq!(frames(&mut board, &a), waiting);
    // What the store still has would come too late.
    board.input(Input::Store { is_up: true });
    shelf.serve(&mut board);
    assert_eq!(shelf.len(), 0);
}

#[test]
fn while_the_store_is_away_frames_wait_here() {
    let (mut board, mut shelf, a, b) = dropped();
    b.say(&mut board, "offer", "a", json!({}));
    shelf.refuse(&mut board, &Said::Failed);
    shelf.answer(&mut board);
    board.input(Input::Store { is_up: false });
    let here = b.say(&mut board, "ice_candidate", "a", json!({"n": 1}));
    board.input(Input::Store { is_up: true });
    let behind = b.say(&mut board, "ice_candidate", "a", json!({"n": 2}));
    shelf.serve(&mut board);
    assert_eq!((shelf.len(), board.board.census().mails), (0, 2), "and what comes then does not overtake");
    a.join(&mut board);
    shelf.serve(&mut board);
    assert_eq!(frames(&mut board, &a), [here, behind]);
}
