//! Many seeds, on every processor.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::run::{Report, Violation};

/// A seed whose run broke a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What it broke.
    pub violation: Violation,
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
