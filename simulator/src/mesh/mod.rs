//! How good the meshes are that come of the server's introductions, measured: whole networks of light pages around
//! the real core, or around another way to choose.

mod core;
mod crowd;
mod graph;
mod introducer;
mod options;
mod page;
mod standins;
mod table;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use peerpigeon_core::Time;

use self::core::Core;
use crowd::{Crowd, Habits, Look};
use introducer::{Cost, Introducer};
use options::{Choice, Options};
use standins::{Chance, Everybody, Few, Nearest};

/// One run, and what was seen in it.
#[derive(Clone, Debug)]
struct Run {
    choice: Choice,
    habits: Habits,
    /// Of the part that was looked at.
    cost: Cost,
    looks: Vec<Look>,
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
    let mut runs = Vec::new();
    for &capacity in &options.capacities {
        for &peers in &options.peers {
            for &choice in &options.choices {
                let habits = Habits { peers, capacity, life_ms: options.life_ms, seed: options.seed };
                if choice == Choice::Everybody && peers > options.everybody_most {
                    continue;
                }
                eprintln!("{peers} peers, capacity {capacity}, {}", choice.name());
                let run = run(choice, habits, &options);
                eprintln!("  {}", table::line(&run));
                runs.push(run);
            }
        }
    }
    if let Some(path) = &options.json
        && let Err(error) = fs::write(path, format!("{:#}\n", table::json(&runs, &options)))
    {
        eprintln!("simulate mesh: {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    print(&table::markdown(&runs, &options))
}

fn run(choice: Choice, habits: Habits, options: &Options) -> Run {
    match choice {
        Choice::Server => watch(choice, Core::new(habits.peers), habits, options),
        Choice::Everybody => watch(choice, Everybody::default(), habits, options),
        Choice::Nearest => watch(choice, Few::new(Nearest::default()), habits, options),
        Choice::Random => watch(choice, Few::new(Chance::new(habits.seed)), habits, options),
    }
}

fn watch<I: Introducer>(choice: Choice, introducer: I, habits: Habits, options: &Options) -> Run {
    let start = Instant::now();
    let mut crowd = Crowd::new(introducer, habits);
    crowd.run_until(Time(options.warm_up_ms));
    let (before, mut looks) = (crowd.introducer.cost(), Vec::new());
    for number in 1..=options.watch_ms / LOOK_MS {
        crowd.run_until(Time(options.warm_up_ms + number * LOOK_MS));
        looks.push(crowd.look(number % LOOKS_PER_DISTANCE == 0));
    }
    let cost = crowd.introducer.cost().since(before);
    let peak_bytes = peak_bytes();
    Run { choice, habits, cost, looks, seconds: start.elapsed().as_secs_f64(), peak_bytes }
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
