//! The one connection to a Redis: made by a thread, used by the loop.

use crate::bus::redis::connect::{Connected, Failure, PROBE, Target, connect};
use crate::bus::redis::resp::{Kind, Reader, publish};
use crate::bus::seal::Seal;
use crate::bus::{BUS_KEY, Bus, BusCounters, BusEvent, BusUrls};
use crate::net::{Control, ControlHandle, DialError, Net, Wire};
use crate::program::settings::Pem;
use core::fmt;
use peerpigeon_core::{Channel, NodeId, Time};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// How a bus is reached, and who may use it.
#[derive(Clone, Debug)]
pub struct BusSettings {
    /// Where it may be.
    pub urls: BusUrls,
    /// What the names of its channels begin with: who has another one is in another cluster.
    pub prefix: String,
    /// Who may have signed its certificate, in PEM; needed for `rediss://`.
    pub authorities: Option<Pem>,
    /// What all nodes share, so that nobody else can speak as one of them.
    pub key: Option<Vec<u8>>,
}

/// A bus over a Redis or a Valkey.
pub struct RedisBus<S> {
    urls: BusUrls,
    target: Arc<Target>,
    control: ControlHandle,
    /// Where the thread that connects leaves what it has got.
    made: Made,
    state: State<S>,
    /// How often in a row none could be reached.
    failures: u32,
    /// Attempts so far: each goes to the next URL after one that failed.
    attempts: usize,
    channel_of_all: String,
    events: VecDeque<BusEvent>,
    counters: BusCounters,
    room: Vec<u8>,
}

type Made = Arc<Mutex<Option<Result<Connected, Failure>>>>;

#[derive(Debug)]
enum State<S> {
    /// The next attempt is then.
    Waiting(Time),
    /// A thread connects.
    Connecting,
    Up(Box<Connection<S>>),
}

#[derive(Debug)]
struct Connection<S> {
    wire: Wire<S>,
    reader: Reader,
    /// Commands that are to be written.
    output: Vec<u8>,
    probe: Probe,
}

/// What is published to see whether it comes back.
#[derive(Clone, Copy, Debug)]
enum Probe {
    /// The next one is due then.
    Due(Time),
    /// It went out then and is under way.
    Sent(Time),
}

impl<S> fmt::Debug for RedisBus<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisBus({})", self.urls.at(self.attempts))
    }
}

impl<S> RedisBus<S> {
    /// Connects as soon as the loop turns, for the node with this number. `control` is that of the loop's network.
    #[must_use]
    pub fn new(settings: BusSettings, node: NodeId, control: ControlHandle) -> RedisBus<S> {
        let BusSettings { urls, prefix, authorities, key } = settings;
        let target = Target { prefix, node, authorities, seal: Seal::new(key.as_deref()) };
        RedisBus {
            urls,
            channel_of_all: target.channel_of_all(),
            target: Arc::new(target),
            control,
            made: Made::default(),
            state: State::Waiting(Time(0)),
            failures: 0,
            attempts: 0,
            events: VecDeque::new(),
            counters: BusCounters::default(),
            room: vec![0; READ_BYTES],
        }
    }

    /// The most memory that it takes: what is written, and encrypted; what is read, and handed on.
    pub(crate) const WORST_CASE_BYTES: u64 =
        2 * (MOST_OUTPUT_BYTES as u64 + 131_072) + 4 * (READ_BYTES as u64 + 131_072);

    fn begin_connecting(&mut self, now: Time) {
        let url = self.urls.at(self.attempts).clone();
        let (target, made, control) =
            (Arc::clone(&self.target), Arc::clone(&self.made), self.control.clone());
        let spawned = thread::Builder::new().name("cluster".to_owned()).spawn(move || {
            let result = connect(&url, &target);
            *made.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            if let Err(error) = control.send(Control::Bus) {
                log::error!("the event loop cannot be woken: {error}");
            }
        });
        match spawned {
            Ok(_) => self.state = State::Connecting,
            Err(error) => self.note_failure(now, &Failure::Dial(DialError::Socket(error.to_string()))),
        }
    }

