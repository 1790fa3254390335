//! Between the turns of the loop: what the operator and the service manager want.

use crate::access::ConfiguredPolicy;
use crate::net::{Control, ControlHandle, MioNet};
use crate::program::reload::Changes;
use crate::program::service_manager::Notifier;
use crate::program::settings::{Settings, SettingsError};
use crate::program::{descriptors, logging};
use crate::server::{Config, Server};
use peerpigeon_core::Time;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

/// Runs a server, reads its settings again when asked to, and keeps the service manager informed.
pub(super) struct Supervisor {
    in_force: Settings,
    control: ControlHandle,
    reading: Reading,
    read: Arc<ReadSettings>,
    manager: Notifier,
    heartbeat: Option<Heartbeat>,
    has_told_the_end: bool,
}

/// Reads the settings again.
type ReadSettings = dyn Fn() -> Result<Settings, SettingsError> + Send + Sync;

/// Whether the settings are being read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    No,
    Yes,
    /// And once more afterwards: they may have changed since it began.
    YesAndAgain,
}

impl Supervisor {
    /// `in_force` are the settings that the server was made with, and `read` reads them again; `control` is that of the
    /// server's network.
    pub(super) fn new(
        in_force: Settings,
        read: Arc<ReadSettings>,
        control: ControlHandle,
        manager: Notifier,
    ) -> Supervisor {
        Supervisor {
            in_force,
            control,
            reading: Reading::No,
            read,
            heartbeat: manager.watchdog().map(Heartbeat::new),
            manager,
            has_told_the_end: false,
        }
    }

    /// As [`Server::run`].
    ///
    /// # Errors
    ///
    /// As [`Server::run`].
    pub(super) fn run(&mut self, server: &mut Server<MioNet>) -> io::Result<()> {
        self.manager.ready("serving");
        while !server.is_over() {
            server.turn_by(self.heartbeat.map(|heartbeat| heartbeat.due))?;
            self.after_turn(server);
        }
        Ok(())
    }

    fn after_turn(&mut self, server: &mut Server<MioNet>) {
        if let Some(heartbeat) = &mut self.heartbeat
            && heartbeat.beats(server.now())
        {
            let gauges = server.gauges();
            self.manager.alive(&format!("{} peers in {} networks", gauges.peers, gauges.networks));
        }
        while let Some(control) =
            self.control.take(|control| matches!(control, Control::Reload | Control::Settings(_)))
        {
            match control {
                Control::Settings(read) => self.note_read(*read, server),
                Control::Reload => self.begin_reload(server),
                // The network has obeyed these.
                Control::Stop | Control::Certificate(_) | Control::Store | Control::Bus => {}
            }
        }
        if server.is_draining() && !self.has_told_the_end {
            self.has_told_the_end = true;
            self.manager.stopping("saying goodbye");
        }
    }

    fn begin_reload(&mut self, server: &mut Server<MioNet>) {
        server.net_mut().reload_certificate();
        match self.reading {
            Reading::No => self.begin_reading(),
            Reading::Yes | Reading::YesAndAgain => self.reading = Reading::YesAndAgain,
        }
    }

    /// By a thread of its own: the file may lie on a disk that hangs, or be a pipe that nobody writes to.
    fn begin_reading(&mut self) {
        let (control, read) = (self.control.clone(), Arc::clone(&self.read));
        let spawned = thread::Builder::new().name("reload".to_owned()).spawn(move || {
            if let Err(error) = control.send(Control::Settings(Box::new(read()))) {
                log::error!("the event loop cannot be woken: {error}");
            }
        });
        match spawned {
            Ok(_) => self.reading = Reading::Yes,
            Err(error) => log::error!("the settings stay as they are: {error}"),
        }
    }

    fn note_read(&mut self, read: Result<Settings, SettingsError>, server: &mut Server<MioNet>) {
        self.manager.reloading();
        match read {
            Ok(read) => self.adopt(read, server),
            // Settings that are wrong change nothing: the server goes on with those that it has.
            Err(error) => log::error!("the settings stay as they are: {error}"),
        }
        self.manager.ready("serving");
        if std::mem::replace(&mut self.reading, Reading::No) == Reading::YesAndAgain {
            self.begin_reading();
        }
    }

