//! A wall clock that is set back moves nothing: only what is shown to people looks at it.

use crate::{HEALTHY, ROUNDS, alone, check, settings};
use peerpigeon_tests::{Peer, Ring, Server, id, tools, wait_until};
use std::path::{Path, PathBuf};

#[test]
fn a_clock_that_is_set_back_or_forward_is_noticed_by_nobody() {
    let _alone = alone();
    let library = tools::fake_clock().display().to_string();
    let offset = std::env::temp_dir().join(format!("peerpigeon-clock-{}", std::process::id()));
    std::fs::write(&offset, "+0").expect("a folder for files of a while");
    let file = offset.display().to_string();
    let clock = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("PING_INTERVAL", "500"),
        ("LOG_LEVEL", "debug"),
    ];
    let server = Server::with(&[&settings()[..], &clock].concat());
    let mut ring = Ring::start(&server, HEALTHY);
    let _ = ring.lap(1);
    let undisturbed = ring.lap(2 * ROUNDS);
    let today = server.log().lines().next().expect("a log")[..10].to_owned();
    for (shift, what) in [("-200000", "set back by two days"), ("+200000", "set forward by two days")] {
        std::fs::write(&offset, shift).expect("the same file");
        check(what, &undisturbed, &ring.lap(4 * ROUNDS));
        drop(Peer::connect(&server, &id::number(2_000_000)));
        // The log has the time of day: so the process has seen it.
        let is_shifted = |line: &str| match &shift[..1] {
            "-" => line[..10] < *today,
            _ => line[..10] > *today,
        };
        wait_until(what, || server.log().lines().last().is_some_and(is_shifted));
    }
    ring.stop();
    server.stop();
    let _ = std::fs::remove_file(offset);
}

/// Files below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("it can be read").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn deadlines_rates_and_limits_never_look_at_the_wall_clock() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server-mio/src");
    // The loop, its network, rates, HTTP and frames; the core reads no clock at all (`purity.rs`).
    let parts = ["server", "net", "access/rates.rs", "access/configured.rs", "http", "websocket"];
    let parts = parts.map(|part| source.join(part));
    let files: Vec<PathBuf> =
        files(&source).into_iter().filter(|file| parts.iter().any(|part| file.starts_with(part))).collect();
    assert!(files.len() > 30, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        // The time limits of a token are about the wall clock, and so are what the core is told of it and when a file was
        // changed.
        let told = ["self.keys.check(", "Some(date::now())", "SystemTime};", "modified: Option<SystemTime>"];
        let code = code.filter(|line| !told.iter().any(|told| line.contains(told)));
        for forbidden in ["SystemTime", "date::now", "UNIX_EPOCH"] {
            let line = code.clone().find(|line| line.contains(forbidden));
            assert_eq!(line, None, "{forbidden} in {}", file.display());
        }
    }
}
