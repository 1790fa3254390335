//! What waits for peers without a connection, until they poll for it.
//!
//! A peer that polls while there is nothing can wait for a while (long polling).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::mem;

use crate::peers::{Peer, PeerSlot};
use crate::timers::{Deadline, Timers};
use crate::worst_case::{ALLOCATION_BYTES, SHORTEST_TEXT_BYTES, boxed, charged};
use crate::{ConnId, Holder, Holders, Limits, Time, TimerKind};

/// What was sent to a peer since it asked for the last time, oldest first, each text with the time at which it came.
pub(crate) type Texts = VecDeque<(Time, Box<str>)>;

/// What waits for one peer.
#[derive(Debug, Default)]
pub(crate) struct PollQueue {
    texts: Texts,
    bytes: usize,
    poll: Option<OpenPoll>,
}

/// A request that is answered as soon as there is something, or when its time is over.
#[derive(Clone, Copy, Debug)]
struct OpenPoll {
    conn: ConnId,
    deadline: Deadline,
}

/// What is known of all queues together.
#[derive(Debug, Default)]
pub(crate) struct PollQueues {
    /// Requests that wait, with the slot of the peer that they wait for.
    polls: BTreeMap<ConnId, PeerSlot>,
    /// Peers with something for the request that waits; empty between two inputs.
    ready: Vec<ConnId>,
    texts: usize,
    /// Bytes, by the peers that they are kept for; each queue with the time of its oldest text.
    by_holder: Holders<(Time, ConnId)>,
}

impl PollQueue {
    /// Whether a request waits for it.
    pub(crate) fn is_polled(&self) -> bool {
        self.poll.is_some()
    }

    /// The time of the request that waits is over.
    pub(crate) fn poll_ends(&mut self) {
        if let Some(poll) = &mut self.poll {
            poll.deadline = Deadline::NONE;
        }
    }

    fn oldest(&self) -> Option<Time> {
        self.texts.front().map(|(arrived, _)| *arrived)
    }

    fn has_too_much(&self, limits: &Limits) -> bool {
        self.texts.len() > limits.mailbox_messages as usize || self.bytes > limits.mailbox_bytes as usize
    }
}

impl PollQueues {
    /// Texts in all queues.
    pub(crate) fn texts(&self) -> usize {
        self.texts
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.by_holder.total()
    }

    /// Requests that wait.
    pub(crate) fn polls(&self) -> usize {
        self.polls.len()
    }

    /// The peer that a request waits for.
    pub(crate) fn polled_by(&self, conn: ConnId) -> Option<PeerSlot> {
        self.polls.get(&conn).copied()
    }

    /// Puts a text into the queue of a peer, whatever its size.
    pub(crate) fn push(&mut self, peer: &mut Peer, text: Box<str>, now: Time) {
        self.change(peer, |queue| {
            queue.bytes += text.len();
            queue.texts.push_back((now, text));
        });
    }

    /// Drops the oldest text of a queue that has more than one may have. Returns whether it did.
    pub(crate) fn drop_surplus(&mut self, peer: &mut Peer, limits: &Limits) -> bool {
        let has_too_much = peer.poll_queue().is_some_and(|queue| queue.has_too_much(limits));
        if has_too_much {
            self.drop_oldest(peer);
        }
        has_too_much
    }

    /// Whose oldest text makes room, where all queues together have no room for one of `holder`.
    pub(crate) fn gives_way(&self, holder: Holder, limits: &Limits) -> Option<ConnId> {
        if self.by_holder.total() as u64 <= limits.mailbox_total_bytes {
            return None;
        }
        self.by_holder.gives_way(holder, 0).map(|(_, conn)| conn)
    }

    /// Drops the oldest text of a queue that has one.
    pub(crate) fn drop_oldest(&mut self, peer: &mut Peer) {
        self.change(peer, |queue| {
            if let Some((_, oldest)) = queue.texts.pop_front() {
                queue.bytes -= oldest.len();
            }
        });
    }

    /// Something was put into the queue of a peer: the request that waits for it is answered at the end of the input.
    pub(crate) fn note_ready(&mut self, peer: &Peer) {
        if peer.poll_queue().is_some_and(|queue| queue.is_polled() && !queue.texts.is_empty()) {
            self.ready.push(peer.conn());
        }
    }

