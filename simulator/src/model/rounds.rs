//! Rounds of introductions: who is introduced to whom, when, and what they know of each other then.

use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_core::{ConnId, Limits, NetworkId, Occasion, PeerId, Signal, Time};

use super::choice::{choice, is_one_piece};
use super::links::Links;
use crate::laws::{Scene, Verdict, demand};

/// Announced peers, and the round that goes on.
#[derive(Debug)]
pub(super) struct Rounds {
    limits: Limits,
    every: u64,
    rounds: u64,
    peers: BTreeMap<PeerId, Member>,
    round: Option<Round>,
    /// Peers that have just lost somebody.
    bereaved: BTreeSet<PeerId>,
    /// When the last one left each network.
    shrunk: BTreeMap<NetworkId, Time>,
    links: Links,
    /// Who is to be introduced to the next free peer now.
    looking: BTreeSet<PeerId>,
}

#[derive(Debug)]
struct Member {
    network: NetworkId,
    /// How many introductions it gets.
    k: usize,
    acquaintances: BTreeSet<PeerId>,
    /// When it was told of each of them.
    told: BTreeMap<PeerId, Time>,
}

#[derive(Debug)]
struct Round {
    newcomer: PeerId,
    occasion: Occasion,
    /// Whom it may still be introduced to, and whether it must; `None` where this round is not looked at.
    open: Option<BTreeMap<PeerId, bool>>,
}

impl Rounds {
    /// The slow choice is made in every `every`th round.
    pub(super) fn new(limits: Limits, every: u64) -> Rounds {
        let (peers, bereaved) = (BTreeMap::new(), BTreeSet::new());
        let (links, looking) = (Links::default(), BTreeSet::new());
        let shrunk = BTreeMap::new();
        Rounds { limits, every, rounds: 0, peers, round: None, bereaved, shrunk, links, looking }
    }

    /// A peer announced itself: its round begins. Called before the ledger counts it in.
    pub(super) fn announced(
        &mut self,
        scene: Scene<'_>,
        (peer, conn): (PeerId, ConnId),
        network: NetworkId,
        links: usize,
    ) {
        let k = links.max(self.limits.introductions.into());
        self.links.announced(peer, conn, links);
        let fresh = || Member { network, k, acquaintances: BTreeSet::new(), told: BTreeMap::new() };
        let member = self.peers.entry(peer).or_insert_with(fresh);
        (member.network, member.k) = (network, k);
        self.begin(scene, peer, Occasion::Announce);
    }

    fn begin(&mut self, scene: Scene<'_>, newcomer: PeerId, occasion: Occasion) {
        self.rounds += 1;
        if !self.rounds.is_multiple_of(self.every) {
            self.round = Some(Round { newcomer, occasion, open: None });
            return;
        }
        let mut open = self.chosen(scene, newcomer);
        if occasion == Occasion::Free {
            open = self.next_free(scene, newcomer).into_iter().collect();
        }
        let known = self.peers.get(&newcomer).map(|member| &member.acquaintances);
        // Again it is told of a part of those whom it knows.
        let must = |other: &PeerId| {
            !matches!(occasion, Occasion::Healing | Occasion::Again)
                || !known.is_some_and(|known| known.contains(other))
        };
        let open = open.into_iter().map(|other| (other, must(&other))).collect();
        self.round = Some(Round { newcomer, occasion, open: Some(open) });
    }

    /// The slow choice for a peer, as everything is now.
    fn chosen(&self, scene: Scene<'_>, peer: PeerId) -> BTreeSet<PeerId> {
        let Some(member) = self.peers.get(&peer) else { return BTreeSet::new() };
        let room = |other: &PeerId| {
            let known = self.peers.get(other).map_or(0, |member| member.acquaintances.len());
            member.acquaintances.contains(other) || known < self.limits.acquaintances as usize
        };
        let network = scene.ledger.networks.get(&member.network);
        let candidates = network.into_iter().flat_map(|network| &network.members).copied().filter(room);
        choice(peer, candidates, member.k)
    }

