//! A shutdown: nobody is let in, and everybody is told, in parts as far as the deadline allows, none of them too large.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{Census, CloseReason, Input, Limits, Time, TimerKind};

fn with_peers(peers: u64) -> Board {
    let mut board = Board::new(Limits { connections: 1_000, ..Limits::default() });
    for conn in 0..peers {
        board.open(conn, &format!("{conn:040x}"));
    }
    board
}

/// A hundred peers of whom each knows fifty and more, in a network with a long name.
fn crowd() -> Board {
    let mut board = Board::new(Limits {
        introductions: 50,
        ping_interval_ms: 0,
        reintroduce_interval_ms: 0,
        ..Limits::default()
    });
    for conn in 0..100 {
        board.open(conn, &format!("{conn:040x}"));
        let name = r"\u0001".repeat(128);
        board.text(conn, &format!(r#"{{"type":"announce","networkName":"{name}","maxPeers":50}}"#));
    }
    board.raw.clear();
    board
}

fn drain(board: &mut Board, until: u64) {
    board.input(Input::Drain { until: Time(until) });
}

#[test]
fn everybody_is_told_in_parts_of_250_and_nobody_is_let_in() {
    let mut board = with_peers(600);
    board.input(Input::Opened {
        conn: peerpigeon_core::ConnId(1_000),
        target: "/signaling",
        address: None,
        grant: &peerpigeon_core::Grant::ANY,
    });
    drain(&mut board, 10_000);
    assert_eq!(board.closed[0], (1_000, CloseReason::ShuttingDown), "who has not come in is told at once");
    assert_eq!(board.closed.len(), 251);
    assert_eq!(board.board.poll_timeout(), Some((Time(50), TimerKind::Drain)));
    board.open(1_001, &id('b'));
    assert_eq!(board.closed[251], (1_001, CloseReason::ShuttingDown));
    board.pass(50);
    assert_eq!(board.closed.len(), 502);
    board.pass(49);
    assert_eq!(board.closed.len(), 502);
    board.pass(1);
    assert_eq!(board.closed.len(), 602);
    assert!(board.closed.iter().all(|(_, why)| *why == CloseReason::ShuttingDown));
    assert_eq!(board.board.census(), Census::default());
    assert_eq!(board.board.poll_timeout(), None);
}

#[test]
fn it_is_over_at_its_deadline_whatever_the_number() {
    let mut board = with_peers(600);
    drain(&mut board, 100);
    assert_eq!(board.closed.len(), 300, "half of them now, and half after half of the time");
    board.pass(50);
    assert_eq!(board.closed.len(), 600);
}

#[test]
fn a_second_one_can_only_bring_the_deadline_nearer() {
    for (second, closed) in [(100, 600), (1_000_000, 500)] {
        let mut board = with_peers(600);
        drain(&mut board, 10_000);
        drain(&mut board, second);
        assert_eq!(board.closed.len(), 250);
        board.pass(50);
        assert_eq!(board.closed.len(), closed);
    }
}

#[test]
fn when_so_much_is_to_be_said_that_it_should_wait_it_waits_for_a_moment_past_the_deadline_too() {
    for until in [0, 100] {
        let mut board = crowd();
        drain(&mut board, until);
        let longest = 100 * board.raw.iter().map(|(_, text)| text.len()).max().unwrap();
        let mut parts = 0;
        while !board.raw.is_empty() {
            let bytes: usize = board.raw.drain(..).map(|(_, text)| text.len()).sum();
            assert!(bytes < 2_097_152 + longest, "{bytes}");
            if board.closed.len() == 100 {
                break;
            }
            assert!(bytes > 2_097_152, "{bytes}");
            board.pass(1);
            parts += 1;
        }
        assert_eq!(board.closed.len(), 100);
        assert!(parts >= 1);
    }
}

#[test]
fn no_input_closes_more_than_5000_and_what_is_missing_follows_at_once() {
    let mut board = Board::unwatched(Limits { connections: 12_000, ..Limits::default() });
    for conn in 0..12_000 {
        board.open(conn, &format!("{conn:040x}"));
    }
    let now = board.now;
    drain(&mut board, now.0);
    assert_eq!(board.closed.len(), 5_000);
    assert_eq!(board.board.poll_timeout(), Some((now + 1, TimerKind::Drain)));
    board.pass(1);
    assert_eq!(board.closed.len(), 10_000);
    board.pass(1);
    assert_eq!(board.closed.len(), 12_000);
    assert_eq!(board.board.poll_timeout(), None);
}

#[test]
fn a_driver_that_comes_late_makes_no_part_larger() {
    let mut board = Board::unwatched(Limits { connections: 12_000, ..Limits::default() });
    for conn in 0..12_000 {
        board.open(conn, &format!("{conn:040x}"));
    }
    let until = board.now + 10_000;
    drain(&mut board, until.0);
    assert_eq!(board.closed.len(), 250);
    board.now = until + 1_000;
    board.input(Input::Tick);
    assert_eq!(board.closed.len(), 5_250);
}
