//! Reading the settings again while the server runs.

use crate::program::settings::{Settings, SettingsError};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io, thread};

/// Has the settings read again by a thread of its own: their file may lie on a disk that hangs, or be a pipe that nobody
/// writes to, and neither the loop nor whoever hears signals may wait for it.
#[derive(Clone)]
pub(super) struct Rereading(Arc<Shared>);

struct Shared {
    read: Box<dyn Fn() -> Result<Settings, SettingsError> + Send + Sync>,
    wake: Box<dyn Fn() -> io::Result<()> + Send + Sync>,
    /// How often it was asked for since nobody was reading.
    asked: AtomicU64,
    /// What was read and not taken.
    done: Mutex<Option<Result<Settings, SettingsError>>>,
}

impl fmt::Debug for Rereading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rereading").field("asked", &self.0.asked).finish_non_exhaustive()
    }
}

impl Rereading {
    /// `read` reads the settings, and `wake` wakes the loop when that is done.
    #[must_use]
    pub(super) fn new(
        read: impl Fn() -> Result<Settings, SettingsError> + Send + Sync + 'static,
        wake: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Rereading {
        let (read, wake) = (Box::new(read), Box::new(wake));
        Rereading(Arc::new(Shared { read, wake, asked: AtomicU64::new(0), done: Mutex::new(None) }))
    }

    /// Has them read, without waiting for that. While they are being read they will be read once more afterwards.
    ///
    /// # Errors
    ///
    /// When the system has no thread for it.
    pub(super) fn ask(&self) -> io::Result<()> {
        if self.0.asked.fetch_add(1, Ordering::AcqRel) > 0 {
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        let spawned = thread::Builder::new().name("reload".to_owned()).spawn(move || shared.read_all());
        if spawned.is_err() {
            self.0.asked.store(0, Ordering::Release);
        }
        spawned.map(drop)
    }

    /// What was read since the last time.
    pub(super) fn take(&self) -> Option<Result<Settings, SettingsError>> {
        self.0.done.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Shared {
    /// Reads until nobody has asked in the meantime.
    fn read_all(&self) {
        loop {
            let asked = self.asked.load(Ordering::Acquire);
            let read = (self.read)();
            *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
            if let Err(error) = (self.wake)() {
                log::error!("the event loop cannot be woken: {error}");
            }
            if self.asked.compare_exchange(asked, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn whoever_asks_does_not_wait_and_what_was_asked_for_meanwhile_is_read_once_more() {
        let (tell_begun, begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (tell_woken, woken) = mpsc::channel();
        let may_go_on = Mutex::new(may_go_on);
        let read = move || {
            tell_begun.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
            Err(SettingsError::UnexpectedValue { name: "x".to_owned() })
        };
        let rereading = Rereading::new(read, move || tell_woken.send(()).map_err(io::Error::other));
        rereading.ask().unwrap();
        begun.recv().unwrap();
        // It hangs, and nobody who asks does.
        rereading.ask().unwrap();
        rereading.ask().unwrap();
        assert!(rereading.take().is_none());
        for _ in 0..2 {
            go_on.send(()).unwrap();
            woken.recv().unwrap();
            assert!(rereading.take().is_some_and(|read| read.is_err()));
        }
        begun.recv().unwrap();
        assert!(begun.recv_timeout(Duration::ZERO).is_err(), "three were asked for, two were read");
        rereading.ask().unwrap();
        begun.recv().unwrap();
        go_on.send(()).unwrap();
        woken.recv().unwrap();
        assert!(rereading.take().is_some());
    }
}
