//! What to do with a scenario that breaks a law: say what happened, make it small, and save it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::run::{Violation, diagram};
use crate::scenario::Scenario;
use crate::shrink::shrink;

/// Inputs that making a scenario small may take: minutes, where there are many peers.
const INPUTS: u64 = 2_000_000;

/// Says what is wrong, what happened before, and the command `again` that shows it again; then the same of the
/// smallest scenario found that breaks the same law, which is saved to `file`, or printed where there is none. Each
/// diagram has at most so many `lines`.
#[must_use]
pub fn blame(
    scenario: &Scenario,
    violation: &Violation,
    again: &str,
    lines: usize,
    file: Option<&Path>,
) -> String {
    let last = diagram(scenario, lines);
    let mut text = format!("{violation}\nseed: {}\nagain: {again}\n\n{last}", scenario.seed);
    let Some(small) = shrink(scenario, INPUTS) else { return text };
    let picture = diagram(&small.scenario, lines);
    let mut kept = small.scenario;
    if kept.note.is_empty() {
        kept.note = format!("Breaks the law `{}` ({again}): {}", violation.breach.law, violation.breach.what);
    }
    text += &format!(
        "\nthe smallest scenario found that breaks the same law, {} steps after {} runs\n\n{}\n\n{picture}\n",
        kept.steps.len(),
        small.runs,
        small.violation
    );
    text += &match file.map(|file| (file, save(&kept, file))) {
        None => kept.to_json(),
        Some((file, Ok(()))) => {
            format!("saved: {0}\nagain: simulate --scenario {0}\n", file.display())
        }
        Some((file, Err(error))) => {
            format!("cannot write {}: {error}\n{}", file.display(), kept.to_json())
        }
    };
    text
}

/// The file for what a sweep finds with this seed; every test run replays what is in the folder.
#[must_use]
pub(crate) fn file_for(folder: &Path, scenario: &Scenario) -> PathBuf {
    folder.join(format!("found-{}-{}.json", scenario.level.name(), scenario.seed))
}

fn save(scenario: &Scenario, file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    scenario.save(file)
}
