//! A database that goes away, stands still, or is none: every question is answered, once.

use std::net::TcpListener;

use crate::engine::{BOB, Engine, letter};
use peerpigeon_core::{Limits, Question};
use peerpigeon_server::{OwnedAnswer, StoreEvent};
use peerpigeon_tests::postgres::Postgres;

fn limits() -> Limits {
    Limits { store_timeout_ms: 300, ..Limits::default() }
}

#[test]
fn while_it_is_down_everything_fails_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut engine = Engine::down(&format!("postgres://pigeon@{free}/mail"), &limits());
    for _ in 0..3 {
        let id = engine.ask(&Question::Sweep);
        assert_eq!(engine.poll(), Some(StoreEvent::Answered(id, OwnedAnswer::Failed)));
        engine.turn();
    }
}

#[test]
fn one_that_is_stopped_and_started_is_down_and_up() {
    let mut database = Postgres::start();
    let mut engine = Engine::with(&database.url(), &limits());
    engine.put(&letter(1));
    database.stop();
    assert_eq!(engine.next_event(), StoreEvent::Down);
    let cause = engine.cause().unwrap();
    assert_eq!(cause, "it says: terminating connection due to administrator command (57P01)");
    database.resume_after_stop();
    assert_eq!(engine.next_event(), StoreEvent::Up);
    assert_eq!(engine.numbers(), [1]);
}

#[test]
fn what_was_not_written_has_failed_and_of_the_rest_nobody_knows() {
    let mut database = Postgres::start();
    let mut engine = Engine::with(&database.url(), &limits());
    database.pause();
    let first = engine.ask(&Question::Put(letter(1)));
    let second = engine.ask(&Question::Put(letter(2)));
    engine.write();
    let third = engine.ask(&Question::Put(letter(3)));
    database.stop();
    let answers = [first, second, third].map(|id| (id, engine.answer_to_any(id)));
    // It was paused when they were written, and may have got to them at its end.
    for (_, answer) in &answers[..2] {
        assert!(matches!(answer, OwnedAnswer::Unknown | OwnedAnswer::Stored), "{answers:?}");
    }
    assert!(matches!(answers[2].1, OwnedAnswer::Failed | OwnedAnswer::Unknown | OwnedAnswer::Stored));
    engine.wait_for(&StoreEvent::Down);
    database.resume_after_stop();
    engine.wait_for(&StoreEvent::Up);
    // Whatever became of them, once more does no harm.
    for n in 1..=3 {
        engine.put(&letter(n));
    }
    let mut numbers = engine.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn one_that_stands_still_is_given_up_and_found_again() {
    let database = Postgres::start();
    let mut engine = Engine::with(&database.url(), &limits());
    engine.put(&letter(1));
    database.pause();
    let put = engine.ask(&Question::Put(letter(2)));
    let take = engine.ask(&Question::Take { address: BOB.into(), is_proven: true });
    assert_eq!(engine.answer_to(put), OwnedAnswer::Unknown);
    assert_eq!(engine.answer_to(take), OwnedAnswer::Unknown);
    assert_eq!(engine.next_event(), StoreEvent::Down);
    assert_eq!(engine.cause().unwrap(), "it does not answer");
    assert_eq!(engine.answer(&Question::Put(letter(3))), OwnedAnswer::Failed);
    database.resume();
    assert_eq!(engine.next_event(), StoreEvent::Up);
    engine.put(&letter(4));
    let numbers = engine.numbers();
    assert!(numbers.contains(&4) && !numbers.contains(&3), "{numbers:?}");
}

#[test]
fn an_error_of_the_database_fails_its_question_and_no_other() {
    let database = Postgres::start();
    let mut engine = Engine::with(&database.url(), &limits());
    engine.put(&letter(1));
    database.sql(
        "mail",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; \
         CREATE TRIGGER refuse BEFORE INSERT ON signaling_messages FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let take = Question::Take { address: BOB.into(), is_proven: true };
    let answers = engine.answers(&[Question::Put(letter(2)), take.clone(), Question::Put(letter(3)), take]);
    assert_eq!(answers[0], OwnedAnswer::Failed);
    assert!(matches!(&answers[1], OwnedAnswer::Taken(letters) if letters.len() == 1));
    assert_eq!(answers[2], OwnedAnswer::Failed);
    assert!(matches!(&answers[3], OwnedAnswer::Taken(letters) if letters.is_empty()));
}

#[test]
fn a_statement_that_takes_too_long_fails_and_the_connection_stays() {
    let database = Postgres::start();
    let mut engine = Engine::with(&database.url(), &limits());
    database.sql(
        "mail",
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'; \
         CREATE TRIGGER wait BEFORE INSERT ON signaling_messages FOR EACH ROW EXECUTE FUNCTION wait()",
    );
    assert_eq!(engine.answer(&Question::Put(letter(1))), OwnedAnswer::Failed);
    assert_eq!(engine.answer(&Question::Sweep), OwnedAnswer::Gone(0));
}

#[test]
fn of_too_many_questions_some_fail_and_none_is_forgotten() {
    let database = Postgres::start();
    let mut engine = Engine::with(&database.url(), &Limits::default());
    let questions: Vec<Question> = (0..10_000)
        .map(|n| Question::Discard { address: format!("{n:040}").into(), is_proven: true })
        .collect();
    let ids: Vec<_> = questions.iter().map(|question| engine.ask(question)).collect();
    let (mut done, mut failed) = (0, 0);
    for _ in &ids {
        match engine.next_event() {
            StoreEvent::Answered(_, OwnedAnswer::Gone(0)) => done += 1,
            StoreEvent::Answered(_, OwnedAnswer::Failed) => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((done, failed), (4_096, 10_000 - 4_096));
    assert_eq!(engine.answer(&Question::Sweep), OwnedAnswer::Gone(0));
}
