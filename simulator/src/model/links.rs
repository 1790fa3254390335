//! Who is linked to whom and who has room, as far as signals and time tell it, slow and obvious.

use std::collections::{BTreeMap, BTreeSet};

use peerpigeon_core::{PeerId, Signal, Spelling, Time};

/// The pages of announced peers of all networks, and what there is between them.
#[derive(Debug, Default)]
pub(super) struct Links {
    pages: BTreeMap<PeerId, Page>,
    /// Each twice, once from either end.
    ties: BTreeMap<(PeerId, PeerId), Tie>,
    /// Those for which nobody waits any more since this very moment: deadlines of one moment come in any order.
    just_over: (Time, Vec<(PeerId, PeerId)>),
}

#[derive(Debug)]
struct Page {
    spelling: Spelling,
    /// Its `maxPeers`.
    most: usize,
    /// Since when it is taken to be full, and why.
    full: Option<(Time, Why)>,
    /// Until when places are kept whose links have ended.
    ended: Vec<Time>,
    /// Whether it can be told exactly by now: too much at once is not followed.
    is_vague: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Said,
    Silent,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Tie {
    pub(super) stage: Stage,
    /// Of a link, since when; of the others, until when.
    at: Time,
}

impl Tie {
    pub(super) fn linked_since(self) -> Option<Time> {
        (self.stage == Stage::Linked).then_some(self.at)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Introduced,
    Offered(PeerId),
    Linked,
}

/// Who has fewer links gets the places that are kept.
const FEW_LINKS: usize = 3;

impl Links {
    pub(super) fn announced(&mut self, spelling: Spelling, most: usize) {
        let fresh = || Page { spelling, most, full: None, ended: Vec::new(), is_vague: false };
        let page = self.pages.entry(*spelling.id()).or_insert_with(fresh);
        (page.most, page.full) = (most, None);
    }

    pub(super) fn is_here(&self, peer: PeerId) -> bool {
        self.pages.contains_key(&peer)
    }

    /// A peer leaves; its links are noticed to have ended by `until`, those that have not come yet at `soon`.
    pub(super) fn left(&mut self, peer: PeerId, until: Time, soon: Time) {
        for other in self.tied_to(peer) {
            let tie = self.untie(peer, other);
            let until = if tie.is_some_and(|tie| tie.stage == Stage::Introduced) { soon } else { until };
            if let Some(page) = self.pages.get_mut(&other) {
                page.full = None;
                page.ended.push(until);
            }
        }
        let just_over = self.just_over.1.iter().filter(|(one, two)| [*one, *two].contains(&peer));
        for other in just_over.map(|(one, two)| if *one == peer { *two } else { *one }).collect::<Vec<_>>() {
            self.set_full(other, None);
            self.be_vague(other);
        }
        self.pages.remove(&peer);
    }

    /// What was waited for until now is over. Who was to dial and did not is full.
    pub(super) fn pass(&mut self, now: Time) {
        let over = |(_, tie): &(&(PeerId, PeerId), &Tie)| tie.stage != Stage::Linked && tie.at <= now;
        let over: Vec<_> = self.ties.iter().filter(over).map(|(pair, tie)| (*pair, tie.stage)).collect();
        if self.just_over.0 != now {
            self.just_over = (now, Vec::new());
        }
        for ((one, two), stage) in over.into_iter().filter(|((one, two), _)| one < two) {
            self.untie(one, two);
            self.just_over.1.push((one, two));
            let silent = if self.dials(one, two) { one } else { two };
            if let Some(page) = self.pages.get_mut(&silent).filter(|_| stage == Stage::Introduced) {
                page.full.get_or_insert((now, Why::Silent));
            }
        }
        for page in self.pages.values_mut() {
            page.ended.retain(|until| *until > now);
        }
    }

    /// Two were introduced so that they link.
    pub(super) fn introduced(&mut self, one: PeerId, two: PeerId, until: Time) {
        self.tie(one, two, Tie { stage: Stage::Introduced, at: until });
    }

