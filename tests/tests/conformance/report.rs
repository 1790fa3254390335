//! What was tested, and what came out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How binding the rule is that a case is about (RFC 2119).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Must,
    Should,
    May,
}

/// What a case is about.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    /// Such as `RFC 6455 5.2`.
    pub(crate) section: &'static str,
    pub(crate) level: Level,
    /// What is sent, in words; in the Autobahn suite's cases the number first.
    pub(crate) what: String,
    /// It is one of the Autobahn suite's.
    pub(crate) is_of_the_suite: bool,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suite = if self.is_of_the_suite { "Autobahn " } else { "" };
        write!(f, "{suite}{} ({}, {:?})", self.what, self.section, self.level)
    }
}

/// Counts per section, and the failures.
#[derive(Debug, Default)]
pub(crate) struct Report {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How often each case was delivered: against something, in some way.
    deliveries: BTreeMap<String, (Label, usize)>,
    failures: Vec<String>,
}

impl Report {
    /// Notes the outcome of one delivery of one case.
    pub(crate) fn note(&self, label: &Label, how: &str, outcome: Result<(), String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.deliveries.entry(label.to_string()).or_insert_with(|| (label.clone(), 0)).1 += 1;
        if let Err(fault) = outcome {
            state.failures.push(format!("{label}, {how}: {fault}"));
        }
    }

    /// Cases that are not from the suite.
    pub(crate) fn raw_cases(&self) -> usize {
        self.count(|label| !label.is_of_the_suite)
    }

    /// Cases from the suite.
    pub(crate) fn suite_cases(&self) -> usize {
        self.count(|label| label.is_of_the_suite)
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failures.clone()
    }

    /// One line for each section.
    pub(crate) fn print(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sections: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
        for (label, _) in state.deliveries.values() {
            let counts = sections.entry(label.section).or_default();
            counts[label.level as usize] += 1;
            counts[3] += usize::from(label.is_of_the_suite);
        }
        eprintln!("section            cases   MUST SHOULD    MAY   of them Autobahn's");
        let mut all = [0; 4];
        for (section, counts) in &sections {
            let [must, should, may, suite] = *counts;
            eprintln!("{section:<18}{:6} {must:6} {should:6} {may:6} {suite:6}", must + should + may);
            all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let [must, should, may, suite] = all;
        let deliveries: usize = state.deliveries.values().map(|(_, count)| count).sum();
        eprintln!("{:<18}{:6} {must:6} {should:6} {may:6} {suite:6}", "all", must + should + may);
        eprintln!("{deliveries} deliveries, {} failed", state.failures.len());
    }

    fn count(&self, is_meant: impl Fn(&Label) -> bool) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.deliveries.values().filter(|(label, _)| is_meant(label)).count()
    }
}
