//! The sweep finds faults: each of `simulator/faults` is caught within a bounded number of seeds, those of the core with
//! messages and those of the server with bytes; what is found is made small, saved, and can be replayed. This is run by the
//! program `plant`, in a copy of the workspace that has the faults.

mod shrinking;

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Instant;
use std::{env, fs, process};

use peerpigeon_core::planted::{FAULTS, plant};
use peerpigeon_simulator::scenario::{Level, Scenario};
use peerpigeon_simulator::{check, run, sweep};

/// Within so many seeds each fault must be found.
const SEEDS: u64 = 300;

#[test]
fn every_planted_fault_is_found_within_300_seeds() {
    let _alone = alone();
    let begin = Instant::now();
    let mut missed = Vec::new();
    // `plant store_` looks for those whose names begin so.
    let only = env::var("PLANT_ONLY").unwrap_or_default();
    for (fault, place) in FAULTS.iter().copied().filter(|(fault, _)| fault.starts_with(&only)) {
        let begin = Instant::now();
        let level = if place == "core" { Level::Messages } else { Level::Bytes };
        let found = with(fault, || found(level));
        if found.is_none() {
            missed.push(fault);
        }
        let found = found.unwrap_or_else(|| "not found".to_owned());
        tell(&format!("{fault}: {found}, {:.1} s", begin.elapsed().as_secs_f64()));
    }
    tell(&format!("{} faults: {:.1} s", FAULTS.len(), begin.elapsed().as_secs_f64()));
    let clean = [Level::Messages, Level::Bytes]
        .iter()
        .find_map(|level| (0..10).find_map(|seed| run(&Scenario::draw(seed, *level)).err()));
    assert_eq!(missed, [""; 0], "not found");
    assert_eq!(clean, None, "found without a fault");
}

#[test]
fn what_a_sweep_finds_is_made_small_and_saved_and_its_report_tells_how_to_replay_it() {
    let _alone = alone();
    let folder = env::temp_dir().join(format!("found-{}", process::id()));
    let report = with("mail_twice", || check(0..SEEDS, Level::Messages, &folder)).unwrap_err();
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let small = Scenario::load(&file).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let seed = small.seed;
    assert!(report.contains(&format!("again: simulate --seed {seed} --level message\n")), "{report}");
    assert!(report.contains(&format!("again: simulate --scenario {}\n", file.display())), "{report}");
    let drawn = Scenario::draw(seed, Level::Messages);
    assert!(small.steps.len() <= 10, "{} of {} steps are left", small.steps.len(), drawn.steps.len());
    let broken =
        with("mail_twice", || [&drawn, &small].map(|scenario| run(scenario).unwrap_err().breach.law));
    assert_eq!(broken[0], broken[1], "the small one breaks another law");
    assert!(run(&small).is_ok(), "it shows something without the fault");
}

/// Past the capture of the test runner: a log of every run, while it runs.
fn tell(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).expect("a standard error");
}

/// There is one place for a fault in the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Some faults make the core panic, which is caught and counts as found.
fn with<T>(fault: &str, work: impl FnOnce() -> T) -> T {
    std::panic::set_hook(Box::new(|_| {}));
    plant(Some(fault));
    let result = work();
    plant(None);
    let _ = std::panic::take_hook();
    result
}

/// The number of runs can be one off, since there are as many at once as processors.
fn found(level: Level) -> Option<String> {
    let threads = available_parallelism().map_or(1, usize::from);
    let runs = AtomicU64::new(0);
    let failures = sweep(
        0..SEEDS,
        threads,
        1,
        |seed| run(&Scenario::draw(seed, level)),
        |_, _| {
            runs.fetch_add(1, Ordering::Relaxed);
        },
    );
    let law = &failures.first()?.violation.breach.law;
    Some(format!("found after {} seeds, law: {law}", runs.into_inner()))
}
