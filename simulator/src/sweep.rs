//! Many seeds, on every processor.

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::found::{blame, file_for};
use crate::run::{Report, Violation, run};
use crate::scenario::{Level, Scenario};

/// Lines of each diagram of a failure.
const LINES: usize = 60;

/// A seed whose run broke a law.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub seed: u64,
    /// What it broke.
    pub violation: Violation,
}

/// Runs the scenarios that `seeds` stand for on every processor, until one breaks a law. Returns what was run.
///
/// # Errors
///
/// What is wrong with the first one that breaks a law. It is made small and saved into `folder`, and the command that
/// replays it is told.
pub fn check(seeds: Range<u64>, level: Level, folder: &Path) -> Result<String, String> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (begin, count) = (Instant::now(), seeds.end - seeds.start);
    let (inputs, virtual_ms) = (AtomicU64::new(0), AtomicU64::new(0));
    let failures = sweep(
        seeds,
        threads,
        1,
        |seed| run(&Scenario::draw(seed, level)),
        |_, result| {
            if let Ok(report) = result {
                inputs.fetch_add(report.inputs, Ordering::Relaxed);
                virtual_ms.fetch_add(report.virtual_ms, Ordering::Relaxed);
            }
        },
    );
    if let Some(Failure { seed, violation }) = failures.first() {
        let scenario = Scenario::draw(*seed, level);
        let again = format!("simulate --seed {seed} --level {}", level.name());
        return Err(blame(&scenario, violation, &again, LINES, Some(&file_for(folder, &scenario))));
    }
    let (inputs, hours) = (inputs.into_inner(), virtual_ms.into_inner() / 3_600_000);
    let (level, seconds) = (level.name(), begin.elapsed().as_secs_f64());
    Ok(format!("{count} seeds, level {level}: {inputs} inputs in {hours} h of virtual time, {seconds:.1} s"))
}

/// Runs `run` for each of `seeds` on `threads` threads (at least one) and returns what failed, by seed; after
/// `most_failures` it stops. `done` is told after each run, from any thread.
pub fn sweep(
    seeds: Range<u64>,
    threads: usize,
    most_failures: usize,
    run: impl Fn(u64) -> Result<Report, Violation> + Sync,
    done: impl Fn(u64, &Result<Report, Violation>) + Sync,
) -> Vec<Failure> {
    let next = AtomicU64::new(seeds.start);
    let enough = AtomicBool::new(false);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while !enough.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let result = run(seed);
            done(seed, &result);
            if let Err(violation) = result {
                let mut failures = failures.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                failures.push(Failure { seed, violation });
                enough.fetch_or(failures.len() >= most_failures, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    failures.sort_by_key(|failure| failure.seed);
    failures
}
