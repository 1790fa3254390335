//! The whole server, loop and codec and core, around a simulated network.

mod frames;
mod host;
mod line;
mod net;
mod policy;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use peerpigeon_core::{ConnId, Gone, Time};
use peerpigeon_server::{Config, Server};

use super::{BOOT, Downward, care};
use crate::random::Random;
use crate::record::Record;
use crate::scenario::{ByteKnobs, Knobs};
use crate::transcript::Transcript;
use crate::watch::{Breach, Watch};
use frames::Read;
use line::{Line, Phase};
use net::SimNet;

pub(super) struct ByteHost {
    server: Server<SimNet>,
    config: Config,
    knobs: ByteKnobs,
    lines: BTreeMap<ConnId, Line>,
    /// Which connection each pipe belongs to.
    conns: Vec<ConnId>,
    /// Bytes and ends on their way to the server.
    arrivals: BTreeMap<(Time, u64), (ConnId, Arrival)>,
    count: u64,
    random: Random,
    outgoing: Vec<(ConnId, Downward)>,
    /// When the server wants to be woken.
    wake: Option<Time>,
    draining: Option<Time>,
    is_over: bool,
    /// Another core, which gets every input that the loop gives to its own, under the eyes of the laws.
    watch: Watch,
    transcript: Transcript,
}

/// Something that reaches the server's machine.
#[derive(Debug)]
enum Arrival {
    Bytes(Vec<u8>),
    End,
    Reset,
}

impl ByteHost {
    pub(super) fn new(knobs: &Knobs, seed: u64) -> ByteHost {
        let bytes = knobs.bytes;
        let config = Config {
            max_message_bytes: bytes.max_message_bytes,
            max_queue_bytes: bytes.max_message_bytes + bytes.max_queue_bytes,
            memory_budget_bytes: bytes.memory_budget_bytes,
            ..Config::new(knobs.limits.clone())
        };
        let net = SimNet::new(seed, bytes.oddity_percent.into());
        ByteHost {
            server: Server::new(net, config.clone(), Box::new(policy::SimPolicy), BOOT)
                .expect("limits that are allowed"),
            config,
            knobs: bytes,
            lines: BTreeMap::new(),
            conns: Vec::new(),
            arrivals: BTreeMap::new(),
            count: 0,
            random: Random::part(seed, 1 << 43),
            outgoing: Vec::new(),
            wake: None,
            draining: None,
            is_over: false,
            watch: Watch::new(&knobs.limits, BOOT, care(knobs.slots)),
            transcript: Transcript::EMPTY,
        }
    }

    /// A connection, and what it sends first.
    fn open(&mut self, now: Time, conn: ConnId, address: Option<peerpigeon_core::AddressKey>, bytes: &[u8]) {
        let pipe = self.server.net_mut().connect(policy::remote(address), self.knobs.send_buffer);
        self.conns.push(conn);
        self.lines.insert(conn, Line::new(pipe, now));
        self.send(now, conn, bytes);
    }

    /// A connection for one request.
    fn ask(
        &mut self,
        now: Time,
        conn: ConnId,
        address: Option<peerpigeon_core::AddressKey>,
        poll: bool,
        request: &str,
    ) {
        self.open(now, conn, address, request.as_bytes());
        if let Some(line) = self.lines.get_mut(&conn) {
            line.phase = Phase::Asking { poll };
        }
    }

    /// Bytes of a peer set out: whole, or in pieces with pauses between them.
    fn send(&mut self, now: Time, conn: ConnId, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        if line.loses_up {
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let chopped = self.random.chance(self.knobs.chop_percent.into());
            let length = if chopped { 1 + self.random.index(rest.len()) } else { rest.len() };
            let (piece, tail) = rest.split_at(length);
            let pause = if tail.is_empty() { 0 } else { self.random.between(0, self.knobs.pause_ms) };
            let at = line.next_arrival(now);
            self.count += 1;
            self.arrivals.insert((at, self.count), (conn, Arrival::Bytes(piece.to_vec())));
            line.busy_until = at + pause;
            rest = tail;
        }
    }

