//! Pairs of peers that relay as much as the server can, or so much per second.

use super::fleet::Fleet;
use super::meter::Meter;
use super::options::Options;
use super::pairs::{Pace, Pairs};
use super::progress::Progress;
use super::report::Report;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// # Errors
///
/// What the system refuses, and anything that did not arrive as it was sent.
pub(super) fn run(options: &Options, is_raw: bool) -> io::Result<Report> {
    let mut pairs = Pairs::new(options.peers & !1, options.payload, is_raw);
    if options.announce && !is_raw {
        pairs.greet_with(super::announcement());
    }
    let mut fleet = Fleet::new(options.remote, pairs.wire(), options.sources)?;
    fleet.connect_all(0..pairs.len(), &mut pairs, |pairs| pairs.opened)?;
    fleet.settle(QUIET, Duration::from_secs(60), &mut pairs)?;
    pairs.problems.check()?;
    let mut report = Report::default();
    report.put("peers", pairs.len() as f64);
    report.put("payload_bytes", options.payload as f64);
    match options.rate {
        None => closed_loop(options, &mut fleet, &mut pairs, &mut report)?,
        Some(rate) => open_loop(options, rate, &mut fleet, &mut pairs, &mut report)?,
    }
    pairs.problems.check()?;
    Ok(report)
}

fn closed_loop(
    options: &Options,
    fleet: &mut Fleet,
    pairs: &mut Pairs,
    report: &mut Report,
) -> io::Result<()> {
    report.put("window", options.window as f64);
    pairs.pace = Pace::ClosedLoop;
    let mut out = Vec::new();
    for peer in 0..pairs.len() {
        (0..options.window).for_each(|_| pairs.offer(peer, &mut out));
        fleet.send(peer, &out, pairs);
        out.clear();
    }
    work_until(Instant::now() + options.warm_up, fleet, pairs, "warming up")?;
    let (meter, before) = (Meter::start(options.pid)?, pairs.delivered);
    work_until(Instant::now() + options.duration, fleet, pairs, "measuring")?;
    let (spent, count) = (meter.spent()?, pairs.delivered - before);
    spent.put_into(report, count as f64, "message", "messages");
    pairs.pace = Pace::Finish;
    drain(fleet, pairs)
}

fn open_loop(
    options: &Options,
    rate: u64,
    fleet: &mut Fleet,
    pairs: &mut Pairs,
    report: &mut Report,
) -> io::Result<()> {
    let of = |time: Duration| u64::try_from(u128::from(rate) * time.as_millis() / 1000).unwrap_or(u64::MAX);
    let (warm_up, last) = (of(options.warm_up), of(options.warm_up) + of(options.duration));
    pairs.open_loop(Duration::from_secs(1).div_f64(rate as f64), warm_up).map_err(io::Error::other)?;
    let mut progress = Progress::new(options.warm_up + options.duration);
    let (mut out, mut meter) = (Vec::new(), None);
    while pairs.sent < last {
        let now = Instant::now();
        while let Some(peer) = pairs.due(last, now, &mut out) {
            fleet.send(peer, &out, pairs);
            out.clear();
        }
        if meter.is_none() && pairs.sent >= warm_up {
            meter = Some(Meter::start(options.pid)?);
        }
        // Sleeping would be late by more than what is measured.
        fleet.turn(Some(Duration::ZERO), pairs)?;
        pairs.problems.check()?;
        progress.tell(|| format!("{} of {last} messages", pairs.delivered));
    }
    if let Some(meter) = meter {
        meter.spent()?.put_into(report, (last - warm_up) as f64, "message", "messages");
    }
    drain(fleet, pairs)?;
    let Pace::OpenLoop { latencies } = &pairs.pace else { return Ok(()) };
    for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
        let nanos = latencies.histogram.value_at_quantile(quantile);
        report.put(format!("latency_us_{name}"), nanos as f64 / 1000.0);
    }
    Ok(())
}

fn work_until(end: Instant, fleet: &mut Fleet, pairs: &mut Pairs, what: &str) -> io::Result<()> {
    let mut progress = Progress::new(end.saturating_duration_since(Instant::now()));
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        if !fleet.turn(Some(left.min(STALL)), pairs)? && left > STALL {
            return Err(io::Error::new(ErrorKind::TimedOut, format!("{what}: nothing came for {STALL:?}")));
        }
        pairs.problems.check()?;
        progress.tell(|| format!("{what}: {} messages", pairs.delivered));
    }
}

/// Waits until everything that was sent has arrived.
fn drain(fleet: &mut Fleet, pairs: &mut Pairs) -> io::Result<()> {
    while pairs.delivered < pairs.sent {
        if !fleet.turn(Some(STALL), pairs)? {
            let missing = pairs.sent - pairs.delivered;
            return Err(io::Error::new(ErrorKind::TimedOut, format!("{missing} messages never came")));
        }
        pairs.problems.check()?;
    }
    Ok(())
}

/// Introductions are over when nothing has come for so long.
const QUIET: Duration = Duration::from_millis(300);

/// Where messages are always under way, silence for so long means that some are lost.
const STALL: Duration = Duration::from_secs(5);
