//! Who is let in, who waits, and who is closed for what.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use peerpigeon_core::{
    CloseReason, ConnId, Departure, DuplicatePeer, ErrorCode, Event, Gone, Holder, Input, Limits, PeerId,
    Time,
};

use super::{Law, Rest, Scene, Verdict, demand};
use crate::watch::{Behind, Ledger, Party, Said, Stage, is_virtual};

#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    /// Newcomers that wait for their id.
    challenges: BTreeMap<ConnId, Challenge>,
    /// How often each connection was told that it sends too much.
    told: BTreeMap<ConnId, u32>,
    /// The driver said that this connection is over.
    lost: Option<(ConnId, Gone)>,
    /// The driver said that the queue of this connection is full.
    full: Option<ConnId>,
    /// Closes whose `Gone` has not come yet.
    closing: BTreeMap<ConnId, CloseReason>,
}

#[derive(Debug)]
struct Challenge {
    peer: PeerId,
    since: Time,
    /// The incumbent gave a sign of life.
    answered: bool,
}

impl Admission {
    pub(crate) fn new(limits: Limits) -> Admission {
        let (challenges, told, closing) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Admission { limits, challenges, told, lost: None, full: None, closing }
    }

    fn server_is_full(&self, ledger: &Ledger) -> bool {
        u32::try_from(ledger.by_peer.len()).is_ok_and(|count| count >= self.limits.connections)
    }

    fn address_is_full(&self, ledger: &Ledger, party: &Party) -> bool {
        let most = self.limits.connections_per_address;
        let Some(address) = party.address.filter(|_| most > 0) else { return false };
        let same = ledger.count(|other| other.stage == Stage::Admitted && other.address == Some(address));
        u32::try_from(same).is_ok_and(|count| count >= most)
    }

    fn no_room_to_wait(&self, ledger: &Ledger) -> bool {
        u32::try_from(ledger.held.len()).is_ok_and(|count| count >= self.limits.held_connections)
    }

    /// Whether this connection is the one that waits no longer, since there is no room for it and the newcomer: one of those who
    /// wait, or the newcomer itself.
    fn gives_up_waiting(&self, ledger: &Ledger, conn: ConnId) -> bool {
        let newcomer = ledger.parties.iter().find(|(_, party)| party.stage == Stage::Fresh);
        self.no_room_to_wait(ledger)
            && newcomer.is_some_and(|(who, party)| conn == gives_way(ledger.waiting(), (*who, party)))
    }

    fn heard(&mut self, ledger: &Ledger, conn: ConnId) {
        let Some(peer) = ledger.peer_at(conn) else { return };
        for challenge in self.challenges.values_mut().filter(|challenge| challenge.peer == peer) {
            challenge.answered = true;
        }
    }

    fn held(&mut self, scene: Scene<'_>, conn: ConnId, why: CloseReason) -> Verdict {
        let ledger = scene.ledger;
        let Some(party) = ledger.parties.get(&conn) else { return Ok(()) };
        let Some(me) = party.me else { return Err(format!("{conn:?}, which names no peer, was held")) };
        let taken = ledger.by_peer.contains_key(me.id());
        let fits = match why {
            CloseReason::PeerAlreadyConnected => {
                // A request that waits is one from the beginning; a post is none at all.
                let answered = ledger.by_peer.get(me.id()).is_some_and(|seat| ledger.is_polled(*seat));
                let challenge = Challenge { peer: *me.id(), since: scene.now, answered };
                self.challenges.insert(conn, challenge);
                // With `replace` it waits for no longer than the close of the incumbent takes.
                taken && self.limits.duplicate_peer != DuplicatePeer::Reject
            }
            CloseReason::MaximumConnections => self.server_is_full(ledger),
            CloseReason::TooManyFromAddress => self.address_is_full(ledger, party),
            CloseReason::ShuttingDown
            | CloseReason::InactiveTimeout
            | CloseReason::InvalidPeerId
            | CloseReason::PeerNotGranted
            | CloseReason::RateLimitExceeded
            | CloseReason::TooSlow
            | CloseReason::Replaced
            | CloseReason::PeerStillConnected => false,
        };
        demand!(fits && ledger.draining.is_none(), "{conn:?} was held for {why:?} without need");
        Ok(())
    }

