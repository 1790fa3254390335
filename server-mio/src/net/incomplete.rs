//! What TLS keeps of what is incomplete, and who gives way when that is too much.

use peerpigeon_core::{AddressKey, ConnId, Holder, Holders};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes kept for each session, counted against its address.
#[derive(Debug)]
pub(super) struct Incomplete {
    most_bytes: usize,
    /// All of it, what is kept for sessions that give way included: theirs is freed when they are read the next time.
    bytes: usize,
    kept: BTreeMap<usize, SessionBytes>,
    by_holder: Holders<Since>,
    last_since: u64,
    /// Keys of sessions that give way and have not been told.
    evicted: BTreeSet<usize>,
}

/// When something incomplete began to be kept, and the key of the session.
type Since = (u64, usize);

#[derive(Debug)]
struct SessionBytes {
    holder: Holder,
    since: u64,
    bytes: usize,
}

/// A session has to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

impl Incomplete {
    pub(crate) fn new(most_bytes: usize) -> Incomplete {
        Incomplete {
            most_bytes,
            bytes: 0,
            kept: BTreeMap::new(),
            by_holder: Holders::default(),
            last_since: 0,
            evicted: BTreeSet::new(),
        }
    }

    /// Whether this session has to give way.
    pub(super) fn is_evicted(&self, key: usize) -> bool {
        self.evicted.contains(&key)
    }

    /// The session now has `bytes`. Above three quarters of the limit, whoever holds most gives way by what it has kept for longest: the
    /// keys of those that must be read again to be ended go to `readable`. What is left is for this turn, in which none of
    /// them is freed.
    ///
    /// # Errors
    ///
    /// When this very session gives way, or needs more while the limit is exceeded.
    pub(super) fn note(
        &mut self,
        key: usize,
        address: Option<AddressKey>,
        bytes: usize,
        readable: &mut BTreeSet<usize>,
    ) -> Result<(), TooMuch> {
        let before = self.take_out(key);
        let had = before.as_ref().map_or(0, |kept| kept.bytes);
        let holder = Holder::new(address, ConnId(key as u64));
        if bytes > 0 {
            self.last_since += 1;
            let since = before.map_or(self.last_since, |kept| kept.since);
            self.bytes += bytes;
            self.kept.insert(key, SessionBytes { holder, since, bytes });
            if !self.is_evicted(key) {
                self.by_holder.add(holder, (since, key), bytes);
            }
        }
        if bytes <= had {
            return Ok(());
        }
        while self.by_holder.total() > self.most_bytes / 4 * 3
            && let Some((since, given)) = self.by_holder.gives_way(holder, 0)
            && let Some(kept) = self.kept.get(&given)
        {
            self.by_holder.remove(kept.holder, (since, given), kept.bytes);
            self.evicted.insert(given);
            readable.insert(given);
        }
        if self.is_evicted(key) || self.bytes > self.most_bytes { Err(TooMuch) } else { Ok(()) }
    }

    /// The session is over.
    pub(super) fn forget(&mut self, key: usize) {
        self.take_out(key);
        self.evicted.remove(&key);
    }

    fn take_out(&mut self, key: usize) -> Option<SessionBytes> {
        let kept = self.kept.remove(&key)?;
        self.bytes -= kept.bytes;
        if !self.is_evicted(key) {
            self.by_holder.remove(kept.holder, (kept.since, key), kept.bytes);
        }
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the one that fills what there is, and of three others.
    const GREEDY: u64 = 1;
    const OTHERS: [u64; 3] = [2, 3, 4];

    /// Many sessions, each of which has half a record of 100 bytes.
    struct Sessions {
        incomplete: Incomplete,
        readable: BTreeSet<usize>,
        /// The addresses of those that are there, by their keys.
        there: BTreeMap<usize, u64>,
    }

    impl Sessions {
        fn new(most_bytes: usize) -> Sessions {
            let incomplete = Incomplete::new(most_bytes);
            Sessions { incomplete, readable: BTreeSet::new(), there: BTreeMap::new() }
        }

        /// A new session begins a record; returns whether it may go on.
        fn begin(&mut self, key: usize, address: u64) -> bool {
            self.there.insert(key, address);
            self.incomplete.note(key, Some(AddressKey(address)), 100, &mut self.readable).is_ok()
        }

        /// The next turn: sessions that give way are read, and ended.
        fn end_evicted(&mut self) -> Vec<usize> {
            let evicted: Vec<usize> = std::mem::take(&mut self.readable).into_iter().collect();
            for key in &evicted {
                assert!(self.incomplete.is_evicted(*key));
                self.incomplete.forget(*key);
                self.there.remove(key);
            }
            evicted
        }

        fn count(&self, address: u64) -> usize {
            self.there.values().filter(|of| **of == address).count()
        }

        fn check(&self) {
            let Incomplete { kept, by_holder, .. } = &self.incomplete;
            let counted = kept.iter().filter(|(key, _)| !self.incomplete.is_evicted(**key));
            by_holder.check(counted.map(|(key, kept)| (kept.holder, (kept.since, *key), kept.bytes)));
            assert_eq!(self.incomplete.bytes, kept.values().map(|kept| kept.bytes).sum::<usize>());
            assert!(self.incomplete.bytes <= self.incomplete.most_bytes);
        }
    }

    #[test]
    fn half_records_of_one_address_end_nobody_elses() {
        let mut sessions = Sessions::new(4_268);
        for key in 0..100 {
            assert!(sessions.begin(key, GREEDY));
            let evicted = sessions.end_evicted();
            assert_eq!(evicted, if key < 32 { vec![] } else { vec![key - 32] }, "its own oldest goes");
        }
        for (key, address) in (100..124).zip(OTHERS.into_iter().cycle()) {
            assert!(sessions.begin(key, address), "whoever comes may keep half a record");
            sessions.end_evicted();
            sessions.check();
        }
        assert_eq!(OTHERS.map(|address| sessions.count(address)), [8; 3], "nobody else was ended");
        assert_eq!(sessions.count(GREEDY), 8, "as much as each of the others");
    }

    #[test]
    fn within_a_turn_memory_that_is_not_freed_yet_has_a_limit_too() {
        let mut sessions = Sessions::new(4_000);
        let went_on = (0..100).filter(|key| sessions.begin(*key, GREEDY)).count();
        assert_eq!(went_on, 40);
        assert_eq!(sessions.readable.len(), 70, "all but 30 are to be ended");
    }

    #[test]
    fn whoever_completes_its_record_holds_nothing() {
        let mut sessions = Sessions::new(4_000);
        for round in 0..100 {
            for key in 0..20 {
                assert!(sessions.begin(key, GREEDY + round % 2));
            }
            for key in 0..20 {
                let Sessions { incomplete, readable, .. } = &mut sessions;
                assert_eq!(incomplete.note(key, Some(AddressKey(GREEDY + round % 2)), 0, readable), Ok(()));
            }
        }
        assert!(sessions.end_evicted().is_empty());
        assert_eq!((sessions.incomplete.bytes, sessions.incomplete.by_holder.total()), (0, 0));
    }

    #[test]
    fn one_that_is_to_be_ended_is_forgotten_with_its_key() {
        let mut sessions = Sessions::new(400);
        assert!((0..4).all(|key| sessions.begin(key, GREEDY)));
        assert_eq!(sessions.end_evicted(), [0]);
        assert!(sessions.begin(0, OTHERS[0]), "another session under the same key");
        assert_eq!(sessions.end_evicted(), [1]);
        sessions.check();
    }
}
