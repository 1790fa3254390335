//! What a store has done.

use crate::observe::Histogram;
use crate::store::OwnedAnswer;
use peerpigeon_core::{Question, Time};

/// The kinds of [`Question`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionKind {
    /// [`Question::Put`]
    Put,
    /// [`Question::Take`]
    Take,
    /// [`Question::Discard`]
    Discard,
    /// [`Question::DiscardAll`]
    DiscardAll,
    /// [`Question::Forget`]
    Forget,
    /// [`Question::Sweep`]
    Sweep,
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionOutcome {
    /// It was done.
    Done,
    /// It was not done.
    Failed,
    /// Nobody knows.
    Unknown,
}

/// Counters of a store since the start, and how it is.
#[derive(Clone, Debug, Default)]
pub struct StoreCounters {
    /// Whether it can be asked.
    pub is_up: bool,
    /// Since when that is so.
    pub since: Time,
    /// Why it is down, or was the last time; a line without secrets.
    pub cause: Option<String>,
    /// From a question to its answer.
    pub answer_times: Histogram,
    /// Times that a connection was made.
    pub connections: u64,
    /// Letters that were put.
    pub put: u64,
    /// Letters that were taken and had time left.
    pub taken: u64,
    /// Letters that a sweep deleted, or that had no time left when they were taken.
    pub expired: u64,
    outcomes: [[u64; QuestionOutcome::ALL.len()]; QuestionKind::ALL.len()],
}

impl StoreCounters {
    /// Counts one answer, so many milliseconds after its question.
    pub fn count(&mut self, kind: QuestionKind, answer: &OwnedAnswer, millis: u64) {
        let outcome = match answer {
            OwnedAnswer::Stored | OwnedAnswer::Taken(_) | OwnedAnswer::Gone(_) => QuestionOutcome::Done,
            OwnedAnswer::Failed => QuestionOutcome::Failed,
            OwnedAnswer::Unknown => QuestionOutcome::Unknown,
        };
        self.outcomes[kind as usize][outcome as usize] += 1;
        if outcome == QuestionOutcome::Done {
            self.answer_times.note(millis.saturating_mul(1_000), 1);
        }
        match answer {
            OwnedAnswer::Gone(count) if kind == QuestionKind::Sweep => self.expired += count,
            OwnedAnswer::Stored => self.put += 1,
            OwnedAnswer::Taken(letters) => {
                let late = letters.iter().filter(|letter| letter.ttl_ms == 0).count() as u64;
                self.expired += late;
                self.taken += letters.len() as u64 - late;
            }
            OwnedAnswer::Gone(_) | OwnedAnswer::Failed | OwnedAnswer::Unknown => {}
        }
    }

    /// How many letters were put, taken, and not taken in time.
    pub fn letters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [("put", self.put), ("taken", self.taken), ("expired", self.expired)].into_iter()
    }

    /// How many questions ended how.
    pub fn outcomes(&self) -> impl Iterator<Item = (QuestionKind, QuestionOutcome, u64)> {
        QuestionKind::ALL.into_iter().flat_map(move |kind| {
            QuestionOutcome::ALL
                .into_iter()
                .map(move |outcome| (kind, outcome, self.outcomes[kind as usize][outcome as usize]))
        })
    }
}

impl QuestionKind {
    /// All of them, in the order of their declaration.
    pub const ALL: [QuestionKind; 6] = [
        QuestionKind::Put,
        QuestionKind::Take,
        QuestionKind::Discard,
        QuestionKind::DiscardAll,
        QuestionKind::Forget,
        QuestionKind::Sweep,
    ];

    /// What it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            QuestionKind::Put => "put",
            QuestionKind::Take => "take",
            QuestionKind::Discard => "discard",
            QuestionKind::DiscardAll => "discard-all",
            QuestionKind::Forget => "forget",
            QuestionKind::Sweep => "sweep",
        }
    }
}

impl From<&Question> for QuestionKind {
    fn from(question: &Question) -> QuestionKind {
        match question {
            Question::Put(_) => QuestionKind::Put,
            Question::Take { .. } => QuestionKind::Take,
            Question::Discard { .. } => QuestionKind::Discard,
            Question::DiscardAll => QuestionKind::DiscardAll,
            Question::Forget { .. } => QuestionKind::Forget,
            Question::Sweep => QuestionKind::Sweep,
        }
    }
}

impl QuestionOutcome {
    /// All of them, in the order of their declaration.
    pub const ALL: [QuestionOutcome; 3] =
        [QuestionOutcome::Done, QuestionOutcome::Failed, QuestionOutcome::Unknown];

    /// What it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            QuestionOutcome::Done => "done",
            QuestionOutcome::Failed => "failed",
            QuestionOutcome::Unknown => "unknown",
        }
    }
}
