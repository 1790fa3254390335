//! A signaling client without I/O, clock or thread: the counterpart of the server's core.
//!
//! The program that owns a [`Client`] opens the sockets and tells the time; everything else (announcing,
//! coming back after a loss, choosing among servers, reading and writing messages) happens in here:
//!
//! ```
//! use peerpigeon_core::{Spelling, Time};
//! use peerpigeon_simulator::client::{Client, Input, Output, Settings};
//!
//! let me = Spelling::parse("0123456789abcdef0123456789abcdef01234567").expect("40 hex digits");
//! let mut client = Client::new(me, Settings::new(["ws://localhost:3000".to_owned()]), 42);
//! client.handle(Time(0), Input::Announce { network: "global", max_peers: None, data: "{}" });
//! client.handle(Time(0), Input::Start);
//! while let Some(output) = client.poll_output() {
//!     match output {
//!         Output::Dial { attempt, url } => println!("open a WebSocket to {url} and say Opened {attempt}"),
//!         Output::Send { attempt, text } => println!("send {text} on socket {attempt}"),
//!         Output::HangUp { attempt } => println!("close socket {attempt} with 1000"),
//!         Output::Tell(event) => println!("{event:?}"),
//!     }
//! }
//! println!("call handle(now, Input::Tick) at {:?}", client.poll_timeout());
//! ```
//!
//! * [`Client::handle`] never fails; drain [`Client::poll_output`] to `None` after each call.
//! * Sockets are named by their *attempt*, a number that is never used again: what is said of an earlier
//!   socket is ignored.
//! * Nothing is kept for later while there is no connection: a signal that cannot be sent is told as
//!   [`Event::Unsent`], since the other side cannot have asked for it.

mod backoff;
mod breaker;
mod compose;
mod doors;
mod frame;
mod settings;

use std::collections::VecDeque;

use peerpigeon_core::{Signal, Spelling, Time};

pub use backoff::Backoff;
pub use breaker::{Breaker, Circuit};
pub use compose::compose;
pub use doors::{Event, Input, Output};
pub use frame::Frame;
pub use settings::Settings;

use crate::random::Random;

/// The close code after which clients stay away (observed): both sides agreed to end it.
pub const NORMAL_CLOSURE: u16 = 1000;

