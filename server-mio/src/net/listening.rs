//! Taking addresses to listen on.

#[cfg(unix)]
use crate::net::stream::{SocketFile, UnixSocket};
use mio::net::TcpListener;
#[cfg(unix)]
use mio::net::UnixListener;
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
#[cfg(unix)]
use {
    socket2::SockAddr,
    std::fs,
    std::os::fd::OwnedFd,
    std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    std::path::Path,
};

/// All of `addresses`, with one port.
pub(super) fn on_all(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let mut attempts = 0;
    loop {
        match listen_once(addresses) {
            // A port that is free on the first address can be taken on the second.
            Err(error)
                if error.kind() == ErrorKind::AddrInUse
                    && addresses.len() > 1
                    && addresses.iter().all(|address| address.port() == 0)
                    && attempts < FREE_PORT_ATTEMPTS =>
            {
                attempts += 1;
            }
            result => return result,
        }
    }
}

fn listen_once(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::with_capacity(addresses.len());
    for address in addresses {
        let mut address = *address;
        if let (0, Some(first)) = (address.port(), listeners.first()) {
            address.set_port(first.local_addr()?.port());
        }
        match on(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if addresses.len() > 1 && is_missing_ipv6_loopback(address, &error) => {
                log::warn!("no IPv6 on this machine: not listening on {address}");
            }
            Err(error) => return Err(at(address, &error)),
        }
    }
    if listeners.is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "no address to listen on"));
    }
    Ok(listeners)
}

/// One address.
pub(super) fn on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if cfg!(unix) {
        // A restarted server binds while connections of its predecessor are in TIME_WAIT.
        socket.set_reuse_address(true)?;
    }
    if address.ip() == std::net::Ipv6Addr::UNSPECIFIED {
        // `::` means every address, IPv4 included, whatever the machine's default.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A Unix socket.
#[cfg(unix)]
pub(super) fn on_unix(path: &Path, mode: u32) -> io::Result<UnixSocket> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    remove_stale(path).map_err(named)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path).map_err(named)?).map_err(named)?;
    // Before anybody can come in.
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(named)?;
    socket.listen(BACKLOG)?;
    let file = fs::symlink_metadata(path).map_err(named)?;
    let listener = UnixListener::from_std(OwnedFd::from(socket).into());
    let file = SocketFile { path: path.to_owned(), number: (file.dev(), file.ino()) };
    Ok(UnixSocket { listener, file: Some(file) })
}

/// Removes a socket that nobody listens on any more; whatever else is there stays.
#[cfg(unix)]
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if !is_socket {
        // Binding tells what is wrong, if anything is.
        return Ok(());
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "somebody listens there")),
        Err(error) => Err(error),
    }
}

pub(super) fn at(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{address}: {error}"))
}

fn is_missing_ipv6_loopback(address: SocketAddr, error: &io::Error) -> bool {
    /// `EAFNOSUPPORT`, for which `ErrorKind` has no name.
    const NO_SUCH_FAMILY: Option<i32> = Some(97);
    let is_missing = error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == NO_SUCH_FAMILY;
    address.is_ipv6() && address.ip().is_loopback() && is_missing
}

/// Connections that the kernel keeps until they are accepted; it cuts this to its own limit. A reconnecting
/// crowd arrives within one second.
const BACKLOG: i32 = 4096;

const FREE_PORT_ATTEMPTS: u32 = 16;
