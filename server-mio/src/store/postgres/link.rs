//! The one connection to a database: made by a thread, used by the loop.

use crate::net::{Control, ControlHandle, DialError, Net, Wire};
use crate::observe::LogThrottle;
use crate::program::settings::Pem;
use crate::store::postgres::connect::{Connected, Target, connect};
use crate::store::postgres::letters::{Clocks, MailLimits};
use crate::store::postgres::messages::Failure;
use crate::store::postgres::session::{Asked, MAX_PENDING, MAX_UNWRITTEN_BYTES, Session};
use crate::store::{MailStore, OwnedAnswer, QuestionKind, STORE_KEY, StoreCounters, StoreEvent, StoreUrl};
use core::fmt;
use peerpigeon_core::{Limits, Question, QuestionId, Time, UnixMillis};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A store of mail in a PostgreSQL database.
pub struct PostgresStore<S> {
    target: Arc<Target>,
    limits: MailLimits,
    control: ControlHandle,
    /// Where the thread that connects leaves what it has got.
    made: Made,
    state: State<S>,
    /// How often in a row it could not be reached.
    failures: u32,
    process: u64,
    events: VecDeque<StoreEvent>,
    counters: StoreCounters,
    room: Vec<u8>,
    error_lines: LogThrottle,
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
    session: Session,
    /// When it was last seen to do something, or had nothing to do.
    last_seen: Time,
}

impl<S> fmt::Debug for PostgresStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresStore({})", self.target.url)
    }
}

impl<S> PostgresStore<S> {
    /// Connects as soon as the loop turns; keeps to the limits of mailboxes, and waits for no answer longer than twice
    /// [`Limits::store_timeout_ms`]. `authorities` are those who may have signed the certificate of the database, where the URL
    /// says `sslmode=verify-full`. `control` is that of the loop's network.
    #[must_use]
    pub fn new(
        url: StoreUrl,
        authorities: Option<Pem>,
        limits: &Limits,
        control: ControlHandle,
    ) -> PostgresStore<S> {
        let target = Target { url, authorities, timeout_ms: limits.store_timeout_ms.max(1) };
        PostgresStore {
            target: Arc::new(target),
            limits: MailLimits::from(limits),
            control,
            made: Made::default(),
            state: State::Waiting(Time(0)),
            failures: 0,
            process: random(),
            events: VecDeque::new(),
            counters: StoreCounters::default(),
            room: vec![0; READ_BYTES],
            error_lines: LogThrottle::default(),
        }
    }

    /// The most memory that it takes.
    pub(crate) fn worst_case_bytes(limits: &Limits) -> u64 {
        let limits = MailLimits::from(limits);
        let answer = u64::from(limits.bytes) + 256 * u64::from(limits.messages);
        // What is written, and encrypted; what is read, decrypted, and made letters of; and questions.
        2 * (MAX_UNWRITTEN_BYTES as u64 + 2 * u64::from(limits.bytes))
            + 4 * answer
            + 8 * READ_BYTES as u64
            + MAX_PENDING as u64 * QUESTION_BYTES
    }