/// One peer's way to its signaling server.
#[derive(Debug)]
pub struct Client {
    me: Spelling,
    settings: Settings,
    random: Random,
    state: State,
    /// What to announce after every connection.
    announcement: Option<Announcement>,
    /// Failures since the last connection that lasted, or since the last fail-over.
    failures: u32,
    breakers: Vec<Breaker>,
    /// Index of the server that was tried last.
    server: usize,
    attempt: u64,
    /// WebRTC links that are up: while there are some, coming back is less urgent.
    links: usize,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Announcement {
    network: String,
    max_peers: Option<u8>,
    data: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not started, stopped, or given up.
    Idle,
    /// Away; the next attempt is due at `until`.
    Waiting { until: Time },
    /// A socket is being opened.
    Dialing { until: Time },
    /// A socket is open.
    Open { since: Time, heard: Time },
}

impl Client {
    /// A client for the peer `me`, idle until [`Input::Start`]. `seed` spreads its waiting times; give each
    /// client another one.
    ///
    /// # Panics
    ///
    /// When `settings` name no server.
    #[must_use]
    pub fn new(me: Spelling, settings: Settings, seed: u64) -> Client {
        assert!(!settings.servers.is_empty(), "a client needs at least one server");
        let breakers = vec![Breaker::default(); settings.servers.len()];
        Client {
            me,
            settings,
            random: Random::new(seed),
            state: State::Idle,
            announcement: None,
            failures: 0,
            breakers,
            server: 0,
            attempt: 0,
            links: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Its own id.
    #[must_use]
    pub fn me(&self) -> &Spelling {
        &self.me
    }

    /// Whether a socket is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether it neither has a socket nor will try to get one.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// The number of the last socket that it asked for; 0 before the first.
    #[must_use]
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// The network that it announces itself in; `None` before the first [`Input::Announce`] and after a
    /// [`Input::Goodbye`].
    #[must_use]
    pub fn network(&self) -> Option<&str> {
        self.announcement.as_ref().map(|announcement| announcement.network.as_str())
    }

    /// The breaker of server number `server`, in the order of [`Settings::servers`].
    #[must_use]
    pub fn breaker(&self, server: usize) -> Option<&Breaker> {
        self.breakers.get(server)
    }

    /// Fires what is due at `now`, then applies `input`. Never fails.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.fire(now);
        match input {
            Input::Start => {
                if self.is_idle() {
                    self.failures = 0;
                    self.dial(now);
                }
            }
            Input::Stop => self.stop(),
            Input::Announce { network, max_peers, data } => {
                let (network, data) = (network.to_owned(), data.to_owned());
                self.announcement = Some(Announcement { network, max_peers, data });
                self.announce();
            }
            Input::Goodbye => {
                self.say("goodbye", None, None);
                self.announcement = None;
            }
            Input::Signal { to, signal, data } => self.signal(to, signal, data),
            Input::Ping => self.say("ping", None, None),
            Input::Cleanup { other } => self.say("cleanup", Some(other), None),
            Input::CleanupAll => self.say("cleanup-all", None, None),
            Input::Links { count } => self.links = count,
            Input::Opened { attempt } => self.opened(now, attempt),
            Input::Failed { attempt } => self.lost(now, attempt, None),
            Input::Text { attempt, text } => self.text(now, attempt, text),
            Input::Heard { attempt } => self.heard(now, attempt),
            Input::Closed { attempt, code } => self.lost(now, attempt, Some(code)),
            Input::Tick => {}
        }
    }

    /// The next thing to do, first in, first out.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Client::handle`] next at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        match self.state {
            State::Idle => None,
            State::Waiting { until } | State::Dialing { until } => Some(until),
            State::Open { since, heard } => {
                let silent = nonzero(self.settings.silence_ms).map(|silence| heard + silence);
                let back = self.return_at(since);
                silent.into_iter().chain(back).min()
            }
        }
    }

    /// When to look for the first server again, while connected to another one.
    fn return_at(&self, since: Time) -> Option<Time> {
        let after = nonzero(self.settings.return_ms)?;
        (self.server != 0).then(|| since + after)
    }

    fn fire(&mut self, now: Time) {
        match self.state {
            State::Waiting { until } if until <= now => self.dial(now),
            State::Dialing { until } if until <= now => {
                self.outputs.push_back(Output::HangUp { attempt: self.attempt });
                self.lost(now, self.attempt, None);
            }
            State::Open { since, heard } => {
                let silence = self.settings.silence_ms;
                if silence > 0 && now.since(heard) >= silence {
                    self.outputs.push_back(Output::HangUp { attempt: self.attempt });
                    self.lost(now, self.attempt, None);
                } else if self.return_at(since).is_some_and(|at| at <= now) {
                    self.outputs.push_back(Output::HangUp { attempt: self.attempt });
                    self.dial(now);
                }
            }
            State::Idle | State::Waiting { .. } | State::Dialing { .. } => {}
        }
    }

    /// Tries the first server of the list whose breaker permits it, so that clients that fail over meet again;
    /// where none does, waits for the first breaker to try again.
    fn dial(&mut self, now: Time) {
        let Some(server) = self.breakers.iter().position(|breaker| breaker.permits(now)) else {
            let until = self.breakers.iter().filter_map(Breaker::closed_until).min();
            self.state = State::Waiting { until: until.unwrap_or(now + self.settings.backoff.longest_ms) };
            return;
        };
        self.server = server;
        self.breakers[server].trying();
        self.attempt += 1;
        self.state = State::Dialing { until: now + self.settings.dial_timeout_ms.max(1) };
        let url = with_peer_id(&self.settings.servers[server], &self.me);
        self.outputs.push_back(Output::Dial { attempt: self.attempt, url });
    }

