//! When to accept, and when to let people wait in the kernel's queue.

use crate::observe::LogThrottle;
use peerpigeon_core::Time;
use std::io;

/// Decides whether the loop accepts in this turn.
#[derive(Debug)]
pub(super) struct Acceptor {
    max_sockets: usize,
    /// Somebody may wait: the last accept did not fail with `WouldBlock`.
    is_pending: bool,
    /// The limit was reached, and not enough have gone since.
    is_full: bool,
    /// Out of descriptors or memory; when to try again.
    paused_until: Option<Time>,
    /// Whoever opens and closes sockets at a limit crosses it as often as he likes.
    exhausted_lines: LogThrottle,
    full_lines: LogThrottle,
    free_lines: LogThrottle,
}

impl Acceptor {
    pub(crate) fn new(max_sockets: usize) -> Acceptor {
        Acceptor {
            max_sockets,
            is_pending: false,
            is_full: false,
            paused_until: None,
            exhausted_lines: LogThrottle::default(),
            full_lines: LogThrottle::default(),
            free_lines: LogThrottle::default(),
        }
    }

    /// From now on there may be so many; so many are `open`.
    pub(super) fn set_max_sockets(&mut self, max_sockets: usize, now: Time, open: usize) {
        self.max_sockets = max_sockets;
        self.note_closed(now, open);
    }

    /// The system says that somebody waits.
    pub(super) fn note_pending(&mut self) {
        self.is_pending = true;
    }

    /// Nobody waits any more.
    pub(super) fn note_drained(&mut self) {
        self.is_pending = false;
    }

    /// The system gave a socket.
    pub(super) fn note_accepted(&mut self) {
        self.paused_until = None;
    }

    /// The system could not give another socket. Without a pause the loop would try for ever.
    pub(super) fn note_exhausted(&mut self, now: Time, error: &io::Error) {
        if self.paused_until.is_none()
            && let Some(more) = self.exhausted_lines.pass(now)
        {
            log::warn!("cannot accept, trying again every {PAUSE_MS} ms: {error}{more}");
        }
        self.paused_until = Some(now + PAUSE_MS);
    }

    /// A socket was closed, which is what the system was short of.
    pub(super) fn note_closed(&mut self, now: Time, open: usize) {
        self.paused_until = None;
        if self.is_full && open <= self.max_sockets - self.max_sockets.div_ceil(10) {
            self.is_full = false;
            if let Some(more) = self.free_lines.pass(now) {
                log::info!("accepting again: {open} sockets of at most {}{more}", self.max_sockets);
            }
        }
    }

    /// Whether to accept one more now.
    pub(super) fn may_accept(&mut self, now: Time, open: usize) -> bool {
        if !self.is_full && open >= self.max_sockets {
            self.is_full = true;
            if let Some(more) = self.full_lines.pass(now) {
                log::warn!("{open} sockets, the most there may be: not accepting{more}");
            }
        }
        self.is_pending && !self.is_full && self.paused_until.is_none_or(|until| until <= now)
    }

    /// When to try next; `None` while there is nothing to try.
    pub(super) fn deadline(&self) -> Option<Time> {
        (self.is_pending && !self.is_full).then(|| self.paused_until.unwrap_or_default())
    }
}

const PAUSE_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepting_stops_at_the_limit_and_resumes_below_nine_tenths_of_it() {
        let mut acceptor = Acceptor::new(10);
        acceptor.note_pending();
        assert!(acceptor.may_accept(Time(0), 9));
        assert!(!acceptor.may_accept(Time(0), 10));
        assert_eq!(acceptor.deadline(), None);
        acceptor.note_closed(Time(0), 10);
        assert!(!acceptor.may_accept(Time(0), 9));
        acceptor.note_closed(Time(0), 9);
        assert!(acceptor.may_accept(Time(0), 9));
    }

    #[test]
    fn a_higher_limit_lets_it_accept_again_and_a_lower_one_stops_it() {
        let mut acceptor = Acceptor::new(10);
        acceptor.note_pending();
        assert!(!acceptor.may_accept(Time(0), 10));
        acceptor.set_max_sockets(20, Time(0), 10);
        assert!(acceptor.may_accept(Time(0), 10));
        acceptor.set_max_sockets(5, Time(0), 10);
        assert!(!acceptor.may_accept(Time(0), 10));
    }

    #[test]
    fn without_descriptors_it_waits_a_moment_or_for_a_close() {
        let error = io::ErrorKind::Other.into();
        let mut acceptor = Acceptor::new(10);
        acceptor.note_pending();
        acceptor.note_exhausted(Time(1000), &error);
        assert!(!acceptor.may_accept(Time(1099), 5));
        assert_eq!(acceptor.deadline(), Some(Time(1100)));
        assert!(acceptor.may_accept(Time(1100), 5));
        acceptor.note_exhausted(Time(1100), &error);
        acceptor.note_closed(Time(0), 4);
        assert!(acceptor.may_accept(Time(1100), 4));
    }

    #[test]
    fn there_is_nothing_to_do_while_nobody_waits() {
        let mut acceptor = Acceptor::new(10);
        assert_eq!(acceptor.deadline(), None);
        acceptor.note_pending();
        assert_eq!(acceptor.deadline(), Some(Time(0)));
        acceptor.note_drained();
        assert!(!acceptor.may_accept(Time(0), 0));
    }
}
