//! The load generator: see [`peerpigeon_simulator::load`].

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    peerpigeon_simulator::load::main(env::args_os().skip(1))
}