    fn stop(&mut self) {
        if self.is_open() {
            self.say("goodbye", None, None);
        }
        if matches!(self.state, State::Open { .. } | State::Dialing { .. }) {
            self.outputs.push_back(Output::HangUp { attempt: self.attempt });
        }
        self.state = State::Idle;
    }

    fn opened(&mut self, now: Time, attempt: u64) {
        if attempt != self.attempt || !matches!(self.state, State::Dialing { .. }) {
            return;
        }
        self.state = State::Open { since: now, heard: now };
        self.announce();
    }

    /// `code`: of the close frame, `None` where there was none.
    fn lost(&mut self, now: Time, attempt: u64, code: Option<u16>) {
        if attempt != self.attempt || matches!(self.state, State::Idle | State::Waiting { .. }) {
            return;
        }
        if code == Some(NORMAL_CLOSURE) {
            self.state = State::Idle;
            self.outputs.push_back(Output::Tell(Event::GaveUp));
            return;
        }
        if let State::Open { since, .. } = self.state
            && now.since(since) >= self.settings.stable_ms
        {
            self.failures = 0;
        }
        let breaker = &mut self.breakers[self.server];
        breaker.failed(now, self.settings.breaker_failures, self.settings.breaker_open_ms);
        let another = self.breakers.iter().any(|breaker| breaker.permits(now));
        if another && !self.breakers[self.server].permits(now) {
            self.failures = 0;
        }
        let wait = self.settings.backoff.wait(self.failures, self.links > 0, &mut self.random);
        self.failures = self.failures.saturating_add(1);
        let until = now + wait;
        self.state = State::Waiting { until };
        self.outputs.push_back(Output::Tell(Event::Away { until, code }));
    }

    fn heard(&mut self, now: Time, attempt: u64) {
        if let State::Open { heard, .. } = &mut self.state
            && attempt == self.attempt
        {
            *heard = now;
        }
    }

    fn text(&mut self, now: Time, attempt: u64, text: &str) {
        if attempt != self.attempt || !self.is_open() {
            return;
        }
        self.heard(now, attempt);
        let Some(frame) = Frame::parse(text) else {
            self.outputs.push_back(Output::Tell(Event::Dropped { text: text.to_owned() }));
            return;
        };
        if frame.kind == "connected" {
            self.breakers[self.server].succeeded();
            self.outputs.push_back(Output::Tell(Event::Connected { server: self.server }));
            return;
        }
        let network = self.network().unwrap_or(DEFAULT_NETWORK);
        let mine = frame.network == network && frame.target == self.me.to_string();
        let event = if mine { frame.event() } else { None };
        self.outputs.push_back(Output::Tell(event.unwrap_or(Event::Dropped { text: text.to_owned() })));
    }

    fn announce(&mut self) {
        let Some(Announcement { network, max_peers, data }) = &self.announcement else { return };
        if matches!(self.state, State::Open { .. }) {
            let text = compose("announce", None, Some(network), *max_peers, Some(data));
            self.outputs.push_back(Output::Send { attempt: self.attempt, text });
        }
    }

    fn signal(&mut self, to: &Spelling, signal: Signal, data: &str) {
        if self.is_open() {
            self.say(signal.name(), Some(to), Some(data));
        } else {
            self.outputs.push_back(Output::Tell(Event::Unsent { to: *to, signal }));
        }
    }

    fn say(&mut self, kind: &str, to: Option<&Spelling>, data: Option<&str>) {
        if self.is_open() {
            let text = compose(kind, to, self.network(), None, data);
            self.outputs.push_back(Output::Send { attempt: self.attempt, text });
        }
    }
}

/// The network of whoever names none.
pub const DEFAULT_NETWORK: &str = "global";

/// Adds `peerId` to the query of `server` and keeps what is there: it may carry a token.
fn with_peer_id(server: &str, me: &Spelling) -> String {
    let separator = if server.contains('?') { '&' } else { '?' };
    format!("{server}{separator}peerId={me}")
}

fn nonzero(millis: u64) -> Option<u64> {
    (millis > 0).then_some(millis)
}

#[cfg(test)]
mod tests;
