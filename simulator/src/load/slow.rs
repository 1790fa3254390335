//! Peers that do not read, while others write to them.

use super::fleet::{Fleet, Peers, Wire};
use super::letter::{FIRST_NUMBER, Letter, Signal, data, id_of};
use super::options::Options;
use super::process::{self, Memory};
use super::report::{Problems, Report};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// Even peers write, odd ones do not read.
#[derive(Default)]
struct Sleepers {
    opened: usize,
    problems: Problems,
}

/// # Errors
///
/// What the system refuses; a server that ends the writers.
pub(super) fn run(options: &Options) -> io::Result<Report> {
    let pid = options.pid.ok_or_else(|| {
        io::Error::new(ErrorKind::InvalidInput, "slow: --pid is needed: whose memory is to be measured?")
    })?;
    let writers = options.peers;
    let mut sleepers = Sleepers::default();
    let mut fleet = Fleet::new(options.remote, Wire::WebSocket, options.sources)?;
    fleet.connect_all(0..2 * writers, &mut sleepers, |sleepers| sleepers.opened)?;
    fleet.settle(Duration::from_millis(300), Duration::from_secs(10), &mut sleepers)?;
    for writer in 0..writers {
        fleet.stop_reading(2 * writer + 1);
    }
    let before = process::memory(pid)?;
    let mut peak = before;
    let letter = Letter::new(Signal::Offer, &data(options.payload));
    let (mut out, mut number) = (Vec::new(), FIRST_NUMBER);
    for _ in 0..options.bytes / (letter.bytes() * writers) {
        for writer in 0..writers {
            letter.write(&mut out, &id_of(2 * writer as u64 + 1), number);
            fleet.send(2 * writer, &out, &mut sleepers);
            out.clear();
            number += 1;
        }
        wait_for_writers(writers, &mut fleet, &mut sleepers)?;
        peak = peak.max_each(process::memory(pid)?);
    }
    let end = Instant::now() + AFTER;
    while Instant::now() < end {
        fleet.turn(Some(Duration::from_millis(100)), &mut sleepers)?;
        peak = peak.max_each(process::memory(pid)?);
    }
    sleepers.problems.check()?;
    let after = process::memory(pid)?;
    let mut report = Report::default();
    report.put("peers_that_do_not_read", writers as f64);
    report.put("bytes_written", ((number - FIRST_NUMBER) * letter.bytes() as u64) as f64);
    report.put("peak_growth_bytes", peak.resident as f64 - before.resident as f64);
    report.put("growth_after_10_s_bytes", after.resident as f64 - before.resident as f64);
    Ok(report)
}

/// Until the kernel has taken everything from them.
fn wait_for_writers(writers: usize, fleet: &mut Fleet, sleepers: &mut Sleepers) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !(0..writers).all(|writer| fleet.has_sent_all(2 * writer)) {
        fleet.turn(Some(Duration::from_millis(10)), sleepers)?;
        sleepers.problems.check()?;
        if Instant::now() > deadline {
            return Err(io::Error::new(ErrorKind::TimedOut, "slow: the server does not read the writers"));
        }
    }
    while fleet.turn(Some(Duration::ZERO), sleepers)? {}
    Ok(())
}

impl Memory {
    fn max_each(self, other: Memory) -> Memory {
        Memory { resident: self.resident.max(other.resident), anonymous: self.anonymous.max(other.anonymous) }
    }
}

impl Peers for Sleepers {
    fn opened(&mut self, _peer: usize, _out: &mut Vec<u8>) {
        self.opened += 1;
    }

    /// Writers are told that their partners are gone, or how slow they are.
    fn heard(&mut self, _peer: usize, _message: &[u8], _out: &mut Vec<u8>) {}

    fn ended(&mut self, peer: usize, why: &str) {
        if peer.is_multiple_of(2) {
            self.problems.note(|| format!("writer {peer}: {why}"));
        }
    }
}

/// When memory is measured for the last time.
const AFTER: Duration = Duration::from_secs(10);