    fn put(&mut self, now: Time, conn: ConnId, arrival: Arrival) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        if line.loses_up {
            return;
        }
        self.count += 1;
        self.arrivals.insert((line.next_arrival(now), self.count), (conn, arrival));
    }

    /// What is due reaches the server's machine.
    fn deliver(&mut self, now: Time) {
        while let Some(entry) = self.arrivals.first_entry().filter(|entry| entry.key().0 <= now) {
            let (conn, arrival) = entry.remove();
            let Some(line) = self.lines.get(&conn) else { continue };
            let (pipe, net) = (line.pipe, self.server.net_mut());
            match arrival {
                Arrival::Bytes(bytes) => net.arrive(pipe, &bytes),
                Arrival::End => net.end(pipe),
                Arrival::Reset => net.reset(pipe),
            }
        }
    }

    /// Lets the server work until it sleeps, and the peers read, until nothing moves any more.
    fn settle(&mut self, now: Time, record: &mut Record) -> Result<(), Breach> {
        loop {
            if !self.is_over {
                self.run()?;
                self.look_on(record)?;
            }
            let before = self.count;
            let touched = self.server.net_mut().take_touched();
            let mut moved = false;
            for pipe in touched {
                moved |= self.read(now, self.conns[pipe], record)?;
            }
            self.deliver(now);
            if !moved && self.count == before {
                return Ok(());
            }
        }
    }

    /// The laws see what the core was given, and what it must have made of it.
    fn look_on(&mut self, record: &mut Record) -> Result<(), Breach> {
        for (now, given) in self.server.net_mut().take_inputs() {
            self.watch.handle(now, given.input(), record)?;
        }
        drop(self.watch.take_outgoing());
        let (its, ours) = (self.server.gauges(), self.watch.census());
        if its == ours {
            return Ok(());
        }
        Err(breach("the same inputs make the same core", format!("{its:?} and {ours:?}")))
    }

    fn run(&mut self) -> Result<(), Breach> {
        let server = &mut self.server;
        let result = catch_unwind(AssertUnwindSafe(|| server.run())).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            breach("no panic, every invariant", text.unwrap_or_default())
        })?;
        match result {
            Ok(()) => {
                self.is_over = true;
                self.exit();
                Ok(())
            }
            Err(_) if self.server.net_mut().is_asleep() => Ok(()),
            Err(_) if self.server.net_mut().spins() => {
                Err(breach("the loop sleeps", "it turned 20000 times in one moment".to_owned()))
            }
            Err(error) => Err(breach("the loop goes on", error.to_string())),
        }
    }

    /// The process is gone, and with it all its sockets: those who listen still hear what was written before.
    fn exit(&mut self) {
        for (conn, line) in &mut self.lines {
            let net = self.server.net_mut();
            net.abandon(line.pipe);
            if line.phase != Phase::Over && !line.listens() {
                line.phase = Phase::Over;
                self.outgoing.push((*conn, Downward::Lost));
            }
        }
    }

    /// The peer of a connection reads what it can. Says whether anything moved.
    fn read(&mut self, now: Time, conn: ConnId, record: &mut Record) -> Result<bool, Breach> {
        let Some(line) = self.lines.get_mut(&conn) else { return Ok(false) };
        let (most, net) = (line.appetite(now), self.server.net_mut());
        let bytes = net.read_by_peer(line.pipe, most);
        let (is_over, left) = (net.is_over_for_peer(line.pipe), net.has_left(line.pipe));
        let loses = line.loses_down;
        line.ate(now, bytes.len(), left);
        if !bytes.is_empty() {
            self.transcript.number(now.0);
            self.transcript.number(conn.0);
            self.transcript.bytes(&bytes);
        }
        if loses || (self.is_over && line.phase == Phase::Over) {
            return Ok(!bytes.is_empty());
        }
        let told = line
            .take(&bytes)
            .map_err(|what| breach("what the server writes", format!("{conn:?}: {what}")))?;
        let moved = !bytes.is_empty();
        for downward in told {
            self.told(now, conn, downward, record);
        }
        let Some(line) = self.lines.get_mut(&conn) else { return Ok(moved) };
        if is_over && line.phase != Phase::Over && line.reads {
            let is_within = line.is_within_frame() && line.was_patient && !line.has_closed;
            let was_closed = line.phase == Phase::Closed;
            line.phase = Phase::Over;
            self.put_end(now, conn);
            if is_within {
                return Err(breach(
                    "what the server writes",
                    format!("{conn:?} ended in the middle of a frame"),
                ));
            }
            if !was_closed {
                self.outgoing.push((conn, Downward::Lost));
            }
        }
        Ok(moved)
    }

    /// The peer has seen the end, and ends its own direction, too.
    fn put_end(&mut self, now: Time, conn: ConnId) {
        self.put(now, conn, Arrival::End);
    }

    fn told(&mut self, now: Time, conn: ConnId, read: line::Told, record: &mut Record) {
        let downward = match read {
            line::Told::Opened => Downward::Opened,
            line::Told::Refused => return,
            line::Told::Reply { poll, status, text } => {
                record.note_down(now, conn, || format!("{status} {text}"));
                self.put(now, conn, Arrival::End);
                Downward::Reply { poll, status, text }
            }
            line::Told::Frame(Read::Text(text)) => {
                record.down(now, conn, &text);
                Downward::Text(text)
            }
            line::Told::Frame(Read::Ping) => {
                record.note_down(now, conn, || "(ping)".to_owned());
                Downward::Ping
            }
            line::Told::Frame(Read::Pong) => return,
            line::Told::Frame(Read::Close { code, reason }) => {
                record.note_down(now, conn, || format!("close {code} {reason}"));
                self.answer_close(now, conn, code);
                Downward::Close { code, reason }
            }
        };
        self.outgoing.push((conn, downward));
    }

    /// Most clients echo a close frame; some just stay.
    fn answer_close(&mut self, now: Time, conn: ConnId, code: u16) {
        let echoes = self.lines.get(&conn).is_some_and(|line| !line.has_closed) && self.random.chance(90);
        if echoes {
            let bytes = frames::close(code, &mut self.random);
            self.send(now, conn, &bytes);
        }
    }

    /// The bounds of the loop.
    fn check(&mut self, now: Time) -> Result<(), Breach> {
        let (buffered, sockets) = (self.server.buffered_bytes(), self.server.sockets());
        let most = self.config.memory_budget_bytes + POOLED_BYTES;
        if buffered > most {
            return Err(breach(
                "bounds of the loop",
                format!("{buffered} bytes of buffers, at most {most} allowed"),
            ));
        }
        if sockets > self.config.max_sockets {
            let most = self.config.max_sockets;
            return Err(breach("bounds of the loop", format!("{sockets} sockets, at most {most} allowed")));
        }
        let late = self.draining.is_some_and(|until| until <= now) && !self.is_over;
        if late {
            return Err(breach("shutdown", "it was not over within SHUTDOWN_TIMEOUT".to_owned()));
        }
        Ok(())
    }

    fn counted(&self) -> (u64, u64) {
        let tally = self.server.peer_counters();
        let ended = tally.closed().map(|(_, count)| count).chain(tally.lost().map(|(_, count)| count)).sum();
        (tally.opened, ended)
    }
}

