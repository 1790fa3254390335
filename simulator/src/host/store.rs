//! A store of mail that answers late, in any order, with errors, twice, or not at all; and that is not always there.

use std::collections::BTreeMap;

use peerpigeon_core::{Input, Letter, Question, QuestionId, StoreAnswer, Time};

use crate::random::Random;
use crate::scenario::StoreKnobs;

/// What it tells the server.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Up,
    Down,
    Stored(QuestionId),
    Taken(QuestionId, Vec<Letter>),
    Gone(QuestionId, u64),
    Failed(QuestionId),
    Unknown(QuestionId),
}

impl Told {
    pub(super) fn input(&self) -> Input<'_> {
        let (id, answer) = match self {
            Told::Up => return Input::Store { is_up: true },
            Told::Down => return Input::Store { is_up: false },
            Told::Stored(id) => (id, StoreAnswer::Stored),
            Told::Taken(id, letters) => (id, StoreAnswer::Taken(letters)),
            Told::Gone(id, count) => (id, StoreAnswer::Gone(*count)),
            Told::Failed(id) => (id, StoreAnswer::Failed),
            Told::Unknown(id) => (id, StoreAnswer::Unknown),
        };
        Input::Answered { id: *id, answer }
    }
}

struct Kept {
    letter: Letter,
    expires: Time,
    is_taken: bool,
}

pub(super) struct Store {
    knobs: StoreKnobs,
    random: Random,
    /// In the order in which they came.
    letters: Vec<Kept>,
    /// What it is going to tell, by when and in which order.
    due: BTreeMap<(Time, u64), Told>,
    serial: u64,
}

impl Store {
    pub(super) fn new(knobs: StoreKnobs, seed: u64) -> Store {
        let mut random = Random::part(seed, STORE_PART);
        let up = Time(random.below(3_000));
        let due = BTreeMap::from([((up, 0), Told::Up)]);
        Store { knobs, random, letters: Vec::new(), due, serial: 0 }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.due.first_key_value().map(|((time, _), _)| *time)
    }

    pub(super) fn pop_due(&mut self, now: Time) -> Option<Told> {
        self.due.first_entry().filter(|entry| entry.key().0 <= now).map(|entry| entry.remove())
    }

    /// There are no faults any more.
    pub(super) fn heal(&mut self, now: Time) {
        self.knobs.fault_percent = 0;
        self.tell(now, 1, Told::Down);
        self.tell(now, 2, Told::Up);
    }

    pub(super) fn ask(&mut self, now: Time, id: QuestionId, question: &Question) {
        let delay = self.random.between(self.knobs.delay_ms.0, self.knobs.delay_ms.1);
        if !self.random.chance(self.knobs.fault_percent.into()) {
            let told = self.obey(now, id, question);
            return self.tell(now, delay, told);
        }
        match self.random.below(5) {
            0 => self.tell(now, delay, Told::Failed(id)),
            1 => {
                let told = self.obey(now, id, question);
                self.tell(now, delay, told.clone());
                self.tell(now, 2 * delay, told);
            }
            // Very late.
            2 => {
                let told = self.obey(now, id, question);
                self.tell(now, 30_000, told);
            }
            // Never; at some time the connection ends.
            3 => {
                self.obey(now, id, question);
                self.lose(now, 10_000);
            }
            _ => {
                if self.random.chance(50) {
                    self.obey(now, id, question);
                }
                self.tell(now, delay, Told::Unknown(id));
                self.lose(now, delay);
            }
        }
    }

    fn lose(&mut self, now: Time, after_ms: u64) {
        let away = self.random.between(1, 20_000);
        self.tell(now, after_ms, Told::Down);
        self.tell(now, after_ms + away, Told::Up);
    }

    fn tell(&mut self, now: Time, after_ms: u64, told: Told) {
        self.serial += 1;
        self.due.insert((now + after_ms.max(1), self.serial), told);
    }

    fn obey(&mut self, now: Time, id: QuestionId, question: &Question) -> Told {
        let taken = match question {
            Question::Put(letter) => {
                if !self.letters.iter().any(|kept| kept.letter.number == letter.number) {
                    let expires = now + letter.ttl_ms;
                    self.letters.push(Kept { letter: letter.clone(), expires, is_taken: false });
                }
                return Told::Stored(id);
            }
            Question::Take { address, is_proven } => {
                let is_wanted =
                    |letter: &Letter| letter.address == *address && (*is_proven || !letter.is_proven);
                return Told::Taken(id, self.take(now, is_wanted));
            }
            Question::Discard { address, is_proven } => {
                self.take(now, |letter| letter.address == *address && (*is_proven || !letter.is_proven))
            }
            Question::DiscardAll => self.take(now, |_| true),
            Question::Forget { sender, address, is_proven } => self.take(now, |letter| {
                letter.sender == *sender
                    && address.as_ref().is_none_or(|address| letter.address == *address)
                    && (*is_proven || !letter.is_proven)
            }),
            Question::Sweep => {
                self.letters.retain(|kept| kept.expires > now);
                Vec::new()
            }
        };
        Told::Gone(id, taken.len() as u64)
    }

    fn take(&mut self, now: Time, is_wanted: impl Fn(&Letter) -> bool) -> Vec<Letter> {
        let wanted = self.letters.iter_mut().filter(|kept| !kept.is_taken && is_wanted(&kept.letter));
        let take = |kept: &mut Kept| {
            kept.is_taken = true;
            Letter { ttl_ms: kept.expires.since(now), ..kept.letter.clone() }
        };
        wanted.map(take).collect()
    }
}

/// Draws from its own part of the seed.
const STORE_PART: u64 = 1 << 47;
