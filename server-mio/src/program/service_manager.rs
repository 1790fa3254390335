//! What a service manager and the process tell each other: sockets that are inherited, and how it is going.
//!
//! `sd_listen_fds(3)` and `sd_notify(3)`; other managers speak the same. Without one all of it does nothing.

use crate::net;
use crate::net::Inherited;
use listenfd::ListenFd;
use std::env;
use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The listeners that the process has inherited.
#[derive(Debug, Default)]
pub(super) struct InheritedSockets {
    /// For everybody.
    pub public: Vec<Inherited>,
    /// For operators: those with the name `admin`.
    pub admin: Vec<TcpListener>,
}

impl InheritedSockets {
    /// Those that the environment tells of: `LISTEN_FDS`, and their names in `LISTEN_FDNAMES`; none where the
    /// manager has none for us.
    ///
    /// To be called once, and before there are other threads: variables are taken out of the environment.
    ///
    /// # Errors
    ///
    /// When the variables do not say how many there are or what each is called, and which of them is something else
    /// than a listening socket for streams, or for operators something else than one of TCP.
    pub(super) fn from_environment() -> io::Result<InheritedSockets> {
        let (names, unreadable) = (env::var("LISTEN_FDNAMES").ok(), unreadable_count());
        let mut sockets = ListenFd::from_env();
        if let Some(count) = unreadable {
            return Err(wrong(format!("LISTEN_FDS={count:?}: allowed is a number of sockets")));
        }
        let count = sockets.len();
        let names: Option<Vec<&str>> = names.as_ref().map(|names| names.split(':').collect());
        if let Some(names) = names.as_ref().filter(|names| count > 0 && names.len() != count) {
            let named = names.len();
            return Err(wrong(format!(
                "LISTEN_FDNAMES has {named} names for the {count} sockets of LISTEN_FDS"
            )));
        }
        let mut inherited = InheritedSockets::default();
        for i in 0..count {
            let name = names.as_ref().map_or("", |names| names[i]);
            let which = |wanted: &str, error: io::Error| {
                wrong(format!(
                    "LISTEN_FDS: number {} of {count} ({name:?}): {error}; it must be {wanted}",
                    i + 1
                ))
            };
            if name == ADMIN {
                let listener = sockets.take_tcp_listener(i).and_then(listening);
                inherited.admin.extend(listener.map_err(|error| which("a listening TCP socket", error))?);
                continue;
            }
            let listener = match sockets.take_unix_listener(i) {
                Ok(listener) => listening(listener).map(|listener| listener.map(Inherited::Unix)),
                Err(_) => {
                    let listener = sockets.take_tcp_listener(i).and_then(listening);
                    listener.map(|listener| listener.map(Inherited::Tcp))
                }
            };
            inherited
                .public
                .extend(listener.map_err(|error| which("a listening TCP or Unix socket", error))?);
        }
        Ok(inherited)
    }
}

/// What `LISTEN_FDS` says, where that is meant for us and no number.
fn unreadable_count() -> Option<String> {
    let count = env::var_os("LISTEN_FDS")?.to_string_lossy().into_owned();
    let is_meant = match env::var("LISTEN_PID").as_deref() {
        Ok("") | Err(env::VarError::NotPresent) => true,
        Ok(pid) => pid.parse() == Ok(std::process::id()),
        Err(env::VarError::NotUnicode(_)) => false,
    };
    (is_meant && count.parse::<u32>().is_err()).then_some(count)
}

/// A connection, which a unit with `Accept=yes` gives, accepts nothing.
#[cfg(target_os = "linux")]
fn listening<S: AsFd>(socket: Option<S>) -> io::Result<Option<S>> {
    match &socket {
        Some(socket) if !socket2::SockRef::from(socket).is_listener()? => {
            Err(wrong("it does not listen".to_owned()))
        }
        Some(_) | None => Ok(socket),
    }
}

/// Not every system tells what a socket is for.
#[cfg(not(target_os = "linux"))]
fn listening<S: AsFd>(socket: Option<S>) -> io::Result<Option<S>> {
    Ok(socket)
}

