//! What each step does. A step that does not fit the moment does nothing.

use peerpigeon_core::{Gone, Signal, Spelling, Time};

use super::due::Due;
use super::sockets::ABNORMAL_CLOSURE;
use super::{World, data, flaws, requests};
use crate::client::{self, compose};
use crate::host::{self, Upward};
use crate::scenario::{Ending, Flaw, FrameFlaw, Leaving, Request, Shape, Slot, Step};
use crate::watch::Breach;

impl World<'_> {
    pub(super) fn apply(&mut self, step: &Step) -> Result<(), Breach> {
        match *step {
            Step::Connect { slot } => self.come(self.index(slot)),
            Step::Announce { slot, network, max_peers } => {
                let (slot, networks) = (self.index(slot), self.scenario.knobs.networks);
                (self.slots[slot].network, self.slots[slot].max_peers) = (network % networks, max_peers);
                self.announce(slot);
            }
            Step::Signal { from, to, kind, data, size } => self.signal(from, to, kind, data, size),
            Step::Goodbye { slot } => self.page(self.index(slot), client::Input::Goodbye),
            Step::Unload { slot } => self.unload(self.index(slot)),
            Step::Ping { slot } => self.page(self.index(slot), client::Input::Ping),
            Step::Cleanup { slot, other } => {
                let other = self.slots[self.index(other)].me;
                self.page(self.index(slot), client::Input::Cleanup { other: &other });
            }
            Step::CleanupAll { slot } => self.page(self.index(slot), client::Input::CleanupAll),
            Step::Vanish { slot } => self.vanish(self.index(slot)),
            Step::Close { slot, how } => self.close(self.index(slot), how),
            Step::Freeze { slot } => self.freeze(self.index(slot)),
            Step::Thaw { slot } => self.thaw(self.index(slot))?,
            Step::Duplicate { slot } => {
                let slot = self.index(slot);
                if self.slots[slot].page.is_some() {
                    self.vanish(slot);
                    self.come(slot);
                }
            }
            Step::Bury { slot } => self.bury(self.index(slot)),
            Step::Choke { slot } => self.suffer(self.index(slot), Upward::Choke)?,
            Step::Malformed { slot, what } => self.malformed(self.index(slot), what),
            Step::Stray { slot, ref target } => {
                self.open(self.index(slot), None, target);
            }
            Step::Flood { slot, count } => {
                for _ in 0..count {
                    self.page(self.index(slot), client::Input::Ping);
                }
            }
            Step::Stall { slot, ms } => self.disturb(self.index(slot), Upward::Stall(ms))?,
            Step::Cut { slot } => self.break_off(self.index(slot))?,
            Step::HalfOpen { slot, upward } => self.disturb(self.index(slot), Upward::Lose { upward })?,
            Step::Slow { slot, bytes_per_second } => {
                self.disturb(self.index(slot), Upward::Slow(bytes_per_second))?;
            }
            Step::Frame { slot, what } => self.flawed_frame(self.index(slot), what),
            Step::Http { slot, what } => self.request(self.index(slot), what),
            Step::NoDescriptors { ms } => self.host.exhaust(self.now, ms),
            Step::Blackout { every } => self.blackout(every),
            Step::Restore => self.restore(),
            Step::Advance { ms } => self.run_until(self.now + ms)?,
            Step::LateTick { ms } => {
                self.asleep = Some(self.now + ms);
                self.witness.overslept(ms);
                self.run_until(self.now + ms)?;
            }
            Step::SetClock { by_ms } => {
                self.host.set_clock(self.now, by_ms, &mut self.record)?;
                self.went_out();
            }
            Step::Drain { ms } => {
                self.host.drain(self.now, ms, &mut self.record)?;
                self.went_out();
            }
            Step::Restart => self.restart()?,
            Step::EverybodyComes { over_ms } => self.everybody_comes(over_ms),
            Step::EverybodyLeaves { how } => self.everybody_leaves(how),
            Step::Churn { ms, life_ms } => self.churn_for(ms, life_ms)?,
        }
        Ok(())
    }

    /// Slots beyond the last count from the first again, so that a scenario stays valid with fewer.
    fn index(&self, slot: Slot) -> usize {
        usize::try_from(slot).unwrap_or(0) % self.slots.len()
    }

    fn signal(&mut self, from: Slot, to: Slot, kind: Signal, shape: Shape, size: u32) {
        let (from, to) = (self.index(from), self.index(to));
        self.serial += 1;
        let (to, data) = (self.slots[to].me, data::data(shape, self.serial, size));
        let network =
            self.slots[from].page.as_ref().and_then(|page| page.client.network()).map(str::to_owned);
        let text = compose(kind.name(), Some(&to), network.as_deref(), None, data.as_deref());
        self.say(from, text);
    }

    /// Sends a text past the client, if its socket is open.
    fn say(&mut self, slot: usize, text: String) {
        if self.slots[slot].page.as_ref().is_some_and(|page| page.client.is_open()) {
            self.send(slot, text);
        }
    }

    /// As browsers do it: up to three goodbyes without a network, then `cleanup-all`, then the close.
    pub(super) fn unload(&mut self, slot: usize) {
        for kind in ["goodbye", "goodbye", "goodbye", "cleanup-all"] {
            self.say(slot, compose(kind, None, None, None, None));
        }
        self.hang_up(slot);
        self.leave(slot, true);
    }

    fn vanish(&mut self, slot: usize) {
        if let Some(conn) = self.slots[slot].conn.take() {
            self.haunt(slot, conn);
        }
        self.leave(slot, false);
    }

    fn close(&mut self, slot: usize, how: Ending) {
        let Some(conn) = self.slots[slot].conn.take() else { return };
        let attempt = self.owner(conn).map(|(_, attempt)| attempt);
        let gone = match how {
            Ending::Closed => Gone::Closed,
            Ending::Reset => Gone::Reset,
            Ending::ProtocolError => Gone::ProtocolError,
            Ending::TooBig => Gone::TooBig,
        };
        self.end(conn, gone);
        if let Some(attempt) = attempt {
            self.page(slot, client::Input::Closed { attempt, code: ABNORMAL_CLOSURE });
        }
    }

    fn freeze(&mut self, slot: usize) {
        self.slots[slot].frozen = self.slots[slot].page.is_some();
        if let Some(conn) = self.slots[slot].conn.filter(|_| self.slots[slot].frozen) {
            self.witness.disturbed(conn);
            self.host.reads(conn, false);
        }
    }

    pub(super) fn thaw(&mut self, slot: usize) -> Result<(), Breach> {
        self.slots[slot].frozen = false;
        if let Some(conn) = self.slots[slot].conn {
            self.host.reads(conn, true);
        }
        for (conn, downward) in core::mem::take(&mut self.slots[slot].inbox) {
            self.down(conn, downward)?;
        }
        Ok(())
    }

    /// Something happens to the socket of a slot that the server may take for death.
    fn disturb(&mut self, slot: usize, upward: Upward) -> Result<(), Breach> {
        if let Some(conn) = self.slots[slot].conn {
            self.witness.disturbed(conn);
        }
        self.suffer(slot, upward)
    }

    /// The socket of a slot is reset in the middle of a frame; its page notices at once.
    fn break_off(&mut self, slot: usize) -> Result<(), Breach> {
        self.suffer(slot, Upward::Cut)?;
        self.close(slot, Ending::Reset);
        Ok(())
    }

    fn flawed_frame(&mut self, slot: usize, what: FrameFlaw) {
        if let Some(conn) = self.slots[slot].conn
            && self.slots[slot].page.as_ref().is_some_and(|page| page.client.is_open())
        {
            self.witness.hostile(conn);
            self.queue.put(self.now + self.slots[slot].delay, Due::Up(conn, Upward::Frame(what)));
        }
    }

    fn request(&mut self, slot: usize, what: Request) {
        let first = Upward::Raw { bytes: requests::bytes(what), address: self.address(slot) };
        self.connect(slot, None, first);
    }

    pub(super) fn bury(&mut self, slot: usize) {
        for conn in core::mem::take(&mut self.slots[slot].ghosts) {
            self.end(conn, Gone::Reset);
        }
    }

    fn malformed(&mut self, slot: usize, what: Flaw) {
        let Some(page) = &self.slots[slot].page else { return };
        let network = page.client.network().unwrap_or(client::DEFAULT_NETWORK).to_owned();
        let other: Spelling = self.slots[(slot + 1) % self.slots.len()].me;
        let author = flaws::Author { me: &self.slots[slot].me, other: &other, network: &network };
        let text = flaws::text(what, &author);
        self.say(slot, text);
    }

    fn blackout(&mut self, every: u32) {
        let every = usize::try_from(every).unwrap_or(1).max(1);
        for slot in (0..self.slots.len()).step_by(every) {
            self.slots[slot].offline = true;
            self.cut(slot);
        }
    }

    pub(super) fn restore(&mut self) {
        for slot in &mut self.slots {
            slot.offline = false;
        }
    }

    /// The process dies with all its sockets, and another one takes its place.
    pub(super) fn restart(&mut self) -> Result<(), Breach> {
        self.host.end()?;
        self.inputs += self.host.inputs();
        self.transcript.number(self.host.transcript().value());
        self.host = host::start(self.scenario.level, &self.scenario.knobs, self.scenario.seed);
        for conn in core::mem::take(&mut self.sockets).into_keys() {
            self.witness.over(conn);
        }
        self.requests.clear();
        for slot in 0..self.slots.len() {
            self.slots[slot].ghosts.clear();
            self.slots[slot].inbox.clear();
            self.slots[slot].outbox.clear();
            let lost = self.slots[slot].conn.take().is_some();
            let attempt = self.slots[slot].page.as_ref().map(|page| page.client.attempt());
            if let Some(attempt) = attempt.filter(|_| lost) {
                self.page(slot, client::Input::Closed { attempt, code: ABNORMAL_CLOSURE });
            }
        }
        Ok(())
    }

    pub(super) fn everybody_comes(&mut self, over_ms: u64) {
        for slot in 0..self.slots.len() {
            let wait = self.slots[slot].random.between(0, over_ms);
            self.queue.put(self.now + wait, Due::Come(slot));
        }
    }

    fn everybody_leaves(&mut self, how: Leaving) {
        for slot in 0..self.slots.len() {
            self.go(slot, how);
        }
    }

    pub(super) fn go(&mut self, slot: usize, how: Leaving) {
        match how {
            Leaving::Unload => self.unload(slot),
            Leaving::Vanish => self.vanish(slot),
            Leaving::Reset => {
                if let Some(conn) = self.slots[slot].conn.take() {
                    self.end(conn, Gone::Reset);
                }
                self.leave(slot, false);
            }
        }
    }

    fn churn_for(&mut self, ms: u64, life_ms: u64) -> Result<(), Breach> {
        let end: Time = self.now + ms;
        self.churn = Some((end, life_ms));
        for slot in 0..self.slots.len() {
            self.next_churn(slot);
        }
        self.run_until(end)?;
        self.churn = None;
        Ok(())
    }

    fn next_churn(&mut self, slot: usize) {
        let Some((end, life_ms)) = self.churn else { return };
        let at = self.now + self.slots[slot].random.exponential(life_ms);
        if at <= end {
            self.queue.put(at, Due::Churn(slot));
        }
    }

    /// The page of a slot comes or goes, as life is.
    pub(super) fn churn_slot(&mut self, slot: usize) -> Result<(), Breach> {
        if self.slots[slot].page.is_none() {
            self.come(slot);
        } else {
            let how = [Leaving::Unload, Leaving::Vanish, Leaving::Reset];
            let how = *self.slots[slot].random.pick(&how);
            self.go(slot, how);
        }
        self.next_churn(slot);
        Ok(())
    }
}
