//! Every saved scenario holds every law, for ever: each was saved for a fault that it once showed.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use peerpigeon_simulator::scenario::Scenario;
use peerpigeon_simulator::{diagram, run};

fn saved() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

#[test]
fn every_saved_scenario_holds_every_law() {
    let files = saved();
    assert!(!files.is_empty(), "no scenario is saved");
    let (begin, count) = (Instant::now(), files.len());
    for file in files {
        let scenario = Scenario::load(&file).unwrap();
        if let Err(violation) = run(&scenario) {
            panic!("{}\n{violation}\n\n{}", file.display(), diagram(&scenario, 60));
        }
    }
    // Past the capture of the test runner, as in the sweep.
    let told = format!("{count} saved scenarios: {:.1} s\n", begin.elapsed().as_secs_f64());
    io::stderr().write_all(told.as_bytes()).unwrap();
}

#[test]
fn every_saved_scenario_says_what_it_shows() {
    for file in saved() {
        let note = Scenario::load(&file).unwrap().note;
        assert!(note.len() > 20, "{} has no note", file.display());
    }
}