    /// The members of the network of an announced peer, itself included.
    fn network_of<'a>(&self, scene: Scene<'a>, peer: PeerId) -> Option<&'a BTreeSet<PeerId>> {
        let member = self.peers.get(&peer)?;
        scene.ledger.networks.get(&member.network).map(|network| &network.members)
    }

    fn next_free(&self, scene: Scene<'_>, me: PeerId) -> Option<PeerId> {
        let knows = |one: PeerId| self.peers.get(&one).map(|member| &member.acquaintances);
        let has_place =
            |one: PeerId| knows(one).is_some_and(|known| known.len() < self.limits.acquaintances as usize);
        let known = |other: PeerId| knows(me).is_some_and(|known| known.contains(&other));
        let is_possible = |other: PeerId| known(other) || (has_place(me) && has_place(other));
        self.links.next_free(me, self.network_of(scene, me)?, is_possible)
    }

    /// A signal went from one peer to another.
    pub(super) fn relayed(&mut self, from: PeerId, to: PeerId, signal: Signal) {
        self.links.relayed(from, to, signal);
        if signal == Signal::ConnectionRejected {
            self.looking.insert(to);
        }
    }

    pub(super) fn introduced(
        &mut self,
        scene: Scene<'_>,
        newcomer: PeerId,
        other: PeerId,
        occasion: Occasion,
    ) -> Verdict {
        self.is_told(scene, newcomer, other, occasion)?;
        for (me, other) in [(newcomer, other), (other, newcomer)] {
            let Some(member) = self.peers.get_mut(&me) else { continue };
            member.told.insert(other, scene.now);
            let is_new = member.acquaintances.insert(other);
            demand!(
                is_new || occasion != Occasion::Again,
                "{me} knew {other}, to whom it was introduced again"
            );
        }
        Ok(())
    }

    /// A peer was told again of one whom it knows.
    pub(super) fn reminded(&mut self, scene: Scene<'_>, peer: PeerId, of: PeerId) -> Verdict {
        self.is_told(scene, peer, of, Occasion::Again)?;
        let known = self.peers.get_mut(&peer).filter(|member| member.acquaintances.contains(&of));
        let Some(member) = known else {
            return Err(format!("{peer} was reminded of {of}, whom it does not know"));
        };
        member.told.insert(of, scene.now);
        Ok(())
    }

    /// The round of `newcomer` goes on, or begins.
    fn is_told(&mut self, scene: Scene<'_>, newcomer: PeerId, other: PeerId, occasion: Occasion) -> Verdict {
        let goes_on = |round: &Round| round.newcomer == newcomer && round.occasion == occasion;
        if !self.round.as_ref().is_some_and(goes_on) {
            self.round_ends()?;
            demand!(
                occasion != Occasion::Announce,
                "{newcomer} was introduced without having announced itself"
            );
            let looked = occasion != Occasion::Free || self.looking.remove(&newcomer);
            demand!(looked, "{newcomer} was introduced for being free, for which there is no reason");
            self.begin(scene, newcomer, occasion);
            let is_allowed = occasion != Occasion::Again || self.limits.reintroduce_interval_ms > 0;
            demand!(is_allowed, "{newcomer} was introduced again, which is switched off");
        }
        let Some(open) = self.round.as_mut().and_then(|round| round.open.as_mut()) else { return Ok(()) };
        demand!(
            open.remove(&other).is_some(),
            "{newcomer} was introduced to {other} ({occasion:?}), who is not its choice, or is so twice"
        );
        Ok(())
    }

    /// Nothing more belongs to the round: everybody that must have been introduced has been.
    pub(super) fn round_ends(&mut self) -> Verdict {
        let Some(round) = self.round.take() else { return Ok(()) };
        let missing = round.open.iter().flatten().find(|(_, must)| **must);
        demand!(
            missing.is_none(),
            "{} was not introduced to {:?} ({:?})",
            round.newcomer,
            missing.map(|(peer, _)| peer),
            round.occasion
        );
        Ok(())
    }

    pub(super) fn acquaintances(&self, peer: PeerId) -> BTreeSet<PeerId> {
        self.peers.get(&peer).map(|member| member.acquaintances.clone()).unwrap_or_default()
    }

    /// A peer left its network; returns those who knew it.
    pub(super) fn left(&mut self, now: Time, peer: PeerId) -> BTreeSet<PeerId> {
        let Some(Member { acquaintances: known, network, .. }) = self.peers.remove(&peer) else {
            return BTreeSet::new();
        };
        self.shrunk.insert(network, now);
        for other in &known {
            if let Some(member) = self.peers.get_mut(other) {
                member.acquaintances.remove(&peer);
                member.told.remove(&peer);
            }
        }
        self.looking.remove(&peer);
        self.looking.extend(self.links.left(peer));
        self.bereaved.remove(&peer);
        self.bereaved.extend(&known);
        known
    }

    /// Whoever has been left with fewer than half of its introductions knows its choice again.
    pub(super) fn healed(&mut self, scene: Scene<'_>) -> Verdict {
        for peer in core::mem::take(&mut self.bereaved) {
            let Some(member) = self.peers.get(&peer) else { continue };
            let enough = 2 * member.acquaintances.len() >= member.k;
            if enough || scene.ledger.draining.is_some() || self.every > 1 {
                continue;
            }
            let mut missing = self.chosen(scene, peer);
            missing.retain(|other| !member.acquaintances.contains(other));
            demand!(missing.is_empty(), "{peer} lost more than half of its acquaintances and was not healed");
        }
        for peer in core::mem::take(&mut self.looking) {
            if self.peers.contains_key(&peer) && scene.ledger.draining.is_none() && self.every == 1 {
                let free = self.next_free(scene, peer);
                demand!(
                    free.is_none(),
                    "{peer} lost a link, or was turned away, and was not introduced to {free:?}"
                );
            }
        }
        Ok(())
    }

    /// Clients forget after 5 minutes whom they never dialled: where everybody is its choice, a peer must be told of each of
    /// them more often.
    pub(super) fn in_time(&self, scene: Scene<'_>) -> Verdict {
        let interval = self.limits.reintroduce_interval_ms;
        for (peer, member) in &self.peers {
            let network = scene.ledger.networks.get(&member.network);
            // Whom else it is told of, its choice says.
            if network.is_none_or(|network| network.members.len() > member.k + 1) {
                continue;
            }
            let since = self.shrunk.get(&member.network).copied().unwrap_or_default().max(scene.ledger.late);
            for (other, told) in &member.told {
                let waited = scene.now.since(since.max(*told));
                let late = interval > 0 && waited > interval + interval / 4;
                demand!(!late, "{peer} was told of {other} {waited} ms ago for the last time");
            }
        }
        Ok(())
    }

    /// Once calm, everybody knows at least its choice and was told of it within the interval, and each network is one piece wherever its choices make it so.
    pub(super) fn calm(&mut self, scene: Scene<'_>) -> Verdict {
        let interval = self.limits.reintroduce_interval_ms;
        if interval == 0 {
            return Ok(());
        }
        let every = usize::try_from(self.every).unwrap_or(usize::MAX);
        for (peer, member) in self.peers.iter().step_by(every) {
            for other in self.chosen(scene, *peer) {
                let Some(told) = member.told.get(&other) else {
                    return Err(format!("{peer} does not know {other}, who is its choice"));
                };
                let waited = scene.now.since((*told).max(scene.ledger.late));
                let late = waited > interval + interval / 4;
                demand!(!late, "{peer} was told {waited} ms ago of {other}, who is its choice");
            }
        }
        for network in scene.ledger.networks.values() {
            let small = network.members.len() <= 1_000;
            let wide = network.members.iter().all(|peer| self.peers.get(peer).is_some_and(|one| one.k >= 16));
            let known = |peer: PeerId| -> Vec<PeerId> {
                self.peers
                    .get(&peer)
                    .map(|one| one.acquaintances.iter().copied().collect())
                    .unwrap_or_default()
            };
            let whole = is_one_piece(&network.members, known);
            demand!(!small || !wide || whole, "the peers of `{}` are not one piece", network.name);
        }
        Ok(())
    }
}
