//! Streams of bytes, over TCP or a Unix socket.

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

/// Where connections come in.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

/// A listening Unix socket.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct UnixSocket {
    pub(super) listener: UnixListener,
    /// Its file, where it is ours: it is removed from its folder when nobody listens any more.
    #[expect(dead_code, reason = "only its end matters")]
    pub(super) file: Option<SocketFile>,
}

/// The file of a Unix socket.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct SocketFile {
    pub(super) path: PathBuf,
    /// Device and number: a successor may have put its own there.
    pub(super) number: (u64, u64),
}

/// A listener that somebody else has opened, and keeps open for our successor.
#[derive(Debug)]
pub enum Inherited {
    /// Of an address.
    Tcp(std::net::TcpListener),
    /// Of a file.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

impl Inherited {
    pub(super) fn into_listener(self) -> io::Result<Listener> {
        match self {
            Inherited::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Listener::Tcp(TcpListener::from_std(listener)))
            }
            #[cfg(unix)]
            Inherited::Unix(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Listener::Unix(UnixSocket { listener: UnixListener::from_std(listener), file: None }))
            }
        }
    }
}

/// A connection that we have made, in whatever mode.
#[derive(Debug)]
pub enum Dialed {
    /// To an address.
    Tcp(std::net::TcpStream),
    /// To a file.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Dialed {
    pub(super) fn into_stream(self) -> io::Result<Stream> {
        match self {
            Dialed::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(TcpStream::from_std(stream)))
            }
            #[cfg(unix)]
            Dialed::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Ok(Stream::Unix(UnixStream::from_std(stream)))
            }
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    /// The next connection, and the address of its other end where it has one.
    pub(super) fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, remote) = listener.accept()?;
                // Fails only for a connection that is over already: the first read will show it.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Some(remote)))
            }
            #[cfg(unix)]
            Listener::Unix(socket) => Ok((Stream::Unix(socket.listener.accept()?.0), None)),
        }
    }

    /// Where it listens, if that is an address.
    pub(super) fn local_address(&self) -> Option<io::Result<SocketAddr>> {
        match self {
            Listener::Tcp(listener) => Some(listener.local_addr()),
            #[cfg(unix)]
            Listener::Unix(_) => None,
        }
    }

    /// Where it listens, for people.
    pub(super) fn url(&self, scheme: &str) -> io::Result<String> {
        match self {
            Listener::Tcp(listener) => Ok(format!("{scheme}://{}", listener.local_addr()?)),
            #[cfg(unix)]
            Listener::Unix(socket) => {
                let address = socket.listener.local_addr()?;
                Ok(format!(
                    "unix:{}",
                    address.as_pathname().map_or("(no path)".into(), |path| path.to_string_lossy())
                ))
            }
        }
    }

    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            Listener::Tcp(listener) => listener,
            #[cfg(unix)]
            Listener::Unix(socket) => &mut socket.listener,
        }
    }
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.number);
        if is_ours {
            // What cannot be removed now is replaced by the next server.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Stream {
    /// Ends our direction.
    pub(super) fn shut_write(&self) {
        // Fails only for a connection that is over already.
        let _ = match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Stream::Tcp(stream) => stream,
            #[cfg(unix)]
            Stream::Unix(stream) => stream,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(room),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.read(room),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source().register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source().reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source().deregister(registry)
    }
}
