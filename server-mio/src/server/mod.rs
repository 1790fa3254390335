//! The event loop.

mod accept;
mod acceptor;
mod bus;
mod config;
mod connection;
mod connections;
mod deadlines;
mod drain;
mod exchange;
mod flush;
mod outputs;
mod pool;
mod queue;
mod read;
mod read_http;
mod read_websocket;
mod shed;
mod slots;
mod store;
#[cfg(test)]
mod tests;

use crate::access::AccessPolicy;
use crate::bus::{BUS_KEY, Bus};
use crate::net::{Net, Ready};
use crate::observe::LogThrottle;
use crate::observe::LoopCounters;
use crate::observe::PeerCounters;
use crate::server::acceptor::Acceptor;
pub use crate::server::config::Config;
use crate::server::connections::Connections;
use crate::server::drain::DrainTimes;
use crate::server::exchange::Exchange;
pub(crate) use crate::server::pool::MAX_POOL_BYTES;
use crate::store::{MailStore, STORE_KEY};
use peerpigeon_core::{Census, ConnId, Input, LimitError, Switchboard, Time, UnixMillis, WallClock};
use std::collections::BTreeMap;
use std::io;

/// The whole server around one [`Net`]: connections, the switchboard, and the buffers that they share.
///
/// One thread, no locks. The cost of a turn grows with what is ready, not with how many are connected.
pub struct Server<N: Net> {
    net: N,
    config: Config,
    policy: Box<dyn AccessPolicy>,
    switchboard: Switchboard,
    peer_counters: PeerCounters,
    loop_counters: LoopCounters,
    connections: Connections<N::Socket>,
    acceptor: Acceptor,
    /// The clock is read once in a turn.
    now: Time,
    clock: WallClock,
    /// Requests that the core has not answered yet.
    exchanges: BTreeMap<ConnId, Exchange>,
    /// What the core has answered to them, with its status, while other outputs are worked on.
    replies: Vec<(ConnId, u16, String)>,
    /// `None`: mail does not outlive the process.
    store: Option<Box<dyn MailStore<N>>>,
    /// `None`: this is the only node.
    bus: Option<Box<dyn Bus<N>>>,
    /// `None` until the process is asked to end.
    draining: Option<DrainTimes>,
    /// What every read goes into; taken out while one is worked on.
    input: Vec<u8>,
    events: Vec<Ready>,
    /// The list of those to be read, while it is worked on.
    reading: Vec<ConnId>,
    /// Sockets that the system does not watch.
    unwatched_lines: LogThrottle,
}

impl<N: Net> Server<N> {
    /// A server without connections; `boot` is the wall time when the clock of `net` showed 0. Its mail does not outlive it,
    /// whatever [`peerpigeon_core::Limits::store_timeout_ms`] says.
    ///
    /// # Errors
    ///
    /// Of [`io::ErrorKind::InvalidInput`], where [`Config::check`] finds something that is not allowed.
    pub fn new(
        net: N,
        mut config: Config,
        policy: Box<dyn AccessPolicy>,
        boot: UnixMillis,
    ) -> io::Result<Server<N>> {
        config.limits.store_timeout_ms = 0;
        Server::with(net, config, policy, boot, None)
    }

    /// As [`Server::new`], but mail is kept in a store.
    ///
    /// # Errors
    ///
    /// As [`Server::new`].
    pub fn with_store(
        net: N,
        config: Config,
        policy: Box<dyn AccessPolicy>,
        boot: UnixMillis,
        store: Box<dyn MailStore<N>>,
    ) -> io::Result<Server<N>> {
        Server::with(net, config, policy, boot, Some(store))
    }

    fn with(
        net: N,
        config: Config,
        policy: Box<dyn AccessPolicy>,
        boot: UnixMillis,
        store: Option<Box<dyn MailStore<N>>>,
    ) -> io::Result<Server<N>> {
        config.check().map_err(invalid)?;
        Ok(Server {
            switchboard: Switchboard::new(config.limits.clone(), boot, config.hash_key).map_err(invalid)?,
            peer_counters: PeerCounters::default(),
            loop_counters: LoopCounters::default(),
            connections: Connections::new(config.max_queue_bytes, config.max_message_bytes),
            acceptor: Acceptor::new(config.max_sockets),
            now: net.now(),
            clock: WallClock::new(boot),
            exchanges: BTreeMap::new(),
            replies: Vec::new(),
            store,
            bus: None,
            draining: None,
            input: vec![0; INPUT_BYTES],
            events: Vec::new(),
            reading: Vec::new(),
            unwatched_lines: LogThrottle::default(),
            net,
            config,
            policy,
        })
    }

    /// Works until the process was asked to end ([`Ready::Stop`]) and everybody has been told, or
    /// `SHUTDOWN_TIMEOUT` is over.
    ///
    /// # Errors
    ///
    /// When waiting for events fails: then nothing works any more.
    pub fn run(&mut self) -> io::Result<()> {
        while !self.is_over() {
            self.turn()?;
        }
        Ok(())
    }