    fn admitted(&mut self, scene: Scene<'_>, conn: ConnId) -> Verdict {
        let ledger = scene.ledger;
        self.challenges.remove(&conn);
        demand!(ledger.draining.is_none(), "{conn:?} was let in during a shutdown");
        demand!(!self.server_is_full(ledger), "{conn:?} was let in though the server is full");
        let crowded = ledger.parties.get(&conn).is_some_and(|party| self.address_is_full(ledger, party));
        demand!(!crowded, "{conn:?} was let in though its address has enough");
        Ok(())
    }

    /// Whether a close for want of a place is due: there is none, and waiting is over or impossible. While it waits,
    /// the reason may change from one limit to the other, or somebody else may get its id.
    fn placeless(&self, scene: Scene<'_>, conn: ConnId, party: &Party) -> bool {
        let full = self.server_is_full(scene.ledger) || self.address_is_full(scene.ledger, party);
        let waited = scene.now.since(party.opened) >= self.limits.hold_for_place_ms;
        // Whoever has waited for its id need not wait for a place, too.
        let challenger = party.stage == Stage::Held(CloseReason::PeerAlreadyConnected);
        let turned_away = self.gives_up_waiting(scene.ledger, conn);
        let taken = party.me.is_some_and(|me| scene.ledger.by_peer.contains_key(me.id()));
        (full && (waited || challenger || turned_away)) || (taken && waited)
    }

    fn may_close(&self, scene: Scene<'_>, conn: ConnId, party: &Party, why: CloseReason) -> bool {
        let ledger = scene.ledger;
        let peer = party.me.map(|me| *me.id());
        let policy = self.limits.duplicate_peer;
        match why {
            CloseReason::ShuttingDown => ledger.draining.is_some(),
            // The law of liveness knows.
            CloseReason::InactiveTimeout => {
                matches!(party.stage, Stage::Admitted | Stage::Unregistered) && !party.undecided
            }
            CloseReason::InvalidPeerId => {
                peer.is_none() && (party.stage != Stage::Unregistered || party.undecided)
            }
            // Nobody here speaks PSP.
            CloseReason::PeerStillConnected => false,
            // Nobody here has a token.
            CloseReason::PeerNotGranted => false,
            CloseReason::PeerAlreadyConnected => {
                let taken = peer.is_some_and(|peer| ledger.by_peer.contains_key(&peer));
                let answered = self.challenges.get(&conn).is_some_and(|challenge| challenge.answered);
                let rival = self.challenges.values().any(|challenge| Some(challenge.peer) == peer);
                let refused = match policy {
                    DuplicatePeer::Challenge => rival,
                    DuplicatePeer::Reject => true,
                    DuplicatePeer::Replace => false,
                };
                let refused = party.stage == Stage::Fresh && refused;
                let crowded = policy == DuplicatePeer::Challenge && self.gives_up_waiting(ledger, conn);
                taken && (answered || refused || crowded)
            }
            CloseReason::RateLimitExceeded => {
                let bytes: usize = party.kept.iter().map(String::len).sum();
                let much = party.kept.len() > self.limits.held_messages as usize
                    || bytes > self.limits.held_bytes as usize
                    || party.controls > self.limits.held_messages;
                self.told.contains_key(&conn) || (matches!(party.stage, Stage::Held(_)) && much)
            }
            CloseReason::MaximumConnections if party.stage == Stage::Unregistered => {
                let waiting = || {
                    let parties = ledger.parties.iter().map(|(conn, party)| (*conn, party));
                    parties.filter(|(_, party)| party.stage == Stage::Unregistered)
                };
                let others = waiting().count() - 1;
                u32::try_from(others).is_ok_and(|count| count >= self.limits.unregistered_connections)
                    && waiting()
                        .next_back()
                        .is_some_and(|newcomer| conn == gives_way(waiting().take(others), newcomer))
            }
            CloseReason::MaximumConnections | CloseReason::TooManyFromAddress => {
                self.placeless(scene, conn, party)
            }
            CloseReason::TooSlow => {
                let behind = ledger.behind.get(&conn);
                let stopped = |behind: &Behind| scene.now.since(behind.taken) >= self.limits.pong_timeout_ms;
                self.full == Some(conn) || behind.is_some_and(stopped)
            }
            CloseReason::Replaced => {
                let unanswered = |challenge: &&Challenge| {
                    let waited = scene.now.since(challenge.since) >= self.limits.challenge_ms;
                    Some(challenge.peer) == peer && !challenge.answered && waited
                };
                let newcomer = |other: &Party| {
                    let outside = matches!(other.stage, Stage::Fresh | Stage::Held(_));
                    outside && other.me.map(|me| *me.id()) == peer
                };
                match policy {
                    DuplicatePeer::Challenge => self.challenges.values().any(|one| unanswered(&one)),
                    DuplicatePeer::Replace => ledger.count(newcomer) > 0,
                    DuplicatePeer::Reject => false,
                }
            }
        }
    }

