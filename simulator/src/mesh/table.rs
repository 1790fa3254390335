//! The comparison to read, and for other programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::look::{Distances, Look};
use super::options::Options;
use super::{Case, Run};

/// A column of the table.
pub(super) struct Figure {
    pub(super) heading: &'static str,
    /// In JSON.
    pub(super) name: &'static str,
    decimals: usize,
    pub(super) of: fn(&Run) -> f64,
}

/// All of them, in their order.
pub(super) const FIGURES: &[Figure] = &[
    figure("one piece, % of time", "one_piece_percent_of_time", 1, |run| {
        looks(run, |look| percent(look.pieces.count <= 1))
    }),
    figure("without lone peers, %", "one_island_percent_of_time", 1, |run| {
        looks(run, |look| percent(look.pieces.islands <= 1))
    }),
    figure("pieces", "pieces", 2, |run| looks(run, |look| look.pieces.count as f64)),
    figure("lone, %", "lone_peers_percent", 3, |run| {
        100.0 * share(run, |look| look.pieces.alone, |look| look.pieces.peers)
    }),
    figure("outside the largest, %", "outside_largest_percent", 3, |run| {
        100.0 - 100.0 * share(run, |look| look.pieces.in_largest, |look| look.pieces.peers)
    }),
    figure("links per peer", "links_per_peer", 2, |run| {
        2.0 * share(run, |look| look.links, |look| look.peers)
    }),
    figure("far apart", "far_apart", 0, |run| distances(run, |seen| f64::from(seen.far_apart))),
    figure("rank", "rank", 3, |run| distances(run, |seen| seen.rank)),
    figure("first link, s: median", "first_link_seconds_median", 1, |run| run.first_link_ms.0 as f64 / 1e3),
    figure("99 %", "first_link_seconds_99_percent", 1, |run| run.first_link_ms.1 as f64 / 1e3),
    figure("frames down per join", "frames_per_join", 0, |run| per_join(run, run.cost.frames)),
    figure("up", "frames_up_per_join", 0, |run| per_join(run, run.counts.up)),
    figure("joining", "joining_frames_per_join", 0, |run| per_join(run, run.cost.joining_frames)),
    figure("introducing", "introducing_frames_per_join", 0, |run| per_join(run, run.cost.introducing_frames)),
    figure("offers per join", "offers_per_join", 1, |run| per_join(run, run.counts.offers)),
    figure("offers per link", "offers_per_link", 1, |run| ratio(run.counts.offers, run.counts.links_made)),
    figure("answers without a link, %", "answers_without_link_percent", 0, |run| {
        100.0 - 100.0 * ratio(run.counts.links_made, run.counts.answers)
    }),
    figure("rejections per join: role", "role_rejections_per_join", 1, |run| {
        per_join(run, run.counts.rejected_role)
    }),
    figure("full", "full_rejections_per_join", 1, |run| per_join(run, run.counts.rejected_full)),
    figure("evictions per join", "evictions_per_join", 1, |run| per_join(run, run.counts.evictions)),
    figure("links cut, % of those ended", "links_cut_percent", 0, |run| {
        100.0 * ratio(run.counts.links_cut, run.counts.links_cut + run.counts.links_left)
    }),
];

const fn figure(heading: &'static str, name: &'static str, decimals: usize, of: fn(&Run) -> f64) -> Figure {
    Figure { heading, name, decimals, of }
}

fn percent(holds: bool) -> f64 {
    if holds { 100.0 } else { 0.0 }
}

fn looks(run: &Run, of: impl Fn(&Look) -> f64) -> f64 {
    run.looks.iter().map(of).sum::<f64>() / run.looks.len().max(1) as f64
}

fn share(run: &Run, part: fn(&Look) -> usize, whole: fn(&Look) -> usize) -> f64 {
    let sum = |of: fn(&Look) -> usize| run.looks.iter().map(of).sum::<usize>();
    sum(part) as f64 / sum(whole).max(1) as f64
}

