//! The WebRTC links of one page of a scenario: simpler than the real client's. The peer with the larger id, compared as
//! strings, dials; a page takes a fixed number of links and answers an offer beyond with `connection-rejected`; peers
//! that were never dialled are forgotten after five minutes, a lost offer costs thirty seconds.
//!
//! It says what real clients say, and never does what a server must not rely on. Like them it dials against the order of
//! ids while it has no link, and refuses whoever does so. But it evicts no links, and a peer that turned it away is
//! forgotten: which meshes come of that says nothing about real ones. The pages of [`crate::mesh`] decide as the real client does.

use peerpigeon_core::{PeerId, Signal, Spelling, Time};

/// The links of one page, and the peers that it has heard of.
#[derive(Debug)]
pub(crate) struct Mesh {
    me: Spelling,
    capacity: usize,
    /// In the order in which they were heard of, which is the order of dialling.
    peers: Vec<Known>,
    words: Vec<(Spelling, Signal)>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    spelling: Spelling,
    state: State,
    since: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Heard of.
    Heard,
    /// An offer is out.
    Dialled,
    /// An answer is out.
    Answered,
    /// The link is up.
    Linked,
}

const FORGET_MS: u64 = 300_000;
const GIVE_UP_MS: u64 = 30_000;

impl Mesh {
    pub(crate) fn new(me: Spelling, capacity: usize) -> Mesh {
        Mesh { me, capacity, peers: Vec::new(), words: Vec::new() }
    }

    /// Peers that there is a link to.
    pub(crate) fn links(&self) -> impl Iterator<Item = PeerId> {
        self.peers.iter().filter(|known| known.state == State::Linked).map(|known| *known.spelling.id())
    }

    /// What is to be said to whom.
    pub(crate) fn take_words(&mut self) -> Vec<(Spelling, Signal)> {
        core::mem::take(&mut self.words)
    }

    pub(crate) fn timeout(&self) -> Option<Time> {
        self.peers.iter().filter_map(Known::until).min()
    }

    pub(crate) fn tick(&mut self, now: Time) {
        self.peers.retain(|known| known.until().is_none_or(|until| until > now));
        self.dial(now);
    }

    pub(crate) fn discovered(&mut self, now: Time, peer: Spelling) {
        if peer.id() == self.me.id() {
            return;
        }
        if self.state(*peer.id()).is_none_or(|state| state == State::Heard) {
            self.set(now, peer, State::Heard);
        }
        self.dial(now);
    }

    pub(crate) fn goodbye(&mut self, now: Time, peer: PeerId) {
        self.peers.retain(|known| *known.spelling.id() != peer);
        self.dial(now);
    }

    pub(crate) fn lost(&mut self, now: Time, peer: PeerId) {
        self.goodbye(now, peer);
    }

    pub(crate) fn signal(&mut self, now: Time, from: Spelling, signal: Signal) {
        let state = self.state(*from.id());
        match (signal, state) {
            (Signal::Offer, _) => self.offered(now, from, state),
            (Signal::Answer, Some(State::Dialled)) => {
                self.set(now, from, State::Linked);
                self.words.extend([(from, Signal::IceCandidate), (from, Signal::IceCandidate)]);
            }
            (Signal::IceCandidate, Some(State::Answered)) => {
                self.set(now, from, State::Linked);
                self.words.push((from, Signal::IceCandidate));
            }
            (Signal::ConnectionRejected, Some(State::Dialled)) => self.goodbye(now, *from.id()),
            _ => {}
        }
    }

    fn offered(&mut self, now: Time, from: Spelling, state: Option<State>) {
        let engaged = state.is_some_and(|state| state != State::Heard);
        if !self.dials(from) && (engaged || self.engaged() < self.capacity) {
            self.set(now, from, State::Answered);
            self.words.push((from, Signal::Answer));
        } else {
            self.words.push((from, Signal::ConnectionRejected));
        }
    }

    fn set(&mut self, now: Time, peer: Spelling, state: State) {
        let fresh = Known { spelling: peer, state, since: now };
        match self.peers.iter_mut().find(|known| known.spelling.id() == peer.id()) {
            Some(known) => *known = fresh,
            None => self.peers.push(fresh),
        }
    }

    fn state(&self, peer: PeerId) -> Option<State> {
        self.peers.iter().find(|known| *known.spelling.id() == peer).map(|known| known.state)
    }