/// Buffers that are kept for the next ones are not in the budget.
const POOLED_BYTES: usize = 1 << 20;

fn breach(law: &str, what: String) -> Breach {
    Breach { law: law.to_owned(), what }
}

impl ByteHost {
    fn gone(&mut self, now: Time, conn: ConnId, how: Gone) {
        let Some(line) = self.lines.get_mut(&conn) else { return };
        line.has_closed = true;
        if matches!(line.phase, Phase::Asking { .. } | Phase::Deaf) {
            let end = if how == Gone::Closed { Arrival::End } else { Arrival::Reset };
            return self.put(now, conn, end);
        }
        match how {
            Gone::Closed => {
                // With a close frame, or just by the end of the stream.
                let bytes =
                    if self.random.chance(80) { frames::close(1001, &mut self.random) } else { Vec::new() };
                let ends_at_once = bytes.is_empty() || self.random.chance(20);
                self.send(now, conn, &bytes);
                if ends_at_once {
                    self.put(now, conn, Arrival::End);
                }
            }
            Gone::Reset => self.put(now, conn, Arrival::Reset),
            Gone::ProtocolError => {
                let bytes = frames::flawed(crate::scenario::FrameFlaw::Unmasked, &mut self.random);
                self.send(now, conn, &bytes);
            }
            Gone::TooBig => {
                let most = u64::try_from(self.config.max_message_bytes).unwrap_or(u64::MAX);
                self.send(now, conn, &frames::endless(most));
            }
        }
    }
}
