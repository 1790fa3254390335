//! Running a scenario from its first step to the end of its calm.

use std::fmt;

use peerpigeon_core::{Census, Time};

use crate::diagram::text;
use crate::gauges;
use crate::record::{Line, Record};
use crate::scenario::Scenario;
use crate::watch::Breach;
use crate::world::World;

/// A run in which everything held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Hash of everything that the server said and told: the same on every machine.
    pub transcript: u64,
    /// Inputs that the server was given.
    pub inputs: u64,
    /// Virtual time at the end, in ms.
    pub virtual_ms: u64,
    /// The largest value of each gauge.
    pub peak: Census,
    /// The largest that it could have been with the limits of the scenario.
    pub most: Census,
    /// What was left when everybody had gone.
    pub left: Census,
}

/// A law did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The law, and what is wrong.
    pub breach: Breach,
    /// Where in the run.
    pub place: Place,
    /// Virtual time.
    pub at: Time,
    /// Inputs that the server had been given until then.
    pub inputs: u64,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the step with this number, counted from 0.
    Step(usize),
    /// While it settled after the last step.
    Calm,
    /// While and after everybody left.
    Empty,
}

/// Runs a scenario at its level.
///
/// # Errors
///
/// The first law that does not hold.
pub fn run(scenario: &Scenario) -> Result<Report, Violation> {
    run_recorded(scenario, Record::default()).0
}

/// The same, with what happened as far as `record` keeps it.
pub(crate) fn run_recorded(scenario: &Scenario, record: Record) -> (Result<Report, Violation>, Vec<Line>) {
    let mut world = World::new(scenario, record);
    let mut place = Place::Step(0);
    let result = phases(&mut world, scenario.steps.len(), &mut place);
    let at = world.now();
    let report = Report {
        transcript: world.transcript().value(),
        inputs: world.inputs(),
        virtual_ms: at.0,
        peak: world.peak,
        most: gauges::most(&scenario.knobs.limits),
        left: world.census(),
    };
    let inputs = report.inputs;
    let result = result.map(|()| report).map_err(|breach| Violation { breach, place, at, inputs });
    (result, world.record.lines())
}

fn phases(world: &mut World<'_>, steps: usize, place: &mut Place) -> Result<(), Breach> {
    for index in 0..steps {
        *place = Place::Step(index);
        world.step(index)?;
    }
    *place = Place::Calm;
    world.calm()?;
    *place = Place::Empty;
    world.empty()
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "law:  {}", self.breach.law)?;
        writeln!(f, "what: {}", self.breach.what)?;
        write!(f, "when: {} at {} ms", self.place, self.at.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Step(index) => write!(f, "step {index}"),
            Place::Calm => f.write_str("while settling after the last step"),
            Place::Empty => f.write_str("after everybody left"),
        }
    }
}

/// Runs a scenario and draws the last `lines` lines of what happened as a sequence diagram in text.
#[must_use]
pub fn diagram(scenario: &Scenario, lines: usize) -> String {
    text(&run_recorded(scenario, Record::on()).1, lines)
}
