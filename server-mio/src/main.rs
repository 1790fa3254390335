//! The program; all of it is in the library, see [`peerpigeon_server::program::run`].

use std::process::ExitCode;

fn main() -> ExitCode {
    peerpigeon_server::program::run()
}
