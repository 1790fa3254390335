//! From the command line to the exit status.

use crate::access::ConfiguredPolicy;
#[cfg(feature = "cluster")]
use crate::access::Secret;
#[cfg(feature = "cluster")]
use crate::bus::BusUrls;
#[cfg(feature = "cluster")]
use crate::bus::redis::{self, BusSettings, RedisBus};
use crate::net::{ControlHandle, ListenerKind, MioNet};
use crate::observe::date;
use crate::program::service_manager::{InheritedSockets, Notifier};
use crate::program::settings::{self, Command, ListenHost, Settings, SettingsError, Switch, TokenArguments};
use crate::program::supervisor::Supervisor;
use crate::program::worst_case::WorstCase;
use crate::program::{container, descriptors, healthcheck, logging, signals};
use crate::server::{Config, Server};
use crate::store::MailStore;
#[cfg(feature = "postgres")]
use crate::store::postgres::{self, PostgresStore};
use core::fmt::Display;
use peerpigeon_core::Limits;
use std::env;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;

/// What the program `peerpigeon-server` does: settings in, exit status out.
///
/// Exit status 0: stopped by a signal, everybody was told; or what was asked for was shown. 1: it could not
/// go on, or a second signal came. 2: the settings are wrong.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = healthcheck::completed(env::args_os().skip(1).collect());
    match Settings::from(env::vars_os(), arguments, settings::memory_of_this_machine()) {
        Ok(Command::Help) => show(&settings::help()),
        Ok(Command::Version) => show(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Check(settings, given)) => check(&settings, &settings::effective(&settings, &given)),
        Ok(Command::Token(settings, order)) => show(&token(&settings, &order)),
        Ok(Command::Healthcheck(settings)) => match healthcheck::ask(&settings) {
            Ok(()) => show("healthy\n"),
            Err(error) => fail(&error, FAILED),
        },
        Ok(Command::Serve(settings)) => match serve(*settings) {
            Ok(()) => ended(ExitCode::SUCCESS),
            Err(error) => fail(&error, FAILED),
        },
        Err(error) => fail(&error, WRONG_SETTINGS),
    }
}

fn serve(mut settings: Settings) -> Result<(), Box<dyn Error>> {
    // Before there are threads.
    let inherited = InheritedSockets::from_environment()?;
    logging::start(settings.log_level, settings.log_format)?;
    if let Some(warning) = container::loopback_warning(&settings.host, container::detect()) {
        log::warn!("{warning}");
    }
    let manager = Notifier::new(|name| env::var_os(name))?;
    // What is inherited counts, whatever the settings say.
    let admin = inherited.admin.first().map(TcpListener::local_addr).transpose()?;
    settings.admin_listen = admin.or(settings.admin_listen);
    let net = open(&settings, inherited)?;
    let control = net.control_handle();
    let worst = WorstCase::of(&settings);
    log::info!("memory at worst: {} bytes (--check shows of what)", worst.bytes());
    let policy = Box::new(ConfiguredPolicy::new(&settings));
    let config = descriptors::fitted(Config::from(&settings));
    let config = Config { hash_key: RandomState::new().hash_one(0), ..config };
    let mut server = match mail_store(&settings, &config.limits, &control) {
        Some(store) => Server::with_store(net, config, policy, date::now(), store)?,
        None => Server::new(net, config, policy, date::now())?,
    };
    join(&mut server, &settings, &control);
    let read = Arc::new(move || read_again(admin));
    let mut supervisor = Supervisor::new(settings, read, control.clone(), manager);
    signals::listen(FAILED.into(), control)?;
    supervisor.run(&mut server)?;
    match server.unfinished() {
        0 => log::info!("stopped"),
        left => log::warn!("stopped, cut off by SHUTDOWN_TIMEOUT: {left}"),
    }
    Ok(())
}

/// The network as the settings want it, on the inherited sockets where there are any; says where it
/// listens.
fn open(
    settings: &Settings,
    InheritedSockets { public, admin }: InheritedSockets,
) -> Result<MioNet, Box<dyn Error>> {
    let origin = |is_inherited| if is_inherited { ", handed over by the service manager" } else { "" };
    let (public_origin, admin_origin) = (origin(!public.is_empty()), origin(!admin.is_empty()));
    let mut net = if public.is_empty() { listen(settings)? } else { MioNet::inherit(public)? };
    if settings.proxy_protocol == Switch::On {
        net.expect_proxies(settings.trusted_proxies.clone(), settings.handshake_timeout);
    }
    match settings.admin_listen {
        Some(address) if admin.is_empty() => net.bind_admin(address)?,
        _ => admin.into_iter().try_for_each(|listener| net.inherit_admin(listener))?,
    }
    if let Some(certificate) = settings.certificate()? {
        net.secure(certificate, settings.cleanup_interval)?;
    }
    for url in net.urls(ListenerKind::Public)? {
        log::info!("listening on {url}{public_origin}");
    }
    for url in net.urls(ListenerKind::Admin)? {
        log::info!("for operators: {url}{admin_origin}");
    }
    Ok(net)
}

