//! What is known of a peer that has announced itself, beside who it is: whom it knows, to whom it is linked, and what it
//! told of itself.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{iter, mem};

use super::acquaintances::Acquaintances;
use super::links::{Links, SPARE_PLACES, Tie};
use crate::timers::{Deadline, spread};
use crate::worst_case::{boxed, tree};
use crate::{ConnId, Limits, Time, TimerKind};

#[derive(Debug, Default)]
pub(crate) struct Announcement {
    pub(super) acquaintances: Acquaintances,
    /// Members of the announced `data` but `peerId`, each with a comma before it.
    data: Box<str>,
    /// When it is looked for somebody to link to again, if it has room then.
    look_due: Deadline,
    /// How often it was looked in vain since somebody was found.
    vain_looks: u8,
    pub(super) links: Links,
    /// How many acquaintances it has by its own node, if that is another one: here are only those that are peers of this one.
    reported: u16,
}

/// What was due of the introductions of a peer.
#[derive(Debug, Default)]
pub(crate) struct Overdue {
    /// Links that nothing came of.
    pub(crate) ties: Vec<Tie>,
    /// It is time to look for others again.
    pub(crate) has_waited: bool,
}

/// How soon; twice as late each time that nobody was found.
const SOON_MS: u64 = 2_500;
const MOST_DOUBLINGS: u8 = 4;

/// After so many looks in vain, two minutes, one who lacks a single link takes the place of somebody else's.
const PATIENT_LOOKS: u8 = 5;

impl Announcement {
    pub(crate) fn acquaintances(&self) -> &Acquaintances {
        &self.acquaintances
    }

    pub(crate) fn acquaintances_mut(&mut self) -> &mut Acquaintances {
        &mut self.acquaintances
    }

    /// How many acquaintances it has, wherever they are.
    pub(super) fn acquainted(&self) -> usize {
        self.acquaintances.len().max(self.reported.into())
    }

    /// Its own node has told how many acquaintances it has.
    pub(crate) fn report_acquainted(&mut self, count: u16) {
        self.reported = count;
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    pub(crate) fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    pub(crate) fn set_data(&mut self, data: Box<str>) {
        self.data = data;
    }

    /// Members of the announced `data` but `peerId`, each with a comma before it.
    pub(crate) fn data(&self) -> &str {
        &self.data
    }

    /// Its data, to be given back after a moment.
    pub(crate) fn take_data(&mut self) -> Box<str> {
        mem::take(&mut self.data)
    }

    /// The earliest of its deadlines.
    pub(crate) fn next_due(&self) -> Deadline {
        let overdue = self.links.next_overdue();
        let overdue = overdue.map_or(Deadline::NONE, |due| Deadline::at(due, TimerKind::Introduce));
        self.look_due.or_earlier(overdue)
    }

    /// Takes what is due by now.
    pub(crate) fn take_due(&mut self, now: Time) -> Overdue {
        let has_waited = self.look_due.time().is_some_and(|due| due <= now);
        if has_waited {
            self.look_due = Deadline::NONE;
        }
        Overdue { ties: iter::from_fn(|| self.links.pop_overdue(now)).collect(), has_waited }
    }

    /// It is looked for others again at that time.
    pub(crate) fn look_at(&mut self, due: Time) {
        self.look_due = Deadline::at(due, TimerKind::Introduce);
    }

    /// It is looked for others again at that time at the latest.
    pub(crate) fn look_by(&mut self, due: Time) {
        self.look_due = self.look_due.or_earlier(Deadline::at(due, TimerKind::Introduce));
    }

    /// After a look that has found so many, it is looked again if it lacks links: soon where it has few, else after `interval`,
    /// where that is not 0.
    pub(crate) fn look_after(&mut self, found: usize, now: Time, interval: u64, conn: ConnId) {
        self.look_due = Deadline::NONE;
        self.vain_looks = if found > 0 { 0 } else { self.vain_looks.saturating_add(1) };
        if interval > 0 && self.links.lacks_some() {
            let soon = SOON_MS << self.vain_looks.min(MOST_DOUBLINGS);
            let is_poor = self.links.has_few() && self.links.capacity_left() > 0;
            self.look_at(if is_poor && soon < interval {
                now + soon
            } else {
                spread(now, interval, 15, conn)
            });
        }
    }

    /// Whether it was looked in vain for so long that the place of somebody else's link is taken for a single one.
    pub(super) fn has_waited_long(&self) -> bool {
        self.vain_looks >= PATIENT_LOOKS && self.links.capacity_left() > 0
    }

    /// The most memory that those take who have announced themselves, each with its acquaintances and links, and leaves of its own
    /// in the members of its network and in those that are free.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        let acquaintances = (u64::from(limits.acquaintances) + u64::from(Limits::MAX_PEERS)) * 8;
        let links = (usize::from(Limits::MAX_PEERS) + SPARE_PLACES) * size_of::<Tie>();
        let each = 3 * tree(28)
            + boxed(size_of::<Announcement>() as u64)
            + boxed(acquaintances)
            + boxed(links as u64)
            + boxed(limits.announced_data_bytes.into())
            + boxed(11 * 24 + 16)
            + tree(8)
            + boxed(11 * 8 + 16);
        u64::from(limits.connections) * each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: ConnId = ConnId(0);

    #[test]
    fn one_without_links_is_looked_at_twice_as_late_each_time_that_nobody_is_found() {
        let mut own = Announcement::default();
        own.links_mut().announce(3);
        let mut looks = [0, 0, 1, 0, 0, 0, 0, 0].map(|found| {
            own.look_after(found, Time(0), 340_000, CONN);
            own.next_due().time().map_or(0, |due| due.0)
        });
        assert_eq!(looks, [5_000, 10_000, 2_500, 5_000, 10_000, 20_000, 40_000, 40_000]);
        looks = [0; 8].map(|found| {
            own.look_after(found, Time(0), 0, CONN);
            own.next_due().time().map_or(0, |due| due.0)
        });
        assert_eq!(looks, [0; 8], "never, where the interval is none");
    }

    #[test]
    fn what_is_due_is_taken_once() {
        let mut own = Announcement::default();
        own.links_mut().announce(3);
        own.look_at(Time(10));
        own.links_mut().end(1.into(), Time(5));
        assert_eq!(own.next_due().time(), Some(Time(5)));
        let overdue = own.take_due(Time(5));
        assert_eq!((overdue.ties.len(), overdue.has_waited), (1, false));
        let overdue = own.take_due(Time(10));
        assert_eq!((overdue.ties.len(), overdue.has_waited), (0, true));
        assert_eq!(own.next_due(), Deadline::NONE);
    }
}
