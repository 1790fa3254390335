//! Sockets in memory that count what is asked of them, and allocate nothing for it once they are warm.

use peerpigeon_core::Time;
use peerpigeon_server::{Accepted, Host, ListenerKind, Net, Ready};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};

/// How often each system call would have been made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) waits: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

pub(crate) struct CountingNet {
    pub(crate) now: Time,
    pub(crate) calls: Calls,
    /// Capacity that the clients' side of a socket keeps between two messages.
    pub(crate) kept_bytes: usize,
    sockets: Vec<Socket>,
    waiting: VecDeque<usize>,
    ready: Vec<Ready>,
}

/// What the server holds of a socket: as many bytes as of a real one, since these are counted.
pub(crate) struct Handle {
    number: usize,
    _size_of_a_real_one: u64,
}

#[derive(Default)]
struct Socket {
    key: usize,
    input: Vec<u8>,
    read: usize,
}

impl CountingNet {
    pub(crate) fn with_room_for(sockets: usize) -> CountingNet {
        CountingNet {
            now: Time(1),
            calls: Calls::default(),
            kept_bytes: 64 * 1024,
            sockets: Vec::with_capacity(sockets),
            waiting: VecDeque::with_capacity(sockets),
            ready: Vec::with_capacity(sockets),
        }
    }

    /// Somebody connects; returns the number of the socket.
    pub(crate) fn connect(&mut self) -> usize {
        self.sockets.push(Socket::default());
        self.waiting.push_back(self.sockets.len() - 1);
        self.ready.push(Ready::Acceptable);
        self.sockets.len() - 1
    }

    /// `bytes` arrive at a socket that the server has accepted and emptied.
    pub(crate) fn arrive(&mut self, socket: usize, bytes: &[u8]) {
        let key = self.sockets[socket].key;
        self.sockets[socket].input.extend_from_slice(bytes);
        self.ready.push(Ready::Readable { key, hangup: false });
    }
}

impl Host for CountingNet {
    fn now(&self) -> Time {
        self.now
    }
}

impl Net for CountingNet {
    type Socket = Handle;

    fn wait(&mut self, _until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<()> {
        self.calls.waits += 1;
        ready.append(&mut self.ready);
        Ok(())
    }

    fn accept(&mut self) -> io::Result<Accepted<Handle>> {
        let number = self.waiting.pop_front().ok_or(ErrorKind::WouldBlock)?;
        let socket = Handle { number, _size_of_a_real_one: 0 };
        Ok(Accepted { socket, remote: None, listener: ListenerKind::Public })
    }

    fn register(&mut self, socket: &mut Handle, key: usize) -> io::Result<()> {
        self.sockets[socket.number].key = key;
        Ok(())
    }

    fn read(&mut self, socket: &mut Handle, room: &mut [u8]) -> io::Result<usize> {
        self.calls.reads += 1;
        let socket = &mut self.sockets[socket.number];
        let rest = &socket.input[socket.read..];
        if rest.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = rest.len().min(room.len());
        room[..count].copy_from_slice(&rest[..count]);
        socket.read += count;
        if socket.read == socket.input.len() {
            socket.read = 0;
            socket.input.clear();
            socket.input.shrink_to(self.kept_bytes);
        }
        Ok(count)
    }

    fn write(&mut self, _socket: &mut Handle, bytes: &[u8]) -> io::Result<usize> {
        self.calls.writes += 1;
        Ok(bytes.len())
    }

    fn shut_write(&mut self, _socket: &mut Handle) {}

    fn close(&mut self, _socket: Handle) {}
}
