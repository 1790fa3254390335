//! Between the turns of the loop: what the operator and the service manager want.

use crate::access::Guard;
use crate::net::Net;
use crate::program::descriptors;
use crate::program::logging;
use crate::program::reload::Changes;
use crate::program::rereading::Rereading;
use crate::program::service_manager::Notifier;
use crate::program::settings::Settings;
use crate::server::Config;
use crate::server::Server;
use peerpigeon_core::Time;
use std::io;

/// Runs a server, reads its settings again when asked to, and keeps the service manager informed.
pub(super) struct Overseer {
    in_force: Settings,
    rereading: Rereading,
    manager: Notifier,
    /// When the manager gets the next sign of life; `None`: it wants none.
    next_sign: Option<Time>,
    has_told_the_end: bool,
}

impl Overseer {
    /// `in_force` are the settings that the server was made with; `rereading` reads them again.
    #[must_use]
    pub(super) fn new(in_force: Settings, rereading: Rereading, manager: Notifier) -> Overseer {
        Overseer {
            in_force,
            rereading,
            next_sign: manager.watchdog().map(|_| Time(0)),
            manager,
            has_told_the_end: false,
        }
    }

    /// As [`Server::run`]. With a watchdog somebody must wake the loop twice in each of its intervals.
    ///
    /// # Errors
    ///
    /// As [`Server::run`].
    pub(super) fn run<N: Net>(&mut self, server: &mut Server<N>) -> io::Result<()> {
        self.manager.ready("serving");
        while !server.is_over() {
            server.turn()?;
            self.after_turn(server);
        }
        Ok(())
    }

    fn after_turn<N: Net>(&mut self, server: &mut Server<N>) {
        if self.next_sign.is_some_and(|due| due <= server.now()) {
            self.give_sign(server);
        }
        if let Some(read) = self.rereading.take() {
            self.manager.reloading();
            match read {
                Ok(read) => self.adopt(read, server),
                // Settings that are wrong change nothing: the server goes on with those that it has.
                Err(error) => log::error!("the settings stay as they are: {error}"),
            }
            self.manager.ready("serving");
        }
        if server.is_draining() && !self.has_told_the_end {
            self.has_told_the_end = true;
            self.manager.stopping("saying goodbye");
        }
    }

    fn give_sign<N: Net>(&mut self, server: &Server<N>) {
        let census = server.census();
        let status = format!("{} peers in {} networks", census.peers, census.networks);
        self.manager.alive(&status);
        // The loop is woken twice in each interval, as sd_watchdog_enabled(3) recommends, and turns more often
        // while there is something to do: a quarter of it makes each of these wake-ups count.
        let quarter = self.manager.watchdog().unwrap_or_default() / 4;
        self.next_sign = Some(server.now() + u64::try_from(quarter.as_millis()).unwrap_or(u64::MAX));
    }

    fn adopt<N: Net>(&mut self, mut read: Settings, server: &mut Server<N>) {
        let changes = Changes::settle(&self.in_force, &mut read);
        if !changes.now.is_empty() {
            logging::set_level(read.log_level);
            server.reconfigure(descriptors::fitted(Config::from(&read)), Box::new(Guard::new(&read)));
        }
        // After the level has changed, so that it is said if anybody wants to hear it now.
        log::info!("settings read again; changed: {}", listed(&changes.now));
        if !changes.at_start.is_empty() {
            log::warn!("these have changed, too, and wait for a restart: {}", changes.at_start.join(", "));
        }
        self.in_force = read;
    }
}

fn listed(changes: &[String]) -> String {
    if changes.is_empty() { "nothing".to_owned() } else { changes.join(", ") }
}
