//! The program: settings in, exit status out.
//!
//! Exit status 0: stopped by a signal, everybody was told; or what was asked for was shown. 1: it could not
//! go on, or a second signal came. 2: the settings are wrong.

use core::fmt::Display;
use peerpigeon_server::settings::{self, Command, Host, Settings, Switch, TokenOrder};
use peerpigeon_server::{
    Config, Door, Guard, MioNet, Server, WorstCase, calendar, container, descriptors, logging,
};
use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::{self, ExitCode};

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1);
    match Settings::from(env::vars_os(), arguments, settings::memory_of_this_machine()) {
        Ok(Command::Help) => show(&settings::help()),
        Ok(Command::Version) => show(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Check(settings, given)) => show(&settings::effective(&settings, &given)),
        Ok(Command::Token(settings, order)) => show(&token(&settings, &order)),
        Ok(Command::Serve(settings)) => match serve(&settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, FAILED),
        },
        Err(error) => fail(&error, WRONG_SETTINGS),
    }
}

fn serve(settings: &Settings) -> Result<(), Box<dyn Error>> {
    logging::start(settings.log_level, settings.log_format)?;
    if let Some(warning) = container::loopback_warning(&settings.host, container::detect()) {
        log::warn!("{warning}");
    }

    let mut net = listen(settings)?;
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
    let stop = net.stop_handle();
    stop_on_signals(move || {
        if let Err(error) = stop.stop() {
            log::error!("the event loop cannot be woken: {error}");
        }
    })?;
    for address in net.local_addresses(Door::Public)? {
        log::info!("listening on {scheme}://{address}");
    }
    for address in net.local_addresses(Door::Admin)? {
        log::info!("for operators: http://{address}");
    }
    let worst = WorstCase::of(settings);
    log::info!("memory at worst: {} bytes (--check shows of what)", worst.bytes());
    let mut config = Config::from(settings);
    if let Some(warning) = descriptors::raise_limit().and_then(|limit| descriptors::fit(&mut config, limit)) {
        log::warn!("{warning}");
    }
    let guard = Box::new(Guard::new(settings));
    Server::new(net, config, guard, calendar::now()).run()?;
    log::info!("stopped");
    Ok(())
}

fn listen(settings: &Settings) -> io::Result<MioNet> {
    #[cfg(unix)]
    if let Host::Unix(path) = &settings.host {
        let net = MioNet::bind_unix(path, settings.socket_mode.0)?;
        log::info!("listening on unix:{}", path.display());
        return Ok(net);
    }
    let addresses = settings.host.addresses().into_iter().map(|ip| SocketAddr::new(ip, settings.port));
    MioNet::bind(&addresses.collect::<Vec<_>>())
}

/// Calls `stop` at the first SIGINT, SIGTERM or SIGHUP, from a thread of its own. Whoever sends a second one
/// does not want to wait: it ends the process at once.
fn stop_on_signals(stop: impl FnOnce() + Send + 'static) -> Result<(), ctrlc::Error> {
    let mut stop = Some(stop);
    ctrlc::set_handler(move || match stop.take() {
        Some(stop) => stop(),
        None => process::exit(FAILED.into()),
    })
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