    /// The next of the peers with something for the request that waits. It may have gone meanwhile.
    pub(crate) fn next_ready(&mut self) -> Option<ConnId> {
        self.ready.pop()
    }

    /// A request begins to wait for the queue of a peer. Returns whether something waits for it already.
    pub(crate) fn wait(
        &mut self,
        slot: PeerSlot,
        peer: &mut Peer,
        conn: ConnId,
        until: Time,
        timers: &mut Timers,
    ) -> bool {
        let of = peer.conn();
        let Some(queue) = peer.poll_queue_mut() else { return false };
        let deadline = timers.arm(until, TimerKind::Poll, of);
        queue.poll = Some(OpenPoll { conn, deadline });
        self.polls.insert(conn, slot);
        !queue.texts.is_empty()
    }

    /// A request waits no longer. Returns which.
    pub(crate) fn stop_waiting(&mut self, peer: &mut Peer, timers: &mut Timers) -> Option<ConnId> {
        let OpenPoll { conn, deadline } = peer.poll_queue_mut()?.poll.take()?;
        timers.disarm(deadline, peer.conn());
        self.polls.remove(&conn);
        Some(conn)
    }

    /// Empties the queue of a peer.
    pub(crate) fn take(&mut self, peer: &mut Peer) -> Texts {
        let texts = self.change(peer, |queue| {
            queue.bytes = 0;
            mem::take(&mut queue.texts)
        });
        texts.unwrap_or_default()
    }

    /// Changes what is in a queue, and what is known of all of them.
    fn change<T>(&mut self, peer: &mut Peer, change: impl FnOnce(&mut PollQueue) -> T) -> Option<T> {
        let (conn, holder) = (peer.conn(), peer.holder());
        let queue = peer.poll_queue_mut()?;
        if let Some(oldest) = queue.oldest() {
            self.by_holder.remove(holder, (oldest, conn), queue.bytes);
        }
        self.texts -= queue.texts.len();
        let changed = change(queue);
        self.texts += queue.texts.len();
        if let Some(oldest) = queue.oldest() {
            self.by_holder.add(holder, (oldest, conn), queue.bytes);
        }
        Some(changed)
    }

