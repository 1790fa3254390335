//! A store without a server around it: questions in, answers out, over a network of its own.

use peerpigeon_core::{Letter, Limits, Question, QuestionId, Time, UnixMillis};
use peerpigeon_server::{
    Host as _, MailStore, MioNet, MioSocket, Net as _, OwnedAnswer, PostgresStore, Ready, STORE_KEY,
    StoreEvent,
};
use peerpigeon_tests::PATIENCE;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

/// One process that asks a database.
pub(crate) struct Engine {
    net: MioNet,
    pub(crate) store: PostgresStore<MioSocket>,
    next: u64,
    /// What our clock on the wall shows too much, in milliseconds.
    pub(crate) wall_is_ahead_ms: i64,
}

pub(crate) const ALICE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const BOB: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

impl Engine {
    /// One with the default limits that is up.
    pub(crate) fn new(url: &str) -> Engine {
        Engine::with(url, &Limits::default())
    }

    /// The same with these limits of mailboxes.
    pub(crate) fn with(url: &str, limits: &Limits) -> Engine {
        let mut engine = Engine::down(url, limits);
        assert_eq!(engine.next_event(), StoreEvent::Up, "{:?}", engine.cause());
        engine
    }

    /// The same, which has not connected yet.
    pub(crate) fn down(url: &str, limits: &Limits) -> Engine {
        let net = MioNet::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))]).unwrap();
        let url = url.parse().unwrap();
        let limits = if limits.store_timeout_ms == 0 {
            Limits { store_timeout_ms: 2_000, ..limits.clone() }
        } else {
            limits.clone()
        };
        let store = PostgresStore::new(url, None, &limits, net.control_handle());
        Engine { net, store, next: 0, wall_is_ahead_ms: 0 }
    }

    /// Why it is down, or was.
    pub(crate) fn cause(&self) -> Option<String> {
        MailStore::<MioNet>::counters(&self.store).cause.clone()
    }

    pub(crate) fn now(&self) -> Time {
        self.net.now()
    }

    fn wall(&self) -> UnixMillis {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        UnixMillis(u64::try_from(now).unwrap().saturating_add_signed(self.wall_is_ahead_ms))
    }

    /// Asks, and does not write yet.
    pub(crate) fn ask(&mut self, question: &Question) -> QuestionId {
        self.next += 1;
        let (now, wall, id) = (self.now(), self.wall(), QuestionId(self.next));
        MailStore::<MioNet>::ask(&mut self.store, now, wall, id, question);
        id
    }

    /// What is asked is written.
    pub(crate) fn write(&mut self) {
        let now = self.now();
        self.store.write(&mut self.net, now);
    }

    /// One turn of a loop, but no longer than a moment.
    pub(crate) fn turn(&mut self) {
        self.write();
        let mut ready = Vec::new();
        let until = self.now() + 20;
        let until = MailStore::<MioNet>::deadline(&self.store).map_or(until, |deadline| deadline.min(until));
        self.net.wait(Some(until), &mut ready).unwrap();
        for ready in ready {
            if matches!(
                ready,
                Ready::Store | Ready::Readable { key: STORE_KEY, .. } | Ready::Writable { key: STORE_KEY }
            ) {
                MailStore::<MioNet>::note_ready(&mut self.store);
            }
        }
        let (now, wall) = (self.now(), self.wall());
        self.store.read(&mut self.net, now, wall);
    }

    pub(crate) fn poll(&mut self) -> Option<StoreEvent> {
        MailStore::<MioNet>::poll(&mut self.store)
    }

    pub(crate) fn next_event(&mut self) -> StoreEvent {
        let start = Instant::now();
        loop {
            if let Some(event) = self.poll() {
                return event;
            }
            assert!(start.elapsed() < PATIENCE, "no event of {:?}", self.store);
            self.turn();
        }
    }

    /// Asks all of these at once, and gives their answers in their order.
    pub(crate) fn answers(&mut self, questions: &[Question]) -> Vec<OwnedAnswer> {
        let ids: Vec<QuestionId> = questions.iter().map(|question| self.ask(question)).collect();
        ids.into_iter().map(|id| self.answer_to(id)).collect()
    }

    /// The next event, which must be the answer to this.
    pub(crate) fn answer_to(&mut self, id: QuestionId) -> OwnedAnswer {
        match self.next_event() {
            StoreEvent::Answered(answered, answer) if answered == id => answer,
            other => panic!("{other:?} instead of the answer to {id:?}; {:?}", self.cause()),
        }
    }

    /// The next answer to this; others are left out.
    pub(crate) fn answer_to_any(&mut self, id: QuestionId) -> OwnedAnswer {
        loop {
            if let StoreEvent::Answered(answered, answer) = self.next_event()
                && answered == id
            {
                return answer;
            }
        }
    }

    /// Leaves out whatever comes before.
    pub(crate) fn wait_for(&mut self, event: &StoreEvent) {
        while self.next_event() != *event {}
    }

    pub(crate) fn answer(&mut self, question: &Question) -> OwnedAnswer {
        let id = self.ask(question);
        self.answer_to(id)
    }

    pub(crate) fn put(&mut self, letter: &Letter) {
        assert_eq!(self.answer(&Question::Put(letter.clone())), OwnedAnswer::Stored);
    }

    /// All that waits for Bob, who has proven who he is.
    pub(crate) fn take(&mut self) -> Vec<Letter> {
        self.take_as(true)
    }

    pub(crate) fn take_as(&mut self, is_proven: bool) -> Vec<Letter> {
        match self.answer(&Question::Take { address: BOB.into(), is_proven }) {
            OwnedAnswer::Taken(letters) => letters,
            other => panic!("{other:?}"),
        }
    }

    /// Of all that waits for Bob the numbers.
    pub(crate) fn numbers(&mut self) -> Vec<u64> {
        self.take().iter().map(|letter| letter.number).collect()
    }
}

/// From Alice to Bob.
pub(crate) fn letter(number: u64) -> Letter {
    Letter {
        number,
        address: BOB.into(),
        sender: ALICE.into(),
        from: ALICE.into(),
        network: "global".into(),
        kind: "offer".into(),
        name: format!("message-{number}").into(),
        data: Some(format!("{{\"number\":{number}}}").into()),
        ttl_ms: 300_000,
        is_proven: false,
        is_newest: false,
    }
}
