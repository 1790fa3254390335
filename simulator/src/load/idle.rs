//! What peers cost that do nothing: memory and processor time, before and after a burst.

use super::fleet::Fleet;
use super::meter::Meter;
use super::options::Options;
use super::pairs::Pairs;
use super::process;
use super::progress::Progress;
use super::report::Report;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// # Errors
///
/// What the system refuses, and anything that the server does wrong meanwhile.
pub(super) fn run(options: &Options, is_raw: bool) -> io::Result<Report> {
    let pid = options.pid.ok_or_else(|| {
        io::Error::new(ErrorKind::InvalidInput, "idle: --pid is needed: whose memory is to be measured?")
    })?;
    let mut pairs = Pairs::new(options.peers & !1, options.payload, is_raw);
    let mut fleet = Fleet::new(options.remote, pairs.wire(), options.sources)?;
    let mut report = Report::default();
    report.put("peers", pairs.len() as f64);
    let start = process::memory(pid)?;
    report.put("start_resident_bytes", start.resident as f64);
    let mut weigh = |pairs: &Pairs, name: &str| -> io::Result<()> {
        pairs.problems.check()?;
        let grown = process::memory(pid)?.anonymous as f64 - start.anonymous as f64;
        report.put(format!("bytes_per_peer_{name}"), grown / pairs.len() as f64);
        Ok(())
    };

    let kernel = process::kernel_memory()?;
    fleet.connect_all(0..pairs.len(), &mut pairs, |pairs| pairs.opened)?;
    fleet.settle(QUIET, LIMIT, &mut pairs)?;
    weigh(&pairs, "connected")?;
    // Both ends of every connection are on this machine.
    let kernel = (process::kernel_memory()? as f64 - kernel as f64) / (2 * pairs.len()) as f64;

    if options.announce && !is_raw {
        announce_all(&mut fleet, &mut pairs)?;
        weigh(&pairs, "announced")?;
    }
    rest(options.warm_up, &mut fleet, &mut pairs)?;
    let meter = Meter::start(Some(pid))?;
    rest(options.duration, &mut fleet, &mut pairs)?;
    let spent = meter.spent()?;
    weigh(&pairs, "idle")?;
    if options.burst {
        burst(&mut fleet, &mut pairs)?;
        weigh(&pairs, "in_burst")?;
        rest(Duration::from_secs(10), &mut fleet, &mut pairs)?;
        weigh(&pairs, "after_burst")?;
    }
    report.put("kernel_bytes_per_socket", kernel);
    report.put("idle_seconds", spent.wall.as_secs_f64());
    if let Some(server) = spent.server {
        let percent = server.as_secs_f64() / spent.wall.as_secs_f64() * 100.0;
        report.put("idle_busy_percent", percent);
    }
    Ok(report)
}

/// A few at a time, so that what waits to be sent does not count as what a peer costs.
fn announce_all(fleet: &mut Fleet, pairs: &mut Pairs) -> io::Result<()> {
    let greeting = super::announcement();
    for peer in 0..pairs.len() {
        fleet.send(peer, &greeting, pairs);
        if peer % 16 == 0 {
            while fleet.turn(Some(Duration::ZERO), pairs)? {}
        }
    }
    fleet.settle(QUIET, LIMIT, pairs)
}

/// Lets time pass; pings are answered.
fn rest(time: Duration, fleet: &mut Fleet, pairs: &mut Pairs) -> io::Result<()> {
    let (end, mut progress) = (Instant::now() + time, Progress::new(time));
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        fleet.turn(Some(left.min(Duration::from_secs(1))), pairs)?;
        progress.tell(|| "idle".into());
    }
}

/// Every peer writes one message and gets one: the even ones offer, the odd ones answer.
fn burst(fleet: &mut Fleet, pairs: &mut Pairs) -> io::Result<()> {
    let mut out = Vec::new();
    for peer in (0..pairs.len()).step_by(2) {
        pairs.offer(peer, &mut out);
        fleet.send(peer, &out, pairs);
        out.clear();
        while pairs.sent - pairs.delivered >= PAIRS_AT_ONCE {
            wait_for_more(fleet, pairs)?;
        }
    }
    while pairs.delivered < pairs.sent {
        wait_for_more(fleet, pairs)?;
    }
    Ok(())
}

fn wait_for_more(fleet: &mut Fleet, pairs: &mut Pairs) -> io::Result<()> {
    let any = fleet.turn(Some(LIMIT), pairs)?;
    pairs.problems.check()?;
    if any { Ok(()) } else { Err(io::Error::new(ErrorKind::TimedOut, "burst: nothing came")) }
}

const QUIET: Duration = Duration::from_millis(500);

const LIMIT: Duration = Duration::from_secs(60);

/// Bounds what the kernel must keep for the burst.
const PAIRS_AT_ONCE: u64 = 256;