    /// An offer or an answer went from one peer to another. `until`: when an offer is given up; `noticed`: when an evicted page
    /// has noticed.
    pub(super) fn relayed(
        &mut self,
        from: PeerId,
        to: PeerId,
        signal: Signal,
        now: Time,
        until: Time,
        noticed: Time,
    ) {
        match signal {
            Signal::Offer => {
                let page_is_full = self.is_here(from) && self.taken(from, to) >= self.most(from);
                self.set_full(from, None);
                if page_is_full {
                    match self.pages.get_mut(&from).and_then(|page| page.ended.pop()) {
                        // Which of them does not matter, but when it would have ended does.
                        Some(_) => self.be_vague(from),
                        None => self.lose_farthest(from, to, noticed),
                    }
                }
                let out_of_turn = self.dials(to, from);
                match self.between(from, to).map(|tie| tie.stage) {
                    Some(Stage::Offered(by)) if by == from => {}
                    Some(Stage::Introduced | Stage::Offered(_)) if out_of_turn => {}
                    _ => self.tie(from, to, Tie { stage: Stage::Offered(from), at: until }),
                }
            }
            Signal::Answer => {
                self.tie(from, to, Tie { stage: Stage::Linked, at: now });
                for (page, other) in [(from, to), (to, from)] {
                    if self.is_here(page) && self.taken(page, other) >= self.most(page) {
                        self.lose_farthest(page, other, noticed);
                    }
                }
            }
            Signal::ConnectionRejected
            | Signal::IceCandidate
            | Signal::RenegotiationOffer
            | Signal::RenegotiationAnswer
            | Signal::IceRestartOffer
            | Signal::IceRestartAnswer
            | Signal::RecoveryOffer => {}
        }
    }

    /// One turned the other away for being full.
    pub(super) fn turned_away(&mut self, by: PeerId, who: PeerId, now: Time) {
        self.untie(by, who);
        self.set_full(by, Some((now, Why::Said)));
        self.set_full(who, None);
    }

    pub(super) fn may_have_room(&mut self, peer: PeerId) {
        self.set_full(peer, None);
    }

    /// There is nothing between the two any more; returns what there was.
    pub(super) fn untie(&mut self, one: PeerId, two: PeerId) -> Option<Tie> {
        self.ties.remove(&(one, two));
        self.ties.remove(&(two, one))
    }

    pub(super) fn between(&self, one: PeerId, two: PeerId) -> Option<Tie> {
        self.ties.get(&(one, two)).copied()
    }

    /// Whether a refusal by `from`, out of turn, crosses with its own offer, or has just crossed; `None` where both are right.
    pub(super) fn crosses(&self, from: PeerId, to: PeerId, now: Time, within_ms: u64) -> bool {
        self.between(from, to).is_some_and(|tie| match tie.stage {
            Stage::Offered(by) => by == from,
            Stage::Linked => now.since(tie.at) < within_ms,
            Stage::Introduced => false,
        })
    }

    /// Whether `one` is to dial `two`.
    pub(super) fn dials(&self, one: PeerId, two: PeerId) -> bool {
        let digits = |peer| self.pages.get(&peer).map(|page| page.spelling.to_string());
        digits(one) > digits(two)
    }

    /// Whether nobody can say of the page exactly what it has.
    pub(super) fn is_vague(&self, peer: PeerId) -> bool {
        self.pages.get(&peer).is_none_or(|page| page.is_vague)
    }

    /// Whether a page certainly has said or shown that it is full, and has not been left alone for `patience_ms` since.
    pub(super) fn is_full(&self, peer: PeerId, now: Time, patience_ms: u64) -> bool {
        let full = self.pages.get(&peer).and_then(|page| page.full);
        full.is_some_and(|(since, why)| {
            // Who was found to be silent in this moment may have been looked at before.
            let is_certain = why == Why::Said || since < now;
            is_certain && now.since(since) < patience_ms
        })
    }

    /// Places that are not taken, where it is not full.
    pub(super) fn room(&self, peer: PeerId) -> usize {
        self.most(peer).saturating_sub(self.taken_or_promised(peer))
    }

    /// Places that links have, or will have, or had until a moment ago.
    fn taken_or_promised(&self, peer: PeerId) -> usize {
        self.tied_to(peer).len() + self.pages.get(&peer).map_or(0, |page| page.ended.len())
    }

    /// Whether one of the places that are not taken is for `other`: one in seven is only for those with fewer than three links.
    pub(super) fn has_room_for(&self, peer: PeerId, other: PeerId) -> bool {
        let kept = if self.taken_or_promised(other) < FEW_LINKS { 0 } else { self.most(peer) / 7 };
        self.room(peer) > kept
    }

    pub(super) fn most(&self, peer: PeerId) -> usize {
        self.pages.get(&peer).map_or(0, |page| page.most)
    }

    /// Whether a full page would give up its farthest link for `dialler`.
    pub(super) fn would_evict(&self, page: PeerId, dialler: PeerId) -> bool {
        let farthest = self.tied_to(page).iter().map(|other| page.distance(other)).max();
        self.dials(dialler, page) && farthest > Some(page.distance(&dialler))
    }

    /// Those who are tied to both.
    pub(super) fn shared(&self, one: PeerId, two: PeerId) -> usize {
        self.tied_to(one).intersection(&self.tied_to(two)).count()
    }

