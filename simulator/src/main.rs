//! `simulate`: runs the signaling server in virtual time and looks for what it does wrong.

mod args;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;
use std::{env, fs};

use peerpigeon_simulator::scenario::{Level, Scenario};
use peerpigeon_simulator::{Report, Violation, blame, gauges, html, load, mesh, run, sweep};

use args::{Args, What};

/// Failures after which a sweep has seen enough.
const ENOUGH: usize = 3;

fn main() -> ExitCode {
    if let Some(exit) = subcommand() {
        return exit;
    }
    let args = match Args::parse() {
        Ok(Some(args)) => args,
        Ok(None) => return print(args::HELP),
        Err(error) => {
            // Nobody may be listening on the standard error; there is nothing else to do about that.
            let _ = writeln!(io::stderr(), "simulate: {error}");
            return ExitCode::from(2);
        }
    };
    quiet_panics();
    match &args.what {
        What::Scenario(path) => match Scenario::load(path) {
            Ok(scenario) => one(&scenario, &args, &format!("simulate --scenario {}", path.display())),
            Err(error) => {
                let _ = writeln!(io::stderr(), "simulate: {error}");
                ExitCode::from(2)
            }
        },
        What::Seeds(seeds) if seeds.end - seeds.start == 1 => {
            let seed = seeds.start;
            one(&draw(seed, &args), &args, &again(seed, &args))
        }
        What::Seeds(seeds) => many(seeds.clone(), &args),
    }
}

/// What has a command line of its own.
fn subcommand() -> Option<ExitCode> {
    let mut words = env::args_os().skip(1);
    match words.next()?.to_str()? {
        "load" => Some(load::main(words)),
        "mesh" => Some(mesh::main(words)),
        _ => None,
    }
}

/// Runs one scenario and tells how it went.
fn one(scenario: &Scenario, args: &Args, again: &str) -> ExitCode {
    let begin = Instant::now();
    match run(scenario) {
        Ok(report) => {
            let seconds = begin.elapsed().as_secs_f64();
            if let Err(error) = save(scenario, args).and_then(|()| draw_page(scenario, args, again)) {
                return print(&format!("{error}\n"));
            }
            print(&format!("{}\n", told(&report, seconds)))
        }
        Err(violation) => {
            show(scenario, &violation, args, again);
            ExitCode::FAILURE
        }
    }
}

/// Runs a scenario for each seed and shows its progress.
fn many(seeds: std::ops::Range<u64>, args: &Args) -> ExitCode {
    let (begin, all) = (Instant::now(), seeds.end - seeds.start);
    let totals = Mutex::new((0_u64, 0_u64, 0_u64));
    let failures = sweep(
        seeds,
        args.threads,
        ENOUGH,
        |seed| run(&draw(seed, args)),
        |_, result| {
            let mut totals = totals.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            totals.0 += 1;
            if let Ok(report) = result {
                (totals.1, totals.2) = (totals.1 + report.inputs, totals.2 + report.virtual_ms);
            }
            let (done, inputs, virtual_ms) = *totals;
            let step = (all / 20).max(1);
            if done % step == 0 || done == all {
                let line = format!(
                    "{done} of {all} seeds, {inputs} inputs, {} h of virtual time, {:.0} s",
                    virtual_ms / 3_600_000,
                    begin.elapsed().as_secs_f64()
                );
                let _ = writeln!(io::stderr(), "{line}");
            }
        },
    );
    // From the last to the first, whose page then is the one that stays.
    for failure in failures.iter().rev() {
        let scenario = draw(failure.seed, args);
        show(&scenario, &failure.violation, args, &again(failure.seed, args));
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Draws the page, and says what is wrong.
fn show(scenario: &Scenario, violation: &Violation, args: &Args, again: &str) {
    if let Err(error) = draw_page(scenario, args, again) {
        let _ = writeln!(io::stderr(), "simulate: {error}");
    }
    print(&format!("\n{}", blame(scenario, violation, again, args.lines, args.save.as_deref())));
}

fn draw(seed: u64, args: &Args) -> Scenario {
    let level = args.level;
    args.peers.map_or_else(|| Scenario::draw(seed, level), |peers| Scenario::crowd(seed, peers, level))
}

/// The command that runs this seed again.
fn again(seed: u64, args: &Args) -> String {
    let peers = args.peers.map_or_else(String::new, |peers| format!(" --peers {peers}"));
    let level = if args.level == Level::Bytes { " --level bytes" } else { "" };
    format!("simulate --seed {seed}{peers}{level}")
}

fn draw_page(scenario: &Scenario, args: &Args, again: &str) -> Result<(), String> {
    let Some(path) = &args.html else { return Ok(()) };
    let page = html(scenario, again, args.lines);
    fs::write(path, page).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn save(scenario: &Scenario, args: &Args) -> Result<(), String> {
    let Some(path) = &args.save else { return Ok(()) };
    scenario.save(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn told(report: &Report, seconds: f64) -> String {
    let mut text = format!(
        "every law held\n\
         transcript  {:016x}\n\
         inputs      {} in {seconds:.2} s\n\
         time        {}.{:03} s of virtual time\n\
         \n\
         {:<26}{:>10}{:>12}{:>10}",
        report.transcript,
        report.inputs,
        report.virtual_ms / 1_000,
        report.virtual_ms % 1_000,
        "gauge",
        "peak",
        "limit",
        "at end"
    );
    let [peak, most, left] = [&report.peak, &report.most, &report.left].map(gauges::named);
    for (((name, peak), (_, most)), (_, left)) in peak.into_iter().zip(most).zip(left) {
        text += &format!("\n{name:<26}{peak:>10}{most:>12}{left:>10}");
    }
    text
}

/// A panic of the core is caught and reported as a breach; where it cannot be caught, its message stays.
fn quiet_panics() {
    if cfg!(panic = "unwind") {
        std::panic::set_hook(Box::new(|_| {}));
    }
}

/// Prints to the standard output; a reader that has gone away is no failure.
fn print(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
