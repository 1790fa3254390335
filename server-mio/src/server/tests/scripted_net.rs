//! A network in memory that does what a test says.

use crate::net::{Accepted, Host, ListenerKind, Net, Ready};
use peerpigeon_core::{Time, UnixMillis};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::rc::Rc;

/// The server's end; the test holds the same [`World`].
pub(super) struct ScriptedNet(pub(super) Rc<RefCell<World>>);

/// Everything that the two ends share.
#[derive(Default)]
pub(super) struct World {
    pub(super) now: Time,
    /// What the clock on the wall shows; `None`: it was never set.
    pub(super) wall: Option<UnixMillis>,
    pub(super) pipes: Vec<Pipe>,
    /// Pipes that wait to be accepted.
    backlog: VecDeque<usize>,
    /// What the next accepts fail with.
    pub(super) accept_errors: VecDeque<ErrorKind>,
    events: Vec<Ready>,
    /// How long the last wait would have slept: `None` is for ever.
    pub(super) slept_until: Option<Option<Time>>,
}

/// One connection.
pub(super) struct Pipe {
    key: Option<usize>,
    /// On its way to the server.
    inbound: VecDeque<u8>,
    /// What the server reads when `inbound` is empty.
    end: Option<End>,
    /// Bytes that one read returns at most.
    pub(super) read_at_most: usize,
    /// The next read fails with this.
    pub(super) read_error: Option<ErrorKind>,
    /// What the server has written.
    pub(super) outbound: Vec<u8>,
    /// Bytes that the server may still write.
    room: usize,
    pub(super) writes: usize,
    pub(super) has_shut: bool,
    pub(super) is_closed: bool,
    is_broken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Orderly,
    Reset,
}

impl World {
    /// A client connects; returns its number.
    pub(super) fn connect(&mut self) -> usize {
        self.pipes.push(Pipe {
            key: None,
            inbound: VecDeque::new(),
            end: None,
            read_at_most: usize::MAX,
            read_error: None,
            outbound: Vec::new(),
            room: usize::MAX,
            writes: 0,
            has_shut: false,
            is_closed: false,
            is_broken: false,
        });
        self.backlog.push_back(self.pipes.len() - 1);
        self.events.push(Ready::Acceptable);
        self.pipes.len() - 1
    }

    pub(super) fn send(&mut self, client: usize, bytes: &[u8]) {
        self.pipes[client].inbound.extend(bytes);
        self.report_readable(client);
    }

    pub(super) fn end(&mut self, client: usize, end: End) {
        self.pipes[client].end = Some(end);
        self.pipes[client].is_broken |= end == End::Reset;
        self.report_readable(client);
    }

    /// Writing fails from now on, though what was sent before can still be read.
    pub(super) fn break_writing(&mut self, client: usize) {
        self.pipes[client].is_broken = true;
    }

    /// From now on the client takes so many bytes more.
    pub(super) fn set_room(&mut self, client: usize, room: usize) {
        let pipe = &mut self.pipes[client];
        pipe.room = room;
        if let (Some(key), true) = (pipe.key, room > 0) {
            self.events.push(Ready::Writable { key });
        }
    }

    pub(super) fn stop(&mut self) {
        self.events.push(Ready::Stop);
    }

    fn report_readable(&mut self, client: usize) {
        let pipe = &self.pipes[client];
        if let Some(key) = pipe.key {
            self.events.push(Ready::Readable { key, hangup: pipe.end.is_some() });
        }
    }
}

impl Host for ScriptedNet {
    fn now(&self) -> Time {
        self.0.borrow().now
    }

    fn wall_time(&self) -> Option<UnixMillis> {
        self.0.borrow().wall
    }
}

impl Net for ScriptedNet {
    type Socket = usize;

    fn wait(&mut self, until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let sleeps = world.events.is_empty() && until.is_none_or(|until| until > world.now);
        world.slept_until = sleeps.then_some(until);
        ready.append(&mut world.events);
        Ok(())
    }

    fn accept(&mut self) -> io::Result<Accepted<usize>> {
        let mut world = self.0.borrow_mut();
        if world.backlog.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if let Some(error) = world.accept_errors.pop_front() {
            return Err(error.into());
        }
        let socket = world.backlog.pop_front().ok_or(ErrorKind::WouldBlock)?;
        Ok(Accepted { socket, remote: None, listener: ListenerKind::Public })
    }

    fn register(&mut self, socket: &mut usize, key: usize) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.pipes[*socket].key = Some(key);
        if !world.pipes[*socket].inbound.is_empty() || world.pipes[*socket].end.is_some() {
            world.report_readable(*socket);
        }
        Ok(())
    }

    fn read(&mut self, socket: &mut usize, room: &mut [u8]) -> io::Result<usize> {
        let mut world = self.0.borrow_mut();
        let pipe = &mut world.pipes[*socket];
        assert!(!room.is_empty() && !pipe.is_closed);
        if let Some(error) = pipe.read_error.take() {
            return Err(error.into());
        }
        if pipe.inbound.is_empty() {
            return match pipe.end {
                None => Err(ErrorKind::WouldBlock.into()),
                Some(End::Orderly) => Ok(0),
                Some(End::Reset) => Err(ErrorKind::ConnectionReset.into()),
            };
        }
        let count = room.len().min(pipe.inbound.len()).min(pipe.read_at_most);
        for (place, byte) in room.iter_mut().zip(pipe.inbound.drain(..count)) {
            *place = byte;
        }
        // What a short read leaves comes later, and is reported then.
        if count < room.len() && !pipe.inbound.is_empty() {
            world.report_readable(*socket);
        }
        Ok(count)
    }

    fn write(&mut self, socket: &mut usize, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.0.borrow_mut();
        let pipe = &mut world.pipes[*socket];
        assert!(!bytes.is_empty() && !pipe.is_closed && !pipe.has_shut);
        if pipe.is_broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if pipe.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(pipe.room);
        pipe.room -= count;
        pipe.outbound.extend_from_slice(&bytes[..count]);
        pipe.writes += 1;
        Ok(count)
    }

    fn shut_write(&mut self, socket: &mut usize) {
        self.0.borrow_mut().pipes[*socket].has_shut = true;
    }

    fn close(&mut self, socket: usize) {
        let mut world = self.0.borrow_mut();
        assert!(!world.pipes[socket].is_closed);
        world.pipes[socket].is_closed = true;
        let key = world.pipes[socket].key.take();
        world.events.retain(|event| match event {
            Ready::Readable { key: other, .. } | Ready::Writable { key: other } => Some(*other) != key,
            Ready::Acceptable | Ready::Store | Ready::Bus | Ready::Stop => true,
        });
    }
}
