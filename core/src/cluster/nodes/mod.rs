//! Who is there: beats, silence, goodbyes, and what is due to be sent.

mod liveness;
mod receiving;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::NodeKey;
use super::frame::{Epoch, FRAME_BYTES, FrameWriter};
use super::incoming::PREFIX;
use super::table::{Left, NodeSet, Table};
use crate::worst_case::{boxed, grown};
use crate::{Channel, NodeId, Time};

/// The most bytes under way to one node, and to all of them together: an engine cuts off a subscriber for whom too much waits.
const WINDOW_BYTES: usize = 1024 * 1024;
const ALL_WINDOWS_BYTES: usize = 6 * 1024 * 1024;

/// No link has less for what waits, in bytes.
const LEAST_SHARE: usize = 64 * 1024;

/// The buffer in which an event is written gives back what it has beyond so many bytes.
const KEPT_BYTES: usize = 64 * 1024;

/// What has become of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Both directions are open, for the first time or anew after a break. Everything pushed before is void, and nothing follows
    /// what came before: each side pushes its whole state again. There may be several of these without a `Closed` between them;
    /// then the state that comes is to be compared with what was known.
    Opened(NodeKey),
    /// It is not there any more, after it has been open. The key may be used again.
    Closed(NodeKey, NodeEnd),
}

impl Change {
    fn key(self) -> NodeKey {
        match self {
            Change::Opened(key) | Change::Closed(key, _) => key,
        }
    }
}

/// Why a node is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeEnd {
    /// It said goodbye.
    Left,
    /// Nothing has been heard of it for too long.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// It is to be said.
    Due,
    /// Nothing goes out any more.
    Said,
}

/// The other nodes, as one node sees them.
///
/// Getters: [`is_open`](Nodes::is_open), [`open`](Nodes::open), [`id`](Nodes::id), [`len`](Nodes::len), [`has_room`](Nodes::has_room),
/// [`is_reachable`](Nodes::is_reachable), [`is_draining`](Nodes::is_draining), [`next_due`](Nodes::next_due). What happens:
/// [`set_bus`](Nodes::set_bus), [`receive`](Nodes::receive), [`tick`](Nodes::tick). What is to be told: [`push`](Nodes::push),
/// [`drain`](Nodes::drain), [`say_bye`](Nodes::say_bye). What comes out: [`change`](Nodes::change), to be drained after each
/// call of the second kind and before the events that came with it, and [`flush`](Nodes::flush).
#[derive(Debug)]
pub(crate) struct Nodes {
    me: NodeId,
    timeout_ms: u64,
    buffer_bytes: usize,
    table: Table,
    left: Left,
    /// Not used by any link so far.
    fresh_epoch: Epoch,
    is_bus_up: bool,
    /// Since when the bus has been up or down.
    bus_since: Time,
    /// Nobody could be heard before this moment.
    listening_since: Time,
    /// When the last of my own beats came back: while none does, the bus brings nothing from others either.
    echoed: Time,
    next_beat: Time,
    owes_beat: bool,
    /// Links that may have something to be sent.
    pending: NodeSet,
    due: Option<Time>,
    changes: VecDeque<Change>,
    is_me_draining: bool,
    leaving: Leaving,
    writer: FrameWriter,
    event: Vec<u8>,
}

impl Nodes {
    /// Other nodes that can be there at once; more are ignored.
    pub(crate) const MOST: usize = 63;

    /// The longest event, in bytes.
    pub(crate) const MAX_EVENT: usize = 2 * 1024 * 1024;

    /// Alone, and the bus is down. A node that has not been heard for `timeout_ms` is dead; `buffer_bytes` may wait for all others
    /// together.
    pub(crate) fn new(me: NodeId, timeout_ms: u64, buffer_bytes: usize) -> Nodes {
        Nodes {
            me,
            timeout_ms,
            buffer_bytes,
            table: Table::default(),
            left: Left::new(),
            fresh_epoch: Epoch::FIRST,
            is_bus_up: false,
            bus_since: Time(0),
            listening_since: Time(0),
            echoed: Time(0),
            next_beat: Time(0),
            owes_beat: false,
            pending: NodeSet::default(),
            due: None,
            changes: VecDeque::new(),
            is_me_draining: false,
            leaving: Leaving::No,
            writer: FrameWriter::default(),
            event: Vec::new(),
        }
    }

    /// Whether what is pushed to it goes out.
    pub(crate) fn is_open(&self, key: NodeKey) -> bool {
        self.table.get(key).is_some_and(|node| node.link.is_open())
    }

    /// Those to whom events can be pushed.
    pub(crate) fn open(&self) -> impl Iterator<Item = NodeKey> {
        self.table.iter().filter(|(_, node)| node.link.is_open()).map(|(key, _)| key)
    }

    /// Who has this place, or had it last: right after [`Change::Closed`] it is the one who is gone.
    pub(crate) fn id(&self, key: NodeKey) -> NodeId {
        // A key comes from the table, which forgets no place.
        self.table.id(key).unwrap_or(self.me)
    }

    /// Others that are there, open or not.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether an event of so many bytes fits the buffer of an open link, and leaves a quarter for what must not be refused.
    pub(crate) fn has_room(&self, to: NodeKey, bytes: usize) -> bool {
        let share = self.share();
        self.table.get(to).is_some_and(|node| {
            node.link.is_open() && node.link.out.len() + PREFIX + bytes <= share - share / 4
        })
    }

