//! Servers that tell everybody of everybody.

use std::collections::BTreeMap;

use peerpigeon_core::Time;

use super::introducer::{Cost, Introducer, Leaving, Message, Notice};
use super::key::{Key, Number};

/// Everybody is told of everybody, once.
pub(super) struct Everybody {
    server: Kind,
    /// In the order in which they came, which is that in which newcomers are told of them.
    here: BTreeMap<Number, Key>,
    notices: Vec<Notice>,
    cost: Cost,
}

/// Whose habits beside that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Relays every signal, and says goodbye for those who are not there.
    Relaying,
    /// The server of npm `peerpigeon` 1.1.3: relays no rejection, tells five of a goodbye, nobody of an absent peer.
    Npm,
}

impl Kind {
    /// How often each other page is told that a connection ended.
    fn disconnects(self) -> u64 {
        match self {
            Kind::Relaying => 1,
            Kind::Npm => 2,
        }
    }
}

/// So many are told of a goodbye by npm's server: the nearest, as it measures.
const NPM_TOLD: usize = 5;

/// How npm's server measures: the sum of the digits of the XOR distance.
fn digits(distance: u64) -> u64 {
    (0..16).map(|place| distance >> (4 * place) & 0xF).sum()
}

impl Everybody {
    pub(super) fn new(server: Kind) -> Everybody {
        Everybody { server, here: BTreeMap::new(), notices: Vec::new(), cost: Cost::default() }
    }
}

impl Introducer for Everybody {
    fn join(&mut self, _now: Time, peer: Key, _capacity: u8) {
        for &other in self.here.values() {
            self.notices.push(Notice::Discovered { to: peer, of: other });
            self.notices.push(Notice::Discovered { to: other, of: peer });
        }
        let frames = 2 * self.here.len() as u64;
        self.here.insert(peer.number(), peer);
        self.cost.joins += 1;
        self.cost.inputs += 2;
        self.cost.joining_frames += frames;
        self.cost.introducing_frames += frames;
        self.cost.frames += frames + 1;
    }

    fn leave(&mut self, _now: Time, peer: Key, leaving: Leaving) {
        self.here.remove(&peer.number());
        self.cost.inputs += 1;
        self.cost.frames += self.here.len() as u64 * self.server.disconnects();
        if leaving == Leaving::Goodbye {
            let mut told: Vec<Key> = self.here.values().copied().collect();
            if self.server == Kind::Npm {
                told.sort_by_key(|other| digits(other.distance(peer)));
                told.truncate(NPM_TOLD);
            }
            self.cost.frames += told.len() as u64;
            self.notices.extend(told.into_iter().map(|to| Notice::Goodbye { to, of: peer }));
        }
    }

    fn signal(&mut self, _now: Time, from: Key, to: Key, message: Message) {
        let is_here = self.here.contains_key(&to.number());
        match self.server {
            Kind::Relaying => {
                relay(is_here.then_some(to), &mut self.notices, &mut self.cost, (from, to), message)
            }
            Kind::Npm => {
                self.cost.inputs += 1;
                let is_rejection = matches!(message, Message::Rejected(_));
                // It answers what it does not know by `error`.
                self.cost.frames += u64::from(is_rejection || is_here);
                if !is_rejection && is_here {
                    self.notices.push(Notice::Signal { to, from, message });
                }
            }
        }
    }

    fn timeout(&self) -> Option<Time> {
        None
    }

    fn tick(&mut self, _now: Time) {}

    fn take_notices(&mut self, into: &mut Vec<Notice>) {
        into.append(&mut self.notices);
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}

/// Passes a signal on to who is `there`, or says goodbye for a peer that is not and is dialled.
pub(super) fn relay(
    there: Option<Key>,
    notices: &mut Vec<Notice>,
    cost: &mut Cost,
    (from, to): (Key, Key),
    message: Message,
) {
    cost.inputs += 1;
    let notice = match (there, message) {
        (Some(to), _) => Notice::Signal { to, from, message },
        (None, Message::Offer { .. }) => Notice::Goodbye { to: from, of: to },
        (None, _) => return,
    };
    cost.frames += 1;
    notices.push(notice);
}

#[cfg(test)]
mod tests {
    use super::super::introducer::Reason;
    use super::*;
    use crate::random::Random;

    #[test]
    fn npm_swallows_rejections_and_tells_the_five_nearest_of_a_goodbye() {
        let mut random = Random::new(9);
        let keys: Vec<Key> = (0..10).map(|number| Key::new(number, random.bits())).collect();
        for (kind, rejections, goodbyes) in [(Kind::Relaying, 1, 9), (Kind::Npm, 0, 5)] {
            let mut server = Everybody::new(kind);
            keys.iter().for_each(|key| server.join(Time(0), *key, 3));
            let mut notices = Vec::new();
            server.take_notices(&mut notices);
            assert_eq!(notices.len(), 90);
            notices.clear();
            let full = Message::Rejected(Reason::Full);
            server.signal(Time(1), keys[0], keys[1], full);
            server.take_notices(&mut notices);
            assert_eq!(notices.len(), rejections, "{kind:?}");
            notices.clear();
            server.leave(Time(2), keys[0], Leaving::Goodbye);
            server.take_notices(&mut notices);
            assert_eq!(notices.len(), goodbyes, "{kind:?}");
        }
    }
}
