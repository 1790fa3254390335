//! The text format of Prometheus, version 0.0.4.

use crate::observe::loop_counters::Histogram;
use core::fmt::Write as _;
use std::fmt;

/// A document that metrics are written into, one family after the other.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// A value that can go up and down, without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl fmt::Display) {
        self.one(name, "gauge", help, &value);
    }

    /// As [`Exposition::gauge`]; left out where nobody can tell.
    pub(super) fn known_gauge(&mut self, name: &str, help: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.gauge(name, help, value);
        }
    }

    /// As [`Exposition::gauge`]; without a value where there is nothing that could have one.
    pub(super) fn gauge_of(&mut self, name: &str, help: &str, value: Option<u64>) {
        self.family(name, "gauge", help);
        if let Some(value) = value {
            self.line(format_args!("{name} {value}"));
        }
    }

    /// Several such values, apart by their labels.
    pub(super) fn gauges<L: fmt::Display>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) {
        self.family(name, "gauge", help);
        self.values(name, values);
    }

    /// A value that only goes up, without labels.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl fmt::Display) {
        self.one(name, "counter", help, &value);
    }

    /// Several such values, apart by their labels.
    pub(super) fn counters<L: fmt::Display>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) {
        self.family(name, "counter", help);
        self.values(name, values);
    }

    /// Durations.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        for (bound, count) in histogram.cumulative() {
            self.line(format_args!("{name}_bucket{{le=\"{}\"}} {count}", seconds(bound)));
        }
        let (count, sum) = (histogram.count(), seconds(histogram.sum_micros()));
        self.line(format_args!(
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}"
        ));
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    // What follows is called for every metric, and would be copied to each of them for a speed that does not matter.
    #[inline(never)]
    fn one(&mut self, name: &str, kind: &str, help: &str, value: &dyn fmt::Display) {
        self.family(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    #[inline(never)]
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        debug_assert!(!help.contains(['\\', '\n']), "these would have to be escaped");
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn values<L: fmt::Display>(&mut self, name: &str, values: impl IntoIterator<Item = (L, u64)>) {
        for (labels, value) in values {
            self.value(name, &labels, value);
        }
    }

    #[inline(never)]
    fn value(&mut self, name: &str, labels: &dyn fmt::Display, value: u64) {
        self.line(format_args!("{name}{{{labels}}} {value}"));
    }

    #[inline(never)]
    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// One label. Every value is a word of ours, so nothing needs to be escaped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label<V>(pub(super) &'static str, pub(super) V);

impl<V: fmt::Display> fmt::Display for Label<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=\"{}\"", self.0, self.1)
    }
}

/// Puts the same label before every value.
pub(super) fn labelled<V>(
    name: &'static str,
    values: impl Iterator<Item = (V, u64)>,
) -> impl Iterator<Item = (Label<V>, u64)> {
    values.map(move |(value, count)| (Label(name, value), count))
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
pub(super) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_help_its_type_and_its_values() {
        let mut exposition = Exposition::default();
        exposition.gauge("a", "How many a.", 7);
        exposition.known_gauge("b", "Nobody knows.", None::<u64>);
        exposition.counters("c_total", "By d.", labelled("d", [("x", 1), ("y", 2)].into_iter()));
        assert_eq!(
            exposition.into_text(),
            "# HELP a How many a.\n# TYPE a gauge\na 7\n\
             # HELP c_total By d.\n# TYPE c_total counter\nc_total{d=\"x\"} 1\nc_total{d=\"y\"} 2\n"
        );
    }

    #[test]
    fn a_histogram_is_in_seconds_and_ends_with_all() {
        let mut histogram = Histogram::default();
        histogram.note(20, 2);
        histogram.note(3_000_000, 1);
        let mut exposition = Exposition::default();
        exposition.histogram("t_seconds", "How long.", &histogram);
        let text = exposition.into_text();
        for line in [
            "t_seconds_bucket{le=\"0.00001\"} 0",
            "t_seconds_bucket{le=\"0.000025\"} 2",
            "t_seconds_bucket{le=\"1\"} 2",
            "t_seconds_bucket{le=\"+Inf\"} 3",
            "t_seconds_sum 3.00004",
            "t_seconds_count 3",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in {text}");
        }
    }
}