#[cfg(feature = "postgres")]
fn mail_store(
    settings: &Settings,
    limits: &Limits,
    control: &ControlHandle,
) -> Option<Box<dyn MailStore<MioNet>>> {
    let (url, authorities) = (settings.mail_store.clone()?, settings.mail_store_ca.clone());
    Some(Box::new(PostgresStore::new(url, authorities, limits, control.clone())))
}

/// Who wants one has been refused with the settings.
#[cfg(not(feature = "postgres"))]
fn mail_store(_: &Settings, _: &Limits, _: &ControlHandle) -> Option<Box<dyn MailStore<MioNet>>> {
    None
}

/// Speaks with other nodes, if the settings say so.
#[cfg(feature = "cluster")]
fn join(server: &mut Server<MioNet>, settings: &Settings, control: &ControlHandle) {
    let Some(urls) = settings.cluster.clone() else { return };
    let bus = BusSettings {
        urls,
        prefix: settings.cluster_prefix.0.clone(),
        authorities: settings.cluster_ca.clone(),
        key: settings.cluster_key.as_ref().map(|key| key.bytes().to_vec()),
    };
    log::info!("cluster: this is node {:016x}", server.node_id().0);
    server.join(Box::new(RedisBus::new(bus, server.node_id(), control.clone())));
}

/// Who wants it has been refused with the settings.
#[cfg(not(feature = "cluster"))]
fn join(_: &mut Server<MioNet>, _: &Settings, _: &ControlHandle) {}

/// A comment that says that every bus can be used; else the first that cannot, and why.
#[cfg(feature = "cluster")]
fn try_cluster(settings: &Settings) -> Result<String, String> {
    let mut lines = String::new();
    for url in settings.cluster.iter().flat_map(BusUrls::iter) {
        let key = settings.cluster_key.as_ref().map(Secret::bytes);
        redis::try_out(url, &settings.cluster_prefix.0, settings.cluster_ca.as_ref(), key)
            .map_err(|failure| format!("CLUSTER, {url}: {failure}"))?;
        lines.push_str(&format!("# cluster: ready, {url}\n"));
    }
    Ok(lines)
}

#[cfg(not(feature = "cluster"))]
fn try_cluster(_: &Settings) -> Result<String, String> {
    Ok(String::new())
}

/// Shows the settings, and whether the database and the bus can be used that they name.
fn check(settings: &Settings, effective: &str) -> ExitCode {
    let tried = try_mail_store(settings)
        .and_then(|line| try_cluster(settings).map(|more| line + &more).map_err(|error| (error, "")));
    match tried {
        Ok(line) => show(&format!("{effective}{line}")),
        Err((error, remedy)) => {
            let shown = show(&format!("{effective}{remedy}"));
            if shown == ExitCode::SUCCESS { fail(&error, FAILED) } else { shown }
        }
    }
}

/// A comment that says so; else why not, and the SQL that would help.
#[cfg(feature = "postgres")]
fn try_mail_store(settings: &Settings) -> Result<String, (String, &'static str)> {
    let Some(url) = settings.mail_store.clone() else { return Ok(String::new()) };
    match postgres::try_out(url.clone(), settings.mail_store_ca.clone(), settings.mail_store_timeout) {
        Ok(()) => Ok(format!("# mail store: ready, {url}\n")),
        Err(failure) => Err((format!("MAIL_STORE, {url}: {failure}"), failure.remedy().unwrap_or_default())),
    }
}

#[cfg(not(feature = "postgres"))]
fn try_mail_store(_: &Settings) -> Result<String, (String, &'static str)> {
    Ok(String::new())
}

/// Where the settings say.
fn listen(settings: &Settings) -> io::Result<MioNet> {
    #[cfg(unix)]
    if let ListenHost::Unix(path) = &settings.host {
        return MioNet::bind_unix(path, settings.socket_mode.0);
    }
    let addresses = settings.host.addresses().into_iter().map(|ip| SocketAddr::new(ip, settings.port));
    MioNet::bind(&addresses.collect::<Vec<_>>())
}

/// As at the start, where operators were given `admin`.
fn read_again(admin: Option<SocketAddr>) -> Result<Settings, SettingsError> {
    let mut settings =
        Settings::again(env::vars_os(), env::args_os().skip(1), settings::memory_of_this_machine())?;
    settings.admin_listen = admin.or(settings.admin_listen);
    Ok(settings)
}

/// One line.
fn token(settings: &Settings, order: &TokenArguments) -> String {
    let claims = order.claims(date::now().0 / 1000);
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

/// One line to standard error.
fn fail(error: &dyn Display, status: u8) -> ExitCode {
    logging::say(&format!("{}: {error}\n", env!("CARGO_PKG_NAME")));
    ended(ExitCode::from(status))
}

/// The last thing that the process does.
fn ended(status: ExitCode) -> ExitCode {
    logging::flush();
    status
}

const FAILED: u8 = 1;
const WRONG_SETTINGS: u8 = 2;
