//! The document of the wire format and the source that defines it change together.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// What defines the wire format.
const SOURCES: [&str; 7] = [
    "src/wire",
    "src/verbs",
    "src/doors.rs",
    "src/event.rs",
    "src/upgrade.rs",
    "src/departure.rs",
    "src/limits.rs",
];

#[test]
fn the_protocol_document_is_as_new_as_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = Vec::new();
    let mut sources: Vec<PathBuf> = SOURCES.map(|source| root.join(source)).to_vec();
    while let Some(source) = sources.pop() {
        if source.is_dir() {
            sources.extend(fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files.push(source);
        }
    }
    files.sort();
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        // Comments and layout define nothing.
        for line in code.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            for byte in line.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
            }
        }
    }
    let document = fs::read_to_string(root.join("../docs/PROTOCOL.md")).unwrap();
    let line = format!("<!-- The wire format as the source defines it: {hash:016x} -->");
    assert!(
        document.contains(&line),
        "core/src/wire and its neighbours are not what docs/PROTOCOL.md was written for. Read both, bring the document in line, and end it with\n{line}"
    );
}
