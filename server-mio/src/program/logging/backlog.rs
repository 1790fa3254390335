//! Lines on their way to somebody who may not take them.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between those who have something to say, who never wait, and the thread that writes.
#[derive(Debug, Default)]
pub(super) struct LogBacklog {
    state: Mutex<BacklogState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct BacklogState {
    /// Whole lines.
    text: String,
    /// Lines that came behind them and did not fit.
    dropped: u64,
    /// What was taken out is being written.
    is_writing: bool,
}

impl LogBacklog {
    /// Adds a line, with its newline; drops it where too much waits already. What follows a line that was dropped is
    /// dropped too, up to the next writing, so that it can be said where lines are missing.
    pub(super) fn push(&self, line: &str) {
        let mut state = self.lock();
        if state.dropped > 0 || state.text.len() + line.len() > MAX_BYTES {
            state.dropped += 1;
        } else {
            state.text.push_str(line);
        }
        self.changed.notify_all();
    }

    /// Waits until everything has been written, or for so long.
    pub(super) fn settle(&self, patience: Duration) {
        let is_busy = |state: &mut BacklogState| state.has_something() || state.is_writing;
        // Whether it is done or not makes no difference to somebody who will not wait any longer.
        drop(self.changed.wait_timeout_while(self.lock(), patience, is_busy));
    }

    fn lock(&self) -> MutexGuard<'_, BacklogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BacklogState {
    fn has_something(&self) -> bool {
        !self.text.is_empty() || self.dropped > 0
    }
}

/// What is written to.
pub(super) struct Sink<W> {
    pub(super) to: W,
    /// What says that lines are missing, and how many.
    notice: Box<dyn Fn(u64) -> String + Send>,
    /// Lines lost since that was said for the last time.
    lost: u64,
    torn: Torn,
}

/// Whether the last line was written in part, so that the next one must not begin beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Torn {
    No,
    Yes,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(to: W, notice: impl Fn(u64) -> String + Send + 'static) -> Sink<W> {
        Sink { to, notice: Box::new(notice), lost: 0, torn: Torn::No }
    }

    /// Writes whatever comes, for ever.
    pub(super) fn follow(&mut self, backlog: &LogBacklog) -> ! {
        loop {
            let state = backlog.changed.wait_while(backlog.lock(), |state| !state.has_something());
            drop(state);
            self.write_all(backlog);
        }
    }

    /// Writes what waits.
    pub(super) fn write_all(&mut self, backlog: &LogBacklog) {
        let mut state = backlog.lock();
        let (text, dropped) = (std::mem::take(&mut state.text), std::mem::take(&mut state.dropped));
        state.is_writing = true;
        drop(state);
        for line in text.split_inclusive('\n') {
            self.say_what_is_lost();
            self.lost += u64::from(self.put(line).is_err());
        }
        if dropped > 0 {
            self.lost += dropped;
            self.say_what_is_lost();
        }
        backlog.lock().is_writing = false;
        backlog.changed.notify_all();
    }

    fn say_what_is_lost(&mut self) {
        if self.lost > 0 {
            let notice = (self.notice)(self.lost);
            if self.put(&notice).is_ok() {
                self.lost = 0;
            }
        }
    }

    /// One `write` for the whole line, so that lines of several processes do not mix; more only if the
    /// system takes it in pieces.
    fn put(&mut self, line: &str) -> io::Result<()> {
        let mended = match self.torn {
            Torn::No => None,
            Torn::Yes => Some(format!("\n{line}")),
        };
        let mut rest = mended.as_deref().unwrap_or(line).as_bytes();
        while !rest.is_empty() {
            match self.to.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    self.torn = if rest.is_empty() { Torn::No } else { Torn::Yes };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Some hundreds of lines: more than a turn of the loop says, unless somebody is at work who wants the log full.
pub(super) const MAX_BYTES: usize = 64 * 1024;
