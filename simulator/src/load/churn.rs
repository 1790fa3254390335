//! What it costs when a peer joins a network and leaves it again.

use super::fleet::{Fleet, Peers, Wire};
use super::frame::{self, Kind};
use super::letter::{Id, id_of};
use super::meter::Meter;
use super::options::Options;
use super::pairs::speaks_of;
use super::progress::Progress;
use super::report::{Problems, Report};
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Residents, and one peer at a time that comes and goes.
struct Churn {
    residents: usize,
    opened: usize,
    greeting: Vec<u8>,
    /// Who comes and goes now.
    visitor: Option<Id>,
    /// Residents that were told of its coming, and of its going.
    told: u64,
    told_gone: u64,
    problems: Problems,
}

/// # Errors
///
/// What the system refuses; a visitor that nobody is told of.
pub(super) fn run(options: &Options) -> io::Result<Report> {
    let mut churn = Churn {
        residents: options.peers,
        opened: 0,
        greeting: super::announcement(),
        visitor: None,
        told: 0,
        told_gone: 0,
        problems: Problems::default(),
    };
    let mut fleet = Fleet::new(options.remote, Wire::WebSocket, options.sources)?;
    fleet.connect_all(0..options.peers, &mut churn, |churn| churn.opened)?;
    fleet.settle(QUIET, LIMIT, &mut churn)?;
    churn.problems.check()?;
    let mut progress = Progress::new(options.duration);
    let meter = Meter::start(options.pid)?;
    for visit in 0..options.count {
        visit_once(options.peers + visit, &mut fleet, &mut churn)?;
        progress.tell(|| format!("{visit} of {} visits", options.count));
    }
    fleet.settle(QUIET, LIMIT, &mut churn)?;
    let spent = meter.spent()?;
    churn.problems.check()?;
    let mut report = Report::default();
    report.put("residents", options.peers as f64);
    report.put("visits", options.count as f64);
    report.put("residents_told_per_visit", churn.told as f64 / options.count as f64);
    report.put("residents_told_gone_per_visit", churn.told_gone as f64 / options.count as f64);
    if let Some(server) = spent.server {
        report.put("server_cpu_ms_per_visit", server.as_secs_f64() * 1e3 / options.count as f64);
    }
    Ok(report)
}

fn visit_once(visitor: usize, fleet: &mut Fleet, churn: &mut Churn) -> io::Result<()> {
    churn.visitor = Some(id_of(visitor as u64));
    let (told, told_gone) = (churn.told, churn.told_gone);
    fleet.connect(visitor, visitor as u64)?;
    work_until(fleet, churn, "of a newcomer", |churn| churn.told > told)?;
    let mut goodbye = Vec::new();
    frame::write(&mut goodbye, Kind::Close, &GOING_AWAY.to_be_bytes());
    fleet.send(visitor, &goodbye, churn);
    work_until(fleet, churn, "of one who left", |churn| churn.told_gone > told_gone)?;
    fleet.drop_link(visitor);
    Ok(())
}

fn work_until(
    fleet: &mut Fleet,
    churn: &mut Churn,
    what: &str,
    is_done: impl Fn(&Churn) -> bool,
) -> io::Result<()> {
    while !is_done(churn) {
        let any = fleet.turn(Some(LIMIT), churn)?;
        churn.problems.check()?;
        if !any {
            return Err(io::Error::new(ErrorKind::TimedOut, format!("nobody was told {what}")));
        }
    }
    Ok(())
}

impl Peers for Churn {
    fn opened(&mut self, _peer: usize, out: &mut Vec<u8>) {
        self.opened += 1;
        out.extend_from_slice(&self.greeting);
    }

    fn heard(&mut self, peer: usize, message: &[u8], _out: &mut Vec<u8>) {
        if let Some(visitor) = &self.visitor
            && peer < self.residents
        {
            self.told += u64::from(speaks_of(message, r#""peer-discovered""#, visitor));
            self.told_gone += u64::from(speaks_of(message, r#""peer-disconnected""#, visitor));
        }
    }

    fn ended(&mut self, peer: usize, why: &str) {
        // Visitors are closed on their own wish.
        if peer < self.residents {
            self.problems.note(|| format!("peer {peer}: {why}"));
        }
    }
}

/// RFC 6455 section 7.4.1: what a page sends that is closed.
const GOING_AWAY: u16 = 1001;

const QUIET: Duration = Duration::from_millis(300);

const LIMIT: Duration = Duration::from_secs(60);
