//! What peers without a connection are told, until they ask for it.

use std::collections::BTreeMap;

use peerpigeon_core::{ConnId, MailEnd, PeerId, Time};

use super::frames::Told;
use crate::laws::{Scene, Verdict, demand};

#[derive(Debug, Default)]
pub(super) struct Shelves {
    shelves: BTreeMap<ConnId, Shelf>,
    /// Mail that is handed out in this turn for peers that are not here, and what was got of it.
    handed: Vec<(PeerId, Told)>,
    taken: Vec<(PeerId, Told)>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// Everything told since the peer asked for the last time, and when; also what was dropped since.
    entries: Vec<Entry>,
    /// How many of these are still there, and how many more came in this turn.
    waiting: usize,
    fresh: usize,
    /// What the peer got in this turn, with its timestamp.
    got: Vec<(u64, Told)>,
    /// The peer is gone.
    over: bool,
}

/// Something that a peer was told.
#[derive(Debug)]
struct Entry {
    at: Time,
    /// What the clock on the wall showed then.
    wall: u64,
    told: Told,
}

impl Shelves {
    pub(super) fn shelved(&mut self, conn: ConnId) {
        let shelf = self.shelves.entry(conn).or_default();
        shelf.waiting += 1;
        shelf.fresh += 1;
    }

    pub(super) fn ended(&mut self, conn: ConnId, end: MailEnd) -> Verdict {
        let shelf = self.shelves.entry(conn).or_default();
        demand!(shelf.waiting > 0, "something for {conn:?} was {end:?} that was not there");
        shelf.waiting -= 1;
        Ok(())
    }

    pub(super) fn gone(&mut self, conn: ConnId) {
        if let Some(shelf) = self.shelves.get_mut(&conn) {
            shelf.over = true;
        }
    }

    pub(super) fn handed(&mut self, to: PeerId, told: Told) {
        self.handed.push((to, told));
    }

    /// Somebody got this for a peer, with this timestamp.
    pub(super) fn fetched(&mut self, peer: PeerId, party: Option<ConnId>, wall: u64, told: Told) {
        match party {
            Some(conn) => self.shelves.entry(conn).or_default().got.push((wall, told)),
            None => self.taken.push((peer, told)),
        }
    }

    /// The turn is over: `told` was to be told in it, some of `allowed` may have been.
    pub(super) fn settled(
        &mut self,
        scene: Scene<'_>,
        told: Vec<(ConnId, Told)>,
        allowed: Vec<(ConnId, Told)>,
    ) -> Verdict {
        demand!(self.handed == self.taken, "of the mail {:?} was handed out {:?}", self.handed, self.taken);
        self.handed.clear();
        self.taken.clear();
        let mut expected: BTreeMap<ConnId, Vec<Entry>> = BTreeMap::new();
        let entry = |told| Entry { at: scene.now, wall: scene.ledger.wall(scene.now), told };
        for (conn, told) in told {
            expected.entry(conn).or_default().push(entry(told));
        }
        for (conn, told) in allowed {
            let list = expected.entry(conn).or_default();
            if self.shelves.get(&conn).is_some_and(|shelf| shelf.fresh > list.len()) {
                list.push(entry(told));
            }
        }
        for conn in expected.keys() {
            self.shelves.entry(*conn).or_default();
        }
        for (conn, shelf) in &mut self.shelves {
            shelf.settled(*conn, expected.remove(conn).unwrap_or_default())?;
        }
        self.shelves.retain(|_, shelf| !shelf.over);
        Ok(())
    }
}

impl Shelf {
    fn settled(&mut self, conn: ConnId, told: Vec<Entry>) -> Verdict {
        let fresh = core::mem::take(&mut self.fresh);
        demand!(fresh == told.len(), "{fresh} entries were kept for {conn:?}, told were {told:?}");
        self.entries.extend(told);
        let got = core::mem::take(&mut self.got);
        if got.is_empty() {
            // Nothing is as much an answer as something: what was dropped before matters no more.
            let lost = self.entries.len().saturating_sub(self.waiting);
            if self.waiting == 0 {
                self.entries.clear();
            }
            demand!(self.entries.len() >= self.waiting, "{conn:?}: {lost} entries too many wait");
            return Ok(());
        }
        let mut times = Vec::new();
        for one in &got {
            let Some(position) =
                self.entries.iter().position(|entry| (entry.wall, &entry.told) == (one.0, &one.1))
            else {
                return Err(format!("{conn:?} got {one:?}, which it was not told, or had got before"));
            };
            times.push(self.entries.remove(position).at);
        }
        demand!(times.is_sorted(), "{conn:?} got things out of order: {got:?}");
        let left = self.entries.len();
        demand!(left >= self.waiting, "{conn:?}: {} entries wait, at most {left} can", self.waiting);
        // Only the oldest go when there is no room.
        let lost = self.entries.drain(..left - self.waiting).find(|entry| times.first() < Some(&entry.at));
        demand!(lost.is_none(), "{conn:?} did not get {lost:?}, but what is older");
        Ok(())
    }
}
