//! What was found, repetition by repetition, and what it comes to.

use super::rows::{Aim, COLUMNS, ROWS, Row};
use super::servers::Contestant;
use crate::load::report::{Report, rounded};
use core::fmt::Write as _;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// All reports by experiment and contestant, one per repetition.
#[derive(Debug, Default)]
pub(super) struct Results {
    reports: BTreeMap<(&'static str, Contestant), Vec<Report>>,
}

/// Median and ends of what was found in all repetitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    fn of(mut figures: Vec<f64>) -> Option<Spread> {
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Some(Spread { median, least, most })
    }

    fn text(self) -> String {
        format!("{} ({}..{})", rounded(self.median), rounded(self.least), rounded(self.most))
    }

    fn json(self) -> Value {
        json!({ "median": self.median, "least": self.least, "most": self.most })
    }
}

/// As many as the aims for a crowd are about.
const WHOLE_CROWD: f64 = 18_000.0;

impl Results {
    pub(super) fn add(&mut self, experiment: &'static str, contestant: Contestant, report: Report) {
        self.reports.entry((experiment, contestant)).or_default().push(report);
    }

    fn figures(&self, row: &Row, contestant: Contestant) -> Vec<f64> {
        let reports = self.reports.get(&(row.experiment, contestant)).into_iter().flatten();
        reports.filter_map(|report| Some(report.figure(row.figure)? * row.scale)).collect()
    }

    pub(super) fn spread(&self, row: &Row, contestant: Contestant) -> Option<Spread> {
        Spread::of(self.figures(row, contestant))
    }

    /// Ours against another contestant, repetition by repetition: what disturbs both cancels out.
    fn ratio(&self, row: &Row, other: Contestant) -> Option<Spread> {
        let ours = self.figures(row, Contestant::Ours);
        let pairs = ours.iter().zip(self.figures(row, other));
        Spread::of(pairs.map(|(ours, other)| ours / other).collect())
    }

    /// How many peers there were.
    fn peers(&self, row: &Row) -> f64 {
        let reports = self.reports.get(&(row.experiment, Contestant::Ours));
        reports.and_then(|reports| reports.first()?.figure("peers")).unwrap_or_default()
    }

    /// The aim in words, and whether it is reached; `None` where that was not measured.
    fn verdict(&self, row: &Row) -> Option<(String, bool)> {
        let ours = self.spread(row, Contestant::Ours)?.median;
        Some(match row.aim? {
            Aim::MostOfCrowd(_) if self.peers(row) < WHOLE_CROWD => return None,
            Aim::Most(most) | Aim::MostOfCrowd(most) => (format!("at most {}", rounded(most)), ours <= most),
            Aim::Least(least) => (format!("at least {}", rounded(least)), ours >= least),
            Aim::MostTimes(times, other) => {
                let ratio = self.ratio(row, other)?;
                (format!("{} of {times} x {}", ratio.text(), other.name()), ratio.median <= times)
            }
            Aim::LeastTimes(times, other) => {
                let ratio = self.ratio(row, other)?;
                (format!("{} of {times} x {}", ratio.text(), other.name()), ratio.median >= times)
            }
            Aim::MostTimesRow(times, name) => {
                let other = ROWS.iter().find(|row| row.name == name)?;
                let ratio = ours / self.spread(other, Contestant::Ours)?.median;
                (format!("{} of {times} x {name}", rounded(ratio)), ratio <= times)
            }
        })
    }

    /// The table to read.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for row in &ROWS {
            let columns = COLUMNS.iter().filter_map(|contestant| {
                let spread = self.spread(row, *contestant)?;
                Some(format!("  {:12} {}\n", contestant.name(), spread.text()))
            });
            let columns: String = columns.collect();
            if columns.is_empty() {
                continue;
            }
            let _ = write!(text, "{}\n{columns}", row.name);
            if let Some((aim, is_reached)) = self.verdict(row) {
                let _ = writeln!(text, "  {:12} {aim}", if is_reached { "reached" } else { "NOT REACHED" });
            }
        }
        text
    }

    /// Everything, for other programs.
    pub(super) fn json(&self, label: &str, is_quick: bool) -> Value {
        let mut experiments = Map::new();
        for ((experiment, contestant), reports) in &self.reports {
            let all = experiments.entry(*experiment).or_insert_with(|| json!({}));
            all[contestant.name()] = reports.iter().map(Report::json).collect();
        }
        let rows = ROWS.iter().filter_map(|row| {
            let figures: Map<String, Value> = COLUMNS
                .iter()
                .filter_map(|one| Some((one.name().into(), self.spread(row, *one)?.json())))
                .collect();
            let verdict = self.verdict(row);
            let (aim, is_reached) = verdict.map_or((Value::Null, Value::Null), |(a, b)| (a.into(), b.into()));
            (!figures.is_empty())
                .then(|| json!({ "name": row.name, "figures": figures, "aim": aim, "reached": is_reached }))
        });
        let rows: Vec<Value> = rows.collect();
        json!({ "label": label, "quick": is_quick, "rows": rows, "experiments": experiments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(figure: f64) -> Report {
        let mut report = Report::default();
        report.put("server_cpu_us_per_message", figure);
        report
    }

    #[test]
    fn what_a_peer_of_a_crowd_takes_is_not_judged_among_fewer() {
        let row = ROWS.iter().find(|row| row.name == "bytes per idle connection").unwrap();
        for (peers, verdict) in [(4_000.0, None), (18_000.0, Some(false))] {
            let (mut results, mut report) = (Results::default(), Report::default());
            report.put("peers", peers);
            report.put("bytes_per_peer_connected", 301.0);
            results.add("memory", Contestant::Ours, report);
            assert_eq!(results.verdict(row).map(|(_, is_reached)| is_reached), verdict);
        }
    }

    #[test]
    fn a_ratio_is_taken_within_each_repetition() {
        let mut results = Results::default();
        // The machine was half as fast in the second repetition.
        for (ours, limit) in [(2.4, 2.0), (5.0, 4.0), (2.2, 2.0)] {
            results.add("relay-250-w1", Contestant::Ours, report(ours));
            results.add("relay-250-w1", Contestant::Limit, report(limit));
        }
        let ratio = results.ratio(&ROWS[0], Contestant::Limit).unwrap();
        assert_eq!((ratio.median, ratio.least, ratio.most), (1.2, 1.1, 1.25));
        assert_eq!(results.verdict(&ROWS[0]).map(|(_, is_reached)| is_reached), Some(true));
    }

    #[test]
    fn an_aim_that_is_missed_is_said_so() {
        let mut results = Results::default();
        results.add("relay-250-w1", Contestant::Ours, report(3.0));
        assert_eq!(results.verdict(&ROWS[0]), None);
        results.add("relay-250-w1", Contestant::Limit, report(2.0));
        assert!(results.table().contains("NOT REACHED  1.500 (1.500..1.500) of 1.3 x limit"));
        assert_eq!(results.json("", true)["rows"][0]["reached"], false);
    }

    #[test]
    fn every_row_asks_for_a_figure_of_an_experiment_that_is_made() {
        let experiments = super::super::experiments::all(false, 20_000);
        for row in &ROWS {
            assert!(experiments.iter().any(|known| known.name == row.experiment), "{}", row.name);
        }
    }
}
