//! Connections that have not told yet who they are, or what they speak: nothing is routed for them.

use super::{Arrival, Lobby, TurnedAway};
use crate::peers::addresses::Addresses;
use crate::peers::rate_limiter::{RateCheck, RateLimiter};
use crate::timers::{Deadline, Fired, Patience, Timers};
use crate::wire::Dialect;
use crate::{AddressKey, CloseReason, ConnId, Holder, Limits, Spelling, Time, TimerKind};

#[derive(Debug)]
pub(crate) struct Unregistered {
    address: Option<AddressKey>,
    /// What its upgrade says that it speaks, if it does.
    dialect: Option<Dialect>,
    deadline: Deadline,
    patience: Patience,
    rate_limiter: RateLimiter,
}

impl Unregistered {
    fn holder(&self, conn: ConnId) -> Holder {
        Holder::new(self.address, conn)
    }
}

impl Lobby {
    /// Connections that have not told yet who they are.
    pub(crate) fn unregistered(&self) -> usize {
        self.unregistered.len()
    }

    /// A connection that is to tell who it is, or is turned away at once where there are too many such. It may have taken the place of
    /// another, which is returned.
    pub(crate) fn await_registration(
        &mut self,
        conn: ConnId,
        address: Option<AddressKey>,
        dialect: Option<Dialect>,
        now: Time,
        limits: &Limits,
        timers: &mut Timers,
    ) -> Result<Option<TurnedAway>, TurnedAway> {
        let holder = Holder::new(address, conn);
        let why = CloseReason::MaximumConnections;
        let mut given = None;
        if self.unregistered.len() >= limits.unregistered_connections as usize {
            match self.unregistered_by_holder.gives_way(holder, 1) {
                Some(other) => given = self.turn_away(other, why, timers),
                None => return Err(TurnedAway { conn, peer: None, why }),
            }
        }
        self.unregistered_by_holder.add(holder, conn, 1);
        let deadline = timers.arm(now + limits.register_ms, TimerKind::Register, conn);
        let (patience, rate_limiter) = (Patience::Fresh, RateLimiter::default());
        self.unregistered.insert(conn, Unregistered { address, dialect, deadline, patience, rate_limiter });
        Ok(given)
    }

    /// Whether such a connection may send a message of so many bytes now, by its own rates and by those of its address.
    pub(crate) fn admit(
        &mut self,
        conn: ConnId,
        bytes: usize,
        addresses: &mut Addresses,
        now: Time,
        limits: &Limits,
    ) -> RateCheck {
        let Some(Unregistered { address, rate_limiter, .. }) = self.unregistered.get_mut(&conn) else {
            return RateCheck::Disconnect;
        };
        let address = address.map(|key| &mut addresses.of(key, now, limits).rate_limiter);
        rate_limiter.admit(address, bytes, now, limits)
    }

    /// What the upgrade of such a connection says that it speaks, if it does.
    pub(crate) fn dialect(&self, conn: ConnId) -> Option<Dialect> {
        self.unregistered.get(&conn).and_then(|unregistered| unregistered.dialect)
    }

    /// A connection has told that it speaks the dialect in which it says later in which room it is who.
    pub(crate) fn begin_psp(&mut self, conn: ConnId, timers: &mut Timers) -> Option<Arrival> {
        let Unregistered { address, .. } = self.remove_unregistered(conn, timers)?;
        Some(Arrival { conn, dialect: Dialect::Psp, spelling: Spelling::NOBODY, address })
    }

    /// A connection has told who it is, in a dialect in which it stands for one peer.
    pub(crate) fn register(
        &mut self,
        conn: ConnId,
        spelling: Spelling,
        timers: &mut Timers,
    ) -> Option<Arrival> {
        let Unregistered { address, .. } = self.remove_unregistered(conn, timers)?;
        Some(Arrival { conn, dialect: Dialect::B, spelling, address })
    }

    /// The time to register is over.
    pub(crate) fn registration_ends(
        &mut self,
        fired: Fired,
        now: Time,
        timers: &mut Timers,
    ) -> Option<TurnedAway> {
        let unregistered = self.unregistered.get_mut(&fired.conn)?;
        unregistered.deadline = Deadline::NONE;
        // Whoever has said nothing at all may not know that it has to name itself.
        let why = match unregistered.dialect {
            Some(_) => CloseReason::InactiveTimeout,
            None => CloseReason::InvalidPeerId,
        };
        match unregistered.patience.extend(fired.due, now) {
            Some(due) => {
                unregistered.deadline = timers.arm(due, TimerKind::Register, fired.conn);
                None
            }
            None => self.turn_away(fired.conn, why, timers),
        }
    }

    pub(super) fn remove_unregistered(&mut self, conn: ConnId, timers: &mut Timers) -> Option<Unregistered> {
        let unregistered = self.unregistered.remove(&conn)?;
        self.unregistered_by_holder.remove(unregistered.holder(conn), conn, 1);
        timers.disarm(unregistered.deadline, conn);
        Some(unregistered)
    }

    pub(super) fn check_unregistered(&self, limits: &Limits, timers: &Timers) -> usize {
        assert!(self.unregistered.len() <= limits.unregistered_connections as usize);
        let unregistered = || self.unregistered.iter();
        self.unregistered_by_holder.check(unregistered().map(|(conn, one)| (one.holder(*conn), *conn, 1)));
        unregistered().for_each(|(conn, one)| assert_eq!(timers.check(one.deadline, *conn), 1));
        self.unregistered.len()
    }
}
