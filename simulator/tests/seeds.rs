//! Drawn scenarios hold every law.

use std::thread::available_parallelism;

use peerpigeon_simulator::scenario::Scenario;
use peerpigeon_simulator::{diagram, run, sweep};

/// The sweep of every test run. More of them: `simulate --seeds`.
const SEEDS: u64 = 1_000;

#[test]
fn a_thousand_seeds_hold_every_law() {
    let threads = available_parallelism().map_or(1, usize::from);
    let failures = sweep(0..SEEDS, threads, 1, |seed| run(&Scenario::draw(seed)), |_, _| {});
    if let Some(failure) = failures.first() {
        let last = diagram(&Scenario::draw(failure.seed), 60);
        panic!("seed {}\n{}\n\n{last}\nagain: simulate --seed {0}", failure.seed, failure.violation);
    }
}

#[test]
fn the_same_scenario_gives_the_same_transcript_twice() {
    for seed in 0..20 {
        let scenario = Scenario::draw(seed);
        let (first, second) = (run(&scenario).unwrap(), run(&scenario).unwrap());
        assert_eq!(first, second, "seed {seed}");
    }
}

/// The same in debug and release, on every machine and after every update of every library. Whoever changes what the
/// server says, or how scenarios are drawn, changes this number too, and says so.
#[test]
fn the_transcript_of_seed_7_is_the_pinned_one() {
    let report = run(&Scenario::draw(7)).unwrap();
    assert_eq!(format!("{:016x}", report.transcript), PINNED);
}

const PINNED: &str = "d1a87ac1da46c610";
