//! One page: the real client's decisions, as a state machine without I/O.
//!
//! What is decided, when, and in which order follows the sources of the npm package `peerpigeon` 1.1.3 and 1.0.6
//! (`PeerPigeonMesh`, `SignalingHandler`, `ConnectionManager`, `PeerDiscovery`, `MeshOptimizer`, `EvictionManager`,
//! `PeerConnection`), odd cases included: each of them moves the mesh. A page says what it wants by [`Output`]s; who
//! carries its signals and joins its ends to those of others is `crowd.rs`.

mod connection;
mod dialling;
mod known;
mod links;
mod signals;
#[cfg(test)]
mod tests;

use peerpigeon_core::Time;

use super::introducer::{End, Message};
use super::key::Key;
use crate::random::Random;
use connection::{Connection, Signaling, Status};
use known::Known;
pub(super) use links::Change;

/// Which generation of the client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// npm 1.1.3: dials everybody below its connectivity floor, counts attempts as links.
    V1_1_3,
    /// npm 1.0.6: neither.
    V1_0_6,
}

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    key: Key,
    client: Client,
    /// `maxPeers`
    capacity: usize,
    born: Time,
    known: Known,
    /// `ConnectionManager.peers`, oldest first.
    connections: Vec<Connection>,
    /// Due once, in the order in which they were set.
    timers: Vec<(Time, Timer)>,
    /// `meshOptimizationTimeout`
    optimize: Option<Time>,
    last_end: End,
    now: Time,
    /// Periodic work of this moment is done.
    ticked: Time,
}

/// What a page wants done or known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Signal {
        to: Key,
        message: Message,
    },
    /// ICE may find a way between these two ends now.
    Check {
        peer: Key,
        end: End,
        other: End,
    },
    /// It closed its end.
    Closed {
        peer: Key,
        other: End,
        cause: Cause,
    },
}

/// Why a page closes an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody nearer dialled: the peer is told so.
    Evicted,
    Other,
}

/// What a page needs to act: the time, its part of chance, and where its outputs go.
pub(super) struct Turn<'a> {
    pub(super) now: Time,
    pub(super) random: &'a mut Random,
    pub(super) outputs: &'a mut Vec<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// The offer of this end is made.
    OfferMade(End),
    /// The offer that this end answers is read and its answer made.
    AnswerMade(End),
    /// An answer is read.
    AnswerRead {
        end: End,
        other: End,
    },
    Candidate(End),
    /// ICE gives up.
    Hopeless(End),
    /// The silence of the other end has lasted.
    StillSilent(End),
    /// A call of an end that was closed meanwhile is taken for failed: whatever there is to that peer is closed.
    LateCleanUp(Key),
    /// A rejection was a while ago.
    AfterRejection,
    /// The last link was lost a while ago.
    AfterLoss,
}

/// Connecting: the page opens its connection at this age.
pub(super) const OPEN_MS: u64 = 50;

/// `startConnectivityEnforcement`
const FLOOR_INTERVAL_MS: u64 = 4_000;
/// `startStuckConnectionMonitoring`
const STUCK_INTERVAL_MS: u64 = 2_000;
const STUCK_MS: u64 = 10_000;
/// `startPeriodicCleanup`
const STALE_INTERVAL_MS: u64 = 30_000;
const STALE_MS: u64 = 60_000;
const STALE_DISCONNECTED_MS: u64 = 5_000;
/// `startCleanupInterval` of `PeerDiscovery`
const SWEEP_INTERVAL_MS: u64 = 30_000;

impl Page {
    /// A page that is loaded at `born`.
    pub(super) fn new(born: Time, key: Key, capacity: u8, client: Client) -> Page {
        Page {
            key,
            client,
            capacity: capacity.into(),
            born,
            known: Known::default(),
            connections: Vec::new(),
            timers: Vec::new(),
            optimize: None,
            last_end: 0,
            now: born,
            ticked: born,
        }
    }

    /// When it says its announce.
    pub(super) fn announces(&self) -> Time {
        self.born + OPEN_MS
    }