    /// The most memory that all of it takes.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        let (peers, total) = (u64::from(limits.connections), limits.mailbox_total_bytes);
        let texts = (total / SHORTEST_TEXT_BYTES).min(peers * u64::from(limits.mailbox_messages));
        peers * (boxed(size_of::<PollQueue>() as u64) + charged(size_of::<(Time, ConnId)>()))
            + total
            + texts * (2 * 24 + ALLOCATION_BYTES)
    }

    /// Checks every invariant, where these are all peers; returns how many deadlines there are.
    ///
    /// # Panics
    ///
    /// When one does not hold.
    pub(crate) fn check<'a>(
        &self,
        peers: impl Iterator<Item = (PeerSlot, &'a Peer)> + Clone,
        limits: &Limits,
        timers: &Timers,
    ) -> usize {
        let queues = peers.filter_map(|(slot, peer)| Some((slot, peer, peer.poll_queue()?)));
        let mut deadlines = 0;
        for (slot, peer, queue) in queues.clone() {
            assert!(!queue.has_too_much(limits));
            assert_eq!(queue.bytes, queue.texts.iter().map(|(_, text)| text.len()).sum::<usize>());
            if let Some(OpenPoll { conn, deadline }) = queue.poll {
                assert!(queue.texts.is_empty(), "a request waits for what is there");
                assert_eq!(self.polls.get(&conn), Some(&slot));
                deadlines += timers.check(deadline, peer.conn());
            }
        }
        assert_eq!(self.polls.len(), queues.clone().filter(|(.., queue)| queue.is_polled()).count());
        assert_eq!(self.texts, queues.clone().map(|(.., queue)| queue.texts.len()).sum::<usize>());
        self.by_holder.check(queues.filter_map(|(_, peer, queue)| {
            Some((peer.holder(), (queue.oldest()?, peer.conn()), queue.bytes))
        }));
        assert!(self.ready.is_empty());
        deadlines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect;
    use crate::{AddressKey, Spelling};
    use alloc::format;

    fn peer(number: u64) -> Peer {
        let spelling = Spelling::parse(&format!("{number:040x}")).unwrap();
        Peer::new(ConnId(number), Dialect::B, spelling, Some(Box::default()), Time(0))
    }

    fn check(queues: &PollQueues, peers: &[&Peer], limits: &Limits, timers: &Timers) {
        let slots = (0..).map(PeerSlot::from).zip(peers.iter().copied());
        assert_eq!(queues.check(slots, limits, timers), timers.len());
    }

    #[test]
    fn texts_come_out_in_their_order_and_are_counted_until_then() {
        let (mut queues, mut peer) = (PollQueues::default(), peer(1));
        queues.push(&mut peer, "one".into(), Time(1));
        queues.push(&mut peer, "three".into(), Time(2));
        assert_eq!((queues.texts(), queues.bytes()), (2, 8));
        check(&queues, &[&peer], &Limits::default(), &Timers::default());
        let texts = queues.take(&mut peer);
        assert_eq!(texts, [(Time(1), "one".into()), (Time(2), "three".into())]);
        assert_eq!((queues.texts(), queues.bytes(), queues.take(&mut peer).len()), (0, 0, 0));
    }

    #[test]
    fn the_oldest_texts_make_room_until_a_queue_keeps_to_its_limits() {
        for limits in [
            Limits { mailbox_messages: 2, ..Limits::default() },
            Limits { mailbox_bytes: 6, ..Limits::default() },
        ] {
            let (mut queues, mut peer) = (PollQueues::default(), peer(1));
            for text in ["abc", "def", "ghi"] {
                queues.push(&mut peer, text.into(), Time(0));
            }
            assert!(queues.drop_surplus(&mut peer, &limits));
            assert!(!queues.drop_surplus(&mut peer, &limits));
            assert_eq!(queues.take(&mut peer).front().map(|(_, text)| &**text), Some("def"));
        }
    }

    #[test]
    fn where_all_queues_are_full_the_oldest_queue_of_whoever_has_most_gives_way() {
        let limits = Limits { mailbox_total_bytes: 5, ..Limits::default() };
        let (mut queues, mut small, mut large) = (PollQueues::default(), peer(1), peer(2));
        queues.push(&mut small, "ab".into(), Time(1));
        queues.push(&mut large, "cde".into(), Time(2));
        assert_eq!(queues.gives_way(small.holder(), &limits), None, "it fits");
        queues.push(&mut small, "f".into(), Time(3));
        queues.push(&mut large, "g".into(), Time(3));
        assert_eq!(queues.gives_way(small.holder(), &limits), Some(ConnId(2)));
        assert_eq!(queues.gives_way(Holder::Address(AddressKey(1)), &limits), Some(ConnId(2)));
        queues.drop_oldest(&mut large);
        check(&queues, &[&small, &large], &limits, &Timers::default());
    }

    #[test]
    fn a_request_waits_until_something_comes_and_its_deadline_goes_with_it() {
        let (mut queues, mut timers, mut peer) = (PollQueues::default(), Timers::default(), peer(1));
        let slot = PeerSlot::from(0);
        assert!(!queues.wait(slot, &mut peer, ConnId(9), Time(50), &mut timers));
        assert_eq!((queues.polled_by(ConnId(9)), queues.polls()), (Some(slot), 1));
        check(&queues, &[&peer], &Limits::default(), &timers);
        queues.note_ready(&peer);
        assert_eq!(queues.next_ready(), None, "there is nothing yet");
        queues.push(&mut peer, "text".into(), Time(1));
        queues.note_ready(&peer);
        assert_eq!((queues.next_ready(), queues.next_ready()), (Some(ConnId(1)), None));
        assert_eq!(queues.stop_waiting(&mut peer, &mut timers), Some(ConnId(9)));
        assert_eq!((queues.polled_by(ConnId(9)), timers.len()), (None, 0));
        assert_eq!(queues.stop_waiting(&mut peer, &mut timers), None);
        assert!(queues.wait(slot, &mut peer, ConnId(10), Time(50), &mut timers), "something waits already");
    }

    #[test]
    fn a_request_whose_time_is_over_has_no_deadline_any_more() {
        let (mut queues, mut timers, mut peer) = (PollQueues::default(), Timers::default(), peer(1));
        queues.wait(PeerSlot::from(0), &mut peer, ConnId(9), Time(50), &mut timers);
        assert!(timers.pop_due(Time(50)).is_some());
        peer.poll_queue_mut().unwrap().poll_ends();
        assert_eq!(queues.stop_waiting(&mut peer, &mut timers), Some(ConnId(9)));
    }
}
