//! The examples of the server, as processes.

use crate::server::{built, given};
use std::process::Command;

/// The command that runs an example of the server: the one beside `PEERPIGEON_BIN`, if there is one, else built with
/// the profile that this test was built with.
///
/// # Panics
///
/// When it does not build.
#[must_use]
pub fn example(name: &str) -> Command {
    let path = format!("examples/{name}");
    let beside = given().map(|binary| binary.with_file_name(&path)).filter(|example| example.exists());
    Command::new(beside.unwrap_or_else(|| built("--example", &path)))
}
