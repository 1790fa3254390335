//! Those who wait for an id that somebody else has.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::rooms::{Joining, MemberKey, Rooms, Task};
use crate::timers::Patience;
use crate::{ConnId, Time};

/// So long a member has for a sign of life, while somebody else waits for its id. Pages give up after four seconds.
const CLAIM_MS: u64 = 2_000;

/// An announcement that has to wait.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Who has the id; `None` when it has left.
    pub(crate) member: Option<MemberKey>,
    /// Since when this one waits for it.
    pub(crate) since: Time,
    pub(crate) announcement: Box<Joining>,
    due: Option<Time>,
    patience: Patience,
}

#[derive(Debug, Default)]
pub(crate) struct Claims {
    by_conn: BTreeMap<ConnId, Claim>,
    by_member: BTreeSet<(MemberKey, ConnId)>,
}

impl Claims {
    fn of(&self, member: MemberKey) -> impl Iterator<Item = ConnId> {
        let range = (member, ConnId(0))..=(member, ConnId(u64::MAX));
        self.by_member.range(range).map(|(_, conn)| *conn)
    }

    pub(super) fn fired(&mut self, conn: ConnId) {
        if let Some(claim) = self.by_conn.get_mut(&conn) {
            claim.due = None;
        }
    }

    /// # Panics
    ///
    /// When an invariant does not hold.
    pub(super) fn check(&self, is_on_agenda: impl Fn(Time, Task) -> bool) -> usize {
        let waiting = self.by_conn.values().filter(|claim| claim.member.is_some());
        assert_eq!(waiting.count(), self.by_member.len());
        for (conn, claim) in &self.by_conn {
            assert!(claim.member.is_none_or(|member| self.by_member.contains(&(member, *conn))));
            assert!(claim.due.is_some_and(|due| is_on_agenda(due, Task::Claim(*conn))));
        }
        self.by_conn.len()
    }
}

impl Rooms {
    pub(crate) fn claimants(&self) -> impl Iterator<Item = ConnId> {
        self.claims.by_conn.keys().copied()
    }

    /// A connection waits for the id of a member. It must not wait for another one.
    pub(crate) fn claim(&mut self, conn: ConnId, member: MemberKey, announcement: Joining, now: Time) {
        let (due, patience) = (now + CLAIM_MS, Patience::Fresh);
        let claim = Claim {
            member: Some(member),
            since: now,
            announcement: Box::new(announcement),
            due: Some(due),
            patience,
        };
        let before = self.claims.by_conn.insert(conn, claim);
        debug_assert!(before.is_none(), "{conn:?} waits for two ids");
        self.claims.by_member.insert((member, conn));
        self.agenda.add(due, Task::Claim(conn));
    }

    /// A connection does not wait any more, if it did.
    pub(crate) fn take_claim(&mut self, conn: ConnId) -> Option<Claim> {
        let claim = self.claims.by_conn.remove(&conn)?;
        if let Some(member) = claim.member {
            self.claims.by_member.remove(&(member, conn));
        }
        self.agenda.cancel(claim.due, Task::Claim(conn));
        Some(claim)
    }

    /// The id of a member is free: whoever waits for it waits no longer.
    pub(super) fn hurry_claims(&mut self, member: MemberKey, now: Time) {
        let waiting: Vec<ConnId> = self.claims.of(member).collect();
        for conn in waiting {
            self.claims.by_member.remove(&(member, conn));
            if let Some(claim) = self.claims.by_conn.get_mut(&conn) {
                let due = now + 1;
                claim.member = None;
                self.agenda.cancel(claim.due.replace(due), Task::Claim(conn));
                self.agenda.add(due, Task::Claim(conn));
            }
        }
    }

    /// The time of a claim is over that was due at `due`. Whether it goes on nevertheless, since the server was not listening.
    pub(crate) fn is_claim_extended(&mut self, conn: ConnId, due: Time, now: Time) -> bool {
        let Some(claim) = self.claims.by_conn.get_mut(&conn) else { return false };
        let extended = claim.patience.extend(due, now);
        claim.due = extended;
        extended.into_iter().for_each(|due| self.agenda.add(due, Task::Claim(conn)));
        extended.is_some()
    }
}
