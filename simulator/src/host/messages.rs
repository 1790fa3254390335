//! Messages straight into the switchboard.

use std::collections::BTreeSet;

use peerpigeon_core::{Census, ConnId, Grant, Input, Time, UnixMillis, WallClock};

use super::store::Store;
use super::{BOOT, Downward, Host, Upward, care};
use crate::record::Record;
use crate::scenario::Knobs;
use crate::transcript::Transcript;
use crate::watch::{Breach, Outgoing, Watch};

pub(super) struct MessageHost {
    watch: Watch,
    /// Where mail is kept, if it is not the process itself.
    store: Option<Store>,
    clock: WallClock,
    /// Requests that ask for what was said.
    polls: BTreeSet<ConnId>,
    outgoing: Vec<(ConnId, Downward)>,
}

impl MessageHost {
    pub(super) fn new(knobs: &Knobs, seed: u64) -> MessageHost {
        let store = (knobs.limits.store_timeout_ms > 0).then(|| Store::new(knobs.store, seed));
        let watch = Watch::new(&knobs.limits, BOOT, care(knobs.slots));
        MessageHost {
            watch,
            store,
            clock: WallClock::new(BOOT),
            polls: BTreeSet::new(),
            outgoing: Vec::new(),
        }
    }

    fn give(&mut self, now: Time, input: Input<'_>, record: &mut Record) -> Result<(), Breach> {
        self.watch.handle(now, input, record)?;
        for (id, question) in self.watch.take_asked() {
            if let Some(store) = &mut self.store {
                store.ask(now, id, &question);
            }
        }
        let (went_out, polls) = (self.watch.take_outgoing(), &mut self.polls);
        let went_out = went_out.into_iter().map(|(conn, outgoing)| {
            let downward = match outgoing {
                Outgoing::Text(text) => Downward::Text(text),
                Outgoing::Ping => Downward::Ping,
                Outgoing::Reply(status, text) => Downward::Reply { poll: polls.remove(&conn), status, text },
                Outgoing::Close(why) => Downward::Close { code: why.code(), reason: why.text().to_owned() },
            };
            (conn, downward)
        });
        self.outgoing.extend(went_out);
        Ok(())
    }

    fn knows(&self, conn: ConnId) -> bool {
        self.watch.ledger.parties.contains_key(&conn)
    }
}

impl Host for MessageHost {
    fn deadline(&self) -> Option<Time> {
        self.watch.deadline().into_iter().chain(self.store.as_ref().and_then(Store::deadline)).min()
    }

    fn tick(&mut self, now: Time, record: &mut Record) -> Result<(), Breach> {
        while let Some(told) = self.store.as_mut().and_then(|store| store.pop_due(now)) {
            self.give(now, told.input(), record)?;
        }
        let due = self.watch.deadline().is_some_and(|deadline| deadline <= now);
        if due { self.give(now, Input::Tick, record) } else { Ok(()) }
    }

    fn up(&mut self, now: Time, conn: ConnId, upward: Upward, record: &mut Record) -> Result<(), Breach> {
        match upward {
            Upward::Open { target, address } => {
                self.outgoing.push((conn, Downward::Opened));
                self.give(now, Input::Opened { conn, target: &target, address, grant: &Grant::ANY }, record)
            }
            Upward::Post { body, address } => {
                self.give(now, Input::Posted { conn, body: &body, address, grant: &Grant::ANY }, record)
            }
            Upward::Poll { target } => {
                self.polls.insert(conn);
                self.give(now, Input::Polled { conn, target: &target, grant: &Grant::ANY }, record)
            }
            Upward::Text(text) => self.give(now, Input::Text { conn, text: &text }, record),
            Upward::Pong => self.give(now, Input::Heard { conn }, record),
            Upward::Gone(cause) => self.give(now, Input::Closed { conn, cause }, record),
            Upward::Choke if self.knows(conn) => self.give(now, Input::QueueFull { conn }, record),
            // There are no bytes that could go wrong.
            Upward::Choke
            | Upward::Raw { .. }
            | Upward::Frame(_)
            | Upward::Stall(_)
            | Upward::Cut
            | Upward::Lose { .. }
            | Upward::Slow(_) => Ok(()),
        }
    }

    fn reads(&mut self, _: ConnId, _: bool) {}

    fn drain(&mut self, now: Time, ms: u64, record: &mut Record) -> Result<(), Breach> {
        self.give(now, Input::Drain { until: now + ms }, record)
    }

    fn set_clock(&mut self, now: Time, by_ms: i64, record: &mut Record) -> Result<(), Breach> {
        let wall = UnixMillis(self.clock.at(now).0.saturating_add_signed(by_ms));
        self.clock.set(now, wall);
        self.give(now, Input::ClockSet { wall }, record)
    }

    fn draining(&self) -> Option<Time> {
        self.watch.ledger.draining
    }

    fn exhaust(&mut self, _: Time, _: u64) {}

    fn heal(&mut self, now: Time) {
        if let Some(store) = &mut self.store {
            store.heal(now);
        }
    }

    fn take_outgoing(&mut self) -> Vec<(ConnId, Downward)> {
        core::mem::take(&mut self.outgoing)
    }

    fn census(&self) -> Census {
        self.watch.census()
    }

    fn inputs(&self) -> u64 {
        self.watch.inputs()
    }

    fn transcript(&self) -> Transcript {
        self.watch.transcript()
    }

    fn calm(&mut self, now: Time) -> Result<(), Breach> {
        self.watch.calm(now)
    }

    fn empty(&mut self, now: Time) -> Result<(), Breach> {
        self.watch.empty(now)
    }

    fn end(&mut self) -> Result<(), Breach> {
        self.watch.replay()
    }
}
