//! The sweep finds faults: each of those that can be planted in the core is caught within a bounded number of seeds, or
//! by one of the saved scenarios, which every test run replays.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

use peerpigeon_core::fault::{Fault, plant};
use peerpigeon_simulator::scenario::{Level, Scenario};
use peerpigeon_simulator::{run, sweep};

/// Within so many seeds each fault must be found.
const SEEDS: u64 = 300;

/// What the drawn scenarios hardly ever reach.
const RARE: [Fault; 1] = [Fault::MailPastItsTime];

#[test]
fn every_planted_fault_is_found_within_300_seeds_or_by_a_saved_scenario() {
    // Some faults make the core panic, which is caught and counts as found.
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        plant(Some(fault));
        let found = if RARE.contains(&fault) { found_by_scenario() } else { found_by_seed() };
        plant(None);
        match found {
            Some(found) => println!("{fault:?}: {found}"),
            None => missed.push(fault),
        }
    }
    let clean = (0..10).find_map(|seed| run(&Scenario::draw(seed, Level::Messages)).err());
    let _ = std::panic::take_hook();
    assert_eq!(missed, [], "not found");
    assert_eq!(clean, None, "found without a fault");
}

fn found_by_seed() -> Option<String> {
    let threads = available_parallelism().map_or(1, usize::from);
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
    let law = &failures.first()?.violation.breach.law;
    Some(format!("found after {} seeds, law: {law}", runs.into_inner()))
}

fn found_by_scenario() -> Option<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some()).collect();
    files.sort();
    files.into_iter().find_map(|file| {
        let law = run(&Scenario::load(&file).unwrap()).err()?.breach.law;
        Some(format!("found by {}, law: {law}", file.file_stem()?.display()))
    })
}
