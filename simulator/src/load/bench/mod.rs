//! The whole table: every experiment of every contestant, several times, interleaved.

mod experiments;
mod picture;
mod results;
mod rows;
mod servers;

use super::options::{BenchOptions, Mode, Options};
use super::report::Report;
use super::start;
use experiments::Experiment;
use results::Results;
use servers::{Contestant, Running};
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Makes all experiments and returns the table; writes the results to files if asked to.
///
/// # Errors
///
/// The first experiment that fails: a table with a hole would be read as if there were none.
pub(super) fn run(options: &BenchOptions) -> io::Result<String> {
    let mut experiments = experiments::all(options.quick, sockets_at_most()?);
    if let Some(unknown) = options.only.iter().find(|only| experiments.iter().all(|one| one.name != **only)) {
        let names: Vec<_> = experiments.iter().map(|one| one.name).collect();
        let told = format!(
            "--only {unknown:?}: the experiments are {}; scripts/bench also has mesh",
            names.join(", ")
        );
        return Err(io::Error::new(ErrorKind::InvalidInput, told));
    }
    experiments.retain(|one| options.only.is_empty() || options.only.iter().any(|only| only == one.name));
    let repeat = options.repeat.unwrap_or(if options.quick { 3 } else { 5 });
    let mut results = Results::default();
    for repetition in 0..repeat {
        for experiment in experiments.iter().filter(|one| repetition < one.repeat) {
            for round in 0..experiment.rounds {
                // Who comes first in one round comes last in the next.
                let is_turned = (repetition + round) % 2 == 1;
                for contestant in order(experiment, options, is_turned) {
                    eprintln!("{} of {repeat}: {} {}", repetition + 1, experiment.name, contestant.name());
                    results.add(experiment.name, contestant, measure(experiment, contestant, options)?);
                }
            }
        }
    }
    if let Some(out) = &options.out {
        write(out, "json", &format!("{:#}\n", results.json(&options.label, options.quick)))?;
        write(out, "svg", &picture::draw(&results, &options.label))?;
    }
    Ok(results.table())
}

/// Those of its contestants that can be started.
fn order(experiment: &Experiment, options: &BenchOptions, is_turned: bool) -> Vec<Contestant> {
    let contestants = experiment.contestants.iter().copied();
    let mut order: Vec<_> = contestants.filter(|one| one.is_there(options)).collect();
    if is_turned {
        order.reverse();
    }
    order
}

fn measure(experiment: &Experiment, contestant: Contestant, options: &BenchOptions) -> io::Result<Report> {
    measure_once(experiment, contestant, options).map_err(|error| {
        let text = format!("{} {}: {error}", experiment.name, contestant.name());
        io::Error::new(error.kind(), text)
    })
}

fn measure_once(
    experiment: &Experiment,
    contestant: Contestant,
    options: &BenchOptions,
) -> io::Result<Report> {
    let running = Running::spawn(contestant, options)?;
    if experiment.options.mode == Mode::Start {
        let mut report = Report::default();
        let millis = start::first_answer(running.remote, running.start)?.as_secs_f64() * 1e3;
        report.put("ms_to_first_answer", millis);
        return Ok(report);
    }
    let running = running.wait_until_ready()?;
    let mode = match (contestant, experiment.options.mode) {
        (Contestant::Limit, Mode::Relay) => Mode::LimitClient,
        (Contestant::Limit, Mode::Idle) => Mode::LimitIdle,
        (Contestant::Limit, Mode::Handshakes) => Mode::LimitHandshakes,
        (_, mode) => mode,
    };
    let (remote, pid) = (running.remote, Some(running.pid()));
    super::measure(&Options { mode, remote, pid, ..experiment.options.clone() })
}

fn write(out: &OsString, extension: &str, text: &str) -> io::Result<()> {
    let mut path = PathBuf::from(out);
    path.set_extension(extension);
    fs::write(&path, text)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// How many files a process may have open.
fn sockets_at_most() -> io::Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    // "unlimited" is no number.
    Ok(soft.unwrap_or(usize::MAX))
}
