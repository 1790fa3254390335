//! What the store of mail was asked and has not answered.
//!
//! A question has an id that is never used again, a deadline, and a [`Continuation`] that says what becomes of the answer. What
//! was asked in vain and must be done all the same, before anything else, is [owed](Questions::owe).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use crate::mail::receipts::Receipts;
use crate::timers::{Deadline, NO_CONN, Patience, Timers};
use crate::wire::MessageId;
use crate::worst_case::{boxed, tree};
use crate::{ConnId, Grant, Limits, PeerId, Question, QuestionId, Spelling, Time, TimerKind};

/// What becomes of an answer.
#[derive(Debug)]
pub(crate) enum Continuation {
    /// Whether a mail is kept.
    Put { to: PeerId, id: MessageId },
    /// What waited for a peer that has come for it.
    Take { peer: PeerId, taker: Taker },
    /// Whether a frame of dialect PSP is kept.
    PutFrame { to: PeerId, id: MessageId },
    /// What waited for the member that this connection is.
    TakeFrames { conn: ConnId, address: Box<str> },
    /// It must be asked again where it was in vain.
    Owed(Question),
    /// Nothing.
    Ignore,
}

/// Who has come for mail.
#[derive(Debug)]
pub(crate) enum Taker {
    /// Whoever is announced under this id.
    Session {
        /// It has proven its id.
        is_proven: bool,
    },
    /// An HTTP request.
    Poll {
        conn: ConnId,
        peer: Spelling,
        /// What its token allows.
        grant: Box<Grant>,
    },
}

/// Who is told that a mail is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    Nobody,
    /// The sender of the message, if it is still there.
    Sender(ConnId),
    /// The HTTP request that it came with.
    Post(ConnId),
}

/// An HTTP request whose answer waits for the store.
#[derive(Debug)]
enum Request {
    Post {
        status: u16,
        reply: String,
        /// Of how many mails it is not known yet whether they are kept.
        mails: usize,
    },
    Poll,
}

/// Whether there is any use in asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The driver cannot reach it.
    #[default]
    Down,
    Up,
    /// It does not answer.
    Stalled,
}

#[derive(Debug)]
struct Open {
    due: Time,
    continuation: Continuation,
}

#[derive(Debug, Default)]
pub(crate) struct Questions {
    state: State,
    last: u64,
    open: BTreeMap<QuestionId, Open>,
    /// Mails that the store is asked to keep, and who waits to be told. What was sent to many has one id.
    puts: BTreeMap<(MessageId, PeerId), Receipt>,
    /// Whose mail is under way, by which questions.
    takes: BTreeSet<(PeerId, QuestionId)>,
    requests: BTreeMap<ConnId, Request>,
    owed: BTreeSet<Question>,
    /// The same, but not before there is a reason to hope for more.
    owed_later: BTreeSet<Question>,
    deadline: Deadline,
    patience: Patience,
}

/// So many mails may be under way to the store at once.
const MOST_PUTS: usize = 256;

/// So many may be owed. One more, and everything that waits in the store is to be forgotten.
const MOST_OWED: usize = Limits::STORE_QUESTIONS;

impl Questions {
    /// The driver reaches the store, or does so no longer.
    pub(crate) fn set_up(&mut self, is_up: bool) {
        self.state = if is_up { State::Up } else { State::Down };
    }

