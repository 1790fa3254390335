//! What the fuzzer has found so far, and what it began with, without the fuzzer: `scripts/fuzz` looks for more.

use peerpigeon_tests::tools::repository;

#[allow(missing_docs, unreachable_pub, dead_code, reason = "a crate of its own, whose lints these are not")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

/// Calls a target with every file of its corpus.
fn replay(name: &str, run: fn(&[u8])) {
    let folder = repository().join("fuzz/corpus").join(name);
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).expect("a corpus") {
        let path = entry.expect("a file").path();
        let input = std::fs::read(&path).expect("a file");
        // A panic does not say which file it was about.
        if let Err(panic) = std::panic::catch_unwind(|| run(&input)) {
            eprintln!("{} is how to see it again", path.display());
            std::panic::resume_unwind(panic);
        }
        inputs += 1;
    }
    assert!(inputs >= 8, "{inputs} inputs for {name}");
    eprintln!("{inputs} inputs for {name}");
}

#[test]
fn heads_of_the_corpus_are_read_alike_however_they_are_cut() {
    replay("head", targets::head::run);
}

#[test]
fn frames_of_the_corpus_are_read_alike_however_they_are_cut() {
    replay("frames", targets::frames::run);
}

#[test]
fn the_core_keeps_its_promises_for_every_script_of_the_corpus() {
    replay("dialects", targets::dialects::run);
}

#[test]
fn envelopes_of_the_corpus_say_the_same_to_everybody() {
    replay("psp", targets::psp::run);
}

#[test]
fn the_core_keeps_its_promises_whatever_comes_by_the_bus() {
    replay("bus", targets::bus::run);
}

#[test]
fn the_server_keeps_its_promises_for_every_script_of_the_corpus() {
    replay("server", targets::server::run);
}
