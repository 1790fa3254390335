//! Silent peers are pinged and closed in time, and nobody is closed who was not silent.

use std::collections::BTreeMap;

use peerpigeon_core::{CloseReason, ConnId, Departure, Event, Limits, Time};

use super::{Law, Rest, Scene, Verdict, demand};
use crate::watch::{Stage, is_virtual};

#[derive(Debug)]
pub(crate) struct Liveness {
    limits: Limits,
    /// Pings for silence, by connection; those of a challenge have their own deadline.
    pings: BTreeMap<ConnId, Time>,
    /// When the time to register is over for those whom the server may not have heard in time.
    extended: BTreeMap<ConnId, Time>,
}

/// A deadline that is noticed later than this ends nobody before the server has listened as long again.
const LATE_MS: u64 = 1_000;

impl Liveness {
    pub(crate) fn new(limits: Limits) -> Liveness {
        Liveness { limits, pings: BTreeMap::new(), extended: BTreeMap::new() }
    }

    /// Silence that ends a peer without a connection: `PEER_TIMEOUT`, or five minutes where there is none.
    fn silence_without_connection(&self) -> u64 {
        if self.limits.peer_timeout_ms > 0 { self.limits.peer_timeout_ms } else { 300_000 }
    }
}

impl Law for Liveness {
    fn name(&self) -> &'static str {
        "liveness"
    }

    fn pinged(&mut self, scene: Scene<'_>, conn: ConnId) -> Verdict {
        let Some(party) = scene.ledger.parties.get(&conn) else { return Ok(()) };
        let challenged = Stage::Held(CloseReason::PeerAlreadyConnected);
        let rivals = scene.ledger.waiting().filter(|(_, rival)| rival.stage == challenged);
        let asked = rivals
            .filter_map(|(_, rival)| rival.me)
            .any(|rival| party.me.is_some_and(|me| me.id() == rival.id()));
        if asked {
            return Ok(());
        }
        let silence = scene.now.since(party.heard);
        let interval = self.limits.ping_interval_ms;
        let due = interval > 0 && silence >= interval - interval / 5;
        demand!(due, "{conn:?} was pinged after a silence of {silence} ms");
        self.pings.insert(conn, scene.now);
        Ok(())
    }

    fn closed(&mut self, scene: Scene<'_>, conn: ConnId, why: CloseReason) -> Verdict {
        if why != CloseReason::InactiveTimeout {
            return Ok(());
        }
        let Some(party) = scene.ledger.parties.get(&conn) else { return Ok(()) };
        if party.stage == Stage::Unregistered {
            let waited = scene.now.since(party.opened);
            demand!(waited >= self.limits.register_ms, "{conn:?} was given {waited} ms to register");
            let late = scene.now.since(party.opened + self.limits.register_ms);
            let listened = self.extended.remove(&conn).map_or(late <= LATE_MS, |until| scene.now >= until);
            demand!(listened, "{conn:?} had {late} ms less to register than the server has slept");
            return Ok(());
        }
        let silence = scene.now.since(party.heard);
        let unanswered = party.pinged.map(|(first, _)| scene.now.since(first));
        let silent = self.limits.peer_timeout_ms > 0 && silence >= self.limits.peer_timeout_ms;
        let dead = unanswered.is_some_and(|waited| waited >= self.limits.pong_timeout_ms);
        demand!(
            silent || dead,
            "{conn:?} was closed as inactive {silence} ms after its last sign of life and {unanswered:?} ms after a ping"
        );
        Ok(())
    }

    fn event(&mut self, scene: Scene<'_>, event: Event) -> Verdict {
        let Event::Gone { conn, cause: Departure::Closed(CloseReason::InactiveTimeout), .. } = event else {
            return Ok(());
        };
        let Some(party) = scene.ledger.parties.get(&conn).filter(|_| is_virtual(conn)) else { return Ok(()) };
        let silence = scene.now.since(party.heard);
        let most = self.silence_without_connection();
        demand!(
            silence >= most,
            "{conn:?} counts as gone {silence} ms after it asked or posted, not {most} ms"
        );
        Ok(())
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        if scene.ledger.late == scene.now {
            let new = scene.ledger.parties.iter().filter(|(_, party)| party.stage == Stage::Unregistered);
            for (conn, party) in new {
                if scene.now.since(party.opened + self.limits.register_ms) > LATE_MS {
                    self.extended.entry(*conn).or_insert(scene.now + LATE_MS);
                }
            }
        }
        if !rest.thorough {
            return Ok(());
        }
        let (interval, timeout) = (self.limits.ping_interval_ms, self.limits.peer_timeout_ms);
        self.pings.retain(|conn, _| scene.ledger.parties.contains_key(conn));
        self.extended.retain(|conn, _| scene.ledger.parties.contains_key(conn));
        for (conn, party) in &scene.ledger.parties {
            let waited = scene.now.since(party.opened.max(scene.ledger.late));
            let late = party.stage == Stage::Unregistered && waited >= self.limits.register_ms;
            demand!(!late, "{conn:?} has not registered for {waited} ms and is still here");
            let silence = scene.now.since(party.heard.max(scene.ledger.late));
            let silent = is_virtual(*conn)
                && silence >= self.silence_without_connection()
                && !scene.ledger.is_polled(*conn);
            demand!(!silent, "{conn:?} has neither posted nor asked for {silence} ms and is still here");
        }
        let admitted = scene.ledger.parties.iter().filter(|(_, party)| party.stage == Stage::Admitted);
        for (conn, party) in admitted.filter(|(conn, _)| !is_virtual(**conn)) {
            // Whoever has been held is watched from its admission on; after a late tick everybody gets a fair chance.
            let silence = scene.now.since(party.heard.max(party.admitted).max(scene.ledger.late));
            demand!(
                timeout == 0 || silence < timeout,
                "{conn:?} has been silent for {silence} ms and is still here"
            );
            // The next ping comes no earlier than the deadline of the last one.
            let late = interval > 0 && silence > (interval + interval / 5).max(self.limits.pong_timeout_ms);
            demand!(
                !late || party.pinged.is_some(),
                "{conn:?} has been silent for {silence} ms and was not pinged"
            );
            let Some(&pinged) = self.pings.get(conn) else { continue };
            let waited = scene.now.since(pinged.max(scene.ledger.late));
            let unanswered = party.pinged.is_some_and(|(first, _)| first <= pinged);
            let dead = unanswered && waited >= self.limits.pong_timeout_ms;
            demand!(!dead, "{conn:?} was pinged {waited} ms ago, did not answer, and is still here");
        }
        Ok(())
    }
}