    /// The store has said something, and so it can be asked again. Returns whether that is news.
    pub(crate) fn heard(&mut self) -> bool {
        let is_news = self.state == State::Stalled;
        if is_news {
            self.state = State::Up;
        }
        self.patience = Patience::Fresh;
        is_news
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Whether one more question may be asked.
    pub(crate) fn may_ask(&self) -> bool {
        self.is_up() && self.open.len() < Limits::STORE_QUESTIONS
    }

    /// Whether mail may be fetched: not before what is owed.
    pub(crate) fn may_take(&self) -> bool {
        self.may_ask() && self.owed.is_empty() && self.owed_later.is_empty()
    }

    /// Whether one more mail may be put.
    pub(crate) fn may_put(&self) -> bool {
        self.may_take() && self.puts.len() < MOST_PUTS
    }

    /// Opens a question; returns its id.
    pub(crate) fn open(&mut self, continuation: Continuation, now: Time, limits: &Limits) -> QuestionId {
        self.last += 1;
        match &continuation {
            Continuation::Put { to, id } | Continuation::PutFrame { to, id } => {
                self.puts.insert((*id, *to), Receipt::Nobody);
            }
            Continuation::Take { peer, taker } => {
                self.takes.insert((*peer, QuestionId(self.last)));
                if let Taker::Poll { conn, .. } = taker {
                    self.requests.insert(*conn, Request::Poll);
                }
            }
            Continuation::TakeFrames { .. } | Continuation::Owed(_) | Continuation::Ignore => {}
        }
        let id = QuestionId(self.last);
        self.open.insert(id, Open { due: now + limits.store_timeout_ms.max(1), continuation });
        id
    }

    /// A question is answered. Returns what becomes of it, unless nobody waits for it any more.
    pub(crate) fn close(&mut self, id: QuestionId) -> Option<Continuation> {
        let Open { continuation, .. } = self.open.remove(&id)?;
        if let Continuation::Take { peer, .. } = &continuation {
            self.takes.remove(&(*peer, id));
        }
        Some(continuation)
    }

    /// The first question that has not been answered in time, if there is one: the store does not answer.
    pub(crate) fn overdue(&mut self, now: Time) -> Option<QuestionId> {
        let (id, _) = self.open.first_key_value().filter(|(_, open)| open.due <= now)?;
        self.state = if self.is_up() { State::Stalled } else { self.state };
        Some(*id)
    }

    /// Whether what is overdue is waited for once more, since the driver comes late.
    pub(crate) fn is_extended(&mut self, due: Time, now: Time) -> bool {
        self.deadline = Deadline::NONE;
        let Some(later) = self.patience.extend(due, now) else { return false };
        for open in self.open.values_mut() {
            open.due = open.due.max(later);
        }
        true
    }

    /// The first question that mail of this peer is under way by.
    fn first_take(&self, peer: &PeerId) -> Option<QuestionId> {
        let of_peer = (*peer, QuestionId(0))..=(*peer, QuestionId(u64::MAX));
        self.takes.range(of_peer).next().map(|(_, id)| *id)
    }

    /// Whether older mail of this peer is under way than what this question was for.
    pub(crate) fn is_taking_before(&self, peer: &PeerId, id: QuestionId) -> bool {
        self.first_take(peer).is_some_and(|first| first < id)
    }

    /// Whether mail of this peer is under way.
    pub(crate) fn is_taking(&self, peer: &PeerId) -> bool {
        self.first_take(peer).is_some()
    }

    /// Whether the store is asked to keep a mail, and has not answered.
    pub(crate) fn is_putting(&self, to: PeerId, id: MessageId) -> bool {
        self.puts.contains_key(&(id, to))
    }

    /// Tells somebody when it is known that a mail is kept. Returns whether there is something to wait for.
    pub(crate) fn tell_when_kept(&mut self, id: MessageId, receipt: Receipt) -> bool {
        let of_id = (id, PeerId([0; 20]))..=(id, PeerId([0xFF; 20]));
        let Some((_, waiting)) = self.puts.range_mut(of_id).next() else { return false };
        *waiting = receipt;
        true
    }

    /// A mail is kept, in the store or here. Returns whom to tell.
    pub(crate) fn kept(&mut self, to: PeerId, id: MessageId) -> Receipt {
        self.puts.remove(&(id, to)).unwrap_or(Receipt::Nobody)
    }

    /// Keeps the answer to a request until it is known that so many mails are kept.
    pub(crate) fn keep_reply(&mut self, conn: ConnId, status: u16, reply: String, mails: usize) {
        self.requests.insert(conn, Request::Post { status, reply, mails });
    }

    /// One more mail of a request is kept. Returns the answer when it was the last one.
    pub(crate) fn one_kept(&mut self, conn: ConnId) -> Option<(u16, String)> {
        let Some(Request::Post { mails, .. }) = self.requests.get_mut(&conn) else { return None };
        *mails -= 1;
        if *mails > 0 {
            return None;
        }
        match self.requests.remove(&conn) {
            Some(Request::Post { status, reply, .. }) => Some((status, reply)),
            Some(Request::Poll) | None => None,
        }
    }

    /// Whether the answer to a request waits for the store.
    pub(crate) fn has_request(&self, conn: ConnId) -> bool {
        self.requests.contains_key(&conn)
    }

    /// A request is answered, or was given up. Returns whether it waited.
    pub(crate) fn end_request(&mut self, conn: ConnId) -> bool {
        self.requests.remove(&conn).is_some()
    }

    /// What must be done as soon as the store can be asked: again, where it was asked in vain; else for the first time.
    pub(crate) fn owe(&mut self, question: Question, was_asked: bool) {
        if self.owed.len() + self.owed_later.len() >= MOST_OWED {
            self.owed.clear();
            self.owed_later.clear();
            self.owed_later.insert(Question::DiscardAll);
        }
        if self.owed_later.contains(&Question::DiscardAll) {
            return;
        }
        let owed = if was_asked || !self.is_up() { &mut self.owed_later } else { &mut self.owed };
        owed.insert(question);
    }

    /// Takes what is to be asked next.
    pub(crate) fn next_owed(&mut self) -> Option<Question> {
        if self.may_ask() { self.owed.pop_first() } else { None }
    }

    /// What was in vain may be asked again now.
    pub(crate) fn try_again(&mut self) {
        self.owed.append(&mut self.owed_later);
    }

    /// Sees to it that the first question is looked at when it is due.
    pub(crate) fn arm(&mut self, timers: &mut Timers) {
        let due = self.open.first_key_value().map(|(_, open)| open.due);
        let deadline = due.map_or(Deadline::NONE, |due| Deadline::at(due, TimerKind::Store));
        timers.change(core::mem::replace(&mut self.deadline, deadline), deadline, NO_CONN);
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// The most memory that these can take, with the copies of mails that are under way. The answers that wait are of requests
    /// that the driver knows.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        if limits.store_timeout_ms == 0 {
            return 0;
        }
        let open = tree(8 + size_of::<Open>()) + tree(20) + boxed(200);
        let put = tree(28 + size_of::<Receipt>()) + boxed(limits.mailbox_bytes.into());
        let owed = tree(size_of::<Question>()) + boxed(200);
        Limits::STORE_QUESTIONS as u64 * open
            + MOST_PUTS as u64 * put
            + MOST_OWED as u64 * owed
            + Receipts::worst_case(MOST_PUTS)
    }

