//! The sweep finds faults: each of those that can be planted in the core is caught within a bounded number of seeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

use peerpigeon_core::fault::{Fault, plant};
use peerpigeon_simulator::scenario::{Level, Scenario};
use peerpigeon_simulator::{run, sweep};

/// Within so many seeds each fault must be found.
const SEEDS: u64 = 300;

#[test]
fn every_planted_fault_is_found_within_300_seeds() {
    // Some faults make the core panic, which is caught and counts as found.
    std::panic::set_hook(Box::new(|_| {}));
    let threads = available_parallelism().map_or(1, usize::from);
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        plant(Some(fault));
        let runs = AtomicU64::new(0);
        let failures = sweep(
            0..SEEDS,
            threads,
            1,
            |seed| run(&Scenario::draw(seed, Level::Messages)),
            |_, _| {
                runs.fetch_add(1, Ordering::Relaxed);
            },
        );
        plant(None);
        let runs = runs.into_inner();
        match failures.first() {
            Some(failure) => {
                println!("{fault:?}: found after {runs} seeds, law: {}", failure.violation.breach.law);
            }
            None => missed.push(fault),
        }
    }
    let clean = sweep(0..10, threads, 1, |seed| run(&Scenario::draw(seed, Level::Messages)), |_, _| {});
    let _ = std::panic::take_hook();
    assert_eq!(missed, [], "not found within {SEEDS} seeds");
    assert_eq!(clean, [], "found without a fault");
}
