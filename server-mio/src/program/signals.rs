//! Signals of the operating system.

use crate::net::{Control, ControlHandle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::{io, process, thread};

/// Hears signals on a thread of its own, and tells the loop: SIGTERM and SIGINT end it, politely; SIGHUP has the settings
/// read again. Whoever sends a second SIGTERM or SIGINT does not want to wait: it ends the process at once, with
/// `impatient` as its exit status.
///
/// # Errors
///
/// When the system does not let signals be caught.
pub(super) fn listen(impatient: i32, control: ControlHandle) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut is_stopping = false;
        for signal in signals.forever() {
            let told = match signal {
                SIGHUP => control.send(Control::Reload),
                _ if is_stopping => process::exit(impatient),
                _ => {
                    is_stopping = true;
                    control.stop()
                }
            };
            if let Err(error) = told {
                log::error!("the event loop cannot be woken: {error}");
            }
        }
    })?;
    Ok(())
}
