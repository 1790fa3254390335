//! The program: settings in, exit status out.
//!
//! Exit status 0: stopped by a signal, everybody was told; or what was asked for was shown. 1: it could not
//! go on, or a second signal came. 2: the settings are wrong.

use core::fmt::Display;
use peerpigeon_server::settings::{self, Command, Host, Settings, SettingsError, Switch, TokenOrder};
use peerpigeon_server::signals::{self, Wish};
use peerpigeon_server::systemd::{self, Notifier};
use peerpigeon_server::{
    Config, Door, Guard, MioNet, Overseer, Server, StopHandle, WorstCase, calendar, container, logging,
};
use std::env;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
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
        Ok(Command::Token(settings, order)) => show(&token(&settings, &order)),
        Ok(Command::Serve(settings)) => match serve(*settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, FAILED),
        },
        Err(error) => fail(&error, WRONG_SETTINGS),
    }
}

fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    logging::start(settings.log_level, settings.log_format)?;
    if let Some(warning) = container::loopback_warning(&settings.host, container::detect()) {
        log::warn!("{warning}");
    }
    let manager = Notifier::new(|name| env::var_os(name))?;
    let net = open(&settings)?;
    let handle = net.stop_handle();
    if let Some(interval) = manager.watchdog() {
        keep_waking(handle.clone(), interval / 2)?;
    }
    let worst = WorstCase::of(&settings);
    log::info!("memory at worst: {} bytes (--check shows of what)", worst.bytes());
    let guard = Box::new(Guard::new(&settings));
    let config = Config { hash_key: RandomState::new().hash_one(0), ..Config::from(&settings) };
    let mut server = Server::new(net, config, guard, calendar::now());
    let mut overseer = Overseer::new(settings, read_again, manager);
    let reload = overseer.reload_flag();
    signals::listen(FAILED.into(), move |wish| {
        let told = match wish {
            Wish::Stop => handle.stop(),
            Wish::Reload => {
                reload.store(true, Ordering::Release);
                handle.reload_certificate()
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

/// The network as the settings want it; says where it listens.
fn open(settings: &Settings) -> Result<MioNet, Box<dyn Error>> {
    let handed_over = systemd::listeners()?;
    let origin = if handed_over.is_empty() { "" } else { ", handed over by the service manager" };
    let mut net = listen(settings, handed_over)?;
    if settings.proxy_protocol == Switch::On {
        net.expect_proxies(settings.trusted_proxies.clone(), settings.handshake_timeout);
    }
    if let Some(address) = settings.admin_listen {
        net.bind_admin(address)?;
    }
    let certificate = settings.certificate()?;
    let scheme = if certificate.is_some() { "https" } else { "http" };
    if let Some(certificate) = certificate {
        net.secure(certificate, settings.cleanup_interval);
    }
    for address in net.local_addresses(Door::Public)? {
        log::info!("listening on {scheme}://{address}{origin}");
    }
    for address in net.local_addresses(Door::Admin)? {
        log::info!("for operators: http://{address}");
    }
    Ok(net)
}

/// On the sockets that the service manager hands over, or else where the settings say.
fn listen(settings: &Settings, handed_over: Vec<TcpListener>) -> io::Result<MioNet> {
    if !handed_over.is_empty() {
        return MioNet::inherit(handed_over);
    }
    #[cfg(unix)]
    if let Host::Unix(path) = &settings.host {
        let net = MioNet::bind_unix(path, settings.socket_mode.0)?;
        log::info!("listening on unix:{}", path.display());
        return Ok(net);
    }
    let addresses = settings.host.addresses().into_iter().map(|ip| SocketAddr::new(ip, settings.port));
    MioNet::bind(&addresses.collect::<Vec<_>>())
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

/// One line.
fn token(settings: &Settings, order: &TokenOrder) -> String {
    let claims = order.claims(calendar::now().0 / 1000);
    settings.auth_jwt_secret.iter().map(|secret| secret.mint(&claims) + "\n").collect()
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
