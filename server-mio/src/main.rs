//! The program: settings in, exit status out.
//!
//! Exit status 0: stopped by a signal, everybody was told; or what was asked for was shown. 1: it could not
//! go on, or a second signal came. 2: the settings are wrong.

use core::fmt::Display;
use peerpigeon_server::settings::{self, Command, Settings, SettingsError};
use peerpigeon_server::signals::{self, Wish};
use peerpigeon_server::systemd::{self, Notifier};
use peerpigeon_server::{
    Config, Door, Guard, MioNet, Overseer, Server, StopHandle, calendar, container, logging,
};
use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1);
    match Settings::from(env::vars_os(), arguments, settings::memory_of_this_machine()) {
        Ok(Command::Help) => show(&settings::help()),
        Ok(Command::Version) => show(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Check(settings, given)) => show(&settings::effective(&settings, &given)),
        Ok(Command::Serve(settings)) => match serve(*settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, FAILED),
        },
        Err(error) => fail(&error, WRONG_SETTINGS),
    }
}

fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    logging::start(settings.log_level, settings.log_format)?;
    if let Some(warning) = container::loopback_warning(settings.host, container::detect()) {
        log::warn!("{warning}");
    }
    let manager = Notifier::new(|name| env::var_os(name))?;
    let net = listen(&settings)?;
    let handle = net.stop_handle();
    if let Some(interval) = manager.watchdog() {
        keep_waking(handle.clone(), interval / 2)?;
    }
    let guard = Box::new(Guard::new(&settings));
    let mut server = Server::new(net, Config::from(&settings), guard, calendar::now());
    let mut overseer = Overseer::new(settings, read_again, manager);
    let reload = overseer.reload_flag();
    signals::listen(FAILED.into(), move |wish| {
        let told = match wish {
            Wish::Stop => handle.stop(),
            Wish::Reload => {
                reload.store(true, Ordering::Release);
                handle.wake()
            }
        };
        if let Err(error) = told {
            log::error!("the event loop cannot be woken: {error}");
        }
    })?;
    overseer.run(&mut server)?;
    log::info!("stopped");
    Ok(())
}

/// On the sockets that the service manager hands over, or else where the settings say; and says where.
fn listen(settings: &Settings) -> io::Result<MioNet> {
    let handed_over = systemd::listeners()?;
    let is_handed_over = !handed_over.is_empty();
    let mut net = if is_handed_over {
        MioNet::inherit(handed_over)?
    } else {
        let addresses: Vec<SocketAddr> =
            settings.host.addresses().into_iter().map(|ip| SocketAddr::new(ip, settings.port)).collect();
        MioNet::bind(&addresses)?
    };
    if let Some(address) = settings.admin_listen {
        net.bind_admin(address)?;
    }
    let origin = if is_handed_over { ", handed over by the service manager" } else { "" };
    for address in net.local_addresses(Door::Public)? {
        log::info!("listening on http://{address}{origin}");
    }
    for address in net.local_addresses(Door::Admin)? {
        log::info!("for operators: http://{address}");
    }
    Ok(net)
}

/// Makes the loop turn now and then, so that it can show that it does.
fn keep_waking(handle: StopHandle, interval: Duration) -> io::Result<()> {
    let wake = move || {
        loop {
            thread::sleep(interval);
            if let Err(error) = handle.wake() {
                log::error!("the event loop cannot be woken: {error}");
            }
        }
    };
    thread::Builder::new().name("watchdog".to_owned()).spawn(wake)?;
    Ok(())
}

fn read_again() -> Result<Settings, SettingsError> {
    Settings::again(env::vars_os(), env::args_os().skip(1), settings::memory_of_this_machine())
}

/// To standard output; a reader that has seen enough, such as `head`, is no failure.
fn show(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error, FAILED),
    }
}

/// One line to standard error. Nobody is left to be told if that fails.
fn fail(error: &dyn Display, status: u8) -> ExitCode {
    let line = format!("{}: {error}\n", env!("CARGO_PKG_NAME"));
    let _ = io::stderr().write_all(line.as_bytes());
    ExitCode::from(status)
}

const FAILED: u8 = 1;
const WRONG_SETTINGS: u8 = 2;