    fn gone(&mut self, scene: Scene<'_>, conn: ConnId, cause: Departure) -> Verdict {
        if let (true, Departure::Closed(why)) = (is_virtual(conn), cause)
            && let Some(party) = scene.ledger.parties.get(&conn)
        {
            let fits = why != CloseReason::RateLimitExceeded && self.may_close(scene, conn, party, why);
            demand!(fits, "{conn:?}, which has no connection, ended for {why:?} without need");
            self.closing.insert(conn, why);
        }
        self.challenges.remove(&conn);
        self.told.remove(&conn);
        let expected = match (self.closing.remove(&conn), self.lost.take_if(|(lost, _)| *lost == conn)) {
            (Some(why), _) => Some(Departure::Closed(why)),
            (None, lost) => lost.map(|(_, cause)| Departure::Lost(cause)),
        };
        demand!(expected == Some(cause), "{conn:?} was gone for {cause:?}, the reason was {expected:?}");
        Ok(())
    }

    /// Nobody waits who need not.
    fn waiting(&self, scene: Scene<'_>) -> Verdict {
        let (now, ledger) = (scene.now, scene.ledger);
        for (conn, challenge) in &self.challenges {
            demand!(!challenge.answered, "{conn:?} still waits though the incumbent is alive");
            let waited = now.since(challenge.since.max(ledger.late));
            let most = match self.limits.duplicate_peer {
                DuplicatePeer::Challenge => self.limits.challenge_ms,
                DuplicatePeer::Reject | DuplicatePeer::Replace => 0,
            };
            demand!(waited < most, "{conn:?} has waited {waited} ms for its id, at most {most} allowed");
        }
        for (conn, party) in ledger.waiting() {
            let for_place = match party.stage {
                Stage::Held(CloseReason::MaximumConnections | CloseReason::TooManyFromAddress) => true,
                Stage::Held(_) | Stage::Fresh | Stage::Admitted | Stage::Unregistered | Stage::Over => false,
            };
            // Somebody else may have got its id in the meantime: then a free place is of no use.
            let taken = party.me.is_some_and(|me| ledger.by_peer.contains_key(me.id()));
            if !for_place || taken {
                continue;
            }
            let full = self.server_is_full(ledger) || self.address_is_full(ledger, party);
            let waited = now.since(party.opened.max(ledger.late));
            demand!(full, "{conn:?} waits for a place though there is one");
            demand!(waited < self.limits.hold_for_place_ms, "{conn:?} has waited {waited} ms for a place");
        }
        Ok(())
    }
}

