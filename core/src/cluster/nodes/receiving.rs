//! What the frames of other nodes do.

use super::super::frame::{Frame, Route, Segment};
use super::super::incoming::Received;
use super::super::link::{Fit, Link};
use super::super::table::{Node, NodeSet};
use super::super::{FrameError, NodeKey};
use super::{Change, NodeEnd, Nodes};
use crate::{NodeId, Time};

impl Nodes {
    /// A frame has come. Returns the whole events in it, if there are any. An echo of my own, one between other nodes, one of
    /// somebody who left, or of a beginning that is over, has no effect.
    ///
    /// # Errors
    ///
    /// When it cannot be understood; it has no effect unless the error says so.
    pub(crate) fn receive<'a>(
        &mut self,
        now: Time,
        frame: &'a [u8],
    ) -> Result<Option<Received<'a>>, FrameError> {
        self.arrive(now);
        let frame = Frame::parse(frame)?;
        let from = frame.from();
        if from == self.me {
            if matches!(frame, Frame::Beat { .. }) {
                self.hear_myself(now);
            }
            return Ok(None);
        }
        if let Some(node) = self.table.find(from).and_then(|key| self.table.get_mut(key)) {
            node.heard = now;
        }
        match frame {
            Frame::Beat { lowest, highest, is_draining, .. } => {
                let key = if lowest <= 1 && 1 <= highest { self.find_or_begin(now, from) } else { None };
                if let Some(node) = key.and_then(|key| self.table.get_mut(key)) {
                    node.is_draining = is_draining;
                }
            }
            Frame::Bye { .. } => {
                self.left.insert(from);
                if let Some(key) = self.table.find(from) {
                    self.forget(key, NodeEnd::Left);
                }
            }
            Frame::Open(route) if route.to == self.me => {
                if let Some(key) = self.find_or_begin(now, from) {
                    self.opening(key, &route);
                }
            }
            Frame::Data(route, segment, bytes) if route.to == self.me => {
                if let Some(key) = self.table.find(from) {
                    return self.data(now, key, &route, segment, bytes);
                }
            }
            Frame::Open(_) | Frame::Data(..) => {}
        }
        Ok(None)
    }

    /// The key of a node; a stranger gets one if there is a place.
    fn find_or_begin(&mut self, now: Time, id: NodeId) -> Option<NodeKey> {
        if let Some(key) = self.table.find(id) {
            return Some(key);
        }
        if self.left.contains(id) {
            return None;
        }
        let mut undrained = NodeSet::default();
        self.changes.iter().for_each(|change| undrained.insert(change.key()));
        let link = Link::new(self.fresh_epoch);
        let node = Node { link, heard: now, was_open: false, is_draining: false };
        let key = self.table.insert(id, node, undrained)?;
        self.fresh_epoch = self.fresh_epoch.next();
        self.pending.insert(key);
        self.cut_to_share();
        Some(key)
    }

    /// Where there are more nodes each has a smaller share: who has more than that begins anew.
    fn cut_to_share(&mut self) {
        let share = self.share();
        for (key, node) in self.table.iter_mut().filter(|(_, node)| node.link.out.len() > share) {
            node.link.begin(self.fresh_epoch);
            self.fresh_epoch = self.fresh_epoch.next();
            self.pending.insert(key);
        }
    }

    fn opening(&mut self, key: NodeKey, route: &Route) {
        if self.meet(key, route) == Fit::Current
            && let Some(node) = self.table.get_mut(key)
        {
            // It may not know that it is open.
            node.link.into.owe_now();
        }
    }

    fn data<'a>(
        &mut self,
        now: Time,
        key: NodeKey,
        route: &Route,
        segment: Segment,
        bytes: &'a [u8],
    ) -> Result<Option<Received<'a>>, FrameError> {
        let (fit, window) = (self.meet(key, route), self.window());
        let Some(node) = self.table.get_mut(key).filter(|_| fit != Fit::Foreign) else { return Ok(None) };
        node.link.out.acknowledge(now, segment.acknowledged);
        if segment.has_gap {
            node.link.out.gap(now, segment.acknowledged);
        }
        match node.link.into.take(now, segment.offset, bytes, window) {
            Ok(bytes) => Ok((!bytes.is_empty()).then_some(Received { node: key, bytes })),
            Err(error) => {
                self.break_link(key);
                Err(error)
            }
        }
    }

    fn meet(&mut self, key: NodeKey, route: &Route) -> Fit {
        let Some(node) = self.table.get_mut(key) else { return Fit::Foreign };
        self.pending.insert(key);
        let fit = node.link.meet(route, &mut self.fresh_epoch);
        if fit == Fit::Opened {
            node.was_open = true;
            self.changes.retain(|change| *change != Change::Opened(key));
            self.changes.push_back(Change::Opened(key));
        }
        fit
    }
}
