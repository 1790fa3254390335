//! The links of one page, as [`crate::page`] builds them, in as little memory as a hundred thousand pages ask for:
//! the larger id dials, a full page rejects, undialled peers are forgotten after five minutes, an offer or an
//! answer that nothing follows after thirty seconds.

use std::collections::VecDeque;

use peerpigeon_core::{Signal, Time};

use super::introducer::Number;

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) joined: Time,
    capacity: usize,
    /// Those with a smaller id, in the order in which they were heard of, and when.
    heard: VecDeque<(Number, Time)>,
    /// Those that are dialled, answered, or linked.
    engaged: Vec<Engaged>,
}

#[derive(Clone, Copy, Debug)]
struct Engaged {
    peer: Number,
    state: State,
    since: Time,
}

/// How far a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// An offer is out.
    Dialled,
    /// An answer is out.
    Answered,
    /// The link is up.
    Linked,
}

/// What the real client (observed) waits for a link that does not come.
pub(super) const GIVE_UP_MS: u64 = 30_000;

const FORGET_MS: u64 = 300_000;

/// Up to here it is looked for whether a peer is known already. Only where everybody is told of everybody are
/// there more, and then nobody is told twice.
const FEW: usize = 400;

impl Page {
    pub(super) fn new(joined: Time, capacity: u8) -> Page {
        Page { joined, capacity: capacity.into(), heard: VecDeque::new(), engaged: Vec::new() }
    }

    /// Those that there is a link to, as far as this page knows.
    pub(super) fn links(&self) -> impl Iterator<Item = Number> {
        self.engaged.iter().filter(|engaged| engaged.state == State::Linked).map(|engaged| engaged.peer)
    }

    /// Everybody that there is or may be a link to.
    pub(super) fn engaged(&self) -> impl Iterator<Item = Number> {
        self.engaged.iter().map(|engaged| engaged.peer)
    }

    pub(super) fn is_linked_to(&self, peer: Number) -> bool {
        self.links().any(|linked| linked == peer)
    }

    /// Heard of a peer with a smaller id: it is this page that dials.
    pub(super) fn hear_of(&mut self, now: Time, peer: Number) {
        while self.heard.front().is_some_and(|(_, since)| *since + FORGET_MS <= now) {
            self.heard.pop_front();
        }
        if self.engaged.iter().any(|engaged| engaged.peer == peer) {
            return;
        }
        if self.heard.len() <= FEW
            && let Some(place) = self.heard.iter().position(|(known, _)| *known == peer)
        {
            self.heard[place].1 = now;
        } else {
            self.heard.push_back((peer, now));
        }
    }

    /// Whom it dials next, if there is room for one more.
    pub(super) fn dial(&mut self, now: Time) -> Option<Number> {
        while self.engaged.len() < self.capacity {
            let (peer, since) = self.heard.pop_front()?;
            if since + FORGET_MS > now && !self.engaged.iter().any(|engaged| engaged.peer == peer) {
                self.engaged.push(Engaged { peer, state: State::Dialled, since: now });
                return Some(peer);
            }
        }
        None
    }

    /// A signal came; appends what is answered.
    pub(super) fn signal(&mut self, now: Time, from: Number, signal: Signal, answers: &mut Vec<Signal>) {
        let has_room = self.engaged.len() < self.capacity;
        match (signal, self.engaged.iter_mut().find(|engaged| engaged.peer == from)) {
            (Signal::Offer, Some(known)) => {
                (known.state, known.since) = (State::Answered, now);
                answers.push(Signal::Answer);
            }
            (Signal::Offer, None) if has_room => {
                self.engaged.push(Engaged { peer: from, state: State::Answered, since: now });
                self.heard.retain(|(known, _)| *known != from);
                answers.push(Signal::Answer);
            }
            (Signal::Offer, None) => answers.push(Signal::ConnectionRejected),
            (Signal::Answer, Some(known)) if known.state == State::Dialled => {
                known.state = State::Linked;
                answers.extend([Signal::IceCandidate, Signal::IceCandidate]);
            }
            (Signal::IceCandidate, Some(known)) if known.state == State::Answered => {
                known.state = State::Linked;
                answers.push(Signal::IceCandidate);
            }
            (Signal::ConnectionRejected, Some(known)) if known.state == State::Dialled => self.forget(from),
            _ => {}
        }
    }

    /// The peer is gone, or the link to it.
    pub(super) fn forget(&mut self, peer: Number) {
        self.engaged.retain(|engaged| engaged.peer != peer);
    }

    /// Gives up what was begun at `since` and came to nothing.
    pub(super) fn give_up(&mut self, peer: Number, since: Time) {
        self.engaged.retain(|engaged| {
            engaged.peer != peer || engaged.since != since || engaged.state == State::Linked
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(page: &mut Page, from: Number, signal: Signal) -> Vec<Signal> {
        let mut answers = Vec::new();
        page.signal(Time(5), from, signal, &mut answers);
        answers
    }

    #[test]
    fn an_offer_an_answer_and_candidates_link_two_pages() {
        let (mut one, mut two) = (Page::new(Time(0), 3), Page::new(Time(0), 3));
        one.hear_of(Time(0), 2);
        assert_eq!(one.dial(Time(0)), Some(2));
        assert_eq!(one.dial(Time(0)), None);
        assert_eq!(answers(&mut two, 1, Signal::Offer), [Signal::Answer]);
        assert_eq!(answers(&mut one, 2, Signal::Answer), [Signal::IceCandidate; 2]);
        assert!(one.is_linked_to(2) && !two.is_linked_to(1));
        assert_eq!(answers(&mut two, 1, Signal::IceCandidate), [Signal::IceCandidate]);
        assert!(two.is_linked_to(1));
    }

    #[test]
    fn a_full_page_rejects_and_the_rejected_one_dials_the_next() {
        let mut full = Page::new(Time(0), 1);
        assert_eq!(answers(&mut full, 1, Signal::Offer), [Signal::Answer]);
        assert_eq!(answers(&mut full, 2, Signal::Offer), [Signal::ConnectionRejected]);
        let mut dialler = Page::new(Time(0), 1);
        dialler.hear_of(Time(0), 7);
        dialler.hear_of(Time(0), 8);
        assert_eq!((dialler.dial(Time(0)), dialler.dial(Time(0))), (Some(7), None));
        answers(&mut dialler, 7, Signal::ConnectionRejected);
        assert_eq!(dialler.dial(Time(0)), Some(8));
    }

    #[test]
    fn undialled_peers_are_forgotten_after_five_minutes_and_unanswered_offers_after_thirty_seconds() {
        let mut page = Page::new(Time(0), 1);
        page.hear_of(Time(0), 7);
        assert_eq!(page.dial(Time(300_000)), None);
        page.hear_of(Time(0), 8);
        assert_eq!(page.dial(Time(100)), Some(8));
        page.give_up(8, Time(99));
        assert_eq!(page.engaged().count(), 1);
        page.give_up(8, Time(100));
        assert_eq!(page.engaged().count(), 0);
    }
}