/// Who makes room where a newcomer meets these who wait: the oldest of whoever has most; of several who do, of the newcomer's, or
/// else of the one that has the oldest.
fn gives_way<'a>(
    waiting: impl Iterator<Item = (ConnId, &'a Party)>,
    (newcomer, party): (ConnId, &Party),
) -> ConnId {
    let own = Holder::new(party.address, newcomer);
    let mut holders: BTreeMap<Holder, (usize, Reverse<ConnId>)> = BTreeMap::new();
    for (conn, party) in waiting {
        let (count, oldest) = holders.entry(Holder::new(party.address, conn)).or_insert((0, Reverse(conn)));
        (*count, *oldest) = (*count + 1, (*oldest).max(Reverse(conn)));
    }
    let (count, Reverse(oldest)) = holders.get(&own).copied().unwrap_or((0, Reverse(newcomer)));
    let largest = holders.into_values().max().filter(|(most, _)| *most > count + 1);
    largest.map_or(oldest, |(_, Reverse(oldest))| oldest)
}

impl Law for Admission {
    fn name(&self) -> &'static str {
        "admission"
    }

    fn input(&mut self, scene: Scene<'_>, input: &Input<'_>, _: Option<&Said<'_>>) -> Verdict {
        (self.lost, self.full) = (None, None);
        match *input {
            Input::Text { conn, .. } | Input::Heard { conn } => self.heard(scene.ledger, conn),
            Input::Closed { conn, cause } if scene.ledger.parties.contains_key(&conn) => {
                self.lost = Some((conn, cause));
            }
            Input::QueueFull { conn } if scene.ledger.parties.contains_key(&conn) => self.full = Some(conn),
            Input::Polled { target, .. } => {
                let peer = crate::watch::peer_id(target).map(|peer| *peer.id());
                let seat = peer.and_then(|peer| scene.ledger.by_peer.get(&peer));
                if let Some(seat) = seat.filter(|conn| is_virtual(**conn)) {
                    self.heard(scene.ledger, *seat);
                }
            }
            Input::Opened { .. }
            | Input::Closed { .. }
            | Input::QueueFull { .. }
            | Input::Backlog { .. }
            | Input::Posted { .. }
            | Input::Drain { .. }
            | Input::Adjust { .. }
            | Input::Store { .. }
            | Input::Answered { .. }
            | Input::ClockSet { .. }
            | Input::Bus { .. }
            | Input::Frame { .. }
            | Input::Flush
            | Input::Tick => {}
        }
        Ok(())
    }

    fn closed(&mut self, scene: Scene<'_>, conn: ConnId, why: CloseReason) -> Verdict {
        let Some(party) = scene.ledger.parties.get(&conn) else { return Ok(()) };
        demand!(
            self.may_close(scene, conn, party, why),
            "{conn:?} was closed for {why:?} without need: {party:?}"
        );
        self.full.take_if(|full| *full == conn);
        self.closing.insert(conn, why);
        Ok(())
    }

    fn event(&mut self, scene: Scene<'_>, event: Event) -> Verdict {
        if let Event::Held { conn, why } = event {
            self.held(scene, conn, why)?;
        }
        if let Event::Admitted { conn, .. } = event {
            self.admitted(scene, conn)?;
        }
        if let Event::Refused { conn, code: ErrorCode::RateLimited } = event {
            *self.told.entry(conn).or_default() += 1;
        }
        if let Event::Gone { conn, cause, .. } = event {
            self.gone(scene, conn, cause)?;
        }
        Ok(())
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        demand!(self.lost.is_none(), "{:?} was lost and is not gone", self.lost);
        demand!(self.full.is_none(), "the queue of {:?} is full and it was not closed", self.full);
        if let Some(until) = scene.ledger.draining.filter(|until| *until <= scene.now) {
            let left = rest.census.connections;
            // What is too much for one moment follows in the next ones.
            let goes_on = rest.deadline.is_some_and(|(deadline, _)| deadline <= scene.now + 1);
            demand!(
                left == 0 || goes_on,
                "the shutdown was to end at {until:?}, {left} connections are left"
            );
        }
        if rest.thorough { self.waiting(scene) } else { Ok(()) }
    }
}
