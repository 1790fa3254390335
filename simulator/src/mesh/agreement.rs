//! The simulated pages held against real clients in the laboratory: `laboratory.json` says how its figures were made.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::Deserialize;

use super::options::Options;
use super::table::{FIGURES, mean};
use super::{Case, cases, played};

#[derive(Deserialize)]
struct Laboratory {
    /// How far the means of a figure may be apart: a number, and a share of the laboratory's.
    allowed: BTreeMap<String, (f64, f64)>,
    cases: Vec<Measured>,
}

#[derive(Deserialize)]
struct Measured {
    choice: String,
    capacity: u8,
    /// One number for each run.
    figures: BTreeMap<String, Vec<f64>>,
}

/// With ten links hardly any page is ever without one, and the few that are make most of the offers: two runs of the
/// laboratory differ by as much as these figures.
const OF_FEW_PAGES: [&str; 5] = [
    "frames_per_join",
    "frames_up_per_join",
    "offers_per_join",
    "full_rejections_per_join",
    "one_piece_percent_of_time",
];

fn simulated(measured: &Measured) -> Case {
    let line = format!(
        "--peers 100 --choice {} --capacity {} --watch 1800 --seeds 8",
        measured.choice, measured.capacity
    );
    let options = Options::parse(line.split_whitespace().map(OsString::from)).unwrap().unwrap();
    let mut cases = cases(&options);
    played(cases.remove(0), &options)
}

#[test]
fn simulated_pages_make_of_an_introducer_what_real_clients_make_of_it() {
    let laboratory: Laboratory = serde_json::from_str(include_str!("laboratory.json")).unwrap();
    let mut apart = Vec::new();
    for measured in &laboratory.cases {
        let simulated = simulated(measured);
        for (name, (number, share)) in &laboratory.allowed {
            if measured.capacity > 3 && OF_FEW_PAGES.contains(&name.as_str()) {
                continue;
            }
            let figure = FIGURES.iter().find(|figure| figure.name == name).unwrap();
            let runs = &measured.figures[name];
            let real = runs.iter().sum::<f64>() / runs.len() as f64;
            let (mean, error) = mean(&simulated.runs, figure.of);
            if (mean - real).abs() > number + share * real {
                let (choice, capacity) = (&measured.choice, measured.capacity);
                let error = error.unwrap_or_default();
                apart.push(format!(
                    "{choice}, {capacity} links: {name} {mean:.3} ±{error:.3}, real {real:.3}"
                ));
            }
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
}
