//! Connections of dialect B that have not told yet who they are: nothing is routed for them.

use crate::admission::Newcomer;
use crate::pace::{Pace, Verdict};
use crate::timers::{Deadline, Fired, Patience};
use crate::wire::{self, Dialect, Kind, Message, Recipient, Refusal};
use crate::{AddressKey, CloseReason, ConnId, Holder, Limits, Spelling, Switchboard, TimerKind};

#[derive(Debug)]
pub(crate) struct Unregistered {
    address: Option<AddressKey>,
    pub(crate) deadline: Deadline,
    patience: Patience,
    pace: Pace,
}

impl Unregistered {
    pub(crate) fn holder(&self, conn: ConnId) -> Holder {
        Holder::new(self.address, conn)
    }
}

impl Switchboard {
    pub(crate) fn await_registration(&mut self, conn: ConnId, address: Option<AddressKey>) {
        let holder = Holder::new(address, conn);
        if self.unregistered.len() >= self.limits.unregistered_connections as usize {
            match self.unregistered_by_holder.gives_way(holder, 1) {
                Some(given) => self.turn_away_waiting(given, CloseReason::MaximumConnections),
                None => return self.turn_away(conn, None, CloseReason::MaximumConnections),
            }
        }
        self.unregistered_by_holder.add(holder, conn, 1);
        let due = self.now + self.limits.register_ms.max(1);
        let deadline = self.timers.arm(due, TimerKind::Register, conn);
        let (patience, pace) = (Patience::Fresh, Pace::default());
        self.unregistered.insert(conn, Unregistered { address, deadline, patience, pace });
    }

    pub(crate) fn text_from_unregistered(&mut self, conn: ConnId, text: &str) {
        let result = match self.admit_unregistered(conn, text.len()) {
            Verdict::Within => {
                registered_as(text, &self.limits).and_then(|spelling| self.granted_peer(conn, spelling))
            }
            over @ (Verdict::TooMany | Verdict::TooMuch | Verdict::TooManyTogether) => {
                Err(self.over_the_limit(over))
            }
            Verdict::Hopeless => return self.turn_away_waiting(conn, CloseReason::RateLimitExceeded),
        };
        match result {
            Ok(spelling) => {
                if let Some(Unregistered { address, .. }) = self.release_unregistered(conn) {
                    self.come_in(Newcomer { conn, dialect: Dialect::B, spelling, address });
                }
            }
            Err(refusal) => {
                let stamp = self.stamp();
                let id = stamp.fresh;
                let message = Message::Error { refusal, offending_type: None, id };
                self.outbox.send(conn, |out| wire::write(out, &Recipient::NOBODY, message, stamp));
                self.observe_refused(conn, refusal);
            }
        }
    }

    fn admit_unregistered(&mut self, conn: ConnId, bytes: usize) -> Verdict {
        let Some(Unregistered { address, pace, .. }) = self.unregistered.get_mut(&conn) else {
            return Verdict::Hopeless;
        };
        let address = address.map(|key| &mut self.addresses.of(key, self.now, &self.limits).pace);
        pace.admit(address, bytes, self.now, &self.limits)
    }

    /// A control frame of such a connection.
    pub(crate) fn heard_from_unregistered(&mut self, conn: ConnId) {
        if self.admit_unregistered(conn, 0) == Verdict::Hopeless {
            self.turn_away_waiting(conn, CloseReason::RateLimitExceeded);
        }
    }

    fn granted_peer(&self, conn: ConnId, spelling: Spelling) -> Result<Spelling, Refusal> {
        if self.grant(conn).allows_peer(spelling.id()) { Ok(spelling) } else { Err(Refusal::PeerNotGranted) }
    }

    /// The time to register is over.
    pub(crate) fn registration_ends(&mut self, fired: Fired) {
        let Some(unregistered) = self.unregistered.get_mut(&fired.conn) else { return };
        unregistered.deadline = Deadline::NONE;
        match unregistered.patience.extend(fired.due, self.now) {
            Some(due) => unregistered.deadline = self.timers.arm(due, TimerKind::Register, fired.conn),
            None => self.turn_away_waiting(fired.conn, CloseReason::InactiveTimeout),
        }
    }

    pub(crate) fn release_unregistered(&mut self, conn: ConnId) -> Option<Unregistered> {
        let unregistered = self.unregistered.remove(&conn)?;
        self.unregistered_by_holder.remove(unregistered.holder(conn), conn, 1);
        self.timers.disarm(unregistered.deadline, conn);
        Some(unregistered)
    }
}

fn registered_as(text: &str, limits: &Limits) -> Result<Spelling, Refusal> {
    let request = Dialect::B.decode(text, limits).request?;
    match request.kind {
        Kind::Register => request.claimed.ok_or(Refusal::PeerNotAnId),
        Kind::Signal(_) | Kind::Verb(_) => Err(Refusal::NotRegistered),
    }
}
