//! However a text is written, reading it costs no more than its bytes.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{Board, id};
use peerpigeon_core::{ConnId, Grant, Input, Limits};

const PIECES: [&str; 14] = [
    r#""\u0061":1,"#,
    r#""t\u0079pes":1,"#,
    r#""\"":1,"#,
    r#""\ud800":1,"#,
    r#""a":1,"#,
    r#""":[],"#,
    r#""x":"\u0061\\\n","#,
    r#""n":-0.1e-1,"#,
    r#""n":12345678901234567890,"#,
    r#""o":{"a":{"b":[]}},"#,
    r#""w":[true,false,null],"#,
    "\"b\" :\r\n 1 ,",
    r#""abcdefghijklmnopqrstuvwxyz":1,"#,
    r#""\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061\u0061":1,"#,
];

fn board() -> Board {
    let free = Limits { message_rate_per_second: 0, byte_rate_per_second: 0, ..Limits::default() };
    let mut board = Board::unwatched(free);
    board.open(1, &id('a'));
    board
}

/// How often handling this input allocates.
fn allocations(board: &mut Board, input: Input<'_>) -> u64 {
    let handle = |board: &mut Board| {
        board.board.handle(board.now, input);
        while board.board.poll_output().is_some() {}
    };
    handle(board);
    allocation_counter::measure(|| handle(board)).count_total
}

#[test]
fn no_text_makes_its_reader_allocate() {
    let mut board = board();
    for piece in PIECES {
        let text = format!(r#"{{{}"type":"ping"}}"#, piece.repeat(1_000));
        let input = Input::Text { conn: ConnId(1), text: &text };
        assert_eq!(allocations(&mut board, input), 0, "{piece}");
    }
    for field in ["type", "targetPeerId", "networkName", "peerId", "data", "maxPeers"] {
        for value in ["\\u0061", "\\\\", "a", "\\ud800"] {
            let text = format!(r#"{{"type":"ping","{field}":"{}"}}"#, value.repeat(2_000));
            let input = Input::Text { conn: ConnId(1), text: &text };
            assert_eq!(allocations(&mut board, input), 0, "{field} {value}");
        }
    }
}

#[test]
fn no_body_makes_its_reader_allocate_more_than_an_answer() {
    let mut board = board();
    for piece in PIECES {
        let message = format!(r#"{{{}"type":"ping"}}"#, piece.repeat(1_000));
        for body in [message.clone(), format!(r#"{{{}"messages":[{message}]}}"#, piece.repeat(1_000))] {
            let input = Input::Posted { conn: ConnId(9), body: &body, address: None, grant: &Grant::ANY };
            let allocations = allocations(&mut board, input);
            assert!(allocations < 10, "{allocations}: {piece}");
        }
    }
}

#[test]
fn escaped_names_mean_what_they_say() {
    let mut board = board();
    board.open(2, &id('b'));
    board.raw.clear();
    let target = "\\u0062".repeat(40);
    board.text(1, &format!(r#"{{"t\u0079pe":"o\u0066fer","targetPeer\u0049d":"{target}","d\u0061ta":1}}"#));
    assert_eq!(board.types(2), ["offer"]);
    board.post(
        9,
        &format!(
            r#"{{"me\u0073sages":[{{"type":"offer","peerId":"{}","targetPeerId":"{}","data":{{}}}}]}}"#,
            id('c'),
            id('a')
        ),
    );
    assert_eq!(board.types(1), ["offer"]);
}
