//! What other threads tell the loop: one queue, and one waker.

use crate::net::tls::TlsConfig;
use crate::program::settings::{Settings, SettingsError};
use core::mem::discriminant;
use mio::Waker;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Everything that can come from another thread.
#[derive(Debug)]
pub(crate) enum Control {
    /// The process is asked to end.
    Stop,
    /// The operator wants settings and certificate read again.
    Reload,
    /// The settings have been read again, or are wrong.
    Settings(Box<Result<Settings, SettingsError>>),
    /// The certificate has been read again.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is none"))]
    Certificate(TlsConfig),
    /// There is something for the store of mail, which knows where.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "there is none"))]
    Store,
    /// There is something for the bus between nodes, which knows where.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "there is none"))]
    Bus,
}

/// Reaches a server that runs, from any thread.
#[derive(Clone, Debug)]
pub struct ControlHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waker: Waker,
    /// One of a kind at most: of two the later one holds. So its length is bounded, and nobody who has something to tell
    /// ever waits, whatever the loop does.
    queue: Mutex<Vec<Control>>,
}

impl ControlHandle {
    pub(super) fn new(waker: Waker) -> ControlHandle {
        ControlHandle(Arc::new(Shared { waker, queue: Mutex::default() }))
    }

    /// Begins the drain. Further calls change nothing.
    ///
    /// # Errors
    ///
    /// When the system cannot wake the loop.
    pub fn stop(&self) -> io::Result<()> {
        self.send(Control::Stop)
    }

    /// Tells the loop, and wakes it.
    ///
    /// # Errors
    ///
    /// When the system cannot wake the loop; what was told waits until it turns.
    pub(crate) fn send(&self, control: Control) -> io::Result<()> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.retain(|waiting| discriminant(waiting) != discriminant(&control));
        queue.push(control);
        drop(queue);
        self.0.waker.wake()
    }

    /// The first that `takes` wants, out of the queue.
    pub(crate) fn take(&self, takes: impl Fn(&Control) -> bool) -> Option<Control> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let first = queue.iter().position(takes)?;
        Some(queue.remove(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};

    #[test]
    fn of_what_is_told_again_and_again_the_last_one_waits_and_nothing_is_lost() {
        let poll = Poll::new().unwrap();
        let handle = ControlHandle::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let wrong = |name: &str| {
            Control::Settings(Box::new(Err(SettingsError::UnexpectedValue { name: name.to_owned() })))
        };
        handle.stop().unwrap();
        for i in 0..1_000 {
            handle.send(Control::Reload).unwrap();
            handle.send(wrong(&i.to_string())).unwrap();
        }
        assert_eq!(handle.0.queue.lock().unwrap().len(), 3);
        let settings = handle.take(|control| matches!(control, Control::Settings(_)));
        assert!(
            matches!(settings, Some(Control::Settings(read)) if read.as_ref().as_ref().unwrap_err().to_string().contains("999"))
        );
        assert!(matches!(handle.take(|_| true), Some(Control::Stop)));
        assert!(matches!(handle.take(|_| true), Some(Control::Reload)));
        assert!(handle.take(|_| true).is_none());
    }
}