    /// All that it has, linked or not.
    pub(super) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    pub(super) fn connection(&self, end: End) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.end == end)
    }

    /// When [`Page::tick`] is to be called.
    pub(super) fn timeout(&self) -> Option<Time> {
        let once = self.timers.iter().map(|(due, _)| *due).chain(self.optimize);
        let periodic = [self.floor_due(), self.stuck_due(), self.stale_due(), self.sweep_due()];
        once.chain(periodic.into_iter().flatten()).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) {
        self.now = turn.now;
        while let Some(place) = self.timers.iter().position(|(due, _)| *due <= turn.now) {
            let (_, timer) = self.timers.remove(place);
            self.fire(turn, timer);
        }
        if self.optimize.is_some_and(|due| due <= turn.now) {
            self.optimize = None;
            self.optimize_connections(turn);
        }
        let now = turn.now;
        let is_due = |due: Option<Time>| due.is_some_and(|due| due <= now);
        // In one moment the longest interval comes first, since its timer was set first. So an offer that is given up
        // leaves its place too late for the floor, which dials again only a whole interval later.
        if is_due(self.stale_due()) {
            self.clean_up_stale(turn);
        }
        if is_due(self.sweep_due()) {
            self.known.sweep(turn.now);
        }
        if is_due(self.floor_due()) {
            self.enforce_floor(turn);
        }
        if is_due(self.stuck_due()) {
            self.recover_stuck(turn);
        }
        self.ticked = turn.now;
    }

    fn fire(&mut self, turn: &mut Turn<'_>, timer: Timer) {
        match timer {
            Timer::OfferMade(end) => self.offer_made(turn, end),
            Timer::AnswerMade(end) => self.answer_made(turn, end),
            Timer::AnswerRead { end, other } => self.answer_read(turn, end, other),
            Timer::Candidate(end) => {
                if let Some(connection) = self.connection(end) {
                    turn.outputs.push(Output::Signal { to: connection.peer, message: Message::Candidate });
                }
            }
            Timer::Hopeless(end) => self.ice_gives_up(turn, end),
            Timer::StillSilent(end) => self.still_silent(turn, end),
            Timer::LateCleanUp(peer) => self.clean_up(turn, peer),
            Timer::AfterRejection => self.optimize_connections(turn),
            Timer::AfterLoss => {
                if self.connected() == 0 {
                    self.optimize_connections(turn);
                }
            }
        }
    }

    fn after(&mut self, ms: u64, timer: Timer) {
        self.timers.push((self.now + ms, timer));
    }

    /// The next beat of an interval that began at `start`, not before `earliest`.
    fn beat(&self, start: Time, interval_ms: u64, earliest: Time) -> Time {
        let from = earliest.max(self.now).max(self.ticked + 1).0.saturating_sub(start.0);
        start + from.div_ceil(interval_ms).max(1) * interval_ms
    }

    fn floor_due(&self) -> Option<Time> {
        let is_below = self.connected() < self.floor() && !self.known.is_empty();
        is_below.then(|| self.beat(self.born, FLOOR_INTERVAL_MS, self.born))
    }

    fn stuck_due(&self) -> Option<Time> {
        let offered = self.connections.iter().filter(|one| one.signaling == Signaling::Offered);
        let earliest = offered.map(|one| one.start).min()? + (STUCK_MS + 1);
        Some(self.beat(self.born, STUCK_INTERVAL_MS, earliest))
    }

    fn stale_due(&self) -> Option<Time> {
        let earliest = self.connections.iter().filter_map(stale_after).min()?;
        Some(self.beat(self.born, STALE_INTERVAL_MS, earliest))
    }

    fn sweep_due(&self) -> Option<Time> {
        let earliest = self.known.sweep_after()?;
        Some(self.beat(self.announces(), SWEEP_INTERVAL_MS, earliest))
    }
}

/// When the periodic cleaning takes a connection in this state; `None` for one that is linked.
fn stale_after(connection: &Connection) -> Option<Time> {
    match connection.status() {
        Status::Disconnected => Some(connection.start + (STALE_DISCONNECTED_MS + 1)),
        Status::Connecting | Status::ChannelConnecting => Some(connection.start + (STALE_MS + 1)),
        Status::Connected => None,
    }
}
