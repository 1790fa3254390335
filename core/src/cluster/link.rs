//! One other node: the handshake by epochs, and a stream each way.

use super::frame::{Epoch, FrameWriter, Route, Segment};
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use crate::{Channel, NodeId, Time};

/// What the epochs of a frame mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It belongs to no pair of epochs that is open: what else it says does not count.
    Foreign,
    /// It belongs to the pair that is open.
    Current,
    /// It belongs to a pair that is open from now on.
    Opened,
}

#[derive(Debug)]
pub(super) struct Link {
    mine: Epoch,
    /// The greatest that the other has told.
    theirs: Option<Epoch>,
    /// The other knows my epoch and I know its.
    is_open: bool,
    owes_open: bool,
    /// The other was told of my epoch since the last beat, in answer to a frame.
    has_answered: bool,
    pub(super) out: Outgoing,
    pub(super) into: Incoming,
}

impl Link {
    pub(super) fn new(mine: Epoch) -> Link {
        Link {
            mine,
            theirs: None,
            is_open: false,
            owes_open: true,
            has_answered: false,
            out: Outgoing::new(),
            into: Incoming::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Begins anew: what was pushed and what has come of an event is void.
    pub(super) fn begin(&mut self, mine: Epoch) {
        *self = Link { theirs: self.theirs, ..Link::new(mine) };
    }

    /// A frame between these epochs has come. `fresh` is an epoch that has not been used yet; it is, if the
    /// link begins anew.
    pub(super) fn meet(&mut self, route: &Route, fresh: &mut Epoch) -> Fit {
        let (sender, receiver) = (Some(route.sender), route.receiver);
        if sender < self.theirs || receiver > Some(self.mine) {
            return Fit::Foreign;
        }
        if sender > self.theirs {
            self.theirs = sender;
            if self.is_open {
                self.begin(*fresh);
                *fresh = fresh.next();
            }
        }
        if receiver != Some(self.mine) {
            // While mine is open, the other has known it: such a frame is late.
            self.owes_open |= !self.is_open && !self.has_answered;
            self.has_answered = true;
            return Fit::Foreign;
        }
        if self.is_open {
            return Fit::Current;
        }
        self.is_open = true;
        self.owes_open = false;
        // The other may not have seen a frame that names its epoch.
        self.into.owe_now();
        Fit::Opened
    }

    /// A beat goes out, and with it what is owed.
    pub(super) fn beat(&mut self) {
        self.has_answered = false;
        self.owes_open = !self.is_open;
        self.into.beat();
    }

    /// Publishes everything that may go out.
    pub(super) fn flush(
        &mut self,
        now: Time,
        ends: (NodeId, NodeId),
        window: usize,
        writer: &mut FrameWriter,
        publish: &mut impl FnMut(Channel, &[u8]),
    ) {
        let (from, to) = ends;
        let route = Route { from, to, sender: self.mine, receiver: self.theirs };
        if core::mem::take(&mut self.owes_open) {
            publish(Channel::Node(to), writer.open(&route));
        }
        if !self.is_open {
            return;
        }
        while let Some((offset, bytes)) = self.out.send(now, window) {
            let (acknowledged, has_gap) = self.into.tell();
            let segment = Segment { offset, acknowledged, has_gap };
            publish(Channel::Node(to), writer.data(&route, &segment, bytes));
        }
        if self.into.owes() {
            let (acknowledged, has_gap) = self.into.tell();
            let segment = Segment { offset: self.out.next(), acknowledged, has_gap };
            publish(Channel::Node(to), writer.data(&route, &segment, (&[], &[])));
        }
    }

    /// The epochs that it is open between: mine, the other's.
    #[cfg(test)]
    pub(super) fn epochs(&self) -> Option<(Epoch, Epoch)> {
        Some((self.mine, self.theirs?)).filter(|_| self.is_open)
    }

    /// # Panics
    ///
    /// When an invariant does not hold.
    pub(super) fn check(&self, fresh: Epoch) {
        assert!(self.mine < fresh, "an epoch that is to be used has been");
        assert!(!self.is_open || self.theirs.is_some(), "open to somebody unknown");
        assert!(self.is_open || self.out.len() == 0, "something waits that belongs to no epoch");
        assert!(self.is_open || self.into.expected() == 0, "something came that belongs to no epoch");
        assert!(!self.is_open || !self.owes_open, "open, and says that it is opening");
        self.out.check();
        self.into.check();
    }
}
