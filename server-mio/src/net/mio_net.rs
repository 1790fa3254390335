//! The real network.

use crate::access::AddressList;
use crate::net::arrivals::Arrivals;
use crate::net::control::{Control, ControlHandle};
use crate::net::host::{Host, Process};
use crate::net::incomplete::Incomplete;
use crate::net::listening;
use crate::net::machine::Machine;
use crate::net::sessions::{TLS_BUFFER_BYTES, Tls};
use crate::net::sockets::{Accepted, ListenerKind, Net, Ready};
use crate::net::stream::{Dialed, Inherited, Listener, Stream};
use crate::net::tls::{Certificate, TlsSession};
use mio::event::Source as _;
use mio::{Events, Interest, Poll, Token, Waker};
use peerpigeon_core::{Time, UnixMillis};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

/// TCP and Unix sockets, and TLS over them, by mio: edge-triggered, each socket registered once.
#[derive(Debug)]
pub struct MioNet {
    poll: Poll,
    events: Events,
    control: ControlHandle,
    listeners: Vec<BoundListener>,
    tls: Option<Tls>,
    arrivals: Option<Arrivals>,
    machine: Machine,
}

/// One connection of a [`MioNet`].
#[derive(Debug)]
pub struct MioSocket {
    stream: Stream,
    tls: Option<Box<TlsSession>>,
}

impl MioSocket {
    /// Bytes of memory that TLS takes for what is incomplete.
    #[cfg(all(test, feature = "tls"))]
    pub(super) fn buffered_bytes(&self) -> usize {
        self.tls.as_ref().map_or(0, |session| session.buffered_bytes())
    }
}

#[derive(Debug)]
struct BoundListener {
    listener: Listener,
    token: Token,
    kind: ListenerKind,
    origin: Ownership,
    /// Connections may be waiting: none has been refused by `WouldBlock` since the last report.
    is_pending: bool,
}

/// Who has opened a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ownership {
    Ours,
    /// Somebody who will hand it to our successor.
    Inherited,
}

impl MioNet {
    /// Listens on all of `addresses`. A port of 0 is a free one, the same for all of them. Loopback over
    /// IPv6 is left out on a machine that has none, as long as another address remains.
    ///
    /// # Errors
    ///
    /// What binding fails with, the address named; [`ErrorKind::InvalidInput`] when there is no address.
    pub fn bind(addresses: &[SocketAddr]) -> io::Result<MioNet> {
        let listeners = listening::on_all(addresses)?;
        let mut net = MioNet::new()?;
        for listener in listeners {
            net.add(Listener::Tcp(listener), ListenerKind::Public, Ownership::Ours)?;
        }
        Ok(net)
    }

    /// Listens on a Unix socket of this name, for those whom `mode` (as of `chmod`) lets write to it. A socket that
    /// nobody listens on any more is replaced. It is removed when the server ends.
    ///
    /// # Errors
    ///
    /// What binding fails with, the path named; [`ErrorKind::AddrInUse`] when somebody listens there.
    #[cfg(unix)]
    pub fn bind_unix(path: &Path, mode: u32) -> io::Result<MioNet> {
        let mut net = MioNet::new()?;
        net.add(Listener::Unix(listening::on_unix(path, mode)?), ListenerKind::Public, Ownership::Ours)?;
        Ok(net)
    }

