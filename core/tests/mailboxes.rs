//! What mailboxes hold at most, to the byte, and who has to make room.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{Event, Limits, MailEnd};
use serde_json::Value;

/// What a mail counts beside its data.
const OVERHEAD: u32 = 512;

/// Two peers that were lost, `a` and `b`, and one that writes to them, `c`, in the global network.
fn board(limits: Limits) -> Board {
    let mut board = Board::new(Limits { ping_interval_ms: 0, peer_timeout_ms: 0, ..limits });
    for (conn, digit) in [(1, 'a'), (2, 'b'), (3, 'c')] {
        board.join(conn, &id(digit), "global");
    }
    board.lose(1);
    board.lose(2);
    board.take(3);
    board
}

/// Sends ten bytes, which begin with this digit. Returns whether they were taken.
fn mail(board: &mut Board, to: char, digit: u8) -> bool {
    send(board, to, digit, 10)
}

fn send(board: &mut Board, to: char, digit: u8, bytes: usize) -> bool {
    let data = format!("\"{digit}{}\"", "x".repeat(bytes - 3));
    board.signal(3, "ice-candidate", &id(to), &data, "global");
    board.take(3).is_empty()
}

/// The digits of the mails that a lost peer finds when it is back.
fn back(board: &mut Board, peer: char) -> Vec<char> {
    board.join(10, &id(peer), "global");
    board.raw.retain(|(conn, text)| *conn == 10 && text.contains("ice-candidate"));
    let data = |message: Value| message["data"].as_str().unwrap().chars().next().unwrap();
    board.take(10).into_iter().map(data).collect()
}

#[test]
fn a_mailbox_holds_as_many_mails_as_it_may() {
    let mut board = board(Limits { mailbox_messages: 2, ..Limits::default() });
    assert!((1..=2).all(|digit| mail(&mut board, 'a', digit)));
    assert_eq!(board.board.census().mails, 2);
    assert!(mail(&mut board, 'a', 3));
    assert_eq!((board.board.census().mails, back(&mut board, 'a')), (2, vec!['2', '3']));
    let end = |event: &Event| if let Event::MailEnded { end, .. } = event { Some(*end) } else { None };
    let ends: Vec<MailEnd> = board.events.iter().filter_map(end).collect();
    assert_eq!(ends, [MailEnd::Dropped, MailEnd::Delivered, MailEnd::Delivered]);
    let mut board = self::board(Limits { mailbox_messages: 0, ..Limits::default() });
    assert!(!mail(&mut board, 'a', 1));
    assert_eq!(back(&mut board, 'a'), []);
}

#[test]
fn a_mailbox_holds_as_many_bytes_as_it_may() {
    for (missing, kept) in [(0, vec!['2', '3']), (1, vec!['3'])] {
        let mut board = board(Limits { mailbox_bytes: 2 * (OVERHEAD + 10) - missing, ..Limits::default() });
        assert!((1..=3).all(|digit| mail(&mut board, 'a', digit)));
        assert_eq!(board.board.census().mail_bytes, kept.len() * 522);
        assert_eq!(back(&mut board, 'a'), kept);
    }
}

#[test]
fn a_mail_may_be_as_large_as_a_whole_mailbox() {
    let mut board = board(Limits { mailbox_bytes: OVERHEAD + 100, ..Limits::default() });
    assert!(mail(&mut board, 'a', 1));
    assert!(!send(&mut board, 'a', 2, 101));
    assert_eq!(board.board.census().mails, 1, "what is refused pushes nothing out");
    assert!(send(&mut board, 'a', 3, 100));
    assert_eq!(back(&mut board, 'a'), ['3']);
}

#[test]
fn all_mailboxes_together_hold_as_many_bytes_as_they_may_and_then_the_oldest_of_whoever_holds_most_goes() {
    let total = 3 * (u64::from(OVERHEAD) + 10);
    for (missing, kept) in [(0, vec!['1', '2']), (1, vec!['2'])] {
        let mut board = board(Limits { mailbox_total_bytes: total - missing, ..Limits::default() });
        board.join(4, &id('d'), "global");
        board.take(3);
        assert!(mail(&mut board, 'b', 9));
        assert!((1..=2).all(|digit| mail(&mut board, 'a', digit)));
        board.signal(4, "ice-candidate", &id('b'), "\"8xxxxxxx\"", "global");
        assert_eq!(back(&mut board, 'a'), kept);
        assert_eq!(board.board.census().mails, 1, "that of another, in whose box the oldest was");
    }
    let mut board = board(Limits { mailbox_total_bytes: total, ..Limits::default() });
    assert!((1..=4).all(|digit| mail(&mut board, 'a', digit)), "one that has it all makes room for itself");
    assert_eq!(back(&mut board, 'a'), ['2', '3', '4']);
}

#[test]
fn nothing_overtakes_mail_that_still_waits_when_its_owner_is_not_known_any_more() {
    let mut board = board(Limits { cleanup_interval_ms: 10_000_000, ..Limits::default() });
    board.pass(299_999);
    assert!(mail(&mut board, 'a', 1));
    board.pass(1);
    board.open(10, &id('a'));
    board.open(11, &id('b'));
    assert!(mail(&mut board, 'a', 2), "it is back, and has not announced itself");
    assert!(mail(&mut board, 'b', 3));
    assert_eq!(board.types(11), ["connected", "ice-candidate"], "for this one nothing waits");
    assert_eq!(board.types(10), ["connected"]);
    board.announce(10, "global");
    let types = board.types(10);
    assert_eq!(types[types.len() - 2..], ["ice-candidate", "ice-candidate"]);
    let delivered = |event: &&Event| matches!(event, Event::MailEnded { end: MailEnd::Delivered, .. });
    assert_eq!(board.events.iter().filter(delivered).count(), 2);
}

#[test]
fn cleanup_all_reaches_every_mailbox_and_only_the_own_mail() {
    let mut board = board(Limits::default());
    board.join(4, &id('d'), "global");
    for conn in [3, 4, 3] {
        for to in ['a', 'b'] {
            board.signal(conn, "ice-candidate", &id(to), &format!("\"{conn}\""), "global");
        }
    }
    board.text(3, r#"{"type":"cleanup-all"}"#);
    assert_eq!((board.board.census().mails, board.board.census().mail_bytes), (2, 2 * 515));
    let forgotten = |event: &&Event| matches!(event, Event::MailEnded { end: MailEnd::Forgotten, .. });
    assert_eq!(board.events.iter().filter(forgotten).count(), 4);
    assert_eq!(back(&mut board, 'a'), ['4']);
}
