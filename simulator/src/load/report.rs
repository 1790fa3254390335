//! What a measurement found: names with their unit at the end, and numbers.

use core::fmt;
use serde_json::{Map, Value};
use std::io;

/// The figures of one run, in the order in which they were put in.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    figures: Vec<(String, f64)>,
}

impl Report {
    /// Adds one figure.
    pub(super) fn put(&mut self, name: impl Into<String>, figure: f64) {
        self.figures.push((name.into(), figure));
    }

    /// The figure of this name.
    pub(super) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == name).map(|(_, figure)| *figure)
    }

    /// One JSON object.
    pub(super) fn json(&self) -> Value {
        let members = self.figures.iter().map(|(name, figure)| (name.clone(), number(*figure)));
        Value::Object(members.collect::<Map<String, Value>>())
    }
}

/// One line per figure.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.figures.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        self.figures
            .iter()
            .try_for_each(|(name, figure)| writeln!(f, "{name:width$}  {:>14}", rounded(*figure)))
    }
}

/// With about four digits that mean something.
pub(super) fn rounded(figure: f64) -> String {
    let places = match figure.abs() {
        1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    if figure.fract() == 0.0 { format!("{figure:.0}") } else { format!("{figure:.places$}") }
}

fn number(figure: f64) -> Value {
    // Figures that nobody can write down are those of nothing divided by nothing.
    serde_json::Number::from_f64(figure).map_or(Value::Null, Value::Number)
}

/// What went wrong during a run. A single one makes its figures worthless.
#[derive(Debug, Default)]
pub(super) struct Problems {
    count: u64,
    first: Option<String>,
}

impl Problems {
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(what);
    }

    /// # Errors
    ///
    /// The first problem, if there was one.
    pub(super) fn check(&self) -> io::Result<()> {
        match &self.first {
            None => Ok(()),
            Some(first) => {
                Err(io::Error::other(format!("{} things went wrong, the first: {first}", self.count)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_back_by_name_and_as_json() {
        let mut report = Report::default();
        report.put("peers", 200.0);
        report.put("cpu_us", 2.3456);
        report.put("none_per_none", f64::NAN);
        assert_eq!(report.figure("peers"), Some(200.0));
        assert_eq!(report.figure("absent"), None);
        assert_eq!(report.json().to_string(), r#"{"cpu_us":2.3456,"none_per_none":null,"peers":200.0}"#);
        assert!(report.to_string().contains("cpu_us"));
    }

    #[test]
    fn figures_are_rounded_to_what_means_something() {
        for (figure, text) in [(0.27123, "0.271"), (40.0, "40"), (418_123.4, "418123"), (33.333, "33.33")] {
            assert_eq!(rounded(figure), text);
        }
    }

    #[test]
    fn the_first_problem_is_told() {
        let mut problems = Problems::default();
        assert!(problems.check().is_ok());
        problems.note(|| "one".into());
        problems.note(|| "two".into());
        assert_eq!(problems.check().unwrap_err().to_string(), "2 things went wrong, the first: one");
    }
}
