//! Introductions are mutual, nobody gone is introduced, and whoever knows a peer is told exactly once that it left.
//!
//! Told from the delivered messages alone; only who is where comes from the events. What peers without a connection
//! are told waits until they ask, so that the events stand for it here; the model compares what they get in the end.

use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_core::{ConnId, Event, PeerId};

use super::{Law, Rest, Scene, Verdict, demand};
use crate::client::Frame;
use crate::watch::is_virtual;

#[derive(Debug, Default)]
pub(crate) struct Acquaintance {
    /// Whom each connection has been told of.
    known: BTreeMap<ConnId, BTreeSet<PeerId>>,
    /// One side of an introduction, the other not yet.
    half: BTreeSet<(PeerId, PeerId)>,
    /// Somebody came, went, or was told: the picture is to be looked at again.
    touched: BTreeSet<ConnId>,
}

impl Acquaintance {
    fn discovered(&mut self, scene: Scene<'_>, conn: ConnId, me: PeerId, frame: &Frame<'_>) -> Verdict {
        let Some(other) = frame.peer() else { return Err(format!("{me} was told of a peer without an id")) };
        let other_id = *other.id();
        demand!(other_id != me, "{me} was told of itself");
        let Some((_, party)) = scene.ledger.party_of(other_id) else {
            return Err(format!("{me} was told of {other_id}, who is not here"));
        };
        demand!(party.me == Some(other), "{me} was told of {other}, who writes itself {:?}", party.me);
        let mine = scene.ledger.parties.get(&conn).and_then(|party| party.network);
        let same = mine.is_some() && mine == party.network;
        demand!(same, "{me} in {mine:?} was told of {other_id} in {:?}", party.network);
        self.learns(conn, me, other_id);
        Ok(())
    }

    /// Of one whom it knows, a peer may be told alone.
    fn learns(&mut self, conn: ConnId, me: PeerId, other: PeerId) {
        let is_new = self.known.entry(conn).or_default().insert(other);
        if is_new && !self.half.remove(&(other, me)) {
            self.half.insert((me, other));
        }
    }

    fn disconnected(&mut self, scene: Scene<'_>, conn: ConnId, me: PeerId, frame: &Frame<'_>) -> Verdict {
        let Some(other) = frame.peer() else { return Err(format!("{me} was told that nobody left")) };
        let knew = self.known.get_mut(&conn).is_some_and(|known| known.remove(other.id()));
        demand!(knew, "{me} was told that {other} left, whom it did not know, or not any more");
        let mine = scene.ledger.parties.get(&conn).and_then(|party| party.network);
        let here = mine.and_then(|network| scene.ledger.networks.get(&network));
        let here = here.is_some_and(|network| network.members.contains(other.id()));
        demand!(!here, "{me} was told that {other} left, who is still here");
        Ok(())
    }
}

impl Law for Acquaintance {
    fn name(&self) -> &'static str {
        "acquaintance"
    }

    fn sent(&mut self, scene: Scene<'_>, conn: ConnId, frame: &Frame<'_>) -> Verdict {
        let Some(me) = scene.ledger.peer_at(conn) else { return Ok(()) };
        match frame.kind.as_ref() {
            "peer-discovered" => self.discovered(scene, conn, me, frame),
            "peer-disconnected" => self.disconnected(scene, conn, me, frame),
            _ => Ok(()),
        }
    }

    fn event(&mut self, scene: Scene<'_>, event: Event) -> Verdict {
        if let Event::Introduced { newcomer, other, .. } = event {
            for (me, other) in [(newcomer, other), (other, newcomer)] {
                let Some((conn, _)) = scene.ledger.party_of(me).filter(|(conn, _)| is_virtual(*conn)) else {
                    continue;
                };
                self.learns(conn, me, other);
            }
        }
        if let Event::Left { peer, .. } = event {
            for (_, known) in self.known.iter_mut().filter(|(conn, _)| is_virtual(**conn)) {
                known.remove(&peer);
            }
            // Whoever leaves a network knows nobody there any more; those who knew it must be told by the end.
            if let Some((conn, _)) = scene.ledger.party_of(peer) {
                let known = self.known.remove(&conn).unwrap_or_default();
                let parties = known.iter().filter_map(|other| scene.ledger.by_peer.get(other));
                self.touched.extend(parties);
            }
        }
        Ok(())
    }

    fn rest(&mut self, scene: Scene<'_>, rest: &Rest) -> Verdict {
        demand!(self.half.is_empty(), "introductions that are not mutual: {:?}", self.half);
        for conn in core::mem::take(&mut self.touched) {
            let Some(known) = self.known.get(&conn) else { continue };
            let network = scene.ledger.parties.get(&conn).and_then(|party| party.network);
            let members = network.and_then(|network| scene.ledger.networks.get(&network));
            let gone =
                known.iter().find(|peer| !members.is_some_and(|network| network.members.contains(*peer)));
            demand!(gone.is_none(), "{conn:?} was not told that {gone:?} left");
        }
        if !rest.thorough {
            return Ok(());
        }
        let pairs: usize = self.known.values().map(BTreeSet::len).sum();
        demand!(
            pairs == 2 * rest.census.acquaintances,
            "the census says {} acquaintances, the peers know of {pairs} halves",
            rest.census.acquaintances
        );
        Ok(())
    }
}
