//! The older dialect: register first, and every message is answered.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use crate::common::{BOOT, Board, id};
use peerpigeon_core::{CloseReason, ConnId, Grant, Input, Limits};
use serde_json::{Value, json};

fn open_b(board: &mut Board, conn: u64) {
    board.input(Input::Opened {
        conn: ConnId(conn),
        target: "/signaling",
        address: None,
        grant: &Grant::ANY,
    });
}

fn register(board: &mut Board, conn: u64, id: &str) {
    open_b(board, conn);
    board.text(conn, &format!(r#"{{"type":"register","peerId":"{id}"}}"#));
    assert_eq!(board.take(conn), [json!({"success": true, "type": "registered"})]);
}

/// Whether each of the messages to `conn` is an acknowledgement, or else its type.
fn kinds(messages: &[Value]) -> Vec<String> {
    let kind = |message: &Value| match (&message["type"], &message["success"]) {
        (Value::String(kind), _) => kind.clone(),
        (_, Value::Bool(true)) => "ok".into(),
        _ => "refused".into(),
    };
    messages.iter().map(kind).collect()
}

#[test]
fn nothing_is_routed_before_registration() {
    let mut board = Board::new(Limits::default());
    board.open(1, &id('a'));
    board.take(1);
    open_b(&mut board, 2);
    board.text(2, &format!(r#"{{"type":"offer","data":{{}},"targetPeerId":"{}"}}"#, id('a')));
    let refused = board.take(2);
    assert_eq!(refused[0]["success"], false);
    assert_eq!(refused[0]["error"], "Register with your peerId first");
    board.text(2, r#"{"type":"register"}"#);
    assert_eq!(kinds(&board.take(2)), ["refused"]);
    assert!(board.take(1).is_empty());
    board.pass(10_000);
    assert_eq!(board.closed, [(2, CloseReason::InactiveTimeout)]);
}

#[test]
fn peers_of_both_dialects_meet_and_signal_each_other() {
    let mut board = Board::new(Limits::default());
    board.join(1, &id('a'), "n");
    board.take(1);
    register(&mut board, 2, &id('b'));
    board.text(2, r#"{"type":"announce","data":{"name":"b"},"networkName":"n"}"#);
    let heard = board.take(2);
    assert_eq!(kinds(&heard), ["announce", "ok"]);
    assert_eq!(heard[0]["fromPeerId"], id('a'));
    assert_eq!(heard[0]["data"], json!({"peerId": id('a')}));
    assert_eq!(heard[1]["timestamp"], BOOT);
    let met = board.take(1);
    assert_eq!(
        (&met[0]["type"], &met[0]["data"]),
        (&json!("peer-discovered"), &json!({"peerId": id('b'), "name": "b"}))
    );

    board.raw.clear();
    board.text(
        2,
        &format!(
            r#"{{"type":"offer","peerId":"{}","data":{{ "x":1e400}},"targetPeerId":"{}","networkName":"n"}}"#,
            id('B'),
            id('a')
        ),
    );
    let (to, offer) = board.raw.remove(0);
    assert_eq!(to, 1);
    assert!(offer.starts_with(r#"{"type":"offer","data":{ "x":1e400},"fromPeerId":"bbbb"#), "{offer}");
    let ack = board.take(2).remove(0);
    board.signal(1, "answer", &id('b'), r#"{"y":2}"#, "n");
    let answer = board.take(2).remove(0);
    let expected = json!({"messageId": answer["messageId"], "fromPeerId": id('a'), "targetPeerId": id('b'), "type": "answer", "data": {"y": 2}, "timestamp": BOOT});
    assert_eq!(answer, expected);
    assert_ne!(answer["messageId"], ack["messageId"]);
}

#[test]
fn a_signal_without_a_target_goes_to_all_acquaintances_under_one_id() {
    let mut board = Board::new(Limits::default());
    for (conn, digit) in [(1, 'a'), (2, 'b'), (3, 'c')] {
        register(&mut board, conn, &id(digit));
        board.text(conn, r#"{"type":"announce","data":{}}"#);
    }
    for conn in 1..=3 {
        board.take(conn);
    }
    board.text(1, r#"{"type":"offer","data":{}}"#);
    let (own, second, third) = (board.take(1), board.take(2), board.take(3));
    assert_eq!(
        (kinds(&own), kinds(&second), kinds(&third)),
        (vec!["ok".into()], vec!["offer".into()], vec!["offer".into()])
    );
    assert_eq!(own[0]["messageId"], second[0]["messageId"]);
    assert_eq!(own[0]["messageId"], third[0]["messageId"]);
}

#[test]
fn a_signal_for_a_peer_that_is_away_is_queued_and_arrives_under_its_id() {
    let mut board = Board::new(Limits::default());
    register(&mut board, 1, &id('a'));
    register(&mut board, 2, &id('b'));
    board.text(1, r#"{"type":"announce"}"#);
    board.text(2, r#"{"type":"announce"}"#);
    board.lose(1);
    board.take(2);
    board.text(2, &format!(r#"{{"type":"offer","data":{{}},"targetPeerId":"{}"}}"#, id('a')));
    board.text(2, &format!(r#"{{"type":"offer","data":{{}},"targetPeerId":"{}"}}"#, id('f')));
    let answers = board.take(2);
    assert_eq!(kinds(&answers), ["goodbye", "ok", "goodbye", "refused"]);
    assert_eq!(answers[1]["queued"], true);
    assert_eq!(answers[3]["error"], "Target peer is not connected");
    register(&mut board, 3, &id('a'));
    board.text(3, r#"{"type":"announce"}"#);
    let got = board.take(3);
    assert_eq!(kinds(&got), ["announce", "offer", "ok"]);
    assert_eq!(got[1]["messageId"], answers[1]["messageId"]);
}

#[test]
fn every_message_gets_exactly_one_answer() {
    let mut board = Board::new(Limits::default());
    register(&mut board, 1, &id('a'));
    let other = format!(r#"{{"type":"ping","peerId":"{}"}}"#, id('f'));
    let again = format!(r#"{{"type":"register","peerId":"{}"}}"#, id('A'));
    for (text, expected) in [
        (r#"{"type":"ping"}"#, vec!["pong", "ok"]),
        (r#"{"type":"goodbye"}"#, vec!["ok"]),
        (r#"{"type":"cleanup-all"}"#, vec!["ok"]),
        ("{", vec!["refused"]),
        (r#"{"type":"offer","data":7}"#, vec!["refused"]),
        (other.as_str(), vec!["refused"]),
        (again.as_str(), vec!["registered"]),
    ] {
        board.text(1, text);
        assert_eq!(kinds(&board.take(1)), expected, "{text}");
    }
}

#[test]
fn an_id_in_use_is_challenged_as_in_the_other_dialect() {
    let mut board = Board::new(Limits::default());
    board.open(1, &id('a'));
    open_b(&mut board, 2);
    board.text(2, &format!(r#"{{"type":"register","peerId":"{}"}}"#, id('a')));
    board.text(2, r#"{"type":"ping"}"#);
    assert!(board.take(2).is_empty());
    board.pass(2_000);
    assert_eq!(board.closed, [(1, CloseReason::Replaced)]);
    assert_eq!(kinds(&board.take(2)), ["registered", "pong", "ok"]);
}

#[test]
fn a_million_messages_have_a_million_ids() {
    let mut board = peerpigeon_core::Switchboard::new(
        Limits { message_rate_per_second: 0, byte_rate_per_second: 0, ..Limits::default() },
        peerpigeon_core::UnixMillis(BOOT),
        0,
    )
    .unwrap();
    let text = format!(r#"{{"type":"register","peerId":"{}"}}"#, id('a'));
    let now = peerpigeon_core::Time(0);
    board.handle(
        now,
        Input::Opened { conn: ConnId(1), target: "/signaling", address: None, grant: &Grant::ANY },
    );
    while board.poll_output().is_some() {}
    board.handle(now, Input::Text { conn: ConnId(1), text: &text });
    while board.poll_output().is_some() {}
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1_000_000 {
        board.handle(now, Input::Text { conn: ConnId(1), text: r#"{"type":"goodbye"}"# });
        while let Some(output) = board.poll_output() {
            if let peerpigeon_core::Output::Send { text, .. } = output {
                let start = text.find("messageId\":\"").unwrap() + 12;
                let id = &text[start..start + text[start..].find('"').unwrap()];
                assert!(seen.insert(id.to_owned()), "{id} came twice");
            }
        }
    }
    assert_eq!(seen.len(), 1_000_000);
}

/// How far apart the numbers in two message ids are.
fn distance(ids: [String; 2]) -> u64 {
    let [first, second] = ids.map(|id| u64::from_str_radix(id.split_once('-').unwrap().1, 16).unwrap());
    second.wrapping_sub(first)
}

#[test]
fn message_ids_do_not_show_how_much_others_say() {
    let distances = [0, 1, 50].map(|said_by_others| {
        let mut board = Board::new(Limits::default());
        board.open(1, &id('a'));
        let ids = [0, said_by_others].map(|count| {
            (0..count).for_each(|_| board.text(1, r#"{"type":"ping"}"#));
            let (_, answer) = board.post(100, &format!(r#"{{"type":"register","peerId":"{}"}}"#, id('b')));
            answer["messageId"].as_str().unwrap().to_owned()
        });
        distance(ids)
    });
    let smallest = distances.iter().map(|distance| (*distance).min(distance.wrapping_neg())).min();
    assert!(smallest.unwrap() > 1_000_000, "{distances:?}");
}
