//! Mail that a store keeps, which answers later.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
#![allow(unreachable_pub, reason = "shared by several test crates")]

pub(crate) mod shelf;

use crate::common::{self, Board, id};
use peerpigeon_core::{ConnId, Event, Grant, Input, Limits, MailEnd, QuestionId};
use serde_json::Value;
use shelf::{Said, Shelf, tell};

const TIMEOUT: u64 = 1_000;
const SWEEP: u64 = 100_000;

fn limits() -> Limits {
    Limits {
        store_timeout_ms: TIMEOUT,
        ping_interval_ms: 0,
        peer_timeout_ms: 0,
        cleanup_interval_ms: SWEEP,
        ..Limits::default()
    }
}

/// A board that reaches its store.
fn board() -> Board {
    let mut board = Board::new(limits());
    board.input(Input::Store { is_up: true });
    board
}

/// Two peers of network `n`, of which the first has just been lost.
fn dropped() -> (Board, Shelf) {
    let (mut board, mut shelf) = (board(), Shelf::default());
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    shelf.serve(&mut board);
    board.lose(1);
    shelf.serve(&mut board);
    board.take(2);
    shelf.done.clear();
    (board, shelf)
}

fn say(board: &mut Board, data: &str) {
    board.signal(2, "ice-candidate", &id('a'), data, "n");
}

/// The data of the signals that a connection has got since the last call.
fn heard(board: &mut Board, conn: u64) -> Vec<Value> {
    let messages = board.take(conn);
    messages.iter().filter(|message| message["type"] == "ice-candidate").map(|m| m["data"].clone()).collect()
}

fn ends(board: &mut Board) -> Vec<(&'static str, MailEnd)> {
    let end = |event: &Event| match event {
        Event::MailEnded { end, .. } => Some(("mail", *end)),
        Event::LetterEnded { end, .. } => Some(("letter", *end)),
        _ => None,
    };
    let ends = board.events.iter().filter_map(end).collect();
    board.events.clear();
    ends
}

#[test]
fn mail_goes_to_the_store_and_comes_from_it_in_order_before_what_comes_now() {
    let (mut board, mut shelf) = dropped();
    (0..3).for_each(|n| say(&mut board, &n.to_string()));
    shelf.serve(&mut board);
    assert_eq!(shelf.done, ["put 0 for aaaa", "put 1 for aaaa", "put 2 for aaaa"]);
    assert_eq!((board.board.census().mails, shelf.len()), (0, 3), "the store has it, and nobody else");
    assert_eq!(ends(&mut board), [("mail", MailEnd::Stored); 3]);
    board.join(3, &id('A'), "n");
    shelf.work(&mut board);
    (3..5).for_each(|n| say(&mut board, &n.to_string()));
    assert!(heard(&mut board, 3).is_empty(), "what comes now waits for what came before");
    shelf.answer(&mut board);
    assert_eq!(heard(&mut board, 3), [0, 1, 2, 3, 4].map(Value::from));
    assert_eq!(board.board.census().mails, 0);
    say(&mut board, "5");
    assert_eq!(heard(&mut board, 3), [Value::from(5)]);
    assert!(shelf.done.iter().all(|done| !done.starts_with("put 3")), "who is here needs no store");
}

#[test]
fn mail_outlives_the_process_and_keeps_its_name() {
    let (mut board, mut shelf) = dropped();
    say(&mut board, "1");
    shelf.serve(&mut board);
    let mut successor = self::board();
    successor.now = board.now;
    register(&mut successor, 3, 'a');
    successor.text(3, ANNOUNCE);
    shelf.serve(&mut successor);
    let messages = successor.take(3);
    let mail = messages.iter().find(|message| message["type"] == "ice-candidate").unwrap();
    assert_eq!((&mail["data"], &mail["fromPeerId"]), (&Value::from(1), &Value::from(id('b'))));
    // The start of the process that it was sent to stands first.
    assert!(mail["messageId"].as_str().unwrap().starts_with(&format!("{:x}-", common::BOOT)), "{mail}");
}

