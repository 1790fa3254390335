//! `plant`: shows that the simulator finds faults, without a word of them in what ships.
//!
//! Copies what is needed of the workspace to `target/faults`, plants every fault of `simulator/faults` in the copy, each
//! behind a switch that there is only there, builds it once, and runs `simulator/tests/planted_faults` in it. With an argument
//! only those faults are looked for whose names begin with it.

mod copy;
mod patch;

use std::path::Path;
use std::process::{Command, ExitCode};

use patch::Patch;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            use std::io::Write;
            // Nobody may be listening on the standard error; there is nothing else to do about that.
            let _ = writeln!(std::io::stderr(), "plant: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether the test passed.
fn run() -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("a workspace around the simulator")?;
    let patches = Patch::load_all(&root.join("simulator/faults"))?;
    let planted = patch::plant(&patches, root).map_err(|errors| errors.join("\nplant: "))?;
    let copy = root.join("target/faults");
    copy::write(root, &copy, &patches, &planted)?;
    let test =
        ["--package", "peerpigeon-simulator", "--features", "planted-faults", "--test", "planted_faults"];
    let status = Command::new("cargo")
        .args(["test", "--profile", "checked", "--locked"])
        .args(test)
        .args(["--", "--show-output"])
        .current_dir(&copy)
        // What others wrote is compiled once, and kept for the next time.
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .env("PLANT_ONLY", std::env::args().nth(1).unwrap_or_default())
        .status();
    status.map(|status| status.success()).map_err(|error| format!("cargo: {error}"))
}
