//! One id, several connections: claims, reloads and tokens.

use super::page::{Page, only_code, open_at, room};
use crate::common::Board;
use peerpigeon_core::{CloseReason, Grant, Limits};
use serde_json::{Value, json};

#[test]
fn whoever_comes_with_an_id_that_somebody_silent_has_gets_it_at_once() {
    let (mut board, pages) = room(&["a", "b"]);
    board.pass(3_000);
    let again = Page { conn: 9, ..pages[1] };
    again.join(&mut board);
    assert_eq!(board.closed, [(2, CloseReason::Replaced)]);
    assert_eq!(board.types(9), ["ack", "peer_list"]);
    board.lose(2);
    assert_eq!(pages[0].discover(&mut board), ["b"], "the end of the old one does not touch the new one");
}

#[test]
fn whoever_comes_with_an_id_of_somebody_who_has_just_spoken_waits_for_two_seconds() {
    for answers in [true, false] {
        let (mut board, pages) = room(&["a", "b"]);
        pages[1].ping(&mut board);
        board.take(2);
        let again = Page { conn: 9, ..pages[1] };
        again.join(&mut board);
        assert_eq!((board.take(9), board.pinged.as_slice()), (vec![], &[2][..]));
        board.pass(1_500);
        if answers {
            board.heard(2);
        }
        assert_eq!(board.closed, []);
        board.pass(500);
        let lost = if answers { (9, CloseReason::PeerStillConnected) } else { (2, CloseReason::Replaced) };
        assert_eq!(board.closed, [lost]);
        assert_eq!(board.types(9).is_empty(), answers);
        assert_eq!(pages[0].discover(&mut board), ["b"]);
    }
}

#[test]
fn whoever_waits_for_an_id_gets_it_as_soon_as_it_is_free_or_can_ask_for_another_one() {
    let (mut board, pages) = room(&["a", "b"]);
    pages[1].ping(&mut board);
    for conn in [8, 9] {
        Page { conn, ..pages[1] }.join(&mut board);
    }
    Page::new(8, "other").announce(&mut board);
    assert_eq!(board.types(8), ["ack", "peer_list"]);
    board.take(9);
    board.lose(2);
    board.pass(1);
    assert_eq!(board.types(9), ["ack", "peer_list"]);
    assert_eq!(board.closed, []);
}

#[test]
fn a_page_that_was_loaded_again_withdraws_its_former_self_by_another_connection() {
    for is_alive in [true, false] {
        let (mut board, pages) = room(&["a", "b"]);
        let second = Page { conn: 9, ..pages[1] };
        second.open(&mut board);
        board.text(9, &second.says("withdraw", Value::Null, json!({"reason": "peer_reload"})).to_string());
        board.lose(9);
        assert_eq!(board.pinged, [2]);
        if is_alive {
            board.pass(1);
            board.heard(2);
        }
        board.pass(2_600);
        assert_eq!(pages[0].discover(&mut board), if is_alive { vec!["b"] } else { vec![] });
        let closed = board.closed.pop();
        assert_eq!(closed, (!is_alive).then_some((2, CloseReason::InactiveTimeout)));
    }
}

#[test]
fn what_was_kept_for_somebody_who_is_gone_is_forgotten_when_it_is_withdrawn() {
    let (mut board, pages) = room(&["a", "b"]);
    board.lose(2);
    pages[0].say(&mut board, "offer", "b", json!({}));
    let second = Page { conn: 9, ..pages[1] };
    second.open(&mut board);
    board.text(9, &second.says("withdraw", Value::Null, json!({})).to_string());
    second.announce(&mut board);
    assert_eq!(board.types(9), ["ack", "peer_list"]);
}

#[test]
fn a_token_binds_pages_to_their_id_and_networks() {
    let id = "somebody \u{e9}";
    let grant = Grant { peer: Some(id.into()), networks: Some(Box::new(["n".into()])) };
    let mut board = Board::new(Limits::default());
    open_at(&mut board, 1, "/ws?room=r", &grant);
    for other in ["other", "Somebody \u{e9}", "somebody e\u{301}"] {
        Page::new(1, other).announce(&mut board);
        assert_eq!(only_code(&mut board, 1), "not_your_id", "{other}");
    }
    Page { network: "m", ..Page::new(1, id) }.announce(&mut board);
    assert_eq!(only_code(&mut board, 1), "other_scope");
    Page::new(1, id).announce(&mut board);
    assert_eq!(board.types(1), ["ack", "peer_list"]);
    open_at(&mut board, 2, "/ws?room=r", &grant);
    Page::new(2, id).announce(&mut board);
    assert_eq!(board.closed, [(1, CloseReason::Replaced)], "who has proven an id need not wait for it");
}

#[test]
fn the_id_of_the_server_is_nobody_elses() {
    let mut board = Board::new(Limits::default());
    Page::new(1, "a").join(&mut board);
    let server = board.take(1)[0]["from"].as_str().unwrap().to_owned();
    let impostor = Page::new(2, &server);
    impostor.open(&mut board);
    impostor.announce(&mut board);
    assert_eq!(only_code(&mut board, 2), "not_your_id");
}
