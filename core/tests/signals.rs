//! What the events say of each signal: accepted once, and then at once what became of it.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{ConnId, ErrorCode, Event, Limits, PeerId, Signal};

fn peer(digit: char) -> PeerId {
    *peerpigeon_core::Spelling::parse(&id(digit)).unwrap().id()
}

/// Three peers of network `n`, of whom `c` has been lost.
fn board() -> Board {
    let mut board = Board::new(Limits::default());
    for (conn, digit) in [(1, 'a'), (2, 'b'), (3, 'c')] {
        board.join(conn, &id(digit), "n");
    }
    board.lose(3);
    board.take(2);
    board.events.clear();
    board
}

#[test]
fn what_was_accepted_is_relayed_mailed_or_refused() {
    let mut board = board();
    let (from, signal) = (peer('a'), Signal::Answer);
    let accepted = Event::Accepted { from, signal, bytes: 9 };
    board.signal(1, "answer", &id('b'), r#"{"x":"y"}"#, "n");
    let bytes = u32::try_from(board.raw.pop().unwrap().1.len()).unwrap();
    assert_eq!(board.events, [accepted, Event::Relayed { from, to: peer('b'), signal, bytes }]);
    board.events.clear();
    board.signal(1, "answer", &id('c'), r#"{"x":"y"}"#, "n");
    assert_eq!(board.events, [accepted, Event::Mailed { from, to: peer('c') }]);
    board.events.clear();
    board.signal(1, "answer", &id('d'), r#"{"x":"y"}"#, "n");
    let refused = Event::Refused { conn: ConnId(1), code: ErrorCode::TargetNotConnected };
    assert_eq!(board.events, [accepted, refused]);
}

#[test]
fn what_goes_to_all_acquaintances_is_accepted_once_for_each() {
    let mut board = board();
    let target = "/signaling";
    let grant = &peerpigeon_core::Grant::ANY;
    board.input(peerpigeon_core::Input::Opened { conn: ConnId(4), target, address: None, grant });
    board.text(4, &format!(r#"{{"type":"register","peerId":"{}"}}"#, id('e')));
    board.text(4, r#"{"type":"announce","networkName":"n"}"#);
    board.events.clear();
    board.text(4, r#"{"type":"offer","networkName":"n","data":{}}"#);
    let kinds = board.events.iter().map(|event| match event {
        Event::Accepted { bytes: 2, .. } => "accepted",
        Event::Relayed { .. } => "relayed",
        _ => "other",
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["accepted", "relayed", "accepted", "relayed"]);
}