fn wrong(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Tells the service manager how it is going.
#[derive(Debug)]
pub(super) struct Notifier {
    manager: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// For the manager that `variable` tells of: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    ///
    /// # Errors
    ///
    /// When there is a manager and it cannot be spoken to.
    pub(super) fn new(variable: impl Fn(&str) -> Option<OsString>) -> io::Result<Notifier> {
        let Some(name) = variable("NOTIFY_SOCKET") else {
            return Ok(Notifier { manager: None, watchdog: None });
        };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => abstract_address(name)?,
            _ => SocketAddr::from_pathname(&name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not stop the server.
        socket.set_nonblocking(true)?;
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| is_meant && *micros > 0);
        Ok(Notifier { manager: Some((socket, address)), watchdog: watchdog.map(Duration::from_micros) })
    }

    /// How often the manager wants a sign of life at least; `None`: not at all.
    #[must_use]
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Everything is ready.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The settings are being read again; [`Notifier::ready`] must follow.
    pub(super) fn reloading(&self) {
        // Managers since systemd 253 tell by the time which of several reloads is meant (sd_notify(3)).
        let time = net::monotonic_micros().map(|micros| format!("\nMONOTONIC_USEC={micros}"));
        self.tell(&format!("RELOADING=1{}", time.unwrap_or_default()));
    }

    /// The end has begun.
    pub(super) fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS={status}"));
    }

    /// The loop is turning.
    pub(super) fn alive(&self, status: &str) {
        self.tell(&format!("WATCHDOG=1\nSTATUS={status}"));
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.manager
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            log::debug!("the service manager does not hear: {error}");
        }
    }
}

/// A name that is in no file system: Linux only.
#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `FileDescriptorName=` of a socket for operators.
const ADMIN: &str = "admin";

#[cfg(test)]
mod tests {
    use super::*;

    fn notifier(variables: &[(&str, &str)]) -> Notifier {
        Notifier::new(|name| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.into())
        })
        .unwrap()
    }

    fn hears(manager: &UnixDatagram, notifier: &Notifier) {
        let mut room = [0; 100];
        let before = net::monotonic_micros().unwrap();
        for (tell, expected) in [
            (Notifier::ready as fn(&Notifier, &str), "READY=1\nSTATUS=it goes"),
            (Notifier::alive, "WATCHDOG=1\nSTATUS=it goes"),
            (Notifier::stopping, "STOPPING=1\nSTATUS=it goes"),
            (|notifier, _| notifier.reloading(), "RELOADING=1"),
        ] {
            tell(notifier, "it goes");
            let count = manager.recv(&mut room).unwrap();
            let told = std::str::from_utf8(&room[..count]).unwrap();
            match told.split_once("\nMONOTONIC_USEC=") {
                None => assert_eq!(told, expected),
                Some((told, micros)) => {
                    assert_eq!(told, expected);
                    let now = net::monotonic_micros().unwrap();
                    assert!((before..=now).contains(&micros.parse().unwrap()), "{micros}");
                }
            }
            assert_eq!(told.contains("USEC"), expected.starts_with("RELOADING"));
        }
    }

    #[test]
    fn a_manager_is_told_by_a_path_or_an_abstract_name() {
        let name = format!("peerpigeon-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&abstract_address(name.as_bytes()).unwrap()).unwrap();
        hears(&manager, &notifier(&[("NOTIFY_SOCKET", &format!("@{name}"))]));
        let path = std::env::temp_dir().join(name);
        let manager = UnixDatagram::bind(&path).unwrap();
        hears(&manager, &notifier(&[("NOTIFY_SOCKET", path.to_str().unwrap())]));
        std::fs::remove_file(&path).unwrap();
        assert!(notifier(&[]).manager.is_none());
    }

    #[test]
    fn a_manager_that_is_gone_or_does_not_read_stops_nothing() {
        let name = format!("peerpigeon-deaf-{}", std::process::id());
        let deaf = UnixDatagram::bind_addr(&abstract_address(name.as_bytes()).unwrap()).unwrap();
        let notifier = notifier(&[("NOTIFY_SOCKET", &format!("@{name}"))]);
        for _ in 0..10_000 {
            notifier.alive("nobody reads this");
        }
        drop(deaf);
        notifier.alive("nobody is there");
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        let ours = std::process::id().to_string();
        for (pid, micros, expected) in [
            (None, Some("20000000"), Some(Duration::from_secs(20))),
            (Some(ours.as_str()), Some("5"), Some(Duration::from_micros(5))),
            (Some("1"), Some("5"), None),
            (None, Some("0"), None),
            (None, Some("x"), None),
            (None, None, None),
        ] {
            let mut variables = vec![("NOTIFY_SOCKET", "@x")];
            variables.extend(pid.map(|pid| ("WATCHDOG_PID", pid)));
            variables.extend(micros.map(|micros| ("WATCHDOG_USEC", micros)));
            assert_eq!(notifier(&variables).watchdog(), expected, "{variables:?}");
        }
    }
}