    fn begin_connecting(&mut self, now: Time) {
        let (target, made, control) =
            (Arc::clone(&self.target), Arc::clone(&self.made), self.control.clone());
        let spawned = thread::Builder::new().name("mail store".to_owned()).spawn(move || {
            let result = connect(&target);
            *made.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            if let Err(error) = control.send(Control::Store) {
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
        // Once per change: a database that stays away says nothing new.
        if self.failures == 0 || self.counters.cause.as_deref() != Some(&cause) {
            log::warn!("mail store down, {}: {cause}", self.target.url);
        }
        self.counters.cause = Some(cause);
        if self.counters.is_up {
            self.counters.is_up = false;
            self.counters.since = now;
        }
        self.state = State::Waiting(now + backoff_ms(self.failures, random()));
        self.failures = self.failures.saturating_add(1);
    }

    fn silence_ms(&self) -> u64 {
        // Each statement may take the one, and its answer the other.
        2 * self.target.timeout_ms
    }

    /// Hands on what the session has answered.
    fn collect(&mut self, now: Time) {
        let State::Up(connection) = &mut self.state else { return };
        while let Some(finished) = connection.session.poll() {
            self.counters.count(
                finished.asked.kind,
                &finished.answer,
                now.0.saturating_sub(finished.asked.at.0),
            );
            self.events.push_back(StoreEvent::Answered(finished.asked.id, finished.answer));
        }
        while let Some(error) = connection.session.poll_error() {
            if let Some(held_back) = self.error_lines.pass(now) {
                log::warn!("mail store: {error}{held_back}");
            }
        }
    }

    /// The thread has come back.
    fn take_over<N: Net<Socket = S>>(&mut self, net: &mut N, now: Time) {
        let Some(result) = self.made.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let adopted = result.and_then(|connected| {
            let wire = Wire::adopt(net, connected.stream, connected.tls, STORE_KEY)?;
            Ok((wire, connected.input))
        });
        match adopted {
            Ok((wire, input)) => {
                self.state = State::Up(Box::new(Connection {
                    wire,
                    session: Session::new(self.process, self.limits, input),
                    last_seen: now,
                }));
                log::info!("mail store up, {}", self.target.url);
                self.failures = 0;
                self.counters.is_up = true;
                self.counters.since = now;
                self.counters.connections += 1;
                self.events.push_back(StoreEvent::Up);
            }
            Err(failure) => self.note_failure(now, &failure),
        }
    }

    fn lose<N: Net<Socket = S>>(&mut self, net: &mut N, now: Time, failure: &Failure) {
        if let State::Up(connection) = &mut self.state {
            connection.session.lose();
        }
        self.collect(now);
        let state = std::mem::replace(&mut self.state, State::Waiting(now));
        if let State::Up(connection) = state {
            connection.wire.close(net);
            self.events.push_back(StoreEvent::Down);
        }
        self.note_failure(now, failure);
    }
}

impl<N: Net> MailStore<N> for PostgresStore<N::Socket>
where
    N::Socket: fmt::Debug,
{
    fn ask(&mut self, now: Time, wall: UnixMillis, id: QuestionId, question: &Question) {
        let asked = Asked { id, kind: QuestionKind::from(question), at: now };
        let State::Up(connection) = &mut self.state else {
            self.counters.count(asked.kind, &OwnedAnswer::Failed, 0);
            self.events.push_back(StoreEvent::Answered(id, OwnedAnswer::Failed));
            return;
        };
        if connection.session.pending() == 0 {
            connection.last_seen = now;
        }
        connection.session.ask(asked, wall, question);
        // What was refused is answered at once.
        self.collect(now);
    }

    fn note_ready(&mut self) {
        if let State::Up(connection) = &mut self.state {
            connection.wire.note_ready();
        }
    }

    fn read(&mut self, net: &mut N, now: Time, wall: UnixMillis) {
        let silence_ms = self.silence_ms();
        match &mut self.state {
            State::Waiting(until) if *until <= now => self.begin_connecting(now),
            State::Waiting(_) => {}
            State::Connecting => self.take_over(net, now),
            State::Up(connection) => {
                let received = connection.receive(net, &mut self.room, Clocks { now, wall });
                let is_silent = connection.session.pending() > 0 && now >= connection.last_seen + silence_ms;
                self.collect(now);
                match received {
                    Err(failure) => self.lose(net, now, &failure),
                    Ok(()) if is_silent => self.lose(net, now, &Failure::SILENT),
                    Ok(()) => {}
                }
            }
        }
    }

    fn write(&mut self, net: &mut N, now: Time) {
        let State::Up(connection) = &mut self.state else { return };
        connection.session.finish_batch();
        if let Err(failure) = connection.send(net) {
            self.lose(net, now, &failure);
        }
    }

    fn poll(&mut self) -> Option<StoreEvent> {
        self.events.pop_front()
    }

    fn deadline(&self) -> Option<Time> {
        match &self.state {
            State::Waiting(until) => Some(*until),
            State::Connecting => None,
            State::Up(connection) if connection.wire.is_readable() => Some(Time(0)),
            State::Up(connection) if connection.session.pending() > 0 => {
                Some(connection.last_seen + self.silence_ms())
            }
            State::Up(_) => None,
        }
    }

    fn pending(&self) -> usize {
        match &self.state {
            State::Up(connection) => connection.session.pending(),
            State::Waiting(_) | State::Connecting => 0,
        }
    }

    fn counters(&self) -> &StoreCounters {
        &self.counters
    }
}

impl<S> Connection<S> {
    /// Reads some of what there is.
    fn receive<N: Net<Socket = S>>(
        &mut self,
        net: &mut N,
        room: &mut [u8],
        clocks: Clocks,
    ) -> Result<(), Failure> {
        // What came before it was ours.
        self.session.receive(&[], clocks)?;
        let Connection { wire, session, last_seen } = self;
        wire.receive(net, room, |plain| {
            *last_seen = clocks.now;
            session.receive(plain, clocks)
        })
    }

    /// Writes what there is, as far as the socket takes it.
    fn send<N: Net<Socket = S>>(&mut self, net: &mut N) -> Result<(), Failure> {
        let written = self.wire.send(net, self.session.output())?;
        self.session.note_written(written);
        Ok(())
    }
}

/// Doubles from failure to failure, and is spread, so that a crowd of servers does not come back in step.
fn backoff_ms(failures: u32, random: u64) -> u64 {
    let longest = (FIRST_BACKOFF_MS << failures.min(16)).min(LONGEST_BACKOFF_MS);
    longest / 2 + random % (longest / 2 + 1)
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Fails only where the system has no randomness at all, and then TLS and tokens do not work either.
    let filled = SystemRandom::new().fill(&mut bytes);
    assert!(filled.is_ok(), "the system has randomness");
    u64::from_ne_bytes(bytes)
}

const FIRST_BACKOFF_MS: u64 = 100;
const LONGEST_BACKOFF_MS: u64 = 10_000;
const READ_BYTES: usize = 32 * 1024;
/// Of a question that is under way, its text aside.
const QUESTION_BYTES: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_and_are_spread() {
        for (failures, least, most) in [(0, 50, 100), (1, 100, 200), (3, 400, 800), (40, 5_000, 10_000)] {
            for random in [0, 1, 49, 12_345, u64::MAX] {
                let wait = backoff_ms(failures, random);
                assert!((least..=most).contains(&wait), "{failures}: {wait}");
            }
            assert_ne!(backoff_ms(failures, 7), backoff_ms(failures, 31));
        }
    }
}
