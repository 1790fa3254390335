//! What other threads ask of the loop.

use mio::Waker;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What other threads ask for.
#[derive(Debug)]
pub(super) struct Wishes {
    pub(super) waker: Waker,
    pub(super) stop: AtomicBool,
    pub(super) reload: AtomicBool,
}

/// Asks a running server to end, or to look at its certificate, from any thread.
#[derive(Clone, Debug)]
pub struct StopHandle(pub(super) Arc<Wishes>);

impl StopHandle {
    /// Begins the drain. Further calls change nothing.
    ///
    /// # Errors
    ///
    /// When the system cannot wake the loop.
    pub fn stop(&self) -> io::Result<()> {
        self.0.stop.store(true, Ordering::Relaxed);
        self.0.waker.wake()
    }

    /// Has the files of the certificate read again, changed or not.
    ///
    /// # Errors
    ///
    /// As [`StopHandle::stop`].
    pub fn reload_certificate(&self) -> io::Result<()> {
        self.0.reload.store(true, Ordering::Relaxed);
        self.0.waker.wake()
    }

    /// Makes the loop turn once, though nothing has happened.
    ///
    /// # Errors
    ///
    /// As [`StopHandle::stop`].
    pub fn wake(&self) -> io::Result<()> {
        self.0.waker.wake()
    }
}
