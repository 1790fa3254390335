//! Who may be introduced to whom, and who must be in the end, by the protocol: slow and obvious.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use peerpigeon_core::{CloseReason, Departure, Limits, NetworkId, Occasion, PeerId, Signal, Spelling, Time};

use super::links::{Links, Stage};
use crate::laws::{Scene, Verdict, demand};

/// Announced peers, what they know, and their links.
#[derive(Debug)]
pub(super) struct Introductions {
    limits: Limits,
    peers: BTreeMap<PeerId, Member>,
    links: Links,
    /// When somebody came to each network or left it last.
    changed: BTreeMap<NetworkId, Time>,
}

#[derive(Debug)]
struct Member {
    network: NetworkId,
    /// Until when its page has each acquaintance on its list; `None` where it was told to forget it.
    acquaintances: BTreeMap<PeerId, Option<Time>>,
    /// Those with whom it has given up.
    hopeless: BTreeSet<PeerId>,
    /// Since when it has had room and was introduced to nobody; `None` where it has no room.
    waiting: Option<Time>,
}

/// A page has somebody on its list for so long after the second in which it heard of it.
const LISTED_MS: u64 = 331_000;

/// How long the steps of a link are waited for.
const OFFER_MS: u64 = 6_000;
const ANSWER_MS: u64 = 10_000;
const CLOSED_MS: u64 = 500;
const VANISHED_MS: u64 = 12_000;
const CROSSING_MS: u64 = 5_000;

/// Who dials again so long after an answer cannot be linked.
const FAILED_MS: RangeInclusive<u64> = 10_000..=32_000;

const FEW_ACQUAINTANCES: usize = 4;

impl Introductions {
    pub(super) fn new(limits: Limits) -> Introductions {
        let (peers, links, changed) = (BTreeMap::new(), Links::default(), BTreeMap::new());
        Introductions { limits, peers, links, changed }
    }

    /// Time has come so far: called before an input is handled.
    pub(super) fn pass(&mut self, now: Time) {
        self.links.pass(now);
        for (peer, member) in &mut self.peers {
            if self.links.room(*peer) == 0 || self.links.is_full(*peer, now, u64::MAX) {
                member.waiting = None;
            } else {
                member.waiting.get_or_insert(now);
            }
        }
    }

    /// A peer announced itself with this `maxPeers`.
    pub(super) fn announced(&mut self, now: Time, peer: Spelling, network: NetworkId, most: usize) {
        self.changed.insert(network, now);
        self.links.announced(peer, most);
        let fresh =
            || Member { network, acquaintances: BTreeMap::new(), hopeless: BTreeSet::new(), waiting: None };
        self.peers.entry(*peer.id()).or_insert_with(fresh).network = network;
    }

    /// A peer does not read all it is sent at once: it may be introduced later.
    pub(super) fn behind(&mut self, now: Time, peer: PeerId) {
        if let Some(member) = self.peers.get(&peer) {
            self.changed.insert(member.network, now);
        }
    }

    pub(super) fn introduced(
        &mut self,
        scene: Scene<'_>,
        (newcomer, other): (PeerId, PeerId),
        occasion: Occasion,
        announcing: bool,
    ) -> Verdict {
        let now = scene.now;
        let knew = self.knows(newcomer, other);
        demand!(scene.ledger.draining.is_none(), "{newcomer} was introduced during a shutdown");
        match occasion {
            Occasion::Announce => {
                demand!(announcing, "{newcomer} was introduced without having announced itself");
            }
            Occasion::Healing => {
                let alone = self.acquaintances(newcomer).len() < FEW_ACQUAINTANCES;
                let allowed = alone || self.is_of_a_few(scene, newcomer);
                demand!(allowed && !knew, "{newcomer} was introduced for no reason");
            }
            Occasion::Again => {
                demand!(knew, "{newcomer} did not know {other}, to whom it was introduced again")
            }
            Occasion::Free => demand!(!knew, "{newcomer} knew {other}"),
        }
        let told_all = match occasion {
            Occasion::Announce => knew,
            Occasion::Healing => true,
            Occasion::Again | Occasion::Free => false,
        };
        let linkable = self.could_link(scene, newcomer, other, now);
        if !told_all {
            linkable
                .as_ref()
                .map_err(|why| format!("{newcomer} was introduced to {other} ({occasion:?}): {why}"))?;
        }
        for (me, of) in [(newcomer, other), (other, newcomer)] {
            let places = self.limits.acquaintances as usize;
            let Some(member) = self.peers.get_mut(&me) else { continue };
            member.waiting = None;
            if member.acquaintances.get(&of).copied().flatten().is_none_or(|until| until <= now) {
                let until = Time((now.0 / 1_000 + 1) * 1_000 + LISTED_MS);
                member.acquaintances.insert(of, Some(until));
            }
            demand!(member.acquaintances.len() <= places, "{me} has too many acquaintances");
        }
        if !told_all {
            self.links.introduced(newcomer, other, now + OFFER_MS);
        }
        Ok(())
    }

