//! The core is pure: no `std`, no clock, no thread, no map whose order is random.

use std::path::{Path, PathBuf};
use std::process::Command;

const CORE: &str = "peerpigeon-core";

fn core_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").join("core")
}

/// Each source file of the core with its text, tests and comments left out.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![core_folder().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).expect("a source file");
                files.push((path, production_code(&text)));
            }
        }
    }
    assert!(files.len() > 10, "the core's sources are there");
    files
}

/// Tests stand last in a file (see the style); a comment is no code.
fn production_code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let uncommented = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    uncommented.collect::<Vec<_>>().join("\n")
}

/// Every feature of every package that the core is built with, as `cargo tree` prints them.
fn features() -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            CORE,
            "--edges",
            "normal,features",
            "--prefix",
            "none",
            "--format",
            "{p}|{f}",
        ])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn no_dependency_of_the_core_has_its_std_feature_on() {
    let features = features();
    assert!(features.iter().any(|line| line.starts_with(CORE)), "{features:?}");
    for line in &features {
        let (package, enabled) = line.split_once('|').unwrap_or((line, ""));
        let has_std = enabled.split([',', ' ']).any(|feature| feature == "std");
        assert!(!has_std && !package.contains("feature \"std\""), "{line}");
    }
}

#[test]
fn the_core_says_that_it_needs_no_std_and_no_unsafe() {
    let lib = std::fs::read_to_string(core_folder().join("src/lib.rs")).expect("the core");
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(lib.lines().any(|line| line == attribute), "{attribute} is missing");
    }
    assert!(!lib.contains("extern crate std"), "std is brought in by the back door");
}

#[test]
fn the_core_reads_no_clock_starts_no_thread_and_has_no_map_of_random_order() {
    for (path, code) in sources() {
        for forbidden in [
            "std::",
            "extern crate std",
            "Instant",
            "SystemTime",
            "RandomState",
            "DefaultHasher",
            "thread",
            "getrandom",
            "static mut",
            "println!",
            "log::",
        ] {
            // As a word of its own: a `Backlog::` is no `log::`.
            let says = |line: &str| {
                let mut places = line.match_indices(forbidden).map(|(place, _)| &line[..place]);
                places.any(|before| !before.ends_with(|last: char| last.is_alphanumeric() || last == '_'))
            };
            let line = code.lines().find(|line| says(line));
            assert_eq!(line, None, "{forbidden} in {}", path.display());
        }
    }
}

/// A map of hashbrown has the order of its hasher, so the hasher is named wherever such a map is.
#[test]
fn every_hash_map_of_the_core_names_its_hasher() {
    for (path, code) in sources() {
        for line in code.lines().filter(|line| line.contains("HashMap<") || line.contains("HashSet<")) {
            let arguments = line.matches(',').count();
            let needed = if line.contains("HashMap<") { 2 } else { 1 };
            assert!(arguments >= needed, "{}: the default hasher in: {line}", path.display());
        }
    }
}