    /// Checks every invariant; returns how many deadlines there are.
    ///
    /// # Panics
    ///
    /// When one does not hold.
    pub(crate) fn check(&self, timers: &Timers) -> usize {
        assert!(self.open.len() <= Limits::STORE_QUESTIONS && self.puts.len() <= MOST_PUTS);
        assert!(self.owed.len() + self.owed_later.len() <= MOST_OWED);
        assert_eq!(self.open.is_empty(), self.deadline == Deadline::NONE);
        let (mut puts, mut takes) = (0, 0);
        for open in self.open.values() {
            match &open.continuation {
                Continuation::Put { to, id } | Continuation::PutFrame { to, id } => {
                    puts += 1;
                    assert!(self.puts.contains_key(&(*id, *to)));
                }
                Continuation::Take { peer, .. } => {
                    takes += 1;
                    assert!(self.first_take(peer).is_some());
                }
                Continuation::TakeFrames { .. } | Continuation::Owed(_) | Continuation::Ignore => {}
            }
        }
        assert_eq!((puts, takes), (self.puts.len(), self.takes.len()));
        timers.check(self.deadline, NO_CONN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { store_timeout_ms: 100, ..Limits::default() }
    }

    fn up() -> Questions {
        let mut questions = Questions::default();
        questions.set_up(true);
        questions
    }

    fn discard(number: usize) -> Question {
        Question::Discard { address: alloc::format!("{number}").into(), is_proven: false }
    }

    #[test]
    fn no_id_is_used_twice_and_an_answer_counts_once() {
        let mut questions = up();
        let [first, second] = [(); 2].map(|()| questions.open(Continuation::Ignore, Time(1), &limits()));
        assert_ne!(first, second);
        assert!(questions.close(first).is_some() && questions.close(first).is_none());
        assert_ne!(questions.open(Continuation::Ignore, Time(1), &limits()), first);
    }

    #[test]
    fn one_that_is_overdue_shows_that_the_store_stalls_until_it_says_something() {
        let mut questions = up();
        let id = questions.open(Continuation::Ignore, Time(1), &limits());
        assert_eq!(questions.overdue(Time(100)), None);
        assert!(questions.is_up());
        assert_eq!(questions.overdue(Time(101)), Some(id));
        assert!(!questions.is_up() && !questions.may_ask());
        assert!(questions.heard() && questions.is_up() && !questions.heard());
    }

    #[test]
    fn a_driver_that_comes_late_is_waited_for_once() {
        let mut questions = up();
        questions.open(Continuation::Ignore, Time(1), &limits());
        assert!(questions.is_extended(Time(101), Time(5_000)));
        assert_eq!(questions.overdue(Time(5_999)), None);
        assert!(!questions.is_extended(Time(6_000), Time(60_000)));
        assert!(questions.overdue(Time(6_000)).is_some());
    }

    #[test]
    fn what_is_owed_comes_first_and_what_was_in_vain_not_before_there_is_hope() {
        let mut questions = up();
        questions.owe(discard(1), true);
        questions.owe(discard(2), false);
        assert!(!questions.may_take() && questions.may_ask());
        assert_eq!(questions.next_owed(), Some(discard(2)));
        assert_eq!(questions.next_owed(), None);
        assert!(!questions.may_take());
        questions.try_again();
        assert_eq!(questions.next_owed(), Some(discard(1)));
        assert!(questions.may_take() && questions.may_put());
    }

    #[test]
    fn who_owes_too_much_owes_everything_and_nothing_else() {
        let mut questions = Questions::default();
        (0..=MOST_OWED).for_each(|number| questions.owe(discard(number), false));
        questions.owe(discard(0), false);
        questions.set_up(true);
        questions.try_again();
        assert_eq!((questions.next_owed(), questions.next_owed()), (Some(Question::DiscardAll), None));
    }

    #[test]
    fn a_post_is_answered_with_the_last_of_its_mails() {
        let mut questions = up();
        let put = |id| Continuation::Put { to: PeerId::default(), id: MessageId(id) };
        for id in [1, 2] {
            questions.open(put(id), Time(1), &limits());
            assert!(questions.tell_when_kept(MessageId(id), Receipt::Post(ConnId(7))));
        }
        assert!(!questions.tell_when_kept(MessageId(3), Receipt::Post(ConnId(7))), "nobody was asked");
        questions.keep_reply(ConnId(7), 200, "both".into(), 2);
        assert_eq!(questions.kept(PeerId::default(), MessageId(2)), Receipt::Post(ConnId(7)));
        assert_eq!(questions.one_kept(ConnId(7)), None);
        assert_eq!(questions.one_kept(ConnId(7)), Some((200, "both".into())));
        assert_eq!((questions.one_kept(ConnId(7)), questions.has_request(ConnId(7))), (None, false));
    }

    #[test]
    fn no_more_are_asked_than_may_be_open() {
        let mut questions = up();
        while questions.may_ask() {
            questions.open(Continuation::Ignore, Time(1), &limits());
        }
        assert_eq!(questions.len(), Limits::STORE_QUESTIONS);
        let mut questions = up();
        for id in 0.. {
            if !questions.may_put() {
                break;
            }
            questions.open(
                Continuation::Put { to: PeerId::default(), id: MessageId(id) },
                Time(1),
                &limits(),
            );
        }
        assert_eq!(questions.len(), MOST_PUTS);
    }
}