    /// Whether a link between the two can come of an introduction.
    fn could_link(&self, scene: Scene<'_>, newcomer: PeerId, other: PeerId, now: Time) -> Verdict {
        let tie = self.links.between(newcomer, other);
        demand!(tie.is_none_or(|tie| tie.stage == Stage::Introduced), "they are linked, or will be: {tie:?}");
        let dialler = if self.links.dials(newcomer, other) { newcomer } else { other };
        let listener = if dialler == newcomer { other } else { newcomer };
        demand!(self.would_hear(dialler, listener, now), "{dialler} is to dial and does not listen");
        let patience = self.limits.reintroduce_interval_ms.saturating_mul(98) / 100;
        for peer in [newcomer, other] {
            demand!(!self.links.is_full(peer, now, patience), "{peer} is full");
        }
        let hopeless = self.peers.get(&newcomer).is_some_and(|member| member.hopeless.contains(&other));
        demand!(!hopeless, "they have given up");
        let vague = self.links.is_vague(newcomer) || self.links.is_vague(other);
        let most = self.links.most(newcomer).max(self.links.most(other));
        let closed = most > 1 && self.links.shared(newcomer, other) + 1 >= most;
        let island = closed && self.have_a_choice(scene, newcomer, other);
        demand!(vague || !island, "{newcomer} and {other} would be an island with those whom they know");
        let splits = self.links.would_evict(other, newcomer);
        demand!(vague || self.links.has_room_for(newcomer, other), "{newcomer} has no room");
        demand!(vague || self.links.has_room_for(other, newcomer) || splits, "{other} has no room");
        Ok(())
    }

    /// Whether there are more peers than either of the two can be linked to.
    fn have_a_choice(&self, scene: Scene<'_>, newcomer: PeerId, other: PeerId) -> bool {
        let most = self.links.most(newcomer).max(self.links.most(other));
        let crowd = self.peers.get(&newcomer).and_then(|member| scene.ledger.networks.get(&member.network));
        // A newcomer is counted in later.
        let others = crowd.map_or(0, |crowd| crowd.members.iter().filter(|peer| **peer != newcomer).count());
        others > most
    }

    /// Whether no link came of the last answer between the two, if one of them dials now; `None` where nobody can say.
    pub(super) fn has_failed(&self, scene: Scene<'_>, from: PeerId, to: PeerId) -> Option<bool> {
        if self.links.is_vague(from) || self.links.is_vague(to) {
            return None;
        }
        let since = self.links.between(from, to).and_then(|tie| tie.linked_since());
        let again = since.is_some_and(|since| FAILED_MS.contains(&scene.now.since(since)));
        Some(again && self.have_a_choice(scene, from, to))
    }

    /// The two are not linked, will not be, and look for others.
    pub(super) fn give_up(&mut self, one: PeerId, two: PeerId) {
        self.links.untie(one, two);
        for (me, of) in [(one, two), (two, one)] {
            self.links.may_have_room(me);
            if let Some(member) = self.peers.get_mut(&me) {
                member.hopeless.insert(of);
            }
        }
        if let Some(heard) = self.peers.get_mut(&one).and_then(|member| member.acquaintances.get_mut(&two)) {
            *heard = None;
        }
    }

    fn knows(&self, one: PeerId, two: PeerId) -> bool {
        self.peers.get(&one).is_some_and(|member| member.acquaintances.contains_key(&two))
    }

    fn would_hear(&self, one: PeerId, of: PeerId, now: Time) -> bool {
        let listed = self.peers.get(&one).and_then(|member| member.acquaintances.get(&of).copied().flatten());
        listed.is_none_or(|until| until <= now)
    }

    /// Whether everybody is to know everybody in the network of this peer.
    fn is_of_a_few(&self, scene: Scene<'_>, peer: PeerId) -> bool {
        let most = self.links.most(peer).min(self.limits.introductions.into());
        let network = self.peers.get(&peer).and_then(|member| scene.ledger.networks.get(&member.network));
        // A newcomer is told of before it is counted in.
        network.is_some_and(|network| network.members.iter().filter(|other| **other != peer).count() <= most)
    }

    /// A peer was told to forget another, which refused its offer. `out_of_turn`: of the two that are told so, this is the
    /// one that is to dial.
    pub(super) fn struck(&mut self, peer: PeerId, of: PeerId, by_full: bool, now: Time) {
        if let Some(heard) = self.peers.get_mut(&peer).and_then(|member| member.acquaintances.get_mut(&of)) {
            *heard = None;
        }
        if by_full {
            self.links.turned_away(of, peer, now);
        } else if self.links.between(peer, of).is_none_or(|tie| tie.stage != Stage::Introduced) {
            self.links.untie(peer, of);
        }
    }

    /// Whether a refusal out of turn must not be relayed.
    pub(super) fn crosses(&self, from: PeerId, to: PeerId, now: Time) -> bool {
        self.links.crosses(from, to, now, CROSSING_MS)
    }

