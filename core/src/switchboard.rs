//! The two doors.

use crate::{Census, Input, Limits, Output, Time, UnixMillis};

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKind {
    /// A held connection is let in or closed.
    Hold,
    /// A silent peer is pinged or closed.
    Liveness,
    /// A peer is introduced again.
    Reintroduce,
    /// Expired state is swept.
    Sweep,
    /// The next part of a drain.
    Drain,
}

/// Who is here, who knows whom, and what is to be sent to whom.
#[derive(Debug)]
pub struct Switchboard {
    limits: Limits,
    boot: UnixMillis,
}

impl Switchboard {
    /// An empty switchboard; `boot` is the wall time of `Time(0)`.
    #[must_use]
    pub fn new(limits: Limits, boot: UnixMillis) -> Self {
        Switchboard { limits, boot }
    }

    /// Fires every deadline due at or before `now`, then applies `input`. Never fails: a refusal is an output.
    ///
    /// `now` must not lie before the `now` of an earlier call; one that does counts as that earlier one.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        let _ = (now, input, &self.limits, self.boot);
    }

    /// The next thing to do, first in, first out; does no work. Drain to `None` before the next
    /// [`Switchboard::handle`].
    pub fn poll_output(&mut self) -> Option<Output<'_>> {
        None
    }

    /// When to call [`Switchboard::handle`] next at the latest, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, TimerKind)> {
        None
    }

    /// Gauges.
    #[must_use]
    pub fn census(&self) -> Census {
        Census::default()
    }

    /// Checks every invariant, at a cost that grows with everything there is.
    ///
    /// # Panics
    ///
    /// When one does not hold: a fault of this crate, never of a peer.
    pub fn check_invariants(&self) {}
}
