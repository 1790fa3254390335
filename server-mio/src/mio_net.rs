//! The real network.

use crate::net::{Accepted, Door, Net, Process, Ready};
use crate::proc_files;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use peerpigeon_core::Time;
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// TCP over mio: edge-triggered, each socket registered once.
#[derive(Debug)]
pub struct MioNet {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    /// Somebody has asked the server to end.
    is_stopping: Arc<AtomicBool>,
    listeners: Vec<Listener>,
    start: Instant,
}

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    token: Token,
    door: Door,
    origin: Origin,
    /// Connections may be waiting: none has been refused by `WouldBlock` since the last report.
    is_pending: bool,
}

/// Who has opened a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Ours,
    /// Somebody who will hand it to our successor.
    Inherited,
}

/// Reaches a running server from any thread.
#[derive(Clone, Debug)]
pub struct StopHandle {
    waker: Arc<Waker>,
    is_stopping: Arc<AtomicBool>,
}

impl StopHandle {
    /// Begins the drain. Further calls change nothing.
    ///
    /// # Errors
    ///
    /// When the system cannot wake the loop.
    pub fn stop(&self) -> io::Result<()> {
        self.is_stopping.store(true, Ordering::Release);
        self.waker.wake()
    }

    /// Makes the loop turn once, though nothing has happened.
    ///
    /// # Errors
    ///
    /// When the system cannot wake the loop.
    pub fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }
}

impl MioNet {
    /// Listens on all of `addresses`. A port of 0 is a free one, the same for all of them. Loopback over
    /// IPv6 is left out on a machine that has none, as long as another address remains.
    ///
    /// # Errors
    ///
    /// What binding fails with, the address named; [`ErrorKind::InvalidInput`] when there is no address.
    pub fn bind(addresses: &[SocketAddr]) -> io::Result<MioNet> {
        let mut net = MioNet::deaf()?;
        for socket in listen_on_all(addresses)? {
            net.add(socket, Door::Public, Origin::Ours)?;
        }
        Ok(net)
    }

    /// Listens on sockets that somebody else has opened and keeps open: when the server is asked to end it lets
    /// go of them at once, so that whoever comes from then on waits for its successor.
    ///
    /// # Errors
    ///
    /// When the system cannot watch them; [`ErrorKind::InvalidInput`] when there is none.
    pub fn inherit(listeners: Vec<std::net::TcpListener>) -> io::Result<MioNet> {
        let mut net = MioNet::deaf()?;
        if listeners.is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "no socket to listen on"));
        }
        for socket in listeners {
            socket.set_nonblocking(true)?;
            net.add(TcpListener::from_std(socket), Door::Public, Origin::Inherited)?;
        }
        Ok(net)
    }

    /// Without listeners.
    fn deaf() -> io::Result<MioNet> {
        let poll = Poll::new()?;
        Ok(MioNet {
            waker: Arc::new(Waker::new(poll.registry(), WAKER)?),
            poll,
            events: Events::with_capacity(EVENTS_PER_WAIT),
            is_stopping: Arc::default(),
            listeners: Vec::new(),
            start: Instant::now(),
        })
    }

    /// Listens on one more address, which is for operators only.
    ///
    /// # Errors
    ///
    /// What binding fails with, the address named.
    pub fn bind_admin(&mut self, address: SocketAddr) -> io::Result<()> {
        let socket = listen(address).map_err(|error| at(address, &error))?;
        self.add(socket, Door::Admin, Origin::Ours)
    }

    /// Where it listens for everybody, or for operators.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn local_addresses(&self, door: Door) -> io::Result<Vec<SocketAddr>> {
        let listeners = self.listeners.iter().filter(|listener| listener.door == door);
        listeners.map(|listener| listener.socket.local_addr()).collect()
    }

    fn add(&mut self, mut socket: TcpListener, door: Door, origin: Origin) -> io::Result<()> {
        let token = Token(usize::MAX - self.listeners.len());
        self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
        self.listeners.push(Listener { socket, token, door, origin, is_pending: false });
        Ok(())
    }

    /// Lets go of the sockets that our successor will have. They stay open elsewhere, so the kernel would go on
    /// reporting them to us.
    fn bequeath(&mut self) {
        for listener in &mut self.listeners {
            if listener.origin == Origin::Inherited
                && let Err(error) = self.poll.registry().deregister(&mut listener.socket)
            {
                log::warn!("still listening for a moment: {error}");
            }
        }
        self.listeners.retain(|listener| listener.origin == Origin::Ours);
    }

    /// What ends the server.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle { waker: Arc::clone(&self.waker), is_stopping: Arc::clone(&self.is_stopping) }
    }
}

