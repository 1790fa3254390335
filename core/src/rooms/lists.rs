//! Who is on whose list, and when a list has to be sent.

use crate::Time;
use crate::rooms::{MemberKey, Rooms, Task};

/// So long the second of two is not told of the first, unless a signal has passed between them.
pub(super) const HELD_BACK_MS: u64 = 2_000;

/// Between two lists of which nobody has asked for.
const PUSH_INTERVAL_MS: u64 = 1_000;

/// A list that somebody was put on is sent so soon: those who come in one moment are told in one list.
pub(super) const JOIN_PUSH_MS: u64 = 20;

/// A list that somebody was struck from is less urgent: whoever dials in vain finds out.
pub(super) const LEAVE_PUSH_MS: u64 = 500;

/// Two who have exchanged a signal so lately stay on each other's lists.
pub(super) const RECENT_MS: u64 = 30_000;

/// Who has been silent for so long is not on lists, whatever lease it has: its page is frozen, or gone.
const SILENT_MS: u64 = 30_000;

/// What a list has beside its entries, about.
const HEAD_BYTES: usize = 400;

/// A time stamp, with what ends the entry.
const TIME_BYTES: usize = 15;

/// One peer on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListEntry<'a> {
    pub(crate) member: MemberKey,
    /// The entry in JSON up to its time stamp, which ends it with a brace.
    pub(crate) json: &'a str,
    /// When it was last heard, in the clock of whoever gets the list.
    pub(crate) timestamp: u64,
}

impl Rooms {
    /// The list of a member; `wall` is what the clock of the server shows now.
    pub(crate) fn list(&self, key: MemberKey, now: Time, wall: u64) -> impl Iterator<Item = ListEntry<'_>> {
        let own = self.member(key);
        own.known.iter().filter_map(move |known| {
            let other = self.member(known.member);
            let silence = now.since(other.last_spoke);
            let is_recent = known.signalled.is_some_and(|signalled| now.since(signalled) < RECENT_MS);
            if known.listed_from > now || (silence > other.lease_ms.min(SILENT_MS) && !is_recent) {
                return None;
            }
            let timestamp = wall.saturating_sub(silence).saturating_add_signed(own.clock_ahead);
            Some(ListEntry { member: known.member, json: &other.entry, timestamp })
        })
    }

    /// How many lists change when this member comes or goes, and about how many bytes these have together.
    pub(crate) fn cost_of_lists(&self, key: MemberKey) -> (usize, usize) {
        let own = self.member(key);
        let of_known = own.known.iter().map(|known| self.member(known.member));
        let bytes =
            of_known.map(|other| HEAD_BYTES + other.known.len() * (own.entry.len() + TIME_BYTES)).sum();
        (own.known.len(), bytes)
    }

    /// A member is sent its list now, whether it has asked for it or not.
    pub(crate) fn list_sent(&mut self, key: MemberKey, now: Time) {
        let member = &mut self.members[key.slot()];
        member.listed = Some(now);
        self.agenda.cancel(member.push_due.take(), Task::Push(key));
        let next = member.known.iter().map(|known| known.listed_from).filter(|from| *from > now).min();
        if let Some(next) = next {
            self.list_changes(key, next, now);
        }
    }

    /// A signal has passed between two.
    pub(crate) fn signalled(&mut self, from: MemberKey, to: MemberKey, now: Time) {
        self.meet(from, to, now);
        for (own, other) in [(from, to), (to, from)] {
            if let Ok(place) = self.place_of(own, other) {
                let known = &mut self.members[own.slot()].known[place];
                known.signalled = Some(now);
                if known.listed_from > now {
                    known.listed_from = now;
                    self.list_changes(own, now + JOIN_PUSH_MS, now);
                }
            }
        }
    }

    /// The list of a member is another one from `due` on.
    pub(crate) fn list_changes(&mut self, key: MemberKey, due: Time, now: Time) {
        let member = &mut self.members[key.slot()];
        let earliest = member.listed.map_or(now + 1, |listed| listed + PUSH_INTERVAL_MS);
        let due = due.max(earliest).max(now + 1);
        if member.push_due.is_none_or(|before| due < before) {
            self.agenda.cancel(member.push_due.replace(due), Task::Push(key));
            self.agenda.add(due, Task::Push(key));
        }
    }
}