    fn note_failure(&mut self, now: Time, failure: &Failure) {
        let cause = failure.to_string();
        // Once per change: a server that stays away says nothing new.
        if self.failures == 0 || self.counters.cause.as_deref() != Some(&cause) {
            log::warn!("cluster: bus down, {}: {cause}", self.urls.at(self.attempts));
        }
        self.counters.cause = Some(cause);
        // Whoever was cut off comes back to the same one, where the others are, unless that is what is wrong.
        if self.failures > 0 || *failure == Failure::Deaf {
            self.attempts = self.attempts.wrapping_add(1);
        }
        // At once after it was up, so that what is away for a moment is missed for no longer; then rarer and rarer, each node at
        // times of its own.
        let wait = match self.failures {
            0 => 0,
            failures => {
                let longest = (FIRST_BACKOFF_MS << failures.min(16)).min(LONGEST_BACKOFF_MS);
                longest / 2 + (self.target.node.0 ^ self.attempts as u64).wrapping_mul(GOLDEN) % (longest / 2)
            }
        };
        self.state = State::Waiting(now + wait);
        self.failures = self.failures.saturating_add(1);
    }

    /// The thread has come back.
    fn take_over<N: Net<Socket = S>>(&mut self, net: &mut N, now: Time) {
        let Some(result) = self.made.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let adopted = result.and_then(|connected| {
            let wire = Wire::adopt(net, connected.stream, connected.tls, BUS_KEY)?;
            Ok((wire, connected.reader))
        });
        match adopted {
            Ok((wire, reader)) => {
                log::info!("cluster: bus up, {}", self.urls.at(self.attempts));
                self.state = State::Up(Box::new(Connection {
                    wire,
                    reader,
                    output: Vec::new(),
                    probe: Probe::Due(now + PROBE_MS),
                }));
                self.failures = 0;
                (self.counters.is_up, self.counters.since) = (true, now);
                self.counters.connections += 1;
                self.events.push_back(BusEvent::Up);
            }
            Err(failure) => self.note_failure(now, &failure),
        }
    }

    fn lose<N: Net<Socket = S>>(&mut self, net: &mut N, now: Time, failure: &Failure) {
        if let State::Up(connection) = std::mem::replace(&mut self.state, State::Waiting(now)) {
            connection.wire.close(net);
            (self.counters.is_up, self.counters.since) = (false, now);
            self.events.push_back(BusEvent::Down);
        }
        self.note_failure(now, failure);
    }

    /// What has come, piece by piece.
    fn receive<N: Net<Socket = S>>(&mut self, net: &mut N, now: Time) -> Result<(), Failure> {
        let State::Up(connection) = &mut self.state else { return Ok(()) };
        let (counters, events, target) = (&mut self.counters, &mut self.events, &self.target);
        let Connection { wire, reader, probe, .. } = &mut **connection;
        let mut heard = Heard { now, target, counters, events, probe };
        // What came before it was ours.
        heard.hand_on(reader)?;
        wire.receive(net, &mut self.room, |plain| {
            reader.take_in(plain);
            heard.hand_on(reader)
        })
    }

    fn look_after_probe(&mut self, now: Time) -> Result<(), Failure> {
        let State::Up(connection) = &mut self.state else { return Ok(()) };
        match connection.probe {
            Probe::Due(due) if due <= now => {
                let channel = self.target.channel_of(self.target.node);
                connection.say(&self.target.seal, &channel, PROBE);
                connection.probe = Probe::Sent(now);
                Ok(())
            }
            Probe::Sent(at) if at + DEAF_MS <= now => Err(Failure::Deaf),
            Probe::Due(_) | Probe::Sent(_) => Ok(()),
        }
    }
}

