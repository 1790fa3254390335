//! Making a failing scenario small, so that a person can read it.
//!
//! Every sub-list of steps is a scenario, so steps are left out by halves, quarters and so on (Zeller's delta
//! debugging), then the knobs are set to their plainest values one by one, then the numbers in the steps are made
//! smaller, until nothing more can go. Written out instead of taking a library's shrinking, which leaves out one step at
//! a time and ends after one round: beside proptest's it leaves fewer steps after fewer runs (measured, see
//! docs/SIMULATION.md and the test that prints the figures).

use peerpigeon_core::{DuplicatePeer, Limits};

use crate::run::{Place, Violation, run};
use crate::scenario::{Behaviour, ByteKnobs, IdPool, Knobs, Scenario, Shape, Step, Way};

/// The smallest scenario that was found.
#[derive(Clone, Debug)]
pub struct Small {
    /// It breaks the same law.
    pub scenario: Scenario,
    /// What it breaks.
    pub violation: Violation,
    /// Runs that it took to find it.
    pub runs: u32,
}

/// The smallest scenario found that breaks the same law as `scenario` does; begins no run once all runs together have
/// given `most_inputs` inputs. `None` when `scenario` breaks none.
#[must_use]
pub fn shrink(scenario: &Scenario, most_inputs: u64) -> Option<Small> {
    let violation = run(scenario).err()?;
    let mut shrinker = Shrinker { best: scenario.clone(), violation, runs: 0, inputs_left: most_inputs };
    loop {
        let before = shrinker.best.clone();
        shrinker.cut_tail();
        shrinker.drop_steps();
        shrinker.plain_knobs();
        shrinker.small_steps();
        if shrinker.best == before || shrinker.inputs_left == 0 {
            let Shrinker { best: scenario, violation, runs, .. } = shrinker;
            return Some(Small { scenario, violation, runs });
        }
    }
}

struct Shrinker {
    best: Scenario,
    violation: Violation,
    runs: u32,
    inputs_left: u64,
}

impl Shrinker {
    /// Takes `candidate` if it breaks the same law.
    fn try_it(&mut self, candidate: Scenario) -> bool {
        if candidate == self.best || self.inputs_left == 0 {
            return false;
        }
        let result = run(&candidate);
        let inputs = result.as_ref().map_or_else(|violation| violation.inputs, |report| report.inputs);
        self.runs += 1;
        self.inputs_left = self.inputs_left.saturating_sub(inputs);
        let Err(violation) = result else { return false };
        if violation.breach.law != self.violation.breach.law {
            return false;
        }
        (self.best, self.violation) = (candidate, violation);
        true
    }

    /// What comes after the violation has no part in it.
    fn cut_tail(&mut self) {
        if let Place::Step(index) = self.violation.place {
            let mut candidate = self.best.clone();
            candidate.steps.truncate(index + 1);
            self.try_it(candidate);
        }
    }

