//! What is kept for peers without a connection: how much, for how long, and how it ends.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{Census, CloseReason, ConnId, Event, Input, Limits, MailEnd};
use serde_json::Value;

/// A peer with a connection, `a`, and two without, `b` and `c`, whose inboxes are empty.
fn board(limits: Limits) -> Board {
    let mut board = Board::new(Limits { ping_interval_ms: 0, reintroduce_interval_ms: 0, ..limits });
    for digit in ['b', 'c'] {
        board.post(100, &format!(r#"{{"type":"announce","peerId":"{}","networkName":"n"}}"#, id(digit)));
    }
    board.join(1, &id('a'), "n");
    for digit in ['b', 'c'] {
        board.poll(101, &id(digit), 0);
        board.replies.clear();
    }
    board.take(1);
    board.events.clear();
    board
}

/// Sends a signal whose number is its data, all of one length.
fn send(board: &mut Board, to: char, number: u8) {
    board.signal(1, "offer", &id(to), &(10 + number).to_string(), "n");
}

/// The numbers of the signals in the answer to a poll.
fn fetch(board: &mut Board, peer: char) -> Vec<u64> {
    board.poll(102, &id(peer), 0);
    let (_, status, text) = board.replies.pop().unwrap();
    assert_eq!(status, 200, "{text}");
    let reply: Value = serde_json::from_str(&text).unwrap();
    let messages = reply["messages"].as_array().unwrap();
    messages.iter().map(|message| message["data"].as_u64().unwrap() - 10).collect()
}

fn ends(board: &Board) -> Vec<MailEnd> {
    let end = |event: &Event| if let Event::ShelfEnded { end, .. } = event { Some(*end) } else { None };
    board.events.iter().filter_map(end).collect()
}

/// What one of these signals takes.
fn signal_bytes() -> usize {
    let mut board = board(Limits::default());
    send(&mut board, 'b', 0);
    assert_eq!(board.board.census().shelved, 1);
    board.board.census().shelved_bytes
}

#[test]
fn an_inbox_holds_as_many_messages_as_it_may_and_the_oldest_make_room() {
    let mut board = board(Limits { mailbox_messages: 3, ..Limits::default() });
    (0..3).for_each(|number| send(&mut board, 'b', number));
    assert_eq!(ends(&board), []);
    assert_eq!(fetch(&mut board, 'b'), [0, 1, 2]);
    (0..5).for_each(|number| send(&mut board, 'b', number));
    assert_eq!(board.board.census().shelved, 3);
    assert_eq!(fetch(&mut board, 'b'), [2, 3, 4]);
    use MailEnd::{Delivered, Dropped};
    assert_eq!(
        ends(&board),
        [Delivered, Delivered, Delivered, Dropped, Dropped, Delivered, Delivered, Delivered]
    );
    assert_eq!((board.board.census().shelved, board.board.census().shelved_bytes), (0, 0));
}

#[test]
fn an_inbox_holds_as_many_bytes_as_it_may() {
    let bytes = u32::try_from(signal_bytes()).unwrap();
    for (missing, kept) in [(0, vec![1, 2, 3]), (1, vec![2, 3])] {
        let mut board = board(Limits { mailbox_bytes: 3 * bytes - missing, ..Limits::default() });
        (0..4).for_each(|number| send(&mut board, 'b', number));
        assert_eq!(fetch(&mut board, 'b'), kept);
    }
}

#[test]
fn all_inboxes_together_hold_as_many_bytes_as_they_may() {
    let bytes = signal_bytes() as u64;
    for (missing, kept) in [(0, vec![0, 1]), (1, vec![1])] {
        let mut board = board(Limits { mailbox_total_bytes: 3 * bytes - missing, ..Limits::default() });
        send(&mut board, 'c', 7);
        (0..2).for_each(|number| send(&mut board, 'b', number));
        assert_eq!(fetch(&mut board, 'b'), kept);
        assert_eq!(fetch(&mut board, 'c'), [7], "whoever gets too much loses its own");
    }
}

#[test]
fn nothing_is_handed_out_after_its_time() {
    for (ttl, waited, delivered) in [(10_000, 9_999, true), (10_000, 10_000, false), (0, 200_000, true)] {
        let mut board = board(Limits { message_ttl_ms: ttl, ..Limits::default() });
        send(&mut board, 'b', 0);
        board.pass(waited);
        send(&mut board, 'b', 1);
        let end = if delivered { MailEnd::Delivered } else { MailEnd::Expired };
        assert_eq!(fetch(&mut board, 'b'), if delivered { vec![0, 1] } else { vec![1] });
        assert_eq!(ends(&board), [end, MailEnd::Delivered]);
    }
}

#[test]
fn a_request_waits_on_when_what_comes_is_not_kept() {
    let mut board = board(Limits { mailbox_messages: 0, ..Limits::default() });
    board.poll(102, &id('b'), 20);
    send(&mut board, 'b', 0);
    assert!(board.replies.is_empty());
    assert_eq!(board.board.census().polls, 1);
    board.pass(19_999);
    assert!(board.replies.is_empty());
    board.pass(1);
    assert_eq!(board.polled(102), [""; 0]);
    assert_eq!((board.board.census().polls, ends(&board)), (0, vec![MailEnd::Dropped]));
}

#[test]
fn peers_without_a_connection_have_numbers_of_their_own() {
    let mut board = Board::new(Limits::default());
    for (count, digit) in (1..).zip(['b', 'c']) {
        board.post(100, &format!(r#"{{"type":"announce","peerId":"{}"}}"#, id(digit)));
        let opened = board.events.iter().rev().find_map(|event| match event {
            Event::Opened { conn } => Some(*conn),
            _ => None,
        });
        assert_eq!(opened, Some(ConnId((1 << 63) + count)));
    }
}

#[test]
fn mail_that_is_fetched_names_whose_it_is() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.join(2, &id('B'), "n");
    board.lose(2);
    board.signal(1, "offer", &id('b'), "{}", "n");
    board.poll(100, &id('B'), 0);
    let reply: Value = serde_json::from_str(&board.replies.pop().unwrap().2).unwrap();
    assert_eq!(reply["messages"][0]["targetPeerId"], id('B'));
    assert_eq!(reply["messages"][0]["fromPeerId"], id('a'));
}

#[test]
fn a_peer_without_a_connection_ends_after_five_minutes_where_silence_ends_nobody_else() {
    let mut board = board(Limits { peer_timeout_ms: 0, message_ttl_ms: 0, ..Limits::default() });
    board.pass(299_999);
    assert_eq!(board.board.census().peers, 3);
    board.pass(1);
    assert_eq!(board.board.census().peers, 1);
    board.pass(10_000_000);
    assert_eq!(board.board.census().peers, 1, "who has a connection stays");
}

#[test]
fn a_connection_that_does_not_register_in_time_is_closed_unless_the_driver_was_late() {
    for (late, closed_after) in [(1_000, 0), (1_001, 1_000)] {
        let mut board = Board::new(Limits { unregistered_connections: 1, ..Limits::default() });
        let grant = &peerpigeon_core::Grant::ANY;
        for conn in [1, 2] {
            board.input(Input::Opened { conn: ConnId(conn), target: "/signaling", address: None, grant });
        }
        assert_eq!(board.closed, [(2, CloseReason::MaximumConnections)], "one at once");
        board.now = board.now + 10_000 + late;
        board.input(Input::Tick);
        let closed = |board: &Board| board.closed[1..] == [(1, CloseReason::InactiveTimeout)];
        if closed_after > 0 {
            assert!(!closed(&board));
            board.pass(closed_after - 1);
            assert!(!closed(&board));
            board.pass(1);
        }
        assert!(closed(&board), "{late} ms late");
        assert_eq!(board.board.census(), Census::default());
    }
}