impl<N: Net> Bus<N> for RedisBus<N::Socket>
where
    N::Socket: fmt::Debug,
{
    fn publish(&mut self, to: Channel, frame: &[u8]) {
        let State::Up(connection) = &mut self.state else {
            self.counters.dropped += 1;
            return;
        };
        if connection.output.len() > MOST_OUTPUT_BYTES {
            self.counters.dropped += 1;
            return;
        }
        self.counters.published += 1;
        self.counters.published_bytes += frame.len() as u64;
        match to {
            Channel::All => connection.say(&self.target.seal, &self.channel_of_all, frame),
            Channel::Node(node) => connection.say(&self.target.seal, &self.target.channel_of(node), frame),
        }
    }

    fn note_ready(&mut self) {
        if let State::Up(connection) = &mut self.state {
            connection.wire.note_ready();
        }
    }

    fn read(&mut self, net: &mut N, now: Time) {
        match &mut self.state {
            State::Waiting(until) if *until <= now => self.begin_connecting(now),
            State::Waiting(_) => {}
            State::Connecting => self.take_over(net, now),
            State::Up(_) => {
                let result = self.receive(net, now).and_then(|()| self.look_after_probe(now));
                if let Err(failure) = result {
                    self.lose(net, now, &failure);
                }
            }
        }
    }

    fn write(&mut self, net: &mut N, now: Time) {
        let State::Up(connection) = &mut self.state else { return };
        if let Err(error) = connection.send(net) {
            self.lose(net, now, &error.into());
        }
    }

    fn poll(&mut self) -> Option<BusEvent> {
        self.events.pop_front()
    }

    fn deadline(&self) -> Option<Time> {
        match &self.state {
            State::Waiting(until) => Some(*until),
            State::Connecting => None,
            State::Up(connection) if connection.wire.is_readable() => Some(Time(0)),
            State::Up(connection) => Some(match connection.probe {
                Probe::Due(due) => due,
                Probe::Sent(at) => at + DEAF_MS,
            }),
        }
    }

    fn counters(&self) -> &BusCounters {
        &self.counters
    }
}

/// What is done with what has come.
struct Heard<'a> {
    now: Time,
    target: &'a Target,
    counters: &'a mut BusCounters,
    events: &'a mut VecDeque<BusEvent>,
    probe: &'a mut Probe,
}

impl Heard<'_> {
    /// What is whole of it.
    fn hand_on(&mut self, reader: &mut Reader) -> Result<(), Failure> {
        while let Some(reply) = reader.next()? {
            match reply.kind {
                Kind::Reply => {}
                Kind::Error => {
                    let answer = reply.part(0).unwrap_or_default();
                    return Err(Failure::refused("PUBLISH", answer, &self.target.prefix));
                }
                Kind::Push if reply.part(0) == Some(b"message") => {
                    self.message(reply.part(2).unwrap_or_default());
                }
                Kind::Push => {}
            }
        }
        Ok(())
    }

    fn message(&mut self, sealed: &[u8]) {
        self.counters.received += 1;
        self.counters.received_bytes += sealed.len() as u64;
        match (self.target.seal.open(sealed), *self.probe) {
            (None, _) => self.counters.unsealed += 1,
            (Some(PROBE), Probe::Sent(at)) => {
                self.counters.round_trip_ms = self.now.0.saturating_sub(at.0);
                *self.probe = Probe::Due(self.now + PROBE_MS);
            }
            (Some(PROBE), Probe::Due(_)) => {}
            (Some(frame), _) => self.events.push_back(BusEvent::Frame(frame.to_vec())),
        }
    }
}

impl<S> Connection<S> {
    /// Publishes a frame, as soon as it is written.
    fn say(&mut self, seal: &Seal, channel: &str, frame: &[u8]) {
        publish(&mut self.output, channel.as_bytes(), seal.len() + frame.len());
        seal.put(frame, &mut self.output);
        self.output.extend_from_slice(b"\r\n");
    }

    /// Writes what there is, as far as the socket takes it.
    fn send<N: Net<Socket = S>>(&mut self, net: &mut N) -> Result<(), DialError> {
        let written = self.wire.send(net, &self.output)?;
        self.output.drain(..written);
        if self.output.is_empty() {
            self.output.shrink_to(KEPT_BYTES);
        }
        Ok(())
    }
}

const FIRST_BACKOFF_MS: u64 = 100;
const LONGEST_BACKOFF_MS: u64 = 5_000;
/// 2^64 divided by the golden ratio (Knuth, multiplicative hashing).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// So long after the last one has come back the next probe goes out.
const PROBE_MS: u64 = 1_000;
/// A probe that takes longer does not come back.
const DEAF_MS: u64 = 3_000;
const READ_BYTES: usize = 32 * 1024;
/// What goes beyond is dropped, and sent again by the core.
const MOST_OUTPUT_BYTES: usize = 8 * 1024 * 1024;
/// Capacity that is kept when everything is written.
const KEPT_BYTES: usize = 256 * 1024;
