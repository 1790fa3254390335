//! The load generator: virtual peers over real sockets.
//!
//! It is made to cost less than any server: one thread, messages that were made before, one read and one write
//! per peer and turn. That the server is the bottleneck is shown by its own processor time, which is measured
//! beside (Linux). Nothing is taken on trust: every message is checked for its sender, addressee, payload and
//! order, and none may come twice or be lost; else the run fails.

mod bench;
mod churn;
mod fleet;
mod frame;
mod handshake;
mod handshakes;
mod idle;
mod letter;
mod limit;
mod meter;
mod options;
mod pairs;
mod process;
mod progress;
mod relay;
mod report;
mod shape;
mod slow;
mod start;

use options::{HELP, Mode, Options};
use report::Report;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// Does what the command line asks for. Exit status 0: done, and every message was right. 1: something was
/// not. 2: the command line is wrong.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("simulate load: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("simulate load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<String> {
    match options.mode {
        Mode::Help => Ok(HELP.into()),
        Mode::LimitRelay => limit::run(options.port).map(|()| String::new()),
        Mode::Bench => bench::run(&options.bench),
        Mode::Relay
        | Mode::Idle
        | Mode::Churn
        | Mode::Slow
        | Mode::Handshakes
        | Mode::Start
        | Mode::LimitClient
        | Mode::LimitIdle
        | Mode::LimitHandshakes => {
            let report = measure(options)?;
            Ok(if options.json { format!("{}\n", report.json()) } else { report.to_string() })
        }
    }
}

/// One measurement.
fn measure(options: &Options) -> io::Result<Report> {
    match options.mode {
        Mode::Relay => relay::run(options, false),
        Mode::LimitClient => relay::run(options, true),
        Mode::Idle => idle::run(options, false),
        Mode::LimitIdle => idle::run(options, true),
        Mode::Churn => churn::run(options),
        Mode::Slow => slow::run(options),
        Mode::Handshakes => handshakes::run(options, false),
        Mode::LimitHandshakes => handshakes::run(options, true),
        Mode::Start => start::run(options),
        Mode::LimitRelay | Mode::Bench | Mode::Help => Err(io::Error::other("this mode measures nothing")),
    }
}

/// The frame by which a peer announces itself, as today's clients send it.
fn announcement() -> Vec<u8> {
    let text = r#"{"type":"announce","data":{},"maxPeers":3,"networkName":"global"}"#;
    let mut frame = Vec::new();
    frame::write(&mut frame, frame::Kind::Text, text.as_bytes());
    frame
}
