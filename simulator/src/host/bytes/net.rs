//! The network of a simulated process: byte streams whose every misfortune is drawn or ordered.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;

use peerpigeon_core::{Input, Time, UnixMillis, WallClock};
use peerpigeon_server::{Accepted, Host, ListenerKind, Net, Ready};

use crate::host::BOOT;
use crate::random::Random;
use crate::watch::Given;

/// Turns in one moment after which a loop is taken to spin.
const TURNS_AT_ONCE: u32 = 20_000;

pub(super) struct SimNet {
    now: Time,
    pipes: Vec<Pipe>,
    /// Pipes that wait to be accepted.
    backlog: VecDeque<usize>,
    ready: Vec<Ready>,
    /// Pipes that the server has written to, shut or closed since they were looked at.
    touched: Vec<usize>,
    /// The server sleeps until then; `None` for ever.
    wake: Option<Time>,
    is_asleep: bool,
    turns: u32,
    exhausted_until: Time,
    clock: WallClock,
    /// What the core has been given since this was asked last.
    inputs: Vec<(Time, Given)>,
    random: Random,
    /// Percent of the calls that go odd ways which the contract of [`Net`] allows.
    oddity_percent: u64,
}

/// One connection. The server's end is an index; what is here survives it.
#[derive(Debug)]
pub(super) struct Pipe {
    key: Option<usize>,
    remote: SocketAddr,
    /// On its way to the server, arrived.
    inbound: VecDeque<u8>,
    has_ended: bool,
    is_reset: bool,
    /// What the kernel still takes.
    room: usize,
    is_blocked: bool,
    /// Written by the server, not yet read by the peer.
    outbound: VecDeque<u8>,
    pub(super) is_shut: bool,
    is_closed: Rc<Cell<bool>>,
}

/// The server's end of a pipe: closed when dropped.
#[derive(Debug)]
pub(super) struct SimSocket {
    pipe: usize,
    is_closed: Rc<Cell<bool>>,
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.is_closed.set(true);
    }
}

impl SimNet {
    pub(super) fn new(seed: u64, oddity_percent: u64) -> SimNet {
        SimNet {
            now: Time(0),
            pipes: Vec::new(),
            backlog: VecDeque::new(),
            ready: Vec::new(),
            touched: Vec::new(),
            wake: None,
            is_asleep: false,
            turns: 0,
            exhausted_until: Time(0),
            clock: WallClock::new(BOOT),
            inputs: Vec::new(),
            random: Random::part(seed, 1 << 42),
            oddity_percent,
        }
    }

    /// The clock moves on; the server may work again.
    pub(super) fn set_now(&mut self, now: Time) {
        self.now = now;
        self.is_asleep = false;
        self.turns = 0;
    }

    /// Whether the server has gone to sleep, and not failed.
    pub(super) fn is_asleep(&self) -> bool {
        self.is_asleep
    }

    /// When the server wants to be woken.
    pub(super) fn wake(&self) -> Option<Time> {
        self.wake
    }

    /// Whether the server does the same again and again in one moment.
    pub(super) fn spins(&self) -> bool {
        self.turns > TURNS_AT_ONCE
    }

    /// The process is asked to end.
    pub(super) fn stop(&mut self) {
        self.ready.push(Ready::Stop);
    }

    /// The clock on the wall shows so many ms more than it would have.
    pub(super) fn set_clock(&mut self, now: Time, by_ms: i64) {
        let wall = UnixMillis(self.clock.at(now).0.saturating_add_signed(by_ms));
        self.clock.set(now, wall);
    }

    /// No descriptors until then.
    pub(super) fn exhaust(&mut self, until: Time) {
        self.exhausted_until = until;
    }

    /// A client connects; `room` is what the kernel takes for it.
    pub(super) fn connect(&mut self, remote: SocketAddr, room: usize) -> usize {
        let pipe = self.pipes.len();
        self.pipes.push(Pipe {
            key: None,
            remote,
            inbound: VecDeque::new(),
            has_ended: false,
            is_reset: false,
            room,
            is_blocked: false,
            outbound: VecDeque::new(),
            is_shut: false,
            is_closed: Rc::new(Cell::new(false)),
        });
        self.backlog.push_back(pipe);
        self.ready.push(Ready::Acceptable);
        pipe
    }

    /// Bytes arrive.
    pub(super) fn arrive(&mut self, pipe: usize, bytes: &[u8]) {
        let it = &mut self.pipes[pipe];
        if !it.is_reset && !it.has_ended {
            it.inbound.extend(bytes);
            self.tell_readable(pipe);
        }
    }

    /// The client ends its direction.
    pub(super) fn end(&mut self, pipe: usize) {
        self.pipes[pipe].has_ended = true;
        self.tell_readable(pipe);
    }

    /// The client's machine resets the connection: what has not been read is gone.
    pub(super) fn reset(&mut self, pipe: usize) {
        let it = &mut self.pipes[pipe];
        it.is_reset = true;
        it.inbound.clear();
        it.outbound.clear();
        self.tell_readable(pipe);
    }

    fn tell_readable(&mut self, pipe: usize) {
        let it = &self.pipes[pipe];
        if let Some(key) = it.key {
            self.ready.push(Ready::Readable { key, hangup: it.has_ended || it.is_reset });
        }
    }