    fn engaged(&self) -> usize {
        self.peers.iter().filter(|known| known.state != State::Heard).count()
    }

    /// Whether it is this page that dials, of the two.
    pub(crate) fn dials(&self, peer: Spelling) -> bool {
        self.me.digits() > peer.digits()
    }

    /// Dials whom it may, while there is room; without any link, or one under way, also one that should dial itself.
    fn dial(&mut self, now: Time) {
        let mut room = self.capacity.saturating_sub(self.engaged());
        for place in 0..self.peers.len() {
            let Known { spelling, state, .. } = self.peers[place];
            let may_dial = self.dials(spelling) || self.engaged() == 0;
            if room > 0 && may_dial && state == State::Heard {
                self.peers[place] = Known { spelling, state: State::Dialled, since: now };
                self.words.push((spelling, Signal::Offer));
                room -= 1;
            }
        }
    }
}

impl Known {
    /// When it is forgotten.
    fn until(&self) -> Option<Time> {
        match self.state {
            State::Heard => Some(self.since + FORGET_MS),
            State::Dialled | State::Answered => Some(self.since + GIVE_UP_MS),
            State::Linked => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(digit: char) -> Spelling {
        Spelling::parse(&digit.to_string().repeat(40)).unwrap()
    }

    #[test]
    fn the_peer_with_the_larger_id_dials_and_a_handshake_links_both() {
        let (mut a, mut b) = (Mesh::new(peer('a'), 3), Mesh::new(peer('b'), 3));
        b.discovered(Time(0), peer('a'));
        assert_eq!(b.take_words(), [(peer('a'), Signal::Offer)]);
        a.signal(Time(1), peer('b'), Signal::Offer);
        assert_eq!(a.take_words(), [(peer('b'), Signal::Answer)]);
        b.signal(Time(2), peer('a'), Signal::Answer);
        a.signal(Time(3), peer('b'), Signal::IceCandidate);
        assert_eq!(a.links().collect::<Vec<_>>(), [*peer('b').id()]);
        assert_eq!(b.links().collect::<Vec<_>>(), [*peer('a').id()]);
        a.take_words();
        a.discovered(Time(4), peer('c'));
        assert_eq!(a.take_words(), [], "it has a link, and waits for the offer of the larger id");
    }

    #[test]
    fn a_page_without_a_link_dials_a_larger_id_too_and_that_one_refuses() {
        let (mut a, mut b) = (Mesh::new(peer('a'), 3), Mesh::new(peer('b'), 3));
        a.discovered(Time(0), peer('b'));
        assert_eq!(a.take_words(), [(peer('b'), Signal::Offer)]);
        b.signal(Time(1), peer('a'), Signal::Offer);
        assert_eq!(b.take_words(), [(peer('a'), Signal::ConnectionRejected)]);
        assert!(b.dials(peer('a')));
    }

    #[test]
    fn a_full_page_rejects_and_the_rejected_one_dials_another() {
        let mut full = Mesh::new(peer('a'), 1);
        full.signal(Time(0), peer('c'), Signal::Offer);
        full.signal(Time(0), peer('d'), Signal::Offer);
        let words = full.take_words();
        assert_eq!(words, [(peer('c'), Signal::Answer), (peer('d'), Signal::ConnectionRejected)]);

        let mut dialler = Mesh::new(peer('d'), 1);
        dialler.discovered(Time(0), peer('a'));
        dialler.discovered(Time(0), peer('b'));
        dialler.signal(Time(1), peer('a'), Signal::ConnectionRejected);
        assert_eq!(dialler.take_words(), [(peer('a'), Signal::Offer), (peer('b'), Signal::Offer)]);
    }

    #[test]
    fn undialled_peers_are_forgotten_after_five_minutes_and_unanswered_offers_after_thirty_seconds() {
        let mut mesh = Mesh::new(peer('a'), 1);
        mesh.signal(Time(0), peer('c'), Signal::Offer);
        mesh.signal(Time(0), peer('c'), Signal::IceCandidate);
        mesh.discovered(Time(0), peer('b'));
        assert_eq!(mesh.timeout(), Some(Time(300_000)));
        mesh.tick(Time(300_000));
        assert_eq!(mesh.timeout(), None);
        let mut mesh = Mesh::new(peer('c'), 1);
        mesh.discovered(Time(0), peer('b'));
        assert_eq!(mesh.timeout(), Some(Time(30_000)));
    }
}
