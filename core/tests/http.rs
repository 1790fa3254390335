//! Peers without a connection.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{Census, CloseReason, DuplicatePeer, Event, Limits, MailEnd};
use serde_json::json;

fn announce(id: &str) -> String {
    format!(r#"{{"type":"announce","peerId":"{id}","data":{{}},"networkName":"n"}}"#)
}

fn signal(kind: &str, from: &str, to: &str) -> String {
    format!(
        r#"{{"type":"{kind}","peerId":"{from}","targetPeerId":"{to}","data":{{"x": 1}},"networkName":"n"}}"#
    )
}

#[test]
fn a_peer_that_only_posts_and_polls_meets_others_and_signals_with_them() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.take(1);
    let (status, result) = board.post(100, &announce(&id('B')));
    assert_eq!((status, &result["success"]), (200, &json!(true)));
    assert_eq!(board.types(1), ["peer-discovered"]);
    board.signal(1, "offer", &id('b'), r#"{"y": 1}"#, "n");
    board.post(101, &signal("answer", &id('b'), &id('a')));
    assert!(board.raw[0].1.contains(r#""data":{"x": 1},"fromPeerId":"BBBB"#), "{:?}", board.raw);
    assert_eq!(board.types(1), ["answer"]);
    board.poll(102, &id('b'), 0);
    assert!(board.replies[0].2.contains(r#""type":"offer","data":{"y": 1}"#));
    assert_eq!(board.polled(102), ["announce", "offer"]);
    board.poll(103, &id('b'), 0);
    assert_eq!(board.polled(103), [""; 0]);
}

#[test]
fn a_request_that_waits_is_answered_by_what_comes_or_by_the_end_of_its_time() {
    let mut board = Board::new(Limits { ping_interval_ms: 0, ..Limits::default() });
    board.join(1, &id('a'), "n");
    board.post(100, &announce(&id('b')));
    board.poll(101, &id('b'), 0);
    board.polled(101);
    board.poll(102, &id('b'), 20);
    board.pass(1_000);
    assert!(board.replies.is_empty());
    board.signal(1, "offer", &id('b'), "{}", "n");
    assert_eq!(board.polled(102), ["offer"]);
    board.poll(103, &id('b'), 20);
    board.pass(20_000);
    assert_eq!(board.polled(103), [""; 0]);
    board.poll(104, &id('b'), 999);
    board.pass(24_999);
    assert!(board.replies.is_empty(), "25 seconds at the most");
    board.poll(105, &id('b'), 20);
    assert_eq!(board.polled(104), [""; 0], "a newer request takes over");
    board.lose(105);
    board.signal(1, "answer", &id('b'), "{}", "n");
    board.poll(106, &id('b'), 20);
    assert_eq!(board.polled(106), ["answer"]);
}

#[test]
fn a_batch_is_answered_by_one_result_each_in_order() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    let batch = [
        announce(&id('b')),
        signal("offer", &id('b'), &id('a')),
        "7".into(),
        signal("offer", &id('b'), &id('f')),
        signal("offer", &id('a'), &id('b')),
        r#"{"type":"ping"}"#.into(),
    ];
    let (status, answer) = board.post(100, &format!(r#"{{"messages":[{}]}}"#, batch.join(",")));
    assert_eq!(status, 200);
    let results = answer["results"].as_array().unwrap();
    let successes: Vec<bool> = results.iter().map(|result| result["success"].as_bool().unwrap()).collect();
    assert_eq!(successes, [true, true, false, false, false, false]);
    assert_eq!(results[3]["error"], "Target peer is not connected");
    assert_eq!(results[4]["error"], "This peerId is connected by WebSocket");
    assert!(results[0]["messageId"].is_string() && results[0]["timestamp"].is_u64());
}

#[test]
fn the_status_says_why_a_single_message_was_refused() {
    let limits = Limits { connections: 2, message_rate_per_second: 1, message_burst: 1, ..Limits::default() };
    let mut board = Board::new(limits);
    board.join(1, &id('a'), "n");
    let many = format!(r#"{{"messages":[{}1]}}"#, "1,".repeat(100));
    for (body, expected) in [
        ("{".to_owned(), 400),
        ("[]".into(), 400),
        (r#"{"messages":7}"#.into(), 400),
        (many, 400),
        (r#"{"type":"announce"}"#.into(), 400),
        (announce("xyz"), 400),
        (signal("offer", &id('a'), &id('b')), 409),
        (announce(&id('b')), 200),
        (announce(&id('b')), 429),
        (announce(&id('c')), 503),
    ] {
        let (status, answer) = board.post(100, &body);
        assert_eq!((status, &answer["success"]), (expected, &json!(expected == 200)), "{body}: {answer}");
    }
    board.poll(101, &id('a'), 0);
    assert_eq!(board.replies.pop().unwrap().1, 409);
    board.poll(102, "xyz", 0);
    assert_eq!(board.replies.pop().unwrap().1, 400);
}

#[test]
fn the_mail_of_a_peer_that_was_lost_can_be_fetched_once() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.lose(2);
    board.signal(1, "offer", &id('b'), "{}", "n");
    board.poll(100, &id('b'), 25);
    assert_eq!(board.polled(100), ["offer"]);
    board.poll(101, &id('b'), 25);
    assert_eq!(board.polled(101), [""; 0]);
    let delivered = |event: &&Event| matches!(event, Event::MailEnded { end: MailEnd::Delivered, .. });
    assert_eq!(board.events.iter().filter(delivered).count(), 1);
}

#[test]
fn a_peer_that_neither_posts_nor_polls_expires_like_any_other() {
    let mut board = Board::new(Limits { ping_interval_ms: 0, ..Limits::default() });
    board.post(100, &announce(&id('b')));
    for _ in 0..20 {
        board.pass(100_000);
        board.poll(101, &id('b'), 0);
        board.polled(101);
    }
    assert_eq!(board.board.census().peers, 1);
    board.pass(300_000);
    assert_eq!(board.board.census().peers, 0);
    assert!(board.closed.is_empty() && board.pinged.is_empty(), "there is no connection to close or ping");
}

#[test]
fn an_inbox_has_its_limits_and_what_leaves_it_ends_once() {
    let limits =
        Limits { mailbox_messages: 3, mailbox_bytes: 1_000, mailbox_total_bytes: 1_500, ..Limits::default() };
    let mut board = Board::new(Limits { ping_interval_ms: 0, ..limits });
    board.join(1, &id('a'), "n");
    for digit in ['b', 'c'] {
        board.post(100, &announce(&id(digit)));
        for _ in 0..10 {
            board.signal(1, "offer", &id(digit), &format!("\"{}\"", "x".repeat(100)), "n");
        }
    }
    assert!(board.board.census().shelved <= 6);
    board.pass(300_000);
    assert_eq!(board.board.census().shelved_bytes, 0);
    let put = board.events.iter().filter(|event| matches!(event, Event::Shelved { .. })).count();
    let ended = board.events.iter().filter(|event| matches!(event, Event::ShelfEnded { .. })).count();
    assert_eq!(put, ended);
    assert!(put > 20);
}

#[test]
fn the_same_id_by_web_socket_takes_over_from_a_peer_that_does_not_poll() {
    let mut board = Board::new(Limits::default());
    board.post(100, &announce(&id('b')));
    board.join(1, &id('b'), "n");
    board.pass(2_000);
    assert_eq!(board.types(1), ["connected"]);
    assert_eq!(board.post(100, &announce(&id('b'))).0, 409);
    board.post(100, &announce(&id('c')));
    board.open(2, &id('c'));
    board.poll(101, &id('c'), 0);
    board.polled(101);
    assert_eq!(board.closed, [(2, CloseReason::PeerAlreadyConnected)]);
}

/// Of the peer b…, by connection 101.
fn with_a_request_that_waits(limits: Limits) -> Board {
    let mut board = Board::new(limits);
    board.post(100, &announce(&id('b')));
    board.poll(101, &id('b'), 0);
    board.polled(101);
    board.poll(101, &id('b'), 25);
    board
}

#[test]
fn a_request_that_waits_answers_for_its_peer_when_its_id_comes_by_web_socket() {
    for duplicate_peer in [DuplicatePeer::Challenge, DuplicatePeer::Reject] {
        let mut board = with_a_request_that_waits(Limits { duplicate_peer, ..Limits::default() });
        board.pass(10_000);
        board.open(1, &id('b'));
        board.pass(2_000);
        assert_eq!(board.closed, [(1, CloseReason::PeerAlreadyConnected)], "{duplicate_peer:?}");
        assert!(board.replies.is_empty(), "it waits on");
    }
}

#[test]
fn a_request_that_was_given_up_answers_for_nobody() {
    let mut board = with_a_request_that_waits(Limits::default());
    board.lose(101);
    board.open(1, &id('b'));
    board.pass(2_000);
    assert_eq!(board.types(1), ["connected"]);
}

#[test]
fn a_peer_whose_request_waits_is_not_silent() {
    let mut board = Board::new(Limits { peer_timeout_ms: 3_000, ping_interval_ms: 0, ..Limits::default() });
    board.post(100, &announce(&id('b')));
    board.poll(101, &id('b'), 0);
    board.polled(101);
    board.poll(101, &id('b'), 25);
    board.pass(24_999);
    assert_eq!((board.board.census().peers, board.replies.len()), (1, 0));
    board.pass(3_000);
    assert_eq!(board.polled(101), [""; 0]);
    assert_eq!(board.board.census().peers, 1);
    board.pass(1);
    assert_eq!(board.board.census().peers, 0, "silent since it was answered");
}

#[test]
fn who_only_posts_as_somebody_absent_does_not_lock_its_owner_out() {
    let mut board = Board::new(Limits::default());
    board.post(100, &announce(&id('b')));
    board.pass(500);
    board.open(1, &id('b'));
    for _ in 0..2 {
        board.post(100, &announce(&id('b')));
        board.pass(1_000);
    }
    assert_eq!(board.types(1), ["connected"]);
    assert_eq!(board.post(100, &announce(&id('b'))).0, 409);
}

#[test]
fn a_drain_answers_who_waits() {
    let mut board = Board::new(Limits::default());
    board.post(100, &announce(&id('b')));
    board.poll(101, &id('b'), 25);
    board.input(peerpigeon_core::Input::Drain { until: peerpigeon_core::Time(1_000) });
    assert_eq!(board.polled(101), [""; 0]);
    assert_eq!(board.post(102, &announce(&id('c'))).0, 503);
    assert_eq!(board.board.census(), Census::default());
}
