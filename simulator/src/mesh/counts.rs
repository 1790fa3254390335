//! What is counted of the pages in a run.

use peerpigeon_core::Time;

use super::introducer::{Message, Reason};

/// Counts of what pages did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Pages that announced themselves.
    pub(super) joins: u64,
    /// Frames that pages sent, announces and goodbyes included.
    pub(super) up: u64,
    pub(super) offers: u64,
    pub(super) answers: u64,
    pub(super) rejected_full: u64,
    pub(super) rejected_role: u64,
    /// Links and attempts closed to make room.
    pub(super) evictions: u64,
    pub(super) links_made: u64,
    /// Links that ended while both pages lived, and those that ended with one.
    pub(super) links_cut: u64,
    pub(super) links_left: u64,
}

impl Counts {
    pub(super) fn say(&mut self, message: Message) {
        self.up += 1;
        match message {
            Message::Offer { .. } => self.offers += 1,
            Message::Answer { .. } => self.answers += 1,
            Message::Candidate => {}
            Message::Rejected(Reason::Full) => self.rejected_full += 1,
            Message::Rejected(Reason::Role) => self.rejected_role += 1,
        }
    }
}

/// How long pages waited for their first link, in ms since their announce.
#[derive(Clone, Debug, Default)]
pub(super) struct FirstLinks {
    waited: Vec<u64>,
}

impl FirstLinks {
    pub(super) fn add(&mut self, announced: Time, linked: Time) {
        self.waited.push(linked.0.saturating_sub(announced.0));
    }

    pub(super) fn clear(&mut self) {
        self.waited.clear();
    }

    /// What `percent` of 100 waited at most, in ms; 0 where nobody was linked.
    pub(super) fn quantile(&mut self, percent: usize) -> u64 {
        self.waited.sort_unstable();
        let place = (self.waited.len() * percent).div_ceil(100).max(1) - 1;
        self.waited.get(place).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_last_are_quantiles() {
        let mut first = FirstLinks::default();
        assert_eq!(first.quantile(50), 0);
        (1..=200).rev().for_each(|waited| first.add(Time(1_000), Time(1_000 + waited)));
        assert_eq!((first.quantile(50), first.quantile(99), first.quantile(100)), (100, 198, 200));
    }
}
