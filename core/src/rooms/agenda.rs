//! What rooms have to do later, in the order of the times.

use alloc::collections::BTreeSet;

use crate::rooms::{AbsentKey, MemberKey};
use crate::{ConnId, Time};

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// A connection has waited long enough for an id that somebody else has.
    Claim(ConnId),
    /// A member that is said to have gone was asked for a sign of life.
    Probe(MemberKey),
    /// The list of a member has changed.
    Push(MemberKey),
    /// Somebody has been absent for too long.
    Expire(AbsentKey),
}

#[derive(Debug, Default)]
pub(crate) struct Agenda {
    tasks: BTreeSet<(Time, Task)>,
}

impl Agenda {
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn has(&self, due: Time, task: Task) -> bool {
        self.tasks.contains(&(due, task))
    }

    pub(crate) fn add(&mut self, due: Time, task: Task) {
        let is_new = self.tasks.insert((due, task));
        debug_assert!(is_new, "{task:?} is on the agenda already");
    }

    /// Takes something off again that was added for `due`, if it was.
    pub(crate) fn cancel(&mut self, due: Option<Time>, task: Task) {
        let Some(due) = due else { return };
        let was_there = self.tasks.remove(&(due, task));
        debug_assert!(was_there, "{task:?} is not on the agenda");
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.tasks.first().map(|(due, _)| *due)
    }

    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Time, Task)> {
        let (due, task) = *self.tasks.first().filter(|(due, _)| *due <= now)?;
        self.tasks.pop_first();
        Some((due, task))
    }
}
