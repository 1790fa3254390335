//! `docs/FIGURES.md`: the newest results of `scripts/bench`.

use crate::hold;
use crate::prose::wrap;
use core::fmt::Write as _;
use peerpigeon_tests::tools::repository;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Results whose name is a date and a commit, as of a whole run: others have something behind that.
fn newest_results() -> PathBuf {
    let files = fs::read_dir(repository().join("bench/results")).unwrap().map(|entry| entry.unwrap().path());
    let is_whole = |path: &PathBuf| {
        path.extension().is_some_and(|kind| kind == "json")
            && path.file_stem().unwrap().to_str().unwrap().matches('-').count() == 3
    };
    files.filter(is_whole).max().unwrap()
}

fn read(path: &PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Three digits that count, thousands apart.
fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => {
            let digits = format!("{value:.0}");
            let step = 10_f64.powi(i32::try_from(digits.len()).unwrap() - 3);
            let digits = format!("{:.0}", (value / step).round() * step);
            let mut text = String::new();
            for (i, digit) in digits.chars().enumerate() {
                if i > 0 && (digits.len() - i).is_multiple_of(3) {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
    }
}

/// The median, and the range where there is one.
fn cell(figure: &Value) -> String {
    let of = |name: &str| figure[name].as_f64().map(number);
    match (of("median"), of("least"), of("most")) {
        (Some(median), Some(least), Some(most)) if least != most => format!("{median} ({least} to {most})"),
        (Some(median), ..) => median,
        _ => String::new(),
    }
}

fn server(results: &Value, text: &mut String) {
    text.push_str("| | server | limit | npm | aim | reached |\n| --- | --- | --- | --- | --- | --- |\n");
    for row in results["rows"].as_array().unwrap() {
        let (name, figures) = (row["name"].as_str().unwrap(), &row["figures"]);
        let [ours, limit, npm] = ["ours", "limit", "node"].map(|of| cell(&figures[of]));
        let aim = row["aim"].as_str().unwrap_or_default().replace("..", " to ").replace(" x ", " × ");
        let reached = match row["reached"].as_bool() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        writeln!(text, "| {name} | {ours} | {limit} | {npm} | {aim} | {reached} |").unwrap();
    }
}

const CORE: [(&str, &str); 7] = [
    ("peers", "peers"),
    ("inputs per second", "inputs_per_second"),
    ("CPU µs per join", "cpu_us_per_join"),
    ("per leave", "cpu_us_per_leave"),
    ("per relay", "cpu_us_per_relay"),
    ("allocations per relay", "allocations_per_relay"),
    ("bytes per peer", "bytes_per_peer"),
];

fn core(results: &Value, text: &mut String) {
    let heads = CORE.map(|(head, _)| head).join(" | ");
    writeln!(text, "| {heads} |\n|{}", " --- |".repeat(CORE.len())).unwrap();
    for row in results["costs"].as_array().unwrap() {
        let cells = CORE.map(|(_, key)| row[key].as_f64().map(number).unwrap_or_default());
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    }
}

#[test]
fn the_document_of_the_figures() {
    let path = newest_results();
    let results = read(&path);
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let costs = path.with_file_name(format!("{stem}-costs.json"));
    let mut text = format!(
        "\
# Figures

Made from `bench/results/{stem}.json` and `bench/results/{stem}-costs.json`, the newest that
`scripts/bench` has measured: {}.
The server ran on one processor, the load on the other. Medians, with the range over the runs where there
were several; single figures move by a quarter from run to run on virtual machines.

*limit* is a bare epoll relay of the same bytes, without WebSocket or JSON. *npm* is the server of the npm
package `peerpigeon` 0.1.1. What an aim says of a factor is *this × that*. Why some aims are not reached:
[FOOTPRINT.md](FOOTPRINT.md#where-the-time-goes).

## The server

",
        results["label"].as_str().unwrap()
    );
    server(&results, &mut text);
    text.push_str("\n## The core alone\n\nWhole lives of peers, without sockets.\n\n");
    core(&read(&costs), &mut text);
    hold("docs/FIGURES.md", &wrap(&text));
}
