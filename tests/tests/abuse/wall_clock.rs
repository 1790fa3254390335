//! A wall clock that is set back moves nothing: only what is shown to people looks at it.

use std::path::{Path, PathBuf};

/// Files below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("it can be read").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn deadlines_rates_and_limits_never_look_at_the_wall_clock() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server-mio/src");
    // The loop, its network, its gate's rates, HTTP and frames; the core reads no clock at all (`purity.rs`).
    let parts = ["server", "net.rs", "mio_net.rs", "per_address.rs", "guard.rs", "http", "websocket"];
    let parts = parts.map(|part| source.join(part));
    let files: Vec<PathBuf> =
        files(&source).into_iter().filter(|file| parts.iter().any(|part| file.starts_with(part))).collect();
    assert!(files.len() > 30, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        // The time limits of a token are about the wall clock.
        let code = code.filter(|line| !line.contains("self.keys.check("));
        for forbidden in ["SystemTime", "calendar::now", "UNIX_EPOCH"] {
            let line = code.clone().find(|line| line.contains(forbidden));
            assert_eq!(line, None, "{forbidden} in {}", file.display());
        }
    }
}
