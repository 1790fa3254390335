//! Signals of the operating system.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::{io, process, thread};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// SIGTERM or SIGINT: end, politely.
    Stop,
    /// SIGHUP: read the settings again.
    Reload,
}

/// Hands every wish to `hear`, on a thread of its own. Whoever sends a second SIGTERM or SIGINT does not want to
/// wait: it ends the process at once, with `impatient` as its exit status.
///
/// # Errors
///
/// When the system does not let signals be caught.
pub(super) fn listen(impatient: i32, mut hear: impl FnMut(Wish) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut is_stopping = false;
        for signal in signals.forever() {
            match signal {
                SIGHUP => hear(Wish::Reload),
                _ if is_stopping => process::exit(impatient),
                _ => {
                    is_stopping = true;
                    hear(Wish::Stop);
                }
            }
        }
    })?;
    Ok(())
}
