//! The examples of the server, as processes.

use std::path::PathBuf;
use std::process::Command;

/// The command that runs an example of the server, built with the profile that this test was built with.
///
/// # Panics
///
/// When it does not build.
#[must_use]
pub fn example(name: &str) -> Command {
    // …/target/PROFILE/deps/THIS_TEST
    let this = std::env::current_exe().expect("Linux");
    let folder: PathBuf = this.ancestors().nth(2).expect("cargo's layout").to_path_buf();
    let profile = match folder.file_name().and_then(|name| name.to_str()).expect("cargo's layout") {
        "debug" => "dev",
        name => name,
    };
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "peerpigeon-server", "--example", name, "--profile", profile])
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the example {name} does not build");
    Command::new(folder.join("examples").join(name))
}
