//! Drawn scenarios hold every law, at both levels, and give the same transcript again and again. One that does not is
//! made small and saved in `simulator/scenarios/`, where every test run replays it.

use std::io::{self, Write};
use std::path::Path;

use peerpigeon_simulator::scenario::{Level, Scenario};
use peerpigeon_simulator::{check, run};

/// The sweeps of every test run. More of them: `simulate --seeds`.
const MESSAGE_SEEDS: u64 = 1_000;
const BYTE_SEEDS: u64 = 200;

fn hold_every_law(seeds: u64, level: Level) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    match check(0..seeds, level, Path::new(folder)) {
        // Past the capture of the test runner: how much was looked at belongs into every log.
        Ok(told) => io::stderr().write_all(format!("{told}\n").as_bytes()).expect("a standard error"),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn a_thousand_seeds_hold_every_law_with_messages() {
    hold_every_law(MESSAGE_SEEDS, Level::Messages);
}

#[test]
fn two_hundred_seeds_hold_every_law_with_bytes() {
    hold_every_law(BYTE_SEEDS, Level::Bytes);
}

#[test]
fn the_same_scenario_gives_the_same_transcript_twice_at_each_level() {
    for (level, seeds) in [(Level::Messages, 20), (Level::Bytes, 8)] {
        for seed in 0..seeds {
            let scenario = Scenario::draw(seed, level);
            let (first, second) = (run(&scenario).unwrap(), run(&scenario).unwrap());
            assert_eq!(first, second, "seed {seed} at level {}", level.name());
        }
    }
}

/// The same in debug and release, on every machine and after every update of every library: whatever builds this test
/// finds these numbers. Whoever changes what the server says, or how scenarios are drawn, changes them too, and says so.
#[test]
fn the_transcript_of_seed_7_is_the_pinned_one_at_each_level() {
    for (level, pinned) in PINNED {
        let report = run(&Scenario::draw(7, level)).unwrap();
        assert_eq!(format!("{:016x}", report.transcript), pinned, "at level {}", level.name());
    }
}

const PINNED: [(Level, &str); 2] =
    [(Level::Messages, "cad1425f8128317f"), (Level::Bytes, "712d9e6d465bf9c0")];