fn register(board: &mut Board, conn: u64, digit: char) {
    board.input(Input::Opened { conn: ConnId(conn), target: "/", address: None, grant: &Grant::ANY });
    board.text(conn, &format!(r#"{{"type":"register","peerId":"{}"}}"#, id(digit)));
}

const ANNOUNCE: &str = r#"{"type":"announce","data":{},"networkName":"n"}"#;

#[test]
fn a_sender_of_dialect_b_is_told_that_its_message_is_queued_when_the_store_has_it() {
    let (mut board, mut shelf) = dropped();
    register(&mut board, 5, 'c');
    board.text(5, ANNOUNCE);
    shelf.serve(&mut board);
    board.take(5);
    let text =
        format!(r#"{{"type":"ice-candidate","data":{{}},"targetPeerId":"{}","networkName":"n"}}"#, id('a'));
    board.text(5, &text);
    assert_eq!(board.take(5), [Value::Null; 0], "not before");
    shelf.serve(&mut board);
    let told = board.take(5);
    assert_eq!((told.len(), &told[0]["success"], &told[0]["queued"]), (1, &true.into(), &true.into()));
    // What it is told of later messages comes after it: it has nothing but their order to tell them apart.
    board.text(5, &text);
    board.text(5, r#"{"type":"nothing","data":{}}"#);
    board.text(5, r#"{"type":"ping","data":{}}"#);
    let told = board.take(5);
    assert_eq!((told.len(), &told[0]["type"]), (1, &"pong".into()), "{told:?}");
    shelf.serve(&mut board);
    let told: Vec<_> =
        board.take(5).iter().map(|told| (told["success"] == true, told["queued"] == true)).collect();
    assert_eq!(told, [(true, true), (false, false), (true, false)]);
    // Where the store is away, it is queued here, which is known at once.
    board.input(Input::Store { is_up: false });
    board.text(5, &text);
    assert_eq!(board.take(5)[0]["queued"], true);
}

#[test]
fn a_batch_is_answered_when_the_store_has_all_of_it_or_its_time_is_over() {
    let (mut board, mut shelf) = dropped();
    let one = |n: u32| {
        let (from, to) = (id('c'), id('a'));
        format!(
            r#"{{"type":"ice-candidate","data":{{"n":{n}}},"peerId":"{from}","targetPeerId":"{to}","networkName":"n"}}"#
        )
    };
    let announce = format!(r#"{{"type":"announce","peerId":"{}","data":{{}},"networkName":"n"}}"#, id('c'));
    board.post(9, &announce);
    shelf.serve(&mut board);
    let batch = format!(r#"{{"messages":[{},{},{{}}]}}"#, one(1), one(2));
    let post = |board: &mut Board, conn| {
        board.input(Input::Posted { conn: ConnId(conn), body: &batch, address: None, grant: &Grant::ANY });
    };
    post(&mut board, 10);
    shelf.work(&mut board);
    assert_eq!((board.replies.len(), shelf.waiting.len()), (0, 2));
    let (first, said) = shelf.waiting.pop_front().unwrap();
    tell(&mut board, first, &said);
    assert!(board.replies.is_empty(), "the second is not known yet");
    shelf.answer(&mut board);
    let (conn, status, text) = board.replies.pop().unwrap();
    assert_eq!((conn, status), (10, 200));
    assert_eq!(text.matches(r#""queued":true"#).count(), 2, "{text}");
    assert_eq!(text.matches(r#""success":false"#).count(), 1, "{text}");
    // A client that has gone is not answered.
    post(&mut board, 11);
    board.lose(11);
    shelf.serve(&mut board);
    assert!(board.replies.is_empty());
    // And none waits for longer than the store has.
    post(&mut board, 12);
    board.asked.clear();
    board.pass(TIMEOUT - 1);
    assert!(board.replies.is_empty());
    board.pass(1);
    assert_eq!(board.replies.pop().unwrap().1, 200);
}

#[test]
fn what_the_store_refuses_waits_here_and_goes_to_it_at_the_next_sweep() {
    let (mut board, mut shelf) = dropped();
    say(&mut board, "1");
    say(&mut board, "2");
    shelf.refuse(&mut board, &Said::Failed);
    shelf.answer(&mut board);
    assert_eq!((board.board.census().mails, board.asked.len()), (2, 0), "not again at once");
    board.join(3, &id('a'), "n");
    shelf.serve(&mut board);
    assert_eq!(heard(&mut board, 3), [1, 2].map(Value::from));
    board.lose(3);
    say(&mut board, "3");
    shelf.refuse(&mut board, &Said::Failed);
    shelf.answer(&mut board);
    shelf.done.clear();
    board.pass(SWEEP);
    shelf.serve(&mut board);
    assert_eq!(shelf.done, ["sweep", "put 3 for aaaa"]);
    assert_eq!((board.board.census().mails, shelf.len()), (0, 1));
}

#[test]
fn while_the_store_is_away_mail_waits_here_and_is_written_in_order_when_it_is_back() {
    let (mut board, mut shelf) = dropped();
    board.input(Input::Store { is_up: false });
    (0..3).for_each(|n| say(&mut board, &n.to_string()));
    assert!(board.asked.is_empty());
    board.input(Input::Store { is_up: true });
    shelf.serve(&mut board);
    assert_eq!(shelf.done, ["put 0 for aaaa", "put 1 for aaaa", "put 2 for aaaa"]);
    assert_eq!(board.board.census().mails, 0);
}

#[test]
fn nobody_waits_for_a_store_that_does_not_answer() {
    let (mut board, mut shelf) = dropped();
    say(&mut board, "1");
    shelf.serve(&mut board);
    board.join(3, &id('a'), "n");
    say(&mut board, "2");
    let late = board.asked.clone();
    board.asked.clear();
    assert!(heard(&mut board, 3).is_empty());
    board.pass(TIMEOUT);
    assert_eq!(heard(&mut board, 3), [Value::from(2)], "its time is over");
    // From now on nobody waits at all.
    board.join(4, &id('d'), "n");
    board.signal(4, "ice-candidate", &id('a'), "3", "n");
    assert_eq!(heard(&mut board, 3), [Value::from(3)]);
    assert!(board.asked.is_empty());
    // What comes after all would overtake what came later.
    for (id, question) in late {
        board.asked.push((id, question));
    }
    shelf.serve(&mut board);
    assert!(heard(&mut board, 3).is_empty());
    assert_eq!(shelf.done.last().unwrap(), "discard dddd", "{:?}", shelf.done);
    assert!(shelf.done.contains(&"discard aaaa".to_owned()));
    assert_eq!(shelf.len(), 0);
}

#[test]
fn what_the_store_may_have_is_given_out_by_nobody_else() {
    let (mut board, mut shelf) = dropped();
    say(&mut board, "1");
    // The connection to the store was lost before its answer.
    shelf.refuse(&mut board, &Said::Unknown);
    shelf.answer(&mut board);
    board.input(Input::Store { is_up: false });
    say(&mut board, "2");
    board.join(3, &id('a'), "n");
    assert_eq!(heard(&mut board, 3), [Value::from(2)]);
    // If its addressee has not come meanwhile, the store is asked again, under the same number.
    board.lose(3);
    board.input(Input::Store { is_up: true });
    shelf.serve(&mut board);
    say(&mut board, "3");
    let (question, _) = (board.asked[0].clone(), board.asked.clear());
    tell(&mut board, question.0, &Said::Unknown);
    board.input(Input::Store { is_up: false });
    board.input(Input::Store { is_up: true });
    assert_eq!(board.asked.iter().map(|(_, question)| question).collect::<Vec<_>>(), [&question.1]);
    shelf.serve(&mut board);
    assert_eq!(shelf.len(), 1);
}

#[test]
fn answers_may_come_in_any_order_twice_and_to_questions_that_nobody_asked() {
    let (mut board, mut shelf) = dropped();
    (0..3).for_each(|n| say(&mut board, &n.to_string()));
    board.join(3, &id('a'), "n");
    say(&mut board, "3");
    shelf.work(&mut board);
    shelf.waiting.make_contiguous().reverse();
    let all = shelf.waiting.clone();
    shelf.answer(&mut board);
    assert_eq!(heard(&mut board, 3), [0, 1, 2, 3].map(Value::from));
    for (id, said) in all {
        tell(&mut board, id, &said);
    }
    tell(&mut board, QuestionId(u64::MAX), &Said::Stored);
    tell(&mut board, QuestionId(0), &Said::Taken(Vec::new()));
    assert!(heard(&mut board, 3).is_empty());
}

#[test]
fn a_peer_that_is_lost_again_before_its_mail_has_come_gets_what_came_meanwhile_next_time() {
    let (mut board, mut shelf) = dropped();
    say(&mut board, "1");
    shelf.serve(&mut board);
    board.join(3, &id('a'), "n");
    say(&mut board, "2");
    board.lose(3);
    say(&mut board, "3");
    shelf.serve(&mut board);
    board.join(4, &id('a'), "n");
    shelf.serve(&mut board);
    assert_eq!(heard(&mut board, 4), [2, 3].map(Value::from), "what was under way to it is lost");
    assert!(ends(&mut board).contains(&("letter", MailEnd::Dropped)));
}

#[test]
fn who_moves_or_says_goodbye_gets_no_mail_of_its_former_network() {
    let (mut board, mut shelf) = dropped();
    say(&mut board, "1");
    shelf.serve(&mut board);
    board.join(3, &id('a'), "n");
    board.announce(3, "other");
    shelf.serve(&mut board);
    assert!(heard(&mut board, 3).is_empty());
    board.lose(3);
    board.join(4, &id('a'), "n");
    board.text(4, r#"{"type":"goodbye"}"#);
    shelf.serve(&mut board);
    assert_eq!(shelf.done.last().unwrap(), "discard aaaa");
    assert!(heard(&mut board, 4).is_empty());
}

#[test]
fn cleanup_reaches_what_the_store_has_in_both_directions() {
    let (mut board, mut shelf) = dropped();
    say(&mut board, "1");
    shelf.serve(&mut board);
    board.text(2, &format!(r#"{{"type":"cleanup","targetPeerId":"{}"}}"#, id('a')));
    shelf.serve(&mut board);
    assert_eq!(shelf.done[1..], ["forget bbbb for aaaa", "forget aaaa for bbbb"]);
    assert_eq!(shelf.len(), 0);
    say(&mut board, "2");
    board.text(2, r#"{"type":"cleanup-all"}"#);
    shelf.serve(&mut board);
    assert_eq!((shelf.done.last().unwrap().as_str(), shelf.len()), ("forget bbbb for everybody", 0));
    // While the store is away, it is done as soon as it is back, and before anything is put.
    board.input(Input::Store { is_up: false });
    say(&mut board, "3");
    board.text(2, r#"{"type":"cleanup-all"}"#);
    say(&mut board, "4");
    shelf.done.clear();
    board.input(Input::Store { is_up: true });
    shelf.serve(&mut board);
    assert_eq!(shelf.done, ["forget bbbb for everybody", "put 4 for aaaa"]);
}

#[test]
fn a_poll_for_a_peer_that_is_not_here_waits_for_the_store_and_not_longer() {
    let (mut board, mut shelf) = dropped();
    say(&mut board, "1");
    shelf.serve(&mut board);
    board.poll(20, &id('a'), 0);
    say(&mut board, "2");
    assert!(board.replies.is_empty());
    shelf.serve(&mut board);
    assert_eq!(board.polled(20), ["ice-candidate"], "the second has gone to the store meanwhile");
    board.poll(21, &id('a'), 0);
    shelf.serve(&mut board);
    assert_eq!(board.polled(21), ["ice-candidate"]);
    board.poll(22, &id('a'), 0);
    board.poll(23, &id('a'), 0);
    assert!(board.polled(23).is_empty(), "whoever asks first gets it");
    board.asked.clear();
    board.pass(TIMEOUT);
    assert!(board.polled(22).is_empty());
}

#[test]
fn what_was_kept_for_a_proven_peer_is_asked_for_by_nobody_else() {
    let (mut board, mut shelf) = (board(), Shelf::default());
    let proven = Grant { peer: Some(id('a').into()), networks: None };
    board.open_with(1, &id('a'), &proven);
    board.announce(1, "n");
    board.join(2, &id('b'), "n");
    shelf.serve(&mut board);
    board.lose(1);
    say(&mut board, "1");
    shelf.serve(&mut board);
    let mut successor = self::board();
    successor.join(3, &id('a'), "n");
    shelf.serve(&mut successor);
    assert!(heard(&mut successor, 3).is_empty());
    successor.lose(3);
    successor.open_with(4, &id('a'), &proven);
    successor.announce(4, "n");
    shelf.serve(&mut successor);
    assert_eq!(heard(&mut successor, 4), [Value::from(1)]);
}

#[test]
fn letters_that_have_expired_or_that_nobody_here_has_written_are_not_delivered() {
    let (mut board, mut shelf) = dropped();
    (0..4).for_each(|n| say(&mut board, &n.to_string()));
    shelf.serve(&mut board);
    board.join(3, &id('a'), "n");
    shelf.work(&mut board);
    let (id, said) = shelf.waiting.pop_front().unwrap();
    let Said::Taken(mut letters) = said else { panic!("{said:?}") };
    letters[0].ttl_ms = 0;
    letters[1].from = "somebody".into();
    letters[2].kind = "announce".into();
    letters.push(letters[3].clone());
    letters[4].name = "?".into();
    letters.push(letters[3].clone());
    letters[5].data = Some("}, {".into());
    tell(&mut board, id, &Said::Taken(letters));
    assert_eq!(heard(&mut board, 3), [Value::from(3)]);
    let letters: Vec<_> = ends(&mut board).into_iter().filter(|(what, _)| *what == "letter").collect();
    let dropped = ("letter", MailEnd::Dropped);
    assert_eq!(
        letters,
        [("letter", MailEnd::Expired), dropped, dropped, ("letter", MailEnd::Delivered), dropped, dropped]
    );
}

#[test]
fn a_driver_that_comes_late_brings_the_answers_with_it() {
    let (mut board, mut shelf) = dropped();
    say(&mut board, "1");
    shelf.serve(&mut board);
    board.join(3, &id('a'), "n");
    shelf.work(&mut board);
    // The process was stopped for a while.
    board.now = board.now + 60_000;
    board.input(Input::Tick);
    shelf.answer(&mut board);
    assert_eq!(heard(&mut board, 3), [Value::from(1)]);
}

#[test]
fn without_a_store_nothing_is_asked() {
    let mut board = Board::new(Limits::default());
    board.input(Input::Store { is_up: true });
    board.join(1, &id('a'), "n");
    board.join(2, &id('b'), "n");
    board.lose(1);
    say(&mut board, "1");
    board.text(2, r#"{"type":"cleanup-all"}"#);
    board.poll(3, &id('c'), 0);
    assert!(board.polled(3).is_empty());
    assert!(board.asked.is_empty());
}

#[test]
fn one_message_to_many_whose_mail_is_under_way_becomes_a_letter_for_each() {
    let (mut board, mut shelf) = (board(), Shelf::default());
    register(&mut board, 1, 'c');
    board.text(1, ANNOUNCE);
    board.join(2, &id('a'), "n");
    board.join(3, &id('b'), "n");
    shelf.work(&mut board);
    board.text(1, r#"{"type":"ice-candidate","data":{"n":1},"networkName":"n"}"#);
    // Both drop out again before their mail has come.
    board.lose(2);
    board.lose(3);
    shelf.answer(&mut board);
    assert_eq!(shelf.len(), 2);
    for (conn, digit) in [(4, 'a'), (5, 'b')] {
        board.join(conn, &id(digit), "n");
        shelf.serve(&mut board);
        assert_eq!(heard(&mut board, conn), [serde_json::json!({"n": 1})]);
    }
}

#[test]
fn a_peer_that_comes_back_before_its_mail_has_come_gets_all_of_it_in_order() {
    let (mut board, mut shelf) = dropped();
    board.join(3, &id('a'), "n");
    say(&mut board, "1");
    board.lose(3);
    board.join(4, &id('a'), "n");
    say(&mut board, "2");
    shelf.serve(&mut board);
    assert_eq!(heard(&mut board, 4), [1, 2].map(Value::from));
    assert_eq!(shelf.len(), 0);
}