fn distances(run: &Run, of: impl Fn(&Distances) -> f64) -> f64 {
    let seen: Vec<f64> = run.looks.iter().filter_map(|look| look.distances.as_ref()).map(of).collect();
    seen.iter().sum::<f64>() / seen.len().max(1) as f64
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn per_join(run: &Run, count: u64) -> f64 {
    ratio(count, run.counts.joins)
}

/// The mean over the seeds of a case, and its standard error where there are several.
pub(super) fn mean(runs: &[Run], of: fn(&Run) -> f64) -> (f64, Option<f64>) {
    let count = runs.len().max(1) as f64;
    let mean = runs.iter().map(of).sum::<f64>() / count;
    let squares: f64 = runs.iter().map(|run| (of(run) - mean).powi(2)).sum();
    (mean, (runs.len() > 1).then(|| (squares / (count - 1.0) / count).sqrt()))
}

/// One run in one line.
pub(super) fn line(run: &Run) -> String {
    let peak = run.peak_bytes.map_or_else(String::new, |bytes| {
        format!(", {:.0} MiB at most until now", bytes as f64 / f64::from(1 << 20))
    });
    let figures = ["one_piece_percent_of_time", "lone_peers_percent", "frames_per_join"];
    let told = FIGURES.iter().filter(|figure| figures.contains(&figure.name));
    let told: Vec<String> =
        told.map(|figure| format!("{} {:.*}", figure.heading, figure.decimals, (figure.of)(run))).collect();
    format!("seed {}: {}; {:.1} s{peak}", run.seed, told.join("; "), run.seconds)
}

/// The table, one row per case.
pub(super) fn markdown(cases: &[Case], options: &Options) -> String {
    let seeds = match options.seeds {
        1 => format!("seed {}", options.seed),
        many => format!("means over {many} seeds from {} with their standard errors", options.seed),
    };
    let mut text = format!(
        "`{}`: mean life time {} s, {} looks 10 s apart after {} s, {seeds}.\n\n",
        options.line,
        options.life_ms / 1_000,
        options.watch_ms / super::LOOK_MS,
        options.warm_up_ms / 1_000
    );
    let headings: Vec<&str> = FIGURES.iter().map(|figure| figure.heading).collect();
    let rules = "| --: ".repeat(FIGURES.len());
    let written = writeln!(
        text,
        "| client | links | peers | choice | {} |\n| --: | --: | --: | --- {rules}|",
        headings.join(" | ")
    );
    debug_assert!(written.is_ok(), "writing to a string never fails");
    for case in cases {
        let cells: Vec<String> = FIGURES.iter().map(|figure| cell(&case.runs, figure)).collect();
        let written = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            case.habits.client.name(),
            super::options::mix(&case.habits.capacities),
            case.habits.peers,
            case.choice.name(),
            cells.join(" | ")
        );
        debug_assert!(written.is_ok(), "writing to a string never fails");
    }
    text
}

fn cell(runs: &[Run], figure: &Figure) -> String {
    let decimals = figure.decimals;
    match mean(runs, figure.of) {
        (mean, None) => format!("{mean:.decimals$}"),
        (mean, Some(error)) => format!("{mean:.decimals$} ±{error:.decimals$}"),
    }
}

/// Everything, for other programs: an object for each run.
pub(super) fn json(cases: &[Case], options: &Options) -> Value {
    let runs = cases.iter().flat_map(|case| case.runs.iter().map(move |run| (case, run)));
    let rows = runs.map(|(case, run)| {
        let mut row = Map::new();
        let about = [
            ("client", json!(case.habits.client.name())),
            ("choice", json!(case.choice.name())),
            ("peers", json!(case.habits.peers)),
            ("capacity", json!(super::options::mix(&case.habits.capacities))),
            ("blocked_percent", json!(case.habits.blocked_percent)),
            ("seed", json!(run.seed)),
            ("joins", json!(run.counts.joins)),
            ("inputs", json!(run.cost.inputs)),
            ("seconds", json!(run.seconds)),
            ("peak_bytes_of_process", json!(run.peak_bytes)),
        ];
        row.extend(about.map(|(name, value)| (name.to_owned(), value)));
        row.extend(FIGURES.iter().map(|figure| (figure.name.to_owned(), json!((figure.of)(run)))));
        Value::Object(row)
    });
    json!({ "command": options.line, "runs": rows.collect::<Vec<Value>>() })
}
