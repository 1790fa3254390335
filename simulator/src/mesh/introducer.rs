//! Who tells pages of each other: the server's core, or one of the stand-ins that it is compared with.

use peerpigeon_core::Time;

use super::key::Key;

/// A signaling server, as far as a mesh depends on it.
pub(super) trait Introducer {
    /// A peer connects and announces itself with `capacity` as its `maxPeers`.
    fn join(&mut self, now: Time, peer: Key, capacity: u8);
    /// A peer leaves.
    fn leave(&mut self, now: Time, peer: Key, leaving: Leaving);
    /// A peer sends a signal.
    fn signal(&mut self, now: Time, from: Key, to: Key, message: Message);
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

/// The number of one `RTCPeerConnection` of a page: 1 and up.
pub(super) type End = u32;

/// A signal from page to page, as far as pages act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// From this end.
    Offer {
        end: End,
    },
    /// From this end, to the end that made the offer.
    Answer {
        end: End,
        to: End,
    },
    Candidate,
    Rejected(Reason),
}

/// `data.reason` of `connection-rejected`. No client sends any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// `max_peers_reached`: there is no room.
    Full,
    /// `initiator_role_conflict`: the smaller id dialled. It says nothing of room.
    Role,
}

/// What a page is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// `of` is there.
    Discovered { to: Key, of: Key },
    /// A signal.
    Signal { to: Key, from: Key, message: Message },
    /// `of` said goodbye, or is not there.
    Goodbye { to: Key, of: Key },
}

impl Notice {
    /// Who is told.
    pub(super) fn to(&self) -> Key {
        match self {
            Notice::Discovered { to, .. } | Notice::Signal { to, .. } | Notice::Goodbye { to, .. } => *to,
        }
    }
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
