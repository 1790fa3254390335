//! What the core asks the store of mail, and what it is answered.
//!
//! The store is whatever outlives the process: a database, a simulated one. The driver hands each [`Question`] of an
//! [`Output::Ask`](crate::Output::Ask) to it, and brings the answer back by
//! [`Input::Answered`](crate::Input::Answered). The core waits for no answer longer than
//! [`Limits::store_timeout_ms`](crate::Limits::store_timeout_ms); one that comes later is ignored.

use alloc::boxed::Box;

/// Number of a question; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub u64);

/// What the store is asked to do. Questions take effect in the order in which they are asked.
///
/// An address is whom mail is for, and a sender whom it is from, both in a form that is the same for one peer whoever writes it.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Keep this letter. To put one number again changes nothing, even if it was taken meanwhile.
    Put(Letter),
    /// Give out all that waits at an address, oldest first. It waits there no longer, and nobody else gets it.
    Take {
        address: Box<str>,
        /// Whoever takes it has proven to be whom it is for: it gets [proven](Letter::is_proven) letters, too.
        is_proven: bool,
    },
    /// Forget what waits at an address.
    Discard {
        address: Box<str>,
        /// Whether [proven](Letter::is_proven) letters go, too.
        is_proven: bool,
    },
    /// Forget what waits at any address.
    DiscardAll,
    /// Forget what waits of one sender.
    Forget {
        /// Of whom.
        sender: Box<str>,
        /// At this address only.
        address: Option<Box<str>>,
        /// Whether [proven](Letter::is_proven) letters go, too.
        is_proven: bool,
    },
    /// Delete what has expired, and what lies beyond the limits.
    Sweep,
}

/// A signal that waits for somebody absent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Letter {
    /// No other letter of this process has it.
    pub number: u64,
    /// Whom it is for.
    pub address: Box<str>,
    /// Whom it is from.
    pub sender: Box<str>,
    /// Whom it is from, as the sender spells it.
    pub from: Box<str>,
    /// The network in which it was sent.
    pub network: Box<str>,
    /// What it is called on the wire, as `offer`.
    pub kind: Box<str>,
    /// What its sender was told it is called.
    pub name: Box<str>,
    /// JSON, to be given back byte for byte; `None` where it had none.
    pub data: Option<Box<str>>,
    /// How much longer it may wait, in milliseconds. Of one that was taken, 0 or less than nothing is left: it has expired.
    pub ttl_ms: u64,
    /// Whom it is for had proven its id: only somebody who has proven it, too, gets it.
    pub is_proven: bool,
    /// Older ones of this kind from this sender, at this address, are forgotten.
    pub is_newest: bool,
}

/// What the store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAnswer<'a> {
    /// To [`Question::Put`]: it is kept, and stays so whatever becomes of this process.
    Stored,
    /// To [`Question::Take`], oldest first.
    Taken(&'a [Letter]),
    /// To everything else: so many letters are gone.
    Gone(u64),
    /// It was not done.
    Failed,
    /// It may have been done or not, as when the connection to a database is lost before its answer.
    Unknown,
}
