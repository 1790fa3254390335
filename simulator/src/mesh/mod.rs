//! How good the meshes are that come of the server's introductions, measured: whole networks of light pages around
//! the real core, or around another way to choose.

#[cfg(test)]
mod agreement;
mod core;
mod counts;
mod crowd;
mod everybody;
mod graph;
mod introducer;
mod key;
mod look;
mod options;
mod page;
mod roll;
mod standins;
mod table;
mod wires;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use peerpigeon_core::Time;

use self::core::Core;
use counts::Counts;
use crowd::{Crowd, Habits};
use everybody::{Everybody, Kind};
use introducer::{Cost, Introducer};
use look::Look;
use options::{Choice, Options};
use standins::{Chance, Few, Nearest};

/// The runs of one choice among pages of one kind.
#[derive(Clone, Debug)]
struct Case {
    choice: Choice,
    /// But for the seed, which each run has its own of.
    habits: Habits,
    runs: Vec<Run>,
}

/// One run, and what was seen in it.
#[derive(Clone, Debug)]
struct Run {
    seed: u64,
    /// Of the part that was looked at, as are the counts.
    cost: Cost,
    counts: Counts,
    looks: Vec<Look>,
    /// What pages waited for their first link: the median, and what 99 of 100 waited at most.
    first_link_ms: (u64, u64),
    seconds: f64,
    /// Most memory that this process has had until its end, in bytes; `None` where the system does not say.
    peak_bytes: Option<u64>,
}

/// Does what the command line asks for. Exit status 0: done; 1: a file cannot be written; 2: the command makes no sense.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match Options::parse(arguments) {
        Ok(Some(options)) => options,
        Ok(None) => return print(options::HELP),
        Err(error) => {
            eprintln!("simulate mesh: {error}");
            return ExitCode::from(2);
        }
    };
    let cases: Vec<Case> = cases(&options).into_iter().map(|case| played(case, &options)).collect();
    if let Some(path) = &options.json
        && let Err(error) = fs::write(path, format!("{:#}\n", table::json(&cases, &options)))
    {
        eprintln!("simulate mesh: {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    print(&table::markdown(&cases, &options))
}

/// What is to be compared.
fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for &client in &options.clients {
        for capacities in &options.capacities {
            for &peers in &options.peers {
                let habits = Habits {
                    peers,
                    capacities: capacities.clone(),
                    client,
                    blocked_percent: options.blocked_percent,
                    life_ms: options.life_ms,
                    seed: options.seed,
                };
                let is_small =
                    |choice: &&Choice| !choice.tells_everybody() || peers <= options.everybody_most;
                let choices = options.choices.iter().filter(is_small);
                cases.extend(choices.map(|choice| Case {
                    choice: *choice,
                    habits: habits.clone(),
                    runs: Vec::new(),
                }));
            }
        }
    }
    cases
}

fn played(mut case: Case, options: &Options) -> Case {
    let Habits { peers, capacities, client, .. } = &case.habits;
    let (client, capacity) = (client.name(), options::mix(capacities));
    eprintln!("{peers} peers of {client}, capacity {capacity}, {}", case.choice.name());
    for seed in (options.seed..).take(usize::try_from(options.seeds).unwrap_or(usize::MAX)) {
        let run = run(case.choice, Habits { seed, ..case.habits.clone() }, options);
        eprintln!("  {}", table::line(&run));
        case.runs.push(run);
    }
    case
}

fn run(choice: Choice, habits: Habits, options: &Options) -> Run {
    let seed = habits.seed;
    match choice {
        Choice::Server => watch(Core::new(habits.peers), habits, options),
        Choice::Everybody => watch(Everybody::new(Kind::Relaying), habits, options),
        Choice::Npm => watch(Everybody::new(Kind::Npm), habits, options),
        Choice::Nearest => watch(Few::new(Nearest::default(), seed), habits, options),
        Choice::Random => watch(Few::new(Chance::new(seed), seed), habits, options),
    }
}

fn watch<I: Introducer>(introducer: I, habits: Habits, options: &Options) -> Run {
    let (start, seed) = (Instant::now(), habits.seed);
    let mut crowd = Crowd::new(introducer, habits);
    crowd.run_until(Time(options.warm_up_ms));
    crowd.begin_to_count();
    let (before, mut looks) = (crowd.introducer.cost(), Vec::new());
    for number in 1..=options.watch_ms / LOOK_MS {
        crowd.run_until(Time(options.warm_up_ms + number * LOOK_MS));
        looks.push(crowd.look(number % LOOKS_PER_DISTANCE == 0));
    }
    Run {
        seed,
        cost: crowd.introducer.cost().since(before),
        counts: crowd.counts,
        looks,
        first_link_ms: (crowd.first_links.quantile(50), crowd.first_links.quantile(99)),
        seconds: start.elapsed().as_secs_f64(),
        peak_bytes: peak_bytes(),
    }
}

/// The most memory that this process has had in use (Linux).
fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Prints to the standard output; a reader that has gone away is no failure.
fn print(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// Between two looks at the mesh.
const LOOK_MS: u64 = 10_000;

/// Distances take longer to find.
const LOOKS_PER_DISTANCE: u64 = 12;
