//! A network in memory: what a script does to it is all that happens.

use peerpigeon_core::Time;
use peerpigeon_server::{Accepted, Host, ListenerKind, Net, Ready};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

/// Each byte of a script can be a read of its own, and wake the loop.
const MOST_TURNS: u32 = 100_000;

/// The server's end; the script holds the same [`World`].
pub struct ScriptedNet(pub Rc<RefCell<World>>);

/// Everything that the two ends share.
#[derive(Default)]
pub struct World {
    /// The clock.
    pub now: Time,
    /// Every connection there has been, by number.
    pub pipes: Vec<Pipe>,
    /// The next accepts fail.
    pub failing_accepts: u64,
    /// Those who wait to be accepted.
    backlog: VecDeque<usize>,
    events: Vec<Ready>,
    /// Until when the loop would sleep; `None` is for ever.
    pub sleeps_until: Option<Time>,
    /// Waits since the loop was started.
    pub turns: u32,
}

/// One connection.
#[derive(Default)]
pub struct Pipe {
    key: Option<usize>,
    /// On its way to the server.
    inbound: VecDeque<u8>,
    end: Option<End>,
    /// Bytes that one read gives at most; 0 is no limit.
    pub read_at_most: usize,
    /// What the server has written.
    pub outbound: Vec<u8>,
    /// Bytes that the server may still write.
    room: usize,
    /// The server has ended its direction.
    pub has_shut: bool,
    /// The server has closed it.
    pub is_closed: bool,
    is_broken: bool,
}

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It ends its direction.
    Orderly,
    /// It resets.
    Reset,
}

impl World {
    /// A client connects.
    pub fn connect(&mut self) {
        self.pipes.push(Pipe { room: usize::MAX, ..Pipe::default() });
        self.backlog.push_back(self.pipes.len() - 1);
        self.events.push(Ready::Acceptable);
    }

    /// A client that has not gone sends something.
    pub fn send(&mut self, client: usize, bytes: &[u8]) {
        if self.pipes[client].end.is_none() {
            self.pipes[client].inbound.extend(bytes);
            self.report_readable(client);
        }
    }

    /// A client goes.
    pub fn end(&mut self, client: usize, end: End) {
        let pipe = &mut self.pipes[client];
        pipe.is_broken |= end == End::Reset;
        if pipe.end != Some(End::Reset) {
            pipe.end = Some(end);
        }
        self.report_readable(client);
    }

    /// From now on a client takes so many bytes more.
    pub fn set_room(&mut self, client: usize, room: usize) {
        let pipe = &mut self.pipes[client];
        pipe.room = room;
        if let (Some(key), true) = (pipe.key, room > 0) {
            self.events.push(Ready::Writable { key });
        }
    }

    /// SIGTERM.
    pub fn stop(&mut self) {
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
}

impl Net for ScriptedNet {
    type Socket = usize;

    fn wait(&mut self, until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        if world.events.is_empty() && until.is_none_or(|until| until > world.now) {
            world.sleeps_until = until;
            // This brings the loop back to the script.
            return Err(ErrorKind::WouldBlock.into());
        }
        world.turns += 1;
        assert!(world.turns < MOST_TURNS, "the loop never sleeps");
        ready.append(&mut world.events);
        Ok(())
    }

    fn accept(&mut self) -> io::Result<Accepted<usize>> {
        let mut world = self.0.borrow_mut();
        if world.backlog.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if world.failing_accepts > 0 {
            world.failing_accepts -= 1;
            return Err(if world.failing_accepts.is_multiple_of(2) {
                ErrorKind::Other
            } else {
                ErrorKind::ConnectionAborted
            }
            .into());
        }
        let socket = world.backlog.pop_front().ok_or(ErrorKind::WouldBlock)?;
        let last = u8::try_from(socket % 3 + 1).unwrap_or(0);
        let remote = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 1);
        Ok(Accepted { socket, remote: Some(remote), listener: ListenerKind::Public })
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
        assert!(!room.is_empty() && !pipe.is_closed, "a read into nothing, or after the close");
        if pipe.inbound.is_empty() {
            return match pipe.end {
                None => Err(ErrorKind::WouldBlock.into()),
                Some(End::Orderly) => Ok(0),
                Some(End::Reset) => Err(ErrorKind::ConnectionReset.into()),
            };
        }
        let most = if pipe.read_at_most == 0 { usize::MAX } else { pipe.read_at_most };
        let count = room.len().min(pipe.inbound.len()).min(most);
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
        assert!(
            !bytes.is_empty() && !pipe.is_closed && !pipe.has_shut,
            "a write of nothing, or after the end"
        );
        if pipe.is_broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if pipe.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(pipe.room);
        pipe.room -= if pipe.room == usize::MAX { 0 } else { count };
        pipe.outbound.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn shut_write(&mut self, socket: &mut usize) {
        self.0.borrow_mut().pipes[*socket].has_shut = true;
    }

    fn close(&mut self, socket: usize) {
        let mut world = self.0.borrow_mut();
        assert!(!world.pipes[socket].is_closed, "closed twice");
        world.pipes[socket].is_closed = true;
        let key = world.pipes[socket].key.take();
        world.events.retain(|event| match event {
            Ready::Readable { key: other, .. } | Ready::Writable { key: other } => Some(*other) != key,
            Ready::Acceptable | Ready::Store | Ready::Bus | Ready::Stop => true,
        });
    }
}
