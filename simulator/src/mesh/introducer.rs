//! Who tells pages of each other: the server's core, or one of the stand-ins that it is compared with.

use peerpigeon_core::{PeerId, Signal, Time};

/// The number of one page that lived in a run; never used again.
pub(super) type Number = u32;

/// A signaling server, as far as a mesh depends on it.
pub(super) trait Introducer {
    /// A peer connects and announces itself with `capacity` as its `maxPeers`.
    fn join(&mut self, now: Time, peer: Number, id: &PeerId, capacity: u8);
    /// A peer leaves.
    fn leave(&mut self, now: Time, peer: Number, leaving: Leaving);
    /// A peer sends a signal.
    fn signal(&mut self, now: Time, from: Number, to: (Number, &PeerId), signal: Signal);
    /// When [`Introducer::tick`] is to be called at the latest.
    fn timeout(&self) -> Option<Time>;
    /// Does what is due.
    fn tick(&mut self, now: Time);
    /// Takes what is to be told, in its order.
    fn take_notices(&mut self, into: &mut Vec<Notice>);
    /// What it has done up to now.
    fn cost(&self) -> Cost;
}

/// How a page ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It says goodbye, and its links end at once.
    Goodbye,
    /// Its connection is lost; its links are found broken after some seconds.
    Lost,
}

/// What a page is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// `of` is there.
    Discovered { to: Number, of: Number },
    /// A signal.
    Signal { to: Number, from: Number, signal: Signal },
    /// This page will not be heard from again: it said goodbye, or is not there.
    Unreachable { to: Number, target: Number },
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) joins: u64,
    /// Frames that told of a peer, to both sides, because one of them joined.
    pub(super) joining_frames: u64,
    /// The same for all reasons: joining, healing, and, to one side, once more now and then.
    pub(super) introducing_frames: u64,
    /// Everything that was sent to pages.
    pub(super) frames: u64,
    /// Everything that came from pages, and every tick.
    pub(super) inputs: u64,
}

impl Cost {
    /// What was added since `before`.
    pub(super) fn since(self, before: Cost) -> Cost {
        Cost {
            joins: self.joins - before.joins,
            joining_frames: self.joining_frames - before.joining_frames,
            introducing_frames: self.introducing_frames - before.introducing_frames,
            frames: self.frames - before.frames,
            inputs: self.inputs - before.inputs,
        }
    }
}

/// An id that nobody can tell from a random one, in which its page's number can be found again.
pub(super) fn id_of(number: Number, random: [u64; 2]) -> PeerId {
    let mut id = [0; 20];
    id[..8].copy_from_slice(&random[0].to_be_bytes());
    id[8..12].copy_from_slice(&number.to_be_bytes());
    id[12..].copy_from_slice(&random[1].to_be_bytes());
    PeerId(id)
}

/// The number of the page whose id stands at the start of `digits`.
pub(super) fn number_in(digits: &str) -> Option<Number> {
    Number::from_str_radix(digits.get(16..24)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_page_is_found_in_its_id() {
        for number in [0, 1, 77_777, Number::MAX] {
            let id = id_of(number, [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);
            assert_eq!(number_in(&id.to_string()), Some(number));
        }
        assert_eq!(number_in("too short"), None);
    }
}