    fn tied_to(&self, peer: PeerId) -> BTreeSet<PeerId> {
        let ties = self.ties.range((peer, PeerId([0; 20]))..=(peer, PeerId([u8::MAX; 20])));
        ties.map(|((_, other), _)| *other).collect()
    }

    /// Places that a page has given away itself, to others than `but`.
    fn taken(&self, page: PeerId, but: PeerId) -> usize {
        let tied = self.tied_to(page).into_iter().filter(|other| *other != but);
        let takes =
            |other: &PeerId| self.between(page, *other).is_some_and(|tie| tie.stage != Stage::Introduced);
        tied.filter(takes).count()
    }

    fn lose_farthest(&mut self, page: PeerId, but: PeerId, noticed: Time) {
        let takes =
            |other: &PeerId| self.between(page, *other).is_some_and(|tie| tie.stage != Stage::Introduced);
        let others = self.tied_to(page).into_iter().filter(|other| *other != but && takes(other));
        let Some(farthest) = others.max_by_key(|other| page.distance(other)) else { return };
        self.untie(page, farthest);
        if let Some(evicted) = self.pages.get_mut(&farthest) {
            evicted.ended.push(noticed);
            evicted.full = None;
        }
    }

    fn tie(&mut self, one: PeerId, two: PeerId, tie: Tie) {
        let crowded = |links: &Links, page: PeerId| {
            let ended = links.pages.get(&page).map_or(0, |page| page.ended.len());
            links.tied_to(page).len() + ended >= links.most(page) + 6
        };
        if !self.is_here(one) || !self.is_here(two) {
            return;
        }
        let known = self.between(one, two).is_some();
        if !known && (crowded(self, one) || crowded(self, two)) {
            self.be_vague(one);
            self.be_vague(two);
            return;
        }
        self.ties.insert((one, two), tie);
        self.ties.insert((two, one), tie);
    }

    fn set_full(&mut self, peer: PeerId, full: Option<(Time, Why)>) {
        if let Some(page) = self.pages.get_mut(&peer) {
            page.full = full;
        }
    }

    fn be_vague(&mut self, peer: PeerId) {
        if let Some(page) = self.pages.get_mut(&peer) {
            page.is_vague = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(peers: &[u8], most: usize) -> Links {
        let mut links = Links::default();
        for &number in peers {
            links.announced(Spelling::parse(&peer(number).to_string()).unwrap(), most);
        }
        links
    }

    fn peer(number: u8) -> PeerId {
        PeerId([number; 20])
    }

    fn relay(links: &mut Links, from: u8, to: u8, signal: Signal) {
        links.relayed(peer(from), peer(to), signal, Time(0), Time(10), Time(1));
    }

    #[test]
    fn a_full_page_that_answers_a_nearer_one_loses_its_farthest_link() {
        let mut links = links(&[1, 2, 0x80], 1);
        relay(&mut links, 0x80, 1, Signal::Offer);
        relay(&mut links, 1, 0x80, Signal::Answer);
        assert_eq!((links.room(peer(1)), links.room(peer(2))), (0, 1));
        assert!(links.would_evict(peer(1), peer(2)));
        relay(&mut links, 2, 1, Signal::Offer);
        relay(&mut links, 1, 2, Signal::Answer);
        assert!(links.between(peer(1), peer(0x80)).is_none());
        assert_eq!(links.room(peer(0x80)), 0, "its page has not noticed yet");
        links.pass(Time(1));
        assert_eq!(links.room(peer(0x80)), 1);
    }

    #[test]
    fn the_last_of_seven_places_is_only_for_who_has_few_links() {
        let mut links = links(&(1..14).collect::<Vec<_>>(), 7);
        for other in 2..8 {
            relay(&mut links, other, 1, Signal::Answer);
        }
        assert!(links.has_room_for(peer(1), peer(9)));
        for other in 10..13 {
            assert!(links.has_room_for(peer(1), peer(9)), "{other}");
            relay(&mut links, other, 9, Signal::Answer);
        }
        assert_eq!((links.room(peer(1)), links.has_room_for(peer(1), peer(9))), (1, false));
    }

    #[test]
    fn who_was_to_dial_and_did_not_is_full() {
        let mut links = links(&[1, 2], 1);
        links.introduced(peer(1), peer(2), Time(6));
        links.pass(Time(6));
        assert!(!links.is_full(peer(2), Time(6), 100) && links.is_full(peer(2), Time(7), 100));
        assert_eq!(links.room(peer(1)), 1);
        relay(&mut links, 2, 1, Signal::Offer);
        assert!(!links.is_full(peer(2), Time(7), 100));
    }
}
