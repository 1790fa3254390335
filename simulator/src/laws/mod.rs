//! What must hold in every run, whatever happens.
//!
//! Each law sees every input, every output and the state between them, and says what is wrong. None of them
//! knows the core's source: they follow the protocol and the core's contract.

mod acquaintance;
mod admission;
mod bounds;
mod delivery;
mod life;
mod liveness;
mod replies;
mod shelves;
mod signals;

use peerpigeon_core::{Census, CloseReason, ConnId, Event, Input, Limits, PeerId, Spelling, Time, TimerKind};

use crate::client::Frame;
use crate::model::Model;
use crate::scenario::Way;
use crate::watch::{Answer, Asked, Ledger, Said};

/// `Err` says what is wrong.
pub(crate) type Verdict = Result<(), String>;

/// Fails with a formatted text unless the condition holds.
macro_rules! demand {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+));
        }
    };
}
pub(crate) use demand;

/// The moment that a law looks at.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) now: Time,
    pub(crate) ledger: &'a Ledger,
}

/// What a message id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// The acknowledgement of a message, and whose it is, where that is known.
    Answer(Option<PeerId>),
    /// A signal, and whom it is from.
    Signal(PeerId),
    /// Anything else that is delivered.
    Other,
}

impl Given {
    pub(crate) fn of(frame: &Frame<'_>, from: &str) -> Given {
        let from = Spelling::parse(from).filter(|_| frame.signal().is_some());
        from.map_or(Given::Other, |from| Given::Signal(*from.id()))
    }
}

/// What has come to rest after one input.
pub(crate) struct Rest {
    pub(crate) census: Census,
    pub(crate) deadline: Option<(Time, TimerKind)>,
    /// Whether to look at everything there is, too; not after every input where there is much.
    pub(crate) thorough: bool,
}

/// Something that must hold. Every method is called before the ledger takes in what it is told, but `input` and
/// `rest`, which are called after.
pub(crate) trait Law {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// An input is about to be handled.
    fn input(&mut self, _: Scene<'_>, _: &Input<'_>, _: Option<&Said<'_>>) -> Verdict {
        Ok(())
    }

    /// A peer says something in an input: over its connection, or in one message of a post.
    fn spoke(&mut self, _: Scene<'_>, _: Spelling, _: Way, _: &Said<'_>) -> Verdict {
        Ok(())
    }

    /// A message id of dialect B goes out; called before what it names is told.
    fn named(&mut self, _: Scene<'_>, _: &str, _: Given) -> Verdict {
        Ok(())
    }

    /// A message of dialect B is acknowledged: to a connection, or in the answer to the post of this input.
    fn answered(&mut self, _: Scene<'_>, _: Option<ConnId>, _: &Answer<'_>) -> Verdict {
        Ok(())
    }

    /// A message is handed to a peer that asked by HTTP; the virtual connection is missing where the peer was
    /// not here and gets its mailbox.
    fn fetched(&mut self, _: Scene<'_>, _: Spelling, _: Option<ConnId>, _: &Frame<'_>) -> Verdict {
        Ok(())
    }

    /// An HTTP request is answered; called after what the answer holds.
    fn replied(&mut self, _: Scene<'_>, _: ConnId, _: &Asked, _: u16) -> Verdict {
        Ok(())
    }

    /// A message went out.
    fn sent(&mut self, _: Scene<'_>, _: ConnId, _: &Frame<'_>) -> Verdict {
        Ok(())
    }

    /// A ping went out.
    fn pinged(&mut self, _: Scene<'_>, _: ConnId) -> Verdict {
        Ok(())
    }

    /// A close went out.
    fn closed(&mut self, _: Scene<'_>, _: ConnId, _: CloseReason) -> Verdict {
        Ok(())
    }

    /// An event was told.
    fn event(&mut self, _: Scene<'_>, _: Event) -> Verdict {
        Ok(())
    }

    /// Everything that one input caused has been seen.
    fn rest(&mut self, _: Scene<'_>, _: &Rest) -> Verdict {
        Ok(())
    }

    /// There has been no fault for long enough: everything must have settled.
    fn calm(&mut self, _: Scene<'_>, _: &Rest) -> Verdict {
        Ok(())
    }

    /// Everybody has left, and everything that is kept has expired.
    fn empty(&mut self, _: Scene<'_>, _: &Rest) -> Verdict {
        Ok(())
    }
}

/// All of them for a switchboard with these settings.
pub(crate) fn all(limits: &Limits) -> Vec<Box<dyn Law>> {
    let mut laws: Vec<Box<dyn Law>> = vec![
        Box::new(life::Life::default()),
        Box::new(bounds::Bounds::new(limits.clone())),
        Box::new(signals::Signals::default()),
        Box::new(delivery::Delivery::new(limits)),
        Box::new(acquaintance::Acquaintance::default()),
        Box::new(liveness::Liveness::new(limits.clone())),
        Box::new(admission::Admission::new(limits.clone())),
        Box::new(replies::Replies::new(limits)),
        Box::new(shelves::Shelves::new(limits.clone())),
    ];
    // It says of each mail when it is due, which with a store nobody can.
    if limits.store_timeout_ms == 0 {
        laws.push(Box::new(Model::new(limits.clone())));
    }
    laws
}
