//! The copy of the workspace that faults are planted in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::patch::Patch;

/// What is copied. Of the process tests just what the workspace needs to be one.
const COPIED: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "core",
    "server-mio",
    "simulator",
    "tests/Cargo.toml",
    "tests/src",
];
/// What is found there once it is built.
const KEPT: &str = "target";
/// Where the switches are, and the file that says so.
const SWITCHES: &str = "core/src/planted.rs";
const CRATE: &str = "core/src/lib.rs";

/// Writes the copy: each file of the workspace as it is, or as it is in `planted`, and the switches. What is there
/// already as it must be is not touched, so that cargo builds only what has changed; what is there beside it goes.
///
/// # Errors
///
/// For what cannot be read or written.
pub(crate) fn write(
    root: &Path,
    copy: &Path,
    patches: &[Patch],
    planted: &BTreeMap<String, String>,
) -> Result<(), String> {
    let mut files = BTreeMap::new();
    for item in COPIED {
        read(root, item, &mut files).map_err(|error| format!("{item}: {error}"))?;
    }
    for (file, text) in planted {
        files.insert(file.clone(), text.clone().into_bytes());
    }
    files.insert(SWITCHES.to_owned(), switches(patches).into_bytes());
    files.entry(CRATE.to_owned()).or_default().extend_from_slice(b"\npub mod planted;\n");
    for (file, bytes) in &files {
        let path = copy.join(file);
        if fs::read(&path).ok().as_ref() != Some(bytes) {
            let folder = path.parent().unwrap_or(copy);
            let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, bytes));
            written.map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    let names = files.keys().map(String::as_str).collect();
    remove_others(copy, "", &names).map_err(|error| format!("{}: {error}", copy.display()))
}

/// Reads a file, or all files of a folder, by their path below `root`.
fn read(root: &Path, item: &str, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let path = root.join(item);
    if !path.is_dir() {
        files.insert(item.to_owned(), fs::read(path)?);
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        if let Some(name) = entry?.file_name().to_str() {
            read(root, &format!("{item}/{name}"), files)?;
        }
    }
    Ok(())
}

/// Removes what is below `folder` of the copy and none of `names`.
fn remove_others(copy: &Path, folder: &str, names: &BTreeSet<&str>) -> io::Result<()> {
    for entry in fs::read_dir(copy.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if entry.file_type()?.is_dir() {
            if name != KEPT {
                remove_others(copy, &name, names)?;
            }
        } else if !names.contains(name.as_str()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The module of the copy that holds the switches: at most one fault is there at a time, in the whole process.
fn switches(patches: &[Patch]) -> String {
    let mut text = "\
//! The switches of the planted faults.

use core::sync::atomic::{AtomicUsize, Ordering};

static PLANTED: AtomicUsize = AtomicUsize::new(usize::MAX);

/// From now on the whole process has this fault, or none.
///
/// # Panics
///
/// For a name that no fault has.
pub fn plant(name: Option<&str>) {
    let index = |name| FAULTS.iter().position(|(known, _)| *known == name).expect(\"a fault of that name\");
    PLANTED.store(name.map_or(usize::MAX, index), Ordering::SeqCst);
}

fn is(index: usize) -> bool {
    PLANTED.load(Ordering::Relaxed) == index
}
"
    .to_owned();
    let faults: Vec<(&str, &str)> =
        patches.iter().map(|patch| (patch.name.as_str(), patch.place())).collect();
    let _ = writeln!(
        text,
        "\n/// All of them, and what each is in: `core` or `server-mio`.\npub const FAULTS: [(&str, &str); {}] = {faults:?};",
        faults.len()
    );
    for (index, Patch { name, summary, .. }) in patches.iter().enumerate() {
        let _ = writeln!(text, "\n/// {summary}\npub fn {name}() -> bool {{\n    is({index})\n}}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::env::temp_dir;
    use std::process;

    use super::*;

    #[test]
    fn a_second_copy_touches_only_what_is_not_as_it_must_be() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let copy = temp_dir().join(format!("copy-{}", process::id()));
        let patch = Patch::parse("x", "w\n--- core/src/time.rs\n@@\n-b();\n+planted::x();\n").unwrap();
        let planted = BTreeMap::from([("core/src/time.rs".to_owned(), "planted".to_owned())]);
        let write = || super::write(root, &copy, std::slice::from_ref(&patch), &planted).unwrap();
        write();
        let (changed, stray, kept) =
            (copy.join("core/Cargo.toml"), copy.join("core/src/stray.rs"), copy.join("target/kept"));
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        for path in [&changed, &stray, &kept] {
            fs::write(path, "changed").unwrap();
        }
        let written = |file: &str| fs::metadata(copy.join(file)).unwrap().modified().unwrap();
        let before = ["Cargo.toml", "core/src/lib.rs", "core/src/time.rs", SWITCHES].map(written);
        write();
        let after = ["Cargo.toml", "core/src/lib.rs", "core/src/time.rs", SWITCHES].map(written);
        let read = |file: &str| fs::read_to_string(copy.join(file)).unwrap();
        assert_eq!(read("core/src/time.rs"), "planted");
        assert_eq!(read("core/Cargo.toml"), fs::read_to_string(root.join("core/Cargo.toml")).unwrap());
        assert!(
            read("core/src/lib.rs").contains("pub mod planted;") && read(SWITCHES).contains("pub fn x()")
        );
        assert!(kept.exists() && !stray.exists());
        assert_eq!(before, after);
        fs::remove_dir_all(&copy).unwrap();
    }
}
