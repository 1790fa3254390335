//! How many connections a server can take in.

use super::fleet::{Fleet, Peers, Wire};
use super::meter::Meter;
use super::options::Options;
use super::progress::Progress;
use super::report::{Problems, Report};
use std::io;
use std::time::{Duration, Instant};

/// Connections that are ended as soon as they are open.
#[derive(Default)]
struct Comers {
    opened: u64,
    /// To be replaced by the next one.
    done: Vec<usize>,
    problems: Problems,
}

/// # Errors
///
/// What the system refuses, and upgrades that the server refuses.
pub(super) fn run(options: &Options, is_raw: bool) -> io::Result<Report> {
    let wire = if is_raw { Wire::Raw { message_bytes: 1 } } else { Wire::WebSocket };
    let mut fleet = Fleet::new(options.remote, wire, options.sources)?;
    let mut comers = Comers::default();
    let mut names = 0..;
    for (peer, name) in (0..options.window).zip(&mut names) {
        fleet.connect(peer, name)?;
    }
    let mut come_and_go = |time: Duration, comers: &mut Comers| -> io::Result<()> {
        let (end, mut progress) = (Instant::now() + time, Progress::new(time));
        while Instant::now() < end {
            fleet.turn(Some(Duration::from_millis(100)), comers)?;
            comers.problems.check()?;
            let mut done = std::mem::take(&mut comers.done);
            for (peer, name) in done.drain(..).zip(&mut names) {
                fleet.reconnect(peer, name, comers)?;
            }
            comers.done = done;
            progress.tell(|| format!("{} handshakes", comers.opened));
        }
        Ok(())
    };
    come_and_go(options.warm_up, &mut comers)?;
    let (meter, before) = (Meter::start(options.pid)?, comers.opened);
    come_and_go(options.duration, &mut comers)?;
    let (spent, count) = (meter.spent()?, comers.opened - before);
    let mut report = Report::default();
    report.put("window", options.window as f64);
    spent.put_into(&mut report, count as f64, "handshake", "handshakes");
    Ok(report)
}

impl Peers for Comers {
    fn opened(&mut self, peer: usize, _out: &mut Vec<u8>) {
        self.opened += 1;
        self.done.push(peer);
    }

    fn heard(&mut self, _peer: usize, _message: &[u8], _out: &mut Vec<u8>) {}

    fn ended(&mut self, peer: usize, why: &str) {
        self.problems.note(|| format!("connection {peer}: {why}"));
    }
}