    fn adopt(&mut self, mut read: Settings, server: &mut Server<MioNet>) {
        let changes = Changes::settle(&self.in_force, &mut read);
        if !changes.now.is_empty() {
            let config = descriptors::fitted(Config::from(&read));
            if let Err(error) = server.reconfigure(config, Box::new(ConfiguredPolicy::new(&read))) {
                log::error!("the settings stay as they are: {error}");
                return;
            }
            logging::set_level(read.log_level);
        }
        // After the level has changed, so that it is said if anybody wants to hear it now.
        log::info!("settings read again; changed: {}", listed(&changes.now));
        if !changes.at_start.is_empty() {
            log::warn!("these have changed, too, and wait for a restart: {}", changes.at_start.join(", "));
        }
        self.in_force = read;
    }
}

/// The signs of life that a watchdog waits for. The loop itself gives them, and wakes up for them: one that is stuck gives
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heartbeat {
    every_ms: u64,
    /// When the next one is due.
    due: Time,
}

impl Heartbeat {
    /// Twice in each interval of the watchdog, as sd_watchdog_enabled(3) recommends. The first is due at once.
    fn new(interval: Duration) -> Heartbeat {
        let every_ms = u64::try_from((interval / 2).as_millis()).unwrap_or(u64::MAX).max(1);
        Heartbeat { every_ms, due: Time(0) }
    }

    /// Whether one is due; then the next is half an interval from now.
    fn beats(&mut self, now: Time) -> bool {
        let is_due = self.due <= now;
        if is_due {
            self.due = now + self.every_ms;
        }
        is_due
    }
}

fn listed(changes: &[String]) -> String {
    if changes.is_empty() { "nothing".to_owned() } else { changes.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::AllowAll;
    use crate::program::settings::Command;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::{Mutex, mpsc};

    #[test]
    fn a_watchdog_gets_its_signs_at_half_its_interval_and_no_more_often() {
        let mut heartbeat = Heartbeat::new(Duration::from_millis(100));
        // Turns every millisecond, but for a time of 75 that the loop was busy.
        let turns = (0..200).chain(275..400);
        let beats: Vec<u64> = turns.filter(|now| heartbeat.beats(Time(*now))).collect();
        assert_eq!(beats, [0, 50, 100, 150, 275, 325, 375]);
        assert_eq!(heartbeat.due, Time(425));
        assert_eq!(Heartbeat::new(Duration::from_micros(5)).every_ms, 1, "no turn without an end");
    }

    fn settings() -> Settings {
        match Settings::from([], [], None) {
            Ok(Command::Serve(settings)) => *settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_loop_turns_while_settings_are_read_and_what_was_asked_for_meanwhile_is_read_once_more() {
        let (begin, begun) = mpsc::channel();
        let (finish, may_finish) = mpsc::channel::<()>();
        let may_finish = Mutex::new(may_finish);
        let read = move || {
            begin.send(()).unwrap();
            may_finish.lock().unwrap().recv().unwrap();
            Err(SettingsError::UnexpectedValue { name: "x".to_owned() })
        };
        let net = MioNet::bind(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).unwrap();
        let control = net.control_handle();
        let mut server =
            Server::new(net, Config::default(), Box::new(AllowAll), peerpigeon_core::UnixMillis(0)).unwrap();
        let manager = Notifier::new(|_| None).unwrap();
        let mut supervisor = Supervisor::new(settings(), Arc::new(read), control.clone(), manager);
        let mut turn_until = |wanted: Reading| {
            while supervisor.reading != wanted {
                server.turn().unwrap();
                supervisor.after_turn(&mut server);
            }
        };
        control.send(Control::Reload).unwrap();
        turn_until(Reading::Yes);
        begun.recv().unwrap();
        // It hangs, and neither the loop nor anybody who asks does.
        control.send(Control::Reload).unwrap();
        turn_until(Reading::YesAndAgain);
        control.send(Control::Reload).unwrap();
        finish.send(()).unwrap();
        turn_until(Reading::Yes);
        begun.recv().unwrap();
        finish.send(()).unwrap();
        turn_until(Reading::No);
        assert!(begun.try_recv().is_err(), "three were asked for, two were read");
    }
}