    /// What the peer of a pipe reads, at most `most` bytes of it.
    pub(super) fn read_by_peer(&mut self, pipe: usize, most: usize) -> Vec<u8> {
        let it = &mut self.pipes[pipe];
        let count = it.outbound.len().min(most);
        let bytes: Vec<u8> = it.outbound.drain(..count).collect();
        it.room += count;
        if count > 0 && it.is_blocked {
            it.is_blocked = false;
            if let Some(key) = it.key {
                self.ready.push(Ready::Writable { key });
            }
        }
        bytes
    }

    /// Whether there is something for the peer of a pipe to read.
    pub(super) fn has_left(&self, pipe: usize) -> bool {
        !self.pipes[pipe].outbound.is_empty()
    }

    /// Pipes that the server has done something to since the last time this was asked.
    pub(super) fn take_touched(&mut self) -> Vec<usize> {
        core::mem::take(&mut self.touched)
    }

    /// Whether the peer of a pipe will read nothing more.
    pub(super) fn is_over_for_peer(&self, pipe: usize) -> bool {
        let it = &self.pipes[pipe];
        it.outbound.is_empty() && (it.is_shut || it.is_closed.get())
    }

    /// The process that holds the other end is gone.
    pub(super) fn abandon(&mut self, pipe: usize) {
        self.pipes[pipe].is_closed.set(true);
        self.touched.push(pipe);
    }

    /// Whether the server has let go of a pipe.
    pub(super) fn is_closed(&self, pipe: usize) -> bool {
        self.pipes[pipe].is_closed.get()
    }

    /// What the core has been given since this was asked last.
    pub(super) fn take_inputs(&mut self) -> Vec<(Time, Given)> {
        core::mem::take(&mut self.inputs)
    }

    /// Pipes that wait to be accepted.
    pub(super) fn waiting(&self) -> usize {
        self.backlog.len()
    }

    /// How many connections there have been.
    pub(super) fn pipes(&self) -> usize {
        self.pipes.len()
    }

    fn is_odd(&mut self) -> bool {
        self.random.chance(self.oddity_percent)
    }
}

impl Host for SimNet {
    fn now(&self) -> Time {
        self.now
    }

    fn wall_time(&self) -> Option<UnixMillis> {
        Some(self.clock.at(self.now))
    }

    fn note_input(&mut self, now: Time, input: &Input<'_>) {
        self.inputs.push((now, Given::keep(input)));
    }
}

impl Net for SimNet {
    type Socket = SimSocket;

    fn wait(&mut self, until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<()> {
        self.turns += 1;
        if self.spins() {
            return Err(ErrorKind::Other.into());
        }
        let is_due = until.is_some_and(|until| until <= self.now);
        if self.ready.is_empty() && !is_due {
            // The caller moves the clock and calls again: to the loop this is a wait that has not ended yet.
            (self.is_asleep, self.wake) = (true, until);
            return Err(ErrorKind::WouldBlock.into());
        }
        ready.append(&mut self.ready);
        Ok(())
    }

    fn accept(&mut self) -> io::Result<Accepted<SimSocket>> {
        if self.backlog.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.now < self.exhausted_until {
            /// Too many open files (`EMFILE`).
            const EMFILE: i32 = 24;
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        if self.is_odd() {
            return Err(ErrorKind::Interrupted.into());
        }
        let Some(pipe) = self.backlog.pop_front() else { return Err(ErrorKind::WouldBlock.into()) };
        let it = &self.pipes[pipe];
        let (remote, is_closed) = (it.remote, Rc::clone(&it.is_closed));
        if it.is_reset {
            is_closed.set(true);
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let socket = SimSocket { pipe, is_closed };
        Ok(Accepted { socket, remote: Some(remote), listener: ListenerKind::Public })
    }

    fn register(&mut self, socket: &mut SimSocket, key: usize) -> io::Result<()> {
        let it = &mut self.pipes[socket.pipe];
        it.key = Some(key);
        let (is_readable, hangup) =
            (!it.inbound.is_empty() || it.has_ended || it.is_reset, it.has_ended || it.is_reset);
        if is_readable {
            self.ready.push(Ready::Readable { key, hangup });
        }
        self.ready.push(Ready::Writable { key });
        Ok(())
    }

    fn read(&mut self, socket: &mut SimSocket, room: &mut [u8]) -> io::Result<usize> {
        if self.is_odd() {
            return Err(ErrorKind::Interrupted.into());
        }
        let it = &mut self.pipes[socket.pipe];
        if it.is_reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if it.inbound.is_empty() && !it.has_ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = it.inbound.len().min(room.len());
        for (place, byte) in room.iter_mut().zip(it.inbound.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn write(&mut self, socket: &mut SimSocket, bytes: &[u8]) -> io::Result<usize> {
        if self.is_odd() {
            return Err(ErrorKind::Interrupted.into());
        }
        let is_short = self.is_odd();
        let short = self.random.index(bytes.len());
        let it = &mut self.pipes[socket.pipe];
        if it.is_reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let whole = bytes.len().min(it.room);
        let taken = if is_short { whole.min(short) } else { whole };
        if taken < bytes.len() {
            // Room that there is already is told at once.
            match it.key.filter(|_| taken < it.room) {
                Some(key) => self.ready.push(Ready::Writable { key }),
                None => it.is_blocked = true,
            }
        }
        it.room -= taken;
        it.outbound.extend(&bytes[..taken]);
        self.touched.push(socket.pipe);
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn shut_write(&mut self, socket: &mut SimSocket) {
        self.pipes[socket.pipe].is_shut = true;
        self.touched.push(socket.pipe);
    }

    fn close(&mut self, socket: SimSocket) {
        self.pipes[socket.pipe].key = None;
        self.touched.push(socket.pipe);
    }
}
