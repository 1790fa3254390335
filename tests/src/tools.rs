//! Programs of Debian that tests use, unpacked by `scripts/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http;

/// The folder of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// One of the programs, ready for its arguments.
///
/// # Panics
///
/// When `scripts/tools` has not been run.
#[must_use]
pub fn tool(name: &str) -> Command {
    let root = root();
    let folders = ["usr/bin", "usr/sbin"];
    let program = folders.map(|folder| root.join(folder).join(name)).into_iter().find(|path| path.exists());
    let mut command = Command::new(program.unwrap_or_else(|| panic!("no {name}: run scripts/tools first")));
    // Libraries that came with it.
    command.env("LD_LIBRARY_PATH", root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH)));
    command
}

/// A program that must run as root: by `sudo` where we are somebody else.
#[must_use]
pub fn as_root(program: &str) -> Command {
    if nix::unistd::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", program]);
    command
}

/// A file that `scripts/package` makes.
///
/// # Panics
///
/// When it has not been run.
#[must_use]
pub fn packaged(name: &str) -> PathBuf {
    let path = repository().join("target/package").join(name);
    assert!(path.exists(), "no {}: run scripts/package first", path.display());
    path
}

/// Runs a command that must succeed, and gives what it wrote to both outputs.
///
/// # Panics
///
/// When it fails.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = http::lossy(&[output.stdout, output.stderr].concat());
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

fn root() -> PathBuf {
    repository().join("target/tools")
}