impl Net for MioNet {
    type Socket = TcpStream;

    fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn wait(&mut self, until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<()> {
        // mio rounds up to whole milliseconds, so that a deadline has passed when the wait for it ends.
        let timeout = until
            .and_then(|until| self.start.checked_add(Duration::from_millis(until.0)))
            .map(|until| until.saturating_duration_since(Instant::now()));
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut stops = false;
        for event in &self.events {
            let Token(key) = event.token();
            if event.token() == WAKER {
                if self.is_stopping.load(Ordering::Acquire) {
                    stops = true;
                    ready.push(Ready::Stop);
                }
            } else if key > WAKER.0 {
                let listener = self.listeners.iter_mut().find(|listener| listener.token == event.token());
                if let Some(listener) = listener {
                    listener.is_pending = true;
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
        if stops {
            self.bequeath();
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<Accepted<TcpStream>> {
        // From the last to the first: operators do not wait for a rush of peers.
        for listener in self.listeners.iter_mut().rev().filter(|listener| listener.is_pending) {
            match listener.socket.accept() {
                Ok((socket, remote)) => {
                    // Fails only for a connection that is over already: the first read will show it.
                    let _ = socket.set_nodelay(true);
                    return Ok(Accepted { socket, remote: Some(remote), door: listener.door });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => listener.is_pending = false,
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }

    fn register(&mut self, socket: &mut TcpStream, key: usize) -> io::Result<()> {
        self.poll.registry().register(socket, Token(key), Interest::READABLE | Interest::WRITABLE)
    }

    fn read(&mut self, socket: &mut TcpStream, room: &mut [u8]) -> io::Result<usize> {
        socket.read(room)
    }

    fn write(&mut self, socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
        socket.write(bytes)
    }

    fn shut_write(&mut self, socket: &mut TcpStream) {
        // Fails only for a connection that is over already.
        let _ = socket.shutdown(Shutdown::Write);
    }

    fn close(&mut self, socket: TcpStream) {
        // The kernel forgets the registration of a descriptor that is closed.
        drop(socket);
    }

    fn resident_bytes(&self) -> Option<u64> {
        proc_files::resident_bytes()
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn process(&self) -> Process {
        proc_files::process()
    }
}

fn listen_on_all(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
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
        match listen(address) {
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

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
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

fn at(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{address}: {error}"))
}

fn is_missing_ipv6_loopback(address: SocketAddr, error: &io::Error) -> bool {
    /// `EAFNOSUPPORT`, for which `ErrorKind` has no name.
    const NO_SUCH_FAMILY: Option<i32> = Some(97);
    let is_missing = error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == NO_SUCH_FAMILY;
    address.is_ipv6() && address.ip().is_loopback() && is_missing
}

/// Below every listener and above every key of a connection.
const WAKER: Token = Token(usize::MAX / 2);

/// Few enough that the buffers of one turn stay in the processor's cache.
const EVENTS_PER_WAIT: usize = 256;

/// Connections that the kernel keeps until they are accepted; it cuts this to its own limit. A reconnecting
/// crowd arrives within one second.
const BACKLOG: i32 = 4096;

const FREE_PORT_ATTEMPTS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    /// Waits until something is reported that `wanted` likes.
    fn wait_for(net: &mut MioNet, wanted: impl Fn(&Ready) -> bool) -> Ready {
        let deadline = net.now() + 10_000;
        let mut ready = Vec::new();
        while net.now() < deadline {
            net.wait(Some(deadline), &mut ready).unwrap();
            if let Some(found) = ready.iter().find(|event| wanted(event)) {
                return *found;
            }
        }
        panic!("not among {ready:?}");
    }

    /// Both ends of a connection, ours registered under 7.
    fn connected(net: &mut MioNet) -> (std::net::TcpStream, TcpStream) {
        let client = std::net::TcpStream::connect(net.local_addresses(Door::Public).unwrap()[0]).unwrap();
        wait_for(net, |event| *event == Ready::Acceptable);
        let Accepted { mut socket, remote, door } = net.accept().unwrap();
        assert_eq!(door, Door::Public);
        assert_eq!(remote, Some(client.local_addr().unwrap()));
        assert!(socket.nodelay().unwrap());
        net.register(&mut socket, 7).unwrap();
        (client, socket)
    }

    #[test]
    fn all_addresses_share_one_free_port() {
        let Ok(net) = MioNet::bind(&[LOOPBACK, SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0))]) else {
            panic!("IPv4 loopback is everywhere");
        };
        let addresses = net.local_addresses(Door::Public).unwrap();
        assert!(addresses.iter().all(|address| address.port() == addresses[0].port() && address.port() != 0));
    }

    #[test]
    fn a_port_in_use_is_named_in_the_error() {
        let net = MioNet::bind(&[LOOPBACK]).unwrap();
        let taken = net.local_addresses(Door::Public).unwrap()[0];
        let error = MioNet::bind(&[taken]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&taken.to_string()), "{error}");
        assert_eq!(MioNet::bind(&[]).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn who_comes_by_the_admin_address_is_known_by_it_and_goes_first() {
        let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
        net.bind_admin(LOOPBACK).unwrap();
        let address = |door| net.local_addresses(door).unwrap()[0];
        let (public, admin) = (address(Door::Public), address(Door::Admin));
        let _clients = [public, admin].map(|to| std::net::TcpStream::connect(to).unwrap());
        while net.listeners.iter().any(|listener| !listener.is_pending) {
            net.wait(None, &mut Vec::new()).unwrap();
        }
        assert_eq!([(); 2].map(|()| net.accept().unwrap().door), [Door::Admin, Door::Public]);
        let error = net.bind_admin(admin).unwrap_err();
        assert!(error.to_string().starts_with(&admin.to_string()), "{error}");
    }

    #[test]
    fn accepting_ends_with_would_block() {
        let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
        assert_eq!(net.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let _both = connected(&mut net);
        assert_eq!(net.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn bytes_are_reported_and_read_and_the_end_behind_them_too() {
        let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
        let (mut client, mut socket) = connected(&mut net);
        client.write_all(b"hello").unwrap();
        drop(client);
        wait_for(&mut net, |event| *event == Ready::Readable { key: 7, hangup: true });
        let mut room = [0; 10];
        assert_eq!(net.read(&mut socket, &mut room).unwrap(), 5);
        assert_eq!(net.read(&mut socket, &mut room).unwrap(), 0);
    }

    #[test]
    fn a_full_socket_blocks_and_is_reported_when_there_is_room_again() {
        let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
        let (mut client, mut socket) = connected(&mut net);
        wait_for(&mut net, |event| *event == Ready::Writable { key: 7 });
        let chunk = vec![0; 1 << 20];
        let mut written = 0;
        loop {
            match net.write(&mut socket, &chunk) {
                Ok(count) => written += count,
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        std::thread::spawn(move || {
            let mut room = vec![0; 1 << 20];
            while written > 0 {
                written -= client.read(&mut room).unwrap();
            }
            // Stays open until all is read.
            drop(client);
        });
        wait_for(&mut net, |event| *event == Ready::Writable { key: 7 });
    }

    #[test]
    fn waiting_ends_at_its_time_and_not_before() {
        let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
        let until = net.now() + 30;
        net.wait(Some(until), &mut Vec::new()).unwrap();
        assert!(net.now() >= until);
        net.wait(Some(Time(0)), &mut Vec::new()).unwrap();
    }

    #[test]
    fn inherited_listeners_are_let_go_of_when_the_end_begins_and_others_are_not() {
        let theirs = std::net::TcpListener::bind(LOOPBACK).unwrap();
        let address = theirs.local_addr().unwrap();
        let mut net = MioNet::inherit(vec![theirs.try_clone().unwrap()]).unwrap();
        net.bind_admin(LOOPBACK).unwrap();
        let admin = net.local_addresses(Door::Admin).unwrap()[0];
        let _first = std::net::TcpStream::connect(address).unwrap();
        wait_for(&mut net, |event| *event == Ready::Acceptable);
        assert_eq!(net.accept().unwrap().door, Door::Public);

        net.stop_handle().stop().unwrap();
        wait_for(&mut net, |event| *event == Ready::Stop);
        // It can connect, since the kernel still listens; but it is not for us.
        let second = std::net::TcpStream::connect(address).unwrap();
        let _third = std::net::TcpStream::connect(admin).unwrap();
        wait_for(&mut net, |event| *event == Ready::Acceptable);
        assert_eq!(net.accept().unwrap().door, Door::Admin);
        assert_eq!(net.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        theirs.set_nonblocking(false).unwrap();
        assert_eq!(theirs.accept().unwrap().1, second.local_addr().unwrap(), "it waits for our successor");
        assert_eq!(MioNet::inherit(Vec::new()).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn waking_the_loop_does_not_stop_it() {
        let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
        let handle = net.stop_handle();
        handle.wake().unwrap();
        let mut ready = Vec::new();
        net.wait(None, &mut ready).unwrap();
        assert_eq!(ready, []);
    }

    #[test]
    fn a_stop_from_another_thread_wakes_the_loop() {
        let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
        let stop = net.stop_handle();
        std::thread::spawn(move || stop.stop().unwrap());
        wait_for(&mut net, |event| *event == Ready::Stop);
    }
}
