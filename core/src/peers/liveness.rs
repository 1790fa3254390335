//! Who is still there: silent peers are pinged, and those who stay silent are closed.
//!
//! Any message, ping or pong counts as life. Hearing a peer moves no deadline, since that happens for every
//! message: a deadline that comes too early just looks at the time of the last sign and is armed again.

use super::Peer;
use crate::timers::{Deadline, Patience, around};
use crate::{Limits, Time, TimerKind};

/// Silence that ends a peer without a connection where no `PEER_TIMEOUT` is set.
const HTTP_PEER_TIMEOUT_MS: u64 = 300_000;

/// What the last look for signs of life found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Liveness {
    /// Nothing to complain about.
    #[default]
    Quiet,
    /// Pinged, and not heard since.
    Pinged,
}

/// What is to be done about a peer whose deadline has fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LivenessAction {
    /// Look again then, if at all.
    Again(Option<Time>),
    /// The same, and ping it now.
    Ping(Option<Time>),
    /// It is not there any more.
    Close,
}

impl Peer {
    /// When it is looked for signs of life of a peer that has just come.
    pub(crate) fn first_look(&self, limits: &Limits) -> Option<Time> {
        [self.ping_due(self.last_seen, limits), self.dead_at(limits)].into_iter().flatten().min()
    }

    /// The silence of a peer begins anew.
    pub(crate) fn note_life(&mut self, now: Time) {
        (self.last_seen, self.liveness, self.patience) = (now, Liveness::Quiet, Patience::Fresh);
    }

    /// A peer is pinged: its pong costs it nothing.
    pub(crate) fn ask(&mut self) {
        self.awaiting_pong = true;
    }

    /// A control frame has come. Returns whether it may be the answer to a ping.
    pub(crate) fn answer(&mut self) -> bool {
        core::mem::take(&mut self.awaiting_pong)
    }

    /// A deadline for signs of life has fired, which was due then.
    pub(crate) fn look_for_life(&mut self, due: Time, now: Time, limits: &Limits) -> LivenessAction {
        let dead = self.dead_at(limits);
        if self.liveness != Liveness::Quiet || dead.is_some_and(|dead| dead <= now) {
            return self
                .patience
                .extend(due, now)
                .map_or(LivenessAction::Close, |due| LivenessAction::Again(Some(due)));
        }
        let earlier = |next: Option<Time>| [next, dead].into_iter().flatten().min();
        match self.ping_due(self.last_seen, limits) {
            Some(ping_due) if ping_due <= now => {
                LivenessAction::Ping(earlier(match limits.pong_timeout_ms {
                    0 => self.ping_due(now, limits),
                    timeout => {
                        self.liveness = Liveness::Pinged;
                        Some(now + timeout)
                    }
                }))
            }
            ping_due => LivenessAction::Again(earlier(ping_due)),
        }
    }

    /// When it is looked for signs of life next.
    pub(crate) fn set_look(&mut self, due: Option<Time>) {
        self.liveness_deadline = due.map_or(Deadline::NONE, |due| Deadline::at(due, TimerKind::Liveness));
    }

    /// Whether it may be looked at before its time: one that was pinged has a deadline already, and must have all of its
    /// time.
    pub(crate) fn may_be_looked_at_soon(&self) -> bool {
        self.liveness == Liveness::Quiet && self.patience == Patience::Fresh
    }

    /// When a peer is pinged that was heard, or pinged, last at `last`.
    fn ping_due(&self, last: Time, limits: &Limits) -> Option<Time> {
        let interval = limits.ping_interval_ms;
        (interval > 0 && self.poll_queue.is_none()).then(|| around(last, interval, self.conn))
    }

    /// When a peer that stays silent is closed in any case.
    fn dead_at(&self, limits: &Limits) -> Option<Time> {
        let timeout = match limits.peer_timeout_ms {
            // Nothing else would ever tell that a peer without a connection is gone.
            0 if self.poll_queue.is_some() => HTTP_PEER_TIMEOUT_MS,
            timeout => timeout,
        };
        (timeout > 0).then(|| self.last_seen + timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect;
    use crate::{ConnId, Spelling};
    use alloc::boxed::Box;

    const LIMITS: fn() -> Limits = || Limits {
        ping_interval_ms: 1_000,
        pong_timeout_ms: 500,
        peer_timeout_ms: 9_000,
        ..Limits::default()
    };

    fn peer(has_connection: bool) -> Peer {
        let spelling = Spelling::parse(&"a".repeat(40)).unwrap();
        let queue = (!has_connection).then(Box::default);
        Peer::new(ConnId(0), Dialect::A, spelling, queue, Time(0))
    }

    #[test]
    fn a_silent_peer_is_pinged_and_closed_unless_it_is_heard_in_time() {
        let (mut peer, limits) = (peer(true), LIMITS());
        let due = peer.first_look(&limits).unwrap();
        assert_eq!(due, Time(800), "that of this connection");
        let waits = LivenessAction::Ping(Some(Time(1_300)));
        assert_eq!(peer.look_for_life(due, due, &limits), waits);
        peer.note_life(Time(1_299));
        let next = LivenessAction::Again(Some(Time(2_100)));
        assert_eq!(peer.look_for_life(Time(1_300), Time(1_300), &limits), next, "it was heard");
        assert_eq!(
            peer.look_for_life(Time(2_100), Time(2_100), &limits),
            LivenessAction::Ping(Some(Time(2_600)))
        );
        assert_eq!(peer.look_for_life(Time(2_600), Time(2_600), &limits), LivenessAction::Close);
    }

    #[test]
    fn a_driver_that_came_late_ends_nobody_before_it_has_listened_for_a_second() {
        let (mut peer, limits) = (peer(true), LIMITS());
        assert!(peer.may_be_looked_at_soon());
        peer.look_for_life(Time(800), Time(800), &limits);
        assert!(!peer.may_be_looked_at_soon(), "it has its time to answer");
        let again = LivenessAction::Again(Some(Time(6_000)));
        assert_eq!(peer.look_for_life(Time(1_300), Time(5_000), &limits), again);
        assert_eq!(peer.look_for_life(Time(6_000), Time(60_000), &limits), LivenessAction::Close);
    }

    #[test]
    fn a_peer_without_a_connection_is_never_pinged_and_ends_after_a_time_in_any_case() {
        let (mut peer, never) = (peer(false), Limits { peer_timeout_ms: 0, ..LIMITS() });
        assert_eq!(peer.first_look(&LIMITS()), Some(Time(9_000)));
        assert_eq!(peer.first_look(&never), Some(Time(300_000)));
        let again = LivenessAction::Again(Some(Time(300_000)));
        assert_eq!(peer.look_for_life(Time(5_000), Time(5_000), &never), again);
        assert_eq!(peer.look_for_life(Time(300_000), Time(300_000), &never), LivenessAction::Close);
    }

    #[test]
    fn one_frame_is_the_answer_to_a_ping() {
        let mut peer = peer(true);
        assert!(!peer.answer());
        peer.ask();
        assert_eq!([peer.answer(), peer.answer()], [true, false]);
    }
}
