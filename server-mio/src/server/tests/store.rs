//! The loop and a mail store that does what a test says.

use super::*;
use crate::store::{MailStore, OwnedAnswer, StoreCounters, StoreEvent};
use peerpigeon_core::{Question, QuestionId};
use std::collections::VecDeque;

/// The store and the test hold the same.
#[derive(Debug, Default)]
struct Script {
    events: VecDeque<StoreEvent>,
    /// What was asked, and not written yet.
    asked: Vec<(QuestionId, Question)>,
    written: Vec<(QuestionId, Question)>,
    writes: usize,
    deadline: Option<Time>,
}

#[derive(Debug, Clone)]
struct ScriptedStore(Rc<RefCell<Script>>, StoreCounters);

impl MailStore<ScriptedNet> for ScriptedStore {
    fn ask(&mut self, _: Time, _: UnixMillis, id: QuestionId, question: &Question) {
        self.0.borrow_mut().asked.push((id, question.clone()));
    }

    fn note_ready(&mut self) {}

    fn read(&mut self, _: &mut ScriptedNet, _: Time, _: UnixMillis) {
        self.0.borrow_mut().deadline = None;
    }

    fn write(&mut self, _: &mut ScriptedNet, _: Time) {
        let mut script = self.0.borrow_mut();
        let asked = std::mem::take(&mut script.asked);
        script.writes += usize::from(!asked.is_empty());
        script.written.extend(asked);
    }

    fn poll(&mut self) -> Option<StoreEvent> {
        self.0.borrow_mut().events.pop_front()
    }

    fn deadline(&self) -> Option<Time> {
        self.0.borrow().deadline
    }

    fn pending(&self) -> usize {
        self.0.borrow().written.len()
    }

    fn counters(&self) -> &StoreCounters {
        &self.1
    }
}

/// Two peers, of whom the second has dropped out, and the store is up.
fn bench() -> (Bench, Rc<RefCell<Script>>, usize) {
    let script = Rc::new(RefCell::new(Script::default()));
    let store = ScriptedStore(Rc::clone(&script), StoreCounters::default());
    let mut bench = Bench::with_store(
        |config| {
            config.limits.store_timeout_ms = 1_000;
            config.limits.cleanup_interval_ms = 1 << 40;
        },
        Box::new(store),
    );
    script.borrow_mut().events.push_back(StoreEvent::Up);
    bench.settle();
    let (a, b) = bench.open_two();
    // Nothing waits for either.
    answer(&mut bench, &script, &OwnedAnswer::Taken(Vec::new()));
    bench.end(b, End::Reset);
    bench.settle();
    bench.take(a);
    assert_eq!(bench.server.gauges().questions, 0);
    script.borrow_mut().writes = 0;
    (bench, script, a)
}

/// The store answers with the next turn.
fn answer(bench: &mut Bench, script: &RefCell<Script>, answer: &OwnedAnswer) {
    let mut script = script.borrow_mut();
    let answers: Vec<_> =
        script.written.drain(..).map(|(id, _)| StoreEvent::Answered(id, answer.clone())).collect();
    script.events.extend(answers);
    script.deadline = Some(Time(0));
    drop(script);
    bench.turn();
}

#[test]
fn what_is_asked_in_a_turn_is_written_once_at_its_end() {
    let (mut bench, script, a) = bench();
    for n in 0..5 {
        bench.send(a, &signal(ID_B, &n.to_string()));
    }
    bench.settle();
    let script = script.borrow();
    assert!(script.written.iter().all(|(_, question)| matches!(question, Question::Put(_))));
    assert_eq!((script.written.len(), script.writes), (5, 1));
}

#[test]
fn an_answer_is_passed_on_in_the_turn_in_which_it_comes() {
    let (mut bench, script, a) = bench();
    bench.send(a, &signal(ID_B, "1"));
    bench.settle();
    let Question::Put(letter) = script.borrow().written[0].1.clone() else { panic!("a letter") };
    answer(&mut bench, &script, &OwnedAnswer::Stored);
    let b = bench.open(ID_B);
    bench.send(b, &text_frame(r#"{"type":"announce"}"#));
    bench.settle();
    bench.take(b);
    let asked = script.borrow().written.clone();
    assert!(asked.iter().any(|(_, question)| matches!(question, Question::Take { .. })), "{asked:?}");
    // One turn, and the signal is on its way.
    answer(&mut bench, &script, &OwnedAnswer::Taken(vec![letter]));
    assert!(bench.take_text(b).contains("ice-candidate"));
}

#[test]
fn the_end_waits_for_the_last_answer_and_no_longer_than_everything_else() {
    for answers in [true, false] {
        let (mut bench, script, a) = bench();
        bench.send(a, &signal(ID_B, "1"));
        bench.settle();
        bench.world.borrow_mut().stop();
        bench.settle();
        bench.send(a, &client_frame(8, &1001_u16.to_be_bytes()));
        bench.end(a, End::Orderly);
        bench.settle();
        assert!(script.borrow().written.iter().any(|(_, question)| matches!(question, Question::Put(_))));
        assert!(!bench.server.is_over(), "something is not answered");
        if answers {
            answer(&mut bench, &script, &OwnedAnswer::Stored);
            assert!(bench.server.is_over());
        } else {
            let timeout = bench.server.config.shutdown_timeout_ms;
            let now = bench.world.borrow().now;
            bench.world.borrow_mut().now = now + timeout;
            bench.turn();
            assert!(bench.server.is_over());
        }
    }
}

#[test]
fn a_server_that_was_given_no_store_asks_nobody() {
    let mut bench = Bench::with(|config| config.limits.store_timeout_ms = 1_000);
    let (a, b) = bench.open_two();
    bench.end(b, End::Reset);
    bench.settle();
    bench.send(a, &signal(ID_B, "1"));
    bench.settle();
    // Mail is kept as ever.
    let b = bench.open(ID_B);
    bench.ask(b, &text_frame(r#"{"type":"announce"}"#));
    assert_eq!(bench.server.gauges().mails, 0);
    assert_eq!(bench.server.peer_counters().mail_ended().map(|(_, count)| count).sum::<u64>(), 1);
}
