//! The limit: what relaying costs when there is nothing to it but system calls.
//!
//! A single thread over epoll that hands the bytes of one socket to its partner: what one read brings is one
//! write. No WebSocket, no JSON, no checks. Partners are those who begin with the same [`Hello`].

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

/// The first bytes of a socket: the number of its pair.
pub(super) type Hello = [u8; 4];

struct Relay {
    poll: Poll,
    listener: TcpListener,
    sockets: Slab<Half>,
    /// Who waits for a partner.
    single: HashMap<Hello, usize>,
    room: Vec<u8>,
}

struct Half {
    stream: TcpStream,
    hello: Option<Hello>,
    partner: Option<usize>,
    unsent: Vec<u8>,
}

/// Relays until it is killed.
///
/// # Errors
///
/// When the port is taken, or waiting fails.
pub(super) fn run(port: u16) -> io::Result<()> {
    let poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let sockets = Slab::new();
    let mut relay = Relay { poll, listener, sockets, single: HashMap::new(), room: vec![0; ROOM_BYTES] };
    let mut events = Events::with_capacity(256);
    loop {
        match relay.poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => relay.accept()?,
                Token(key) => {
                    if event.is_writable() {
                        relay.flush(key);
                    }
                    if event.is_readable() || event.is_read_closed() {
                        relay.hand_over(key);
                    }
                }
            }
        }
    }
}

impl Relay {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let (stream, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let _ = stream.set_nodelay(true);
            let key = self.sockets.insert(Half { stream, hello: None, partner: None, unsent: Vec::new() });
            let half = &mut self.sockets[key];
            let interests = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut half.stream, Token(key), interests)?;
        }
    }

    fn hand_over(&mut self, key: usize) {
        loop {
            let Some(half) = self.sockets.get_mut(key) else { return };
            let count = match half.stream.read(&mut self.room) {
                Ok(0) => return self.end(key),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.end(key),
            };
            if half.hello.is_none() {
                self.introduce(key);
            } else if let Some(partner) = half.partner.and_then(|partner| self.sockets.get_mut(partner)) {
                partner.send(&self.room[..count]);
            }
            if count < self.room.len() {
                return;
            }
        }
    }

    /// What was read is the first of a socket: nothing but its hello.
    fn introduce(&mut self, key: usize) {
        let hello = *self.room.first_chunk().unwrap_or(&[0; 4]);
        let partner = self.single.remove(&hello);
        if let Some(half) = self.sockets.get_mut(key) {
            (half.hello, half.partner) = (Some(hello), partner);
        }
        match partner.and_then(|partner| self.sockets.get_mut(partner)) {
            Some(partner) => partner.partner = Some(key),
            None => _ = self.single.insert(hello, key),
        }
    }

    fn flush(&mut self, key: usize) {
        if let Some(half) = self.sockets.get_mut(key)
            && !half.unsent.is_empty()
        {
            let unsent = std::mem::take(&mut half.unsent);
            half.send(&unsent);
        }
    }

    fn end(&mut self, key: usize) {
        let Some(half) = self.sockets.try_remove(key) else { return };
        if let Some(hello) = half.hello
            && self.single.get(&hello) == Some(&key)
        {
            self.single.remove(&hello);
        }
        if let Some(partner) = half.partner {
            self.sockets.try_remove(partner);
        }
    }
}

impl Half {
    fn send(&mut self, bytes: &[u8]) {
        let sent = if self.unsent.is_empty() { self.stream.write(bytes).unwrap_or_default() } else { 0 };
        self.unsent.extend_from_slice(&bytes[sent..]);
    }
}

const LISTENER: Token = Token(usize::MAX);

/// As much as the server reads at once.
const ROOM_BYTES: usize = 64 * 1024;