    /// Whether both are announced.
    pub(super) fn are_here(&self, one: PeerId, two: PeerId) -> bool {
        self.links.is_here(one) && self.links.is_here(two)
    }

    /// An offer or an answer went from one peer to another.
    pub(super) fn relayed(&mut self, from: PeerId, to: PeerId, signal: Signal, now: Time) {
        self.links.relayed(from, to, signal, now, now + ANSWER_MS, now + CLOSED_MS);
    }

    pub(super) fn acquaintances(&self, peer: PeerId) -> BTreeSet<PeerId> {
        self.peers.get(&peer).map(|member| member.acquaintances.keys().copied().collect()).unwrap_or_default()
    }

    /// A peer left its network; returns those who knew it.
    pub(super) fn left(&mut self, now: Time, peer: PeerId, cause: Departure) -> BTreeSet<PeerId> {
        let Some(Member { acquaintances, network, .. }) = self.peers.remove(&peer) else {
            return BTreeSet::new();
        };
        let noticed = match cause {
            Departure::Goodbye | Departure::Moved | Departure::Closed(CloseReason::InactiveTimeout) => {
                CLOSED_MS
            }
            Departure::Lost(_) | Departure::Closed(_) => VANISHED_MS,
        };
        self.links.left(peer, now + noticed, now + CLOSED_MS);
        self.changed.insert(network, now);
        let known: BTreeSet<PeerId> = acquaintances.into_keys().collect();
        for other in &known {
            if let Some(member) = self.peers.get_mut(other) {
                member.acquaintances.remove(&peer);
                member.hopeless.remove(&peer);
                // Whoever has lost most of those whom it knew looks for others, whatever it showed before.
                if 2 * member.acquaintances.len() < self.links.most(*other).min(FEW_ACQUAINTANCES) {
                    self.links.may_have_room(*other);
                }
            }
        }
        known
    }

    /// Nobody who could be linked to somebody waits for long; in a network of a few everybody knows everybody.
    pub(super) fn in_time(&self, scene: Scene<'_>) -> Verdict {
        let interval = self.limits.reintroduce_interval_ms;
        if interval == 0 || scene.ledger.draining.is_some() {
            return Ok(());
        }
        // Looked at again after the interval and what it is spread by; a late driver looks later.
        let patience = interval + interval / 50 + 2 * ANSWER_MS;
        let since = |time: Time| scene.now.since(time.max(scene.ledger.late));
        let waiting: Vec<(PeerId, NetworkId)> = self
            .peers
            .iter()
            .filter(|(peer, member)| {
                // Where somebody has just left, what was not possible has just become so.
                let changed = self.changed.get(&member.network).copied().unwrap_or_default();
                let waits = member.waiting.is_some_and(|time| since(time.max(changed)) > patience);
                waits && !self.links.is_vague(**peer)
            })
            .map(|(peer, member)| (*peer, member.network))
            .collect();
        let (known_for, then) = (patience, Time(scene.now.0.saturating_sub(patience)));
        for (place, (one, network)) in waiting.iter().enumerate() {
            for (two, _) in waiting[place + 1..].iter().filter(|(_, other)| other == network) {
                let has_place = |peer| {
                    let most = self.links.most(peer) + usize::from(self.limits.introductions);
                    self.knows(*one, *two)
                        || self.acquaintances(peer).len() < most.min(self.limits.acquaintances as usize)
                };
                let has_room = self.links.has_room_for(*one, *two) && self.links.has_room_for(*two, *one);
                let possible = has_room
                    && self.could_link(scene, *one, *two, then).is_ok()
                    && has_place(*one)
                    && has_place(*two);
                demand!(
                    !possible,
                    "{one} and {two} have had room for {known_for} ms and were not introduced to anybody"
                );
            }
        }
        for (peer, member) in &self.peers {
            let crowd = scene.ledger.networks.get(&member.network).map_or(0, |network| network.members.len());
            let alone = member.acquaintances.is_empty() && crowd > 1 + usize::from(self.limits.introductions);
            let full = crowd > self.limits.acquaintances as usize;
            let changed = self.changed.get(&member.network).copied().unwrap_or_default();
            demand!(!alone || full || since(changed) <= patience + VANISHED_MS, "{peer} knows nobody");
            if !self.is_of_a_few(scene, *peer) || since(changed) <= patience + VANISHED_MS {
                continue;
            }
            let places = self.limits.acquaintances as usize;
            let network = scene.ledger.networks.get(&member.network);
            let others = network.into_iter().flat_map(|network| &network.members);
            let missing = others.copied().find(|other| {
                let crowded = |peer| self.acquaintances(peer).len() >= places;
                *other != *peer
                    && !member.acquaintances.contains_key(other)
                    && !crowded(*other)
                    && !crowded(*peer)
            });
            demand!(missing.is_none(), "{peer} does not know {missing:?}, though they are few");
        }
        Ok(())
    }
}