    /// One turn: sleeps until something is to be done, and does it.
    ///
    /// # Errors
    ///
    /// As [`Server::run`].
    pub fn turn(&mut self) -> io::Result<()> {
        self.turn_by(None)
    }

    /// As [`Server::turn`], but does not sleep longer than until `by`: for whoever has something to do between two turns.
    ///
    /// # Errors
    ///
    /// As [`Server::run`].
    pub fn turn_by(&mut self, by: Option<Time>) -> io::Result<()> {
        self.wait(by)?;
        let (start, relayed) = (self.net.micros(), self.peer_counters.relays());
        self.now = self.net.now();
        self.follow_clock();
        self.note_events();
        self.accept_some();
        self.read_ready();
        self.read_store();
        self.read_bus();
        self.fire_deadlines();
        self.flush_and_shed();
        self.loop_counters.relays.note(self.net.micros() - start, self.peer_counters.relays() - relayed);
        self.close_ended();
        self.write_store();
        self.write_bus();
        self.loop_counters.turns.note(self.net.micros() - start, 1);
        Ok(())
    }

    /// Goes on with other settings. Limits of the core other than [`peerpigeon_core::LiveLimits`] stay as they are.
    ///
    /// # Errors
    ///
    /// As [`Server::new`]; then nothing has changed.
    pub fn reconfigure(&mut self, config: Config, policy: Box<dyn AccessPolicy>) -> io::Result<()> {
        config.check().map_err(invalid)?;
        let limits = config.limits.live().map_err(invalid)?;
        self.connections.set_max_queue_bytes(config.max_queue_bytes, config.max_message_bytes);
        self.acceptor.set_max_sockets(config.max_sockets, self.now, self.connections.len());
        self.config = Config { limits: self.config.limits.clone().with(limits), ..config };
        self.policy = policy;
        self.feed(Input::Adjust { limits });
        Ok(())
    }

    /// The time of this turn.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Sockets that are open, WebSockets or not.
    pub fn sockets(&self) -> usize {
        self.connections.len()
    }

    /// Bytes of output queues and incomplete input, and of buffers kept for the next ones.
    pub fn buffered_bytes(&self) -> usize {
        self.connections.owned_bytes() + self.connections.pooled_bytes()
    }

    /// Gauges of the core.
    pub fn gauges(&self) -> Census {
        self.switchboard.census()
    }

    /// Counters of what happened to peers.
    pub fn peer_counters(&self) -> &PeerCounters {
        &self.peer_counters
    }

    /// Counters of what the loop did.
    pub fn loop_counters(&self) -> &LoopCounters {
        &self.loop_counters
    }

    /// The network, for a simulator that moves it between turns.
    pub fn net_mut(&mut self) -> &mut N {
        &mut self.net
    }

    fn wait(&mut self, by: Option<Time>) -> io::Result<()> {
        self.events.clear();
        let deadline = self.next_deadline().into_iter().chain(by).min();
        let until = if self.connections.ready.is_empty() { deadline } else { Some(Time(0)) };
        self.net.wait(until, &mut self.events)
    }

    /// Timestamps and dates follow the clock on the wall when it was set, or the machine has slept.
    fn follow_clock(&mut self) {
        let Some(wall) = self.net.wall_time() else { return };
        if wall.0.abs_diff(self.clock.at(self.now).0) >= CLOCK_STEP_MS {
            self.clock.set(self.now, wall);
            self.feed(Input::ClockSet { wall });
        }
    }

    fn note_events(&mut self) {
        for i in 0..self.events.len() {
            match self.events[i] {
                Ready::Acceptable => self.acceptor.note_pending(),
                Ready::Store
                | Ready::Readable { key: STORE_KEY, .. }
                | Ready::Writable { key: STORE_KEY } => self.note_store_ready(),
                Ready::Bus | Ready::Readable { key: BUS_KEY, .. } | Ready::Writable { key: BUS_KEY } => {
                    self.note_bus_ready()
                }
                Ready::Readable { key, hangup } => {
                    if let Some(connection) = self.connections.at_key_mut(key) {
                        connection.marks.has_hangup |= hangup;
                        let id = connection.id;
                        self.connections.mark_ready(id);
                    }
                }
                Ready::Writable { key } => {
                    if let Some(connection) = self.connections.at_key_mut(key)
                        && connection.marks.is_blocked
                    {
                        connection.marks.is_blocked = false;
                        let id = connection.id;
                        self.connections.mark_dirty(id);
                    }
                }
                Ready::Stop => self.begin_drain(),
            }
        }
    }

    fn close_ended(&mut self) {
        self.abandon_exchanges();
        if self.connections.reap(&mut self.net) {
            self.acceptor.note_closed(self.now, self.connections.len());
        }
    }
}

/// Bytes of one connection, its socket and what it owns aside.
pub(crate) const CONNECTION_BYTES: usize = size_of::<connection::Connection<()>>();

fn invalid(error: LimitError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

/// Bytes read from one connection in one turn at most.
pub(crate) const INPUT_BYTES: usize = 64 * 1024;

/// By how much the clock on the wall is off before it is followed: more than lies between two readings of one moment.
const CLOCK_STEP_MS: u64 = 100;