    fn drop_steps(&mut self) {
        let mut chunk = self.best.steps.len().div_ceil(2);
        while chunk > 0 {
            let mut from = 0;
            while from < self.best.steps.len() {
                let mut candidate = self.best.clone();
                candidate.steps.drain(from..(from + chunk).min(self.best.steps.len()));
                if !self.try_it(candidate) {
                    from += chunk;
                }
            }
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }

    fn plain_knobs(&mut self) {
        for change in CHANGES {
            let mut candidate = self.best.clone();
            change(&mut candidate.knobs);
            self.try_it(candidate);
        }
        while self.best.knobs.slots > 1 {
            let mut candidate = self.best.clone();
            candidate.knobs.slots /= 2;
            let halved = self.try_it(candidate);
            let mut candidate = self.best.clone();
            candidate.knobs.slots -= 1;
            if !halved && !self.try_it(candidate) {
                break;
            }
        }
    }

    fn small_steps(&mut self) {
        for index in 0..self.best.steps.len() {
            for smaller in smaller(&self.best.steps[index]) {
                let mut candidate = self.best.clone();
                candidate.steps[index] = smaller;
                self.try_it(candidate);
            }
        }
    }
}

type Change = fn(&mut Knobs);

/// Plainer knobs, one at a time.
const CHANGES: &[Change] = &[
    |knobs| knobs.limits = Limits::default(),
    |knobs| knobs.behaviour = Behaviour::Quiet,
    |knobs| knobs.bytes = ByteKnobs::default(),
    |knobs| (knobs.bytes.chop_percent, knobs.bytes.pause_ms) = (0, 0),
    |knobs| knobs.bytes.oddity_percent = 0,
    |knobs| knobs.bytes.send_buffer = ByteKnobs::default().send_buffer,
    |knobs| knobs.bytes.max_message_bytes = ByteKnobs::default().max_message_bytes,
    |knobs| knobs.bytes.max_queue_bytes = ByteKnobs::default().max_queue_bytes,
    |knobs| knobs.bytes.memory_budget_bytes = ByteKnobs::default().memory_budget_bytes,
    |knobs| knobs.ids = IdPool::Sparse,
    |knobs| knobs.ways = vec![Way::A],
    |knobs| knobs.ways = vec![Way::B],
    |knobs| knobs.ways = vec![Way::Http],
    |knobs| knobs.ways = vec![Way::A, Way::B],
    |knobs| knobs.ways = vec![Way::A, Way::Http],
    |knobs| knobs.networks = 1,
    |knobs| knobs.delay_ms = (0, 0),
    |knobs| knobs.slots_per_address = 0,
    |knobs| knobs.capacity = 3,
    |knobs| knobs.max_peers = None,
    |knobs| knobs.limits.connections = Limits::default().connections,
    |knobs| knobs.limits.connections_per_address = Limits::default().connections_per_address,
    |knobs| knobs.limits.held_connections = Limits::default().held_connections,
    |knobs| knobs.limits.held_messages = Limits::default().held_messages,
    |knobs| knobs.limits.held_bytes = Limits::default().held_bytes,
    |knobs| knobs.limits.duplicate_peer = DuplicatePeer::Challenge,
    |knobs| knobs.limits.introductions = Limits::default().introductions,
    |knobs| knobs.limits.reintroduce_interval_ms = Limits::default().reintroduce_interval_ms,
    |knobs| knobs.limits.announced_data_bytes = Limits::default().announced_data_bytes,
    |knobs| knobs.limits.network_name_bytes = Limits::default().network_name_bytes,
    |knobs| knobs.limits.ping_interval_ms = Limits::default().ping_interval_ms,
    |knobs| knobs.limits.pong_timeout_ms = Limits::default().pong_timeout_ms,
    |knobs| knobs.limits.peer_timeout_ms = Limits::default().peer_timeout_ms,
    |knobs| knobs.limits.message_rate_per_second = Limits::default().message_rate_per_second,
    |knobs| knobs.limits.message_burst = Limits::default().message_burst,
    |knobs| knobs.limits.message_ttl_ms = Limits::default().message_ttl_ms,
    |knobs| knobs.limits.mailbox_messages = Limits::default().mailbox_messages,
    |knobs| knobs.limits.mailbox_bytes = Limits::default().mailbox_bytes,
    |knobs| knobs.limits.mailbox_total_bytes = Limits::default().mailbox_total_bytes,
    |knobs| knobs.limits.mailboxes = Limits::default().mailboxes,
    |knobs| knobs.limits.store_timeout_ms = 0,
    |knobs| knobs.store.fault_percent = 0,
    |knobs| knobs.store.delay_ms = (0, 0),
    |knobs| knobs.limits.cleanup_interval_ms = Limits::default().cleanup_interval_ms,
];

/// The same step with smaller numbers.
fn smaller(step: &Step) -> Vec<Step> {
    let times = |ms: u64| [0, 1_000 * (ms / 1_000), ms / 2].into_iter().filter(move |less| *less < ms);
    match *step {
        Step::Advance { ms } => times(ms).map(|ms| Step::Advance { ms }).collect(),
        Step::LateTick { ms } => times(ms).map(|ms| Step::LateTick { ms }).collect(),
        Step::Drain { ms } => times(ms).map(|ms| Step::Drain { ms }).collect(),
        Step::SetClock { by_ms } if by_ms.abs() > 1_000 => vec![Step::SetClock { by_ms: by_ms / 2 }],
        Step::EverybodyComes { over_ms } => {
            times(over_ms).map(|over_ms| Step::EverybodyComes { over_ms }).collect()
        }
        Step::Churn { ms, life_ms } => times(ms).map(|ms| Step::Churn { ms, life_ms }).collect(),
        Step::Flood { slot, count } => vec![Step::Flood { slot, count: count / 2 }],
        Step::Announce { slot, network, .. } => vec![
            Step::Announce { slot, network: 0, max_peers: None },
            Step::Announce { slot, network, max_peers: None },
        ],
        Step::Signal { from, to, kind, data, size } => vec![
            Step::Signal { from, to, kind, data: Shape::Plain, size: 0 },
            Step::Signal { from, to, kind, data: Shape::Plain, size },
            Step::Signal { from, to, kind, data, size: size / 2 },
        ],
        Step::Connect { .. }
        | Step::Goodbye { .. }
        | Step::SetClock { .. }
        | Step::Unload { .. }
        | Step::Ping { .. }
        | Step::Cleanup { .. }
        | Step::CleanupAll { .. }
        | Step::Vanish { .. }
        | Step::Close { .. }
        | Step::Freeze { .. }
        | Step::Thaw { .. }
        | Step::Duplicate { .. }
        | Step::Bury { .. }
        | Step::Choke { .. }
        | Step::Malformed { .. }
        | Step::Stray { .. }
        | Step::Blackout { .. }
        | Step::Stall { .. }
        | Step::Cut { .. }
        | Step::HalfOpen { .. }
        | Step::Slow { .. }
        | Step::Frame { .. }
        | Step::Http { .. }
        | Step::NoDescriptors { .. }
        | Step::Restore
        | Step::Restart
        | Step::EverybodyLeaves { .. } => Vec::new(),
    }
}