    /// Listens on sockets that somebody else has opened and keeps open: when the server is asked to end it lets
    /// go of them at once, so that whoever comes from then on waits for its successor.
    ///
    /// # Errors
    ///
    /// When the system cannot watch them; [`ErrorKind::InvalidInput`] when there is none.
    pub fn inherit(listeners: Vec<Inherited>) -> io::Result<MioNet> {
        let mut net = MioNet::new()?;
        if listeners.is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "no socket to listen on"));
        }
        for listener in listeners {
            net.add(listener.into_listener()?, ListenerKind::Public, Ownership::Inherited)?;
        }
        Ok(net)
    }

    /// As [`MioNet::bind_admin`], on a socket as for [`MioNet::inherit`].
    ///
    /// # Errors
    ///
    /// When the system cannot watch it.
    pub fn inherit_admin(&mut self, listener: std::net::TcpListener) -> io::Result<()> {
        self.add(Inherited::Tcp(listener).into_listener()?, ListenerKind::Admin, Ownership::Inherited)
    }

    /// Listens on one more address, which is for operators only, and without TLS.
    ///
    /// # Errors
    ///
    /// What binding fails with, the address named.
    pub fn bind_admin(&mut self, address: SocketAddr) -> io::Result<()> {
        let listener = listening::on(address).map_err(|error| listening::at(address, &error))?;
        self.add(Listener::Tcp(listener), ListenerKind::Admin, Ownership::Ours)
    }

    /// Speaks TLS with everybody but operators. The files of the certificate are looked at every `check_every_ms`, by a thread
    /// of its own.
    ///
    /// # Errors
    ///
    /// When the system has no thread for it.
    pub fn secure(&mut self, mut certificate: Certificate, check_every_ms: u64) -> io::Result<()> {
        certificate.watch(Duration::from_millis(check_every_ms.max(1)), self.control.clone())?;
        self.tls = Some(Tls {
            scratch: certificate.scratch(),
            certificate,
            incomplete: Incomplete::new(TLS_BUFFER_BYTES),
            readable: BTreeSet::new(),
            stalled: BTreeSet::new(),
        });
        Ok(())
    }

    /// Expects the PROXY protocol of everybody in `trusted`, and of nobody else; the header must have come after
    /// `timeout_ms`.
    pub fn expect_proxies(&mut self, trusted: AddressList, timeout_ms: u64) {
        self.arrivals = Some(Arrivals::new(trusted, timeout_ms));
    }

    /// The addresses where it listens for everybody, or for operators; a Unix socket has none.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn local_addresses(&self, kind: ListenerKind) -> io::Result<Vec<SocketAddr>> {
        let listeners = self.listeners.iter().filter(|bound| bound.kind == kind);
        listeners.filter_map(|bound| bound.listener.local_address()).collect()
    }

    /// Where it listens for everybody, or for operators, as `https://127.0.0.1:3000` or `unix:/run/socket`.
    ///
    /// # Errors
    ///
    /// As [`MioNet::local_addresses`].
    pub fn urls(&self, kind: ListenerKind) -> io::Result<Vec<String>> {
        let scheme = if self.tls.is_some() && kind == ListenerKind::Public { "https" } else { "http" };
        let listeners = self.listeners.iter().filter(|bound| bound.kind == kind);
        listeners.map(|bound| bound.listener.url(scheme)).collect()
    }

    /// Reaches the server from other threads.
    #[must_use]
    pub fn control_handle(&self) -> ControlHandle {
        self.control.clone()
    }

    /// Has the files of the certificate read again, changed or not; nobody waits for that.
    pub(crate) fn reload_certificate(&self) {
        if let Some(tls) = &self.tls {
            tls.certificate.reload();
        }
    }

    fn new() -> io::Result<MioNet> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok(MioNet {
            poll,
            events: Events::with_capacity(EVENTS_PER_WAIT),
            control: ControlHandle::new(waker),
            listeners: Vec::new(),
            tls: None,
            arrivals: None,
            machine: Machine::new(),
        })
    }

    fn add(&mut self, mut listener: Listener, kind: ListenerKind, origin: Ownership) -> io::Result<()> {
        let token = Token(usize::MAX - self.listeners.len());
        self.poll.registry().register(listener.source(), token, Interest::READABLE)?;
        self.listeners.push(BoundListener { listener, token, kind, origin, is_pending: false });
        Ok(())
    }

    /// Lets go of the sockets that our successor will have. They stay open elsewhere, so the kernel would go on
    /// reporting them to us.
    fn release_inherited(&mut self) {
        for bound in &mut self.listeners {
            if bound.origin == Ownership::Inherited
                && let Err(error) = self.poll.registry().deregister(bound.listener.source())
            {
                log::warn!("still listening for a moment: {error}");
            }
        }
        self.listeners.retain(|bound| bound.origin == Ownership::Ours);
    }

    /// The next connection, from the last listener to the first: operators do not wait for a rush of peers.
    fn next_stream(&mut self) -> io::Result<(Stream, Option<SocketAddr>, ListenerKind)> {
        for bound in self.listeners.iter_mut().rev().filter(|bound| bound.is_pending) {
            match bound.listener.accept() {
                Ok((stream, remote)) => return Ok((stream, remote, bound.kind)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => bound.is_pending = false,
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }

    /// The next connection of which it is known whose it is.
    fn next_accepted(&mut self) -> io::Result<(Stream, Option<SocketAddr>, ListenerKind)> {
        if let Some((stream, remote)) = self.arrivals.as_mut().and_then(Arrivals::pop) {
            return Ok((stream, remote, ListenerKind::Public));
        }
        let (stream, remote, kind) = self.next_stream()?;
        let now = self.now();
        match &mut self.arrivals {
            Some(arrivals) if kind == ListenerKind::Public && arrivals.are_from(remote) => {
                let told = arrivals.insert((stream, remote), now, self.poll.registry()).map_err(|error| {
                    log::debug!("a proxy's connection is refused: {error}");
                    ErrorKind::ConnectionAborted
                })?;
                // Whoever comes next may be there already.
                let (stream, remote) = told.ok_or(ErrorKind::Interrupted)?;
                Ok((stream, remote, kind))
            }
            _ => Ok((stream, remote, kind)),
        }
    }

    /// Does what other threads want of the network; the rest of it is the program's.
    fn obey(&mut self, ready: &mut Vec<Ready>) {
        while let Some(control) =
            self.control.take(|control| !matches!(control, Control::Reload | Control::Settings(_)))
        {
            match (control, &mut self.tls) {
                (Control::Certificate(shown), Some(tls)) => tls.certificate.show(shown),
                (Control::Stop, _) => {
                    self.release_inherited();
                    ready.push(Ready::Stop);
                }
                (Control::Store, _) => ready.push(Ready::Store),
                (Control::Bus, _) => ready.push(Ready::Bus),
                (Control::Certificate(_), None) | (Control::Reload | Control::Settings(_), _) => {}
            }
        }
    }

    fn note_events(&mut self, ready: &mut Vec<Ready>) {
        let mut is_woken = false;
        for event in &self.events {
            let Token(key) = event.token();
            if event.token() == WAKER {
                is_woken = true;
            } else if key > WAKER.0
                && let Some(bound) = self.listeners.iter_mut().find(|bound| bound.token == Token(key))
            {
                bound.is_pending = true;
                ready.push(Ready::Acceptable);
            } else if let Some(arrivals) = &mut self.arrivals
                && arrivals.note_event(event.token(), self.poll.registry())
            {
                if arrivals.has_accepted() {
                    ready.push(Ready::Acceptable);
                }
            } else {
                let hangup = event.is_read_closed() || event.is_error();
                if event.is_readable() || hangup {
                    ready.push(Ready::Readable { key, hangup });
                }
                if event.is_writable() {
                    ready.push(Ready::Writable { key });
                }
            }
        }
        if is_woken {
            self.obey(ready);
        }
    }
}

impl Net for MioNet {
    type Socket = MioSocket;

    fn wait(&mut self, until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let has_work = self.tls.as_ref().is_some_and(|tls| !tls.readable.is_empty());
        let arrivals = self.arrivals.as_ref().and_then(Arrivals::deadline);
        let until = if has_work { Some(Time(0)) } else { until.into_iter().chain(arrivals).min() };
        // mio rounds up to whole milliseconds, so that a deadline has passed when the wait for it ends.
        let timeout = until.and_then(|until| self.machine.until(until));
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => self.note_events(ready),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        let now = self.now();
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.expire(now);
        }
        if let Some(tls) = &mut self.tls {
            tls.complete(ready);
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<Accepted<MioSocket>> {
        let (stream, remote, kind) = self.next_accepted()?;
        let tls = match (&self.tls, kind) {
            (Some(tls), ListenerKind::Public) => Some(tls.session(remote)?),
            (None, _) | (_, ListenerKind::Admin) => None,
        };
        Ok(Accepted { socket: MioSocket { stream, tls }, remote, listener: kind })
    }

    fn adopt(&mut self, stream: Dialed) -> io::Result<MioSocket> {
        Ok(MioSocket { stream: stream.into_stream()?, tls: None })
    }

    fn register(&mut self, socket: &mut MioSocket, key: usize) -> io::Result<()> {
        if let Some(session) = &mut socket.tls {
            session.key = key;
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        socket.stream.register(self.poll.registry(), Token(key), interest)
    }

    fn read(&mut self, MioSocket { stream, tls }: &mut MioSocket, room: &mut [u8]) -> io::Result<usize> {
        match (tls, &mut self.tls) {
            (Some(session), Some(tls)) => tls.read(session, stream, room),
            _ => stream.read(room),
        }
    }

    fn write(&mut self, MioSocket { stream, tls }: &mut MioSocket, bytes: &[u8]) -> io::Result<usize> {
        match (tls, &mut self.tls) {
            (Some(session), Some(tls)) => tls.write(session, stream, bytes),
            _ => stream.write(bytes),
        }
    }

    fn shut_write(&mut self, MioSocket { stream, tls }: &mut MioSocket) {
        if let (Some(session), Some(tls)) = (tls, &mut self.tls) {
            session.say_end(stream, &mut tls.scratch);
        }
        stream.shut_write();
    }

    fn close(&mut self, MioSocket { mut stream, tls }: MioSocket) {
        if let (Some(mut session), Some(tls)) = (tls, &mut self.tls) {
            session.say_end(&mut stream, &mut tls.scratch);
            tls.forget(&session);
        }
        // The kernel forgets the registration of a descriptor that is closed.
        drop(stream);
    }
}

impl Host for MioNet {
    fn now(&self) -> Time {
        self.machine.now()
    }

    fn micros(&self) -> u64 {
        self.machine.micros()
    }

    fn wall_time(&self) -> Option<UnixMillis> {
        self.machine.wall_time()
    }

    fn process(&self) -> Process {
        self.machine.process()
    }

    fn give_back_memory(&mut self) {
        self.machine.give_back_memory();
    }
}

/// Below every listener and above every key of a connection.
const WAKER: Token = Token(usize::MAX / 2);

/// Few enough that the buffers of one turn stay in the processor's cache.
const EVENTS_PER_WAIT: usize = 256;

#[cfg(test)]
mod tests;
