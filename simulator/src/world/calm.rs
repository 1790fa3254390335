//! After the chaos: no more faults, everybody back, then everybody gone.

use std::collections::BTreeSet;

use peerpigeon_core::Gone;

use super::World;
use crate::scenario::Leaving;
use crate::watch::Breach;

/// The longest time that a real client waits between two attempts without links, with its spread, in ms.
const LONGEST_BACKOFF_MS: u64 = 72_000;
/// Links that break when their pages are gone make a client wait three times as long, at most once, in ms.
const LINKED_BACKOFF_MS: u64 = 3 * LONGEST_BACKOFF_MS;

impl World<'_> {
    /// Ends every fault, lets everything settle, and asks the laws whether it has.
    pub(crate) fn calm(&mut self) -> Result<(), Breach> {
        if let Some(until) = self.watch.ledger.draining {
            self.run_until(self.now.max(until))?;
            self.restart()?;
        }
        self.restore();
        for slot in 0..self.slots.len() {
            self.thaw(slot);
            self.bury(slot);
            let silent = self.slots[slot].page.as_ref().is_some_and(|page| page.client.network().is_none());
            if silent {
                self.announce(slot);
            }
        }
        self.everybody_comes(1_000);
        let limits = &self.scenario.knobs.limits;
        let again = limits.reintroduce_interval_ms + limits.reintroduce_interval_ms / 4;
        let waits = limits.hold_for_place_ms + limits.challenge_ms + 2 * self.scenario.knobs.delay_ms.1;
        self.run_until(self.now + LINKED_BACKOFF_MS + waits + again + 10_000)?;
        self.everybody_is_back()?;
        self.watch.calm(self.now)
    }

    /// Where there is room for everybody, everybody must be announced; else the run names who is missing.
    fn everybody_is_back(&self) -> Result<(), Breach> {
        let knobs = &self.scenario.knobs;
        let ids: BTreeSet<_> = self.slots.iter().map(|slot| *slot.me.id()).collect();
        let per_address = knobs.limits.connections_per_address;
        let room = ids.len() == self.slots.len()
            && knobs.slots <= knobs.limits.connections
            && (per_address == 0 || knobs.slots_per_address <= per_address)
            // Without pings nobody says anything, and each is closed for its silence again and again.
            && (knobs.limits.ping_interval_ms > 0 || knobs.limits.peer_timeout_ms == 0)
            // Lively pages say more than a small rate allows, and are closed for it again and again.
            && knobs.limits.message_burst >= 1_000;
        if !room {
            return Ok(());
        }
        let announced = |slot: &&super::Slot| {
            let party = self.watch.ledger.party_of(*slot.me.id());
            party.is_some_and(|(conn, party)| Some(conn) == slot.conn && party.network.is_some())
        };
        let missing: Vec<String> =
            self.slots.iter().filter(|slot| !announced(slot)).map(|slot| slot.me.to_string()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let what = format!("{} of {} are not back: {missing:?}", missing.len(), self.slots.len());
        Err(Breach { law: "everybody comes back".to_owned(), what })
    }

    /// Everybody leaves; once everything kept has expired, nothing may be left.
    pub(crate) fn empty(&mut self) -> Result<(), Breach> {
        for slot in 0..self.slots.len() {
            let how = if slot % 2 == 0 { Leaving::Unload } else { Leaving::Reset };
            self.go(slot, how);
        }
        for conn in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.end(conn, Gone::Reset);
        }
        let limits = &self.scenario.knobs.limits;
        let kept = limits.message_ttl_ms + 2 * limits.cleanup_interval_ms;
        let waits = limits.hold_for_place_ms + limits.challenge_ms + 2 * self.scenario.knobs.delay_ms.1;
        self.run_until(self.now + kept + waits + 1_000)?;
        self.watch.empty(self.now)?;
        self.watch.replay()
    }
}
