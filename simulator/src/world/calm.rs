//! After the chaos: no more faults, everybody back, then everybody gone.

use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_core::{Gone, Limits, Time};

use super::ways::ANNOUNCE_MS;
use super::{Socket, World};
use crate::scenario::{Leaving, Way};
use crate::watch::Breach;

/// Long enough for the answers to whatever is still under way, in ms.
const SETTLING_MS: u64 = 10_000;

impl World<'_> {
    /// Ends every fault, lets everything settle, and asks the laws whether it has.
    pub(crate) fn calm(&mut self) -> Result<(), Breach> {
        if let Some(until) = self.host.draining() {
            self.run_until(self.now.max(until))?;
            self.restart()?;
        }
        self.restore();
        self.host.heal(self.now);
        self.went_out();
        self.end_sockets(|socket| socket.attempt.is_none());
        let fitting = self.fitting();
        for slot in 0..self.slots.len() {
            self.thaw(slot)?;
            if fitting.contains(&slot) {
                self.come(slot);
            } else {
                self.go(slot, Leaving::Unload);
                self.slots[slot].barred = true;
            }
            let silent = self.slots[slot].page.as_ref().is_some_and(|page| page.client.network().is_none());
            if silent {
                self.announce(slot);
            }
        }
        let limits = &self.scenario.knobs.limits;
        let waits = limits.hold_for_place_ms + limits.challenge_ms + 4 * self.scenario.knobs.delay_ms.1;
        let again = limits.reintroduce_interval_ms + limits.reintroduce_interval_ms / 4;
        self.run_until(self.now + self.http_patience())?;
        self.run_until(self.last_attempt() + waits + SETTLING_MS)?;
        self.run_until(self.last_attempt() + waits + SETTLING_MS + again)?;
        if self.is_restless() {
            return Ok(());
        }
        self.everybody_is_back(&fitting)?;
        self.witness.calm().map_err(|what| Breach { law: "what the pages see".to_owned(), what })?;
        self.host.calm(self.now)
    }

    /// Whether the settings alone keep a run from ever settling: without pings nobody says anything, and each is closed
    /// for its silence again and again; pages say more than a small rate allows, and are closed for that.
    fn is_restless(&self) -> bool {
        let limits = &self.scenario.knobs.limits;
        (limits.ping_interval_ms == 0 && limits.peer_timeout_ms > 0) || limits.message_burst < 1_000
    }

    /// How long a peer without a connection may be there after its page has gone.
    fn http_patience(&self) -> u64 {
        let knobs = &self.scenario.knobs;
        let silence = if knobs.limits.peer_timeout_ms > 0 { knobs.limits.peer_timeout_ms } else { 300_000 };
        let asking = Limits::POLL_MS + 2 * knobs.delay_ms.1;
        if knobs.ways.contains(&Way::Http) { silence + asking + ANNOUNCE_MS + SETTLING_MS } else { 0 }
    }

    /// The server sees the end of these sockets.
    fn end_sockets(&mut self, which: impl Fn(&Socket) -> bool) {
        let ending = self.sockets.iter().filter(|(_, socket)| which(socket));
        for conn in ending.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.end(conn, Gone::Reset);
        }
    }

    /// Slots that there is room for: one for each id, as many as the limits allow.
    fn fitting(&self) -> BTreeSet<usize> {
        let limits = &self.scenario.knobs.limits;
        let most = usize::try_from(limits.connections).unwrap_or(usize::MAX);
        let mut ids = BTreeSet::new();
        let mut per_address: BTreeMap<u64, u32> = BTreeMap::new();
        let fits = |slot: &usize| {
            let address = self.address(*slot).filter(|_| limits.connections_per_address > 0);
            let room = address.is_none_or(|address| {
                let count = per_address.entry(address.0).or_default();
                *count += 1;
                *count <= limits.connections_per_address
            });
            room && ids.insert(*self.slots[*slot].me.id())
        };
        (0..self.slots.len()).filter(fits).take(most).collect()
    }

    /// When the last page that waits for its next attempt makes it.
    fn last_attempt(&self) -> Time {
        let pages = self.slots.iter().filter_map(|slot| slot.page.as_ref());
        let waiting = pages.filter(|page| !page.client.is_open());
        waiting.filter_map(|page| page.client.poll_timeout()).max().unwrap_or(self.now).max(self.now)
    }

    /// Everybody must be announced, or the run names who is missing.
    fn everybody_is_back(&self, fitting: &BTreeSet<usize>) -> Result<(), Breach> {
        let announced =
            |slot: &&usize| self.slots[**slot].conn.is_some_and(|conn| self.witness.is_announced(conn));
        let missing: Vec<String> = fitting
            .iter()
            .filter(|slot| !announced(slot))
            .map(|slot| self.slots[*slot].me.to_string())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let what = format!("{} of {} are not back: {missing:?}", missing.len(), fitting.len());
        Err(Breach { law: "everybody comes back".to_owned(), what })
    }

    /// Everybody leaves; once everything kept has expired, nothing may be left.
    pub(crate) fn empty(&mut self) -> Result<(), Breach> {
        for slot in 0..self.slots.len() {
            let how = if slot % 2 == 0 { Leaving::Unload } else { Leaving::Reset };
            self.go(slot, how);
        }
        self.end_sockets(|_| true);
        let limits = &self.scenario.knobs.limits;
        let kept = limits.message_ttl_ms + 2 * limits.cleanup_interval_ms;
        let waits = limits.hold_for_place_ms + limits.challenge_ms + 2 * self.scenario.knobs.delay_ms.1;
        self.run_until(self.now + self.http_patience() + kept + waits + 1_000)?;
        self.host.empty(self.now)?;
        self.host.end()
    }
}