    /// Whether the bus is up and the node has been heard lately, so that what is pushed should arrive.
    pub(crate) fn is_reachable(&self, key: NodeKey, now: Time) -> bool {
        self.is_bus_up && self.table.get(key).is_some_and(|node| !self.is_suspected(node, now))
    }

    /// Whether the node has told that it drains.
    pub(crate) fn is_draining(&self, key: NodeKey) -> bool {
        self.table.get(key).is_some_and(|node| node.is_draining)
    }

    /// When [`tick`](Nodes::tick) is to be called at the latest.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due
    }

    /// Takes the next change, in the order in which they happened.
    pub(crate) fn change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// One event more to a node, written by `event`: at most [`MAX_EVENT`](Nodes::MAX_EVENT) bytes. Nothing happens unless its link is open.
    /// If the event does not fit the link's buffer, the link breaks: the buffer is dropped, and it opens anew.
    pub(crate) fn push(&mut self, to: NodeKey, event: impl FnOnce(&mut Vec<u8>)) {
        let share = self.share();
        let Some(node) = self.table.get_mut(to).filter(|node| node.link.is_open()) else { return };
        event(&mut self.event);
        let length = self.event.len();
        debug_assert!(length <= Nodes::MAX_EVENT, "an event of {length} bytes");
        if length <= Nodes::MAX_EVENT {
            if node.link.out.len() + PREFIX + length <= share {
                node.link.out.push(&self.event);
                self.pending.insert(to);
            } else {
                self.break_link(to);
            }
        }
        self.event.clear();
        self.event.shrink_to(KEPT_BYTES);
    }

    /// The others are told with each beat that this node drains.
    pub(crate) fn drain(&mut self) {
        self.is_me_draining = true;
    }

    /// The next [`flush`](Nodes::flush) ends with a goodbye, and it is the last.
    pub(crate) fn say_bye(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Due;
        }
    }

    /// Publishes everything that is due and may go out; nothing while the bus is down.
    pub(crate) fn flush(&mut self, now: Time, mut publish: impl FnMut(Channel, &[u8])) {
        if !self.is_bus_up || self.leaving == Leaving::Said {
            return;
        }
        if core::mem::take(&mut self.owes_beat) {
            publish(Channel::All, self.writer.beat(self.me, self.is_me_draining));
        }
        let window = self.window();
        while let Some(key) = self.pending.pop() {
            let Some(id) = self.table.id(key) else { continue };
            if let Some(node) = self.table.get_mut(key) {
                node.link.flush(now, (self.me, id), window, &mut self.writer, &mut publish);
            }
        }
        if self.leaving == Leaving::Due {
            self.leaving = Leaving::Said;
            publish(Channel::All, self.writer.bye(self.me));
        }
    }

    fn forget(&mut self, key: NodeKey, end: NodeEnd) {
        self.pending.remove(key);
        if self.table.remove(key).is_some_and(|node| node.was_open) {
            self.changes.push_back(Change::Closed(key, end));
        }
    }

    /// It opens anew, with everything that was pushed and that has come in part dropped.
    pub(super) fn break_link(&mut self, key: NodeKey) {
        if let Some(node) = self.table.get_mut(key) {
            node.link.begin(self.fresh_epoch);
            self.fresh_epoch = self.fresh_epoch.next();
            self.pending.insert(key);
        }
    }

    /// Bytes that may wait for one node.
    fn share(&self) -> usize {
        (self.buffer_bytes / self.table.len().max(1)).max(LEAST_SHARE)
    }

    /// Bytes that may be under way to one node.
    fn window(&self) -> usize {
        WINDOW_BYTES.min(ALL_WINDOWS_BYTES / self.table.len().max(1))
    }

    /// The most memory that the other nodes take, where `buffer_bytes` may wait for them together.
    pub(crate) fn worst_case(buffer_bytes: u64) -> u64 {
        let most = Nodes::MOST as u64;
        let event = (PREFIX + Nodes::MAX_EVENT) as u64;
        let waiting = grown(1) * buffer_bytes.max(most * LEAST_SHARE as u64);
        let partial = boxed(event + FRAME_BYTES as u64);
        Table::worst_case()
            + waiting
            + (most + 1) * partial
            + boxed(grown(Nodes::MAX_EVENT) + FRAME_BYTES as u64)
    }

    /// Between which epochs a link is open: mine, the other's.
    #[cfg(test)]
    pub(super) fn epochs(&self, key: NodeKey) -> Option<(Epoch, Epoch)> {
        self.table.get(key)?.link.epochs()
    }

    /// # Panics
    ///
    /// When an invariant does not hold.
    pub(crate) fn check(&self) {
        self.table.check();
        assert!(self.changes.len() <= 2 * Nodes::MOST);
        assert!(!self.is_bus_up || self.due.is_some(), "up, and asks for no tick");
        assert!(self.event.is_empty() && self.event.capacity() <= 2 * KEPT_BYTES);
        for (_, node) in self.table.iter() {
            node.link.check(self.fresh_epoch);
            assert!(node.link.out.len() <= self.share(), "more waits than may");
            assert!(node.was_open || !node.link.is_open());
        }
    }
}
