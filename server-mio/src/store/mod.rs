//! The store of mail: what outlives the process.
//!
//! Owns what the loop asks of a store, the trait [`MailStore`], and the stores that there are: [`postgres`], a client of
//! PostgreSQL. What is to be kept, taken and forgotten is decided by the core alone ([`peerpigeon_core::Question`]); a store
//! carries it out, and answers.
//!
//! The loop never waits for a store: whatever can take its time (names, handshakes, what the database says) is waited for
//! by its sockets and deadlines, or on a thread of the store's own.

mod counters;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod url;

pub use counters::{QuestionKind, QuestionOutcome, StoreCounters};
pub(crate) use url::Encryption;
pub use url::StoreUrl;

use crate::net::Net;
use core::fmt;
use peerpigeon_core::{Letter, Question, QuestionId, StoreAnswer, Time, UnixMillis};

/// A store of mail, as the loop drives it: questions in by [`MailStore::ask`], answers out by [`MailStore::poll`].
///
/// A store begins down. While it is down it answers every question with [`StoreAnswer::Failed`], at once.
pub trait MailStore<N: Net>: fmt::Debug {
    /// Takes in a question. Answered exactly once.
    fn ask(&mut self, now: Time, wall: UnixMillis, id: QuestionId, question: &Question);

    /// Its socket, which is registered under [`STORE_KEY`], can be read or written again, or another thread has something for it.
    fn note_ready(&mut self);

    /// Reads what has come, connects, and ends what takes too long. Once in a turn; reads no more than a bounded part.
    fn read(&mut self, net: &mut N, now: Time, wall: UnixMillis);

    /// Writes what was asked in this turn.
    fn write(&mut self, net: &mut N, now: Time);

    /// The next thing that the core is to be told. What it causes may be further questions.
    fn poll(&mut self) -> Option<StoreEvent>;

    /// When [`MailStore::read`] must be called at the latest.
    fn deadline(&self) -> Option<Time>;

    /// Questions that are not answered yet.
    fn pending(&self) -> usize;

    /// What it has done so far, and how it is.
    fn counters(&self) -> &StoreCounters;
}

/// What a store tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// It can be asked from now on.
    Up,
    /// It cannot any more. Everything that was asked is answered.
    Down,
    /// It answers a question.
    Answered(QuestionId, OwnedAnswer),
}

/// A [`StoreAnswer`] that owns its letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedAnswer {
    /// [`StoreAnswer::Stored`]
    Stored,
    /// [`StoreAnswer::Taken`]
    Taken(Vec<Letter>),
    /// [`StoreAnswer::Gone`]
    Gone(u64),
    /// [`StoreAnswer::Failed`]
    Failed,
    /// [`StoreAnswer::Unknown`]
    Unknown,
}

impl OwnedAnswer {
    /// As the core takes it.
    #[must_use]
    pub fn borrowed(&self) -> StoreAnswer<'_> {
        match self {
            OwnedAnswer::Stored => StoreAnswer::Stored,
            OwnedAnswer::Taken(letters) => StoreAnswer::Taken(letters),
            OwnedAnswer::Gone(count) => StoreAnswer::Gone(*count),
            OwnedAnswer::Failed => StoreAnswer::Failed,
            OwnedAnswer::Unknown => StoreAnswer::Unknown,
        }
    }
}

/// Under which a store registers its socket: above every key of a client.
pub const STORE_KEY: usize = usize::MAX / 8;
