//! The stream to another node: what has not been acknowledged, and what of it has been sent.

use alloc::collections::VecDeque;

use super::frame::{Parts, SEGMENT_BYTES};
use crate::Time;

/// So long nothing may be acknowledged of what was sent before it is sent again, in milliseconds: three times what passes until the other
/// acknowledges with a beat.
const RESEND_MS: u64 = 1_500;

/// So long the same gap is not answered again, in milliseconds: what was sent again is under way.
const GAP_MS: u64 = 500;

/// An empty buffer gives back what it has beyond so many bytes.
const KEPT_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Outgoing {
    /// The bytes from `acknowledged` on.
    bytes: VecDeque<u8>,
    /// The other has everything before this offset.
    acknowledged: u64,
    /// The next byte to be sent.
    next: u64,
    /// Everything before this offset has been sent at least once.
    furthest: u64,
    /// Since when nothing has been acknowledged, while something is to be.
    waiting_since: Time,
    /// When it was last sent again since the other had a gap, and from where.
    gap: Option<(Time, u64)>,
}

impl Outgoing {
    pub(super) fn new() -> Outgoing {
        Outgoing {
            bytes: VecDeque::new(),
            acknowledged: 0,
            next: 0,
            furthest: 0,
            waiting_since: Time(0),
            gap: None,
        }
    }

    /// Bytes that are not acknowledged, sent or not.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// One event more, behind its length. It is at most [`Nodes::MAX_EVENT`](super::Nodes::MAX_EVENT) long.
    pub(super) fn push(&mut self, event: &[u8]) {
        let length = u32::try_from(event.len()).unwrap_or(u32::MAX);
        self.bytes.extend(&length.to_le_bytes());
        self.bytes.extend(event);
    }

    /// The next bytes to be sent: their offset, and themselves in two parts. They count as sent.
    pub(super) fn send(&mut self, now: Time, window: usize) -> Option<(u64, Parts<'_>)> {
        let start = self.under_way();
        let end = self.bytes.len().min(window).min(start + SEGMENT_BYTES);
        if end <= start {
            return None;
        }
        if start == 0 {
            self.waiting_since = now;
        }
        let offset = self.next;
        self.next += (end - start) as u64;
        self.furthest = self.furthest.max(self.next);
        let (front, back) = self.bytes.as_slices();
        let split = front.len();
        let front = front.get(start.min(split)..end.min(split)).unwrap_or_default();
        let back = back.get(start.saturating_sub(split)..end.saturating_sub(split)).unwrap_or_default();
        Some((offset, (front, back)))
    }

    /// The offset of the next byte to be sent.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The other expects the byte at `offset` next. What cannot be is ignored: it is old, or no node says it.
    pub(super) fn acknowledge(&mut self, now: Time, offset: u64) {
        if offset <= self.acknowledged || offset > self.furthest {
            return;
        }
        let taken = usize::try_from(offset - self.acknowledged).unwrap_or(usize::MAX);
        self.bytes.drain(..taken.min(self.bytes.len()));
        if self.bytes.is_empty() {
            self.bytes.shrink_to(KEPT_BYTES);
        }
        self.acknowledged = offset;
        self.next = self.next.max(offset);
        self.waiting_since = now;
    }

    /// The other has a gap where it expects the byte at `offset`.
    pub(super) fn gap(&mut self, now: Time, offset: u64) {
        let is_answered = self.gap.is_some_and(|(since, from)| from == offset && now.since(since) < GAP_MS);
        if offset == self.acknowledged && !is_answered {
            self.gap = Some((now, offset));
            self.go_back(now);
        }
    }

    /// Everything that is not acknowledged is to be sent again.
    pub(super) fn go_back(&mut self, now: Time) {
        self.next = self.acknowledged;
        self.waiting_since = now;
    }

    /// When it is to be sent again, if nothing is acknowledged before.
    pub(super) fn resend_due(&self) -> Option<Time> {
        (self.under_way() > 0).then(|| self.waiting_since + RESEND_MS)
    }

    /// Bytes that were sent and are not acknowledged.
    fn under_way(&self) -> usize {
        usize::try_from(self.next - self.acknowledged).unwrap_or(usize::MAX)
    }

    /// # Panics
    ///
    /// When an invariant does not hold.
    pub(super) fn check(&self) {
        assert!(self.acknowledged <= self.next && self.next <= self.furthest);
        assert!(self.furthest <= self.acknowledged + self.bytes.len() as u64, "sent what is not there");
        assert!(self.len() > 0 || self.bytes.capacity() <= 2 * KEPT_BYTES, "an empty buffer is large");
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    const WINDOW: usize = 1 << 20;

    fn sent(out: &mut Outgoing, now: u64, window: usize) -> Vec<(u64, usize)> {
        core::iter::from_fn(|| {
            out.send(Time(now), window).map(|(offset, (front, back))| (offset, front.len() + back.len()))
        })
        .collect()
    }

    fn with(bytes: usize) -> Outgoing {
        let mut out = Outgoing::new();
        out.push(&vec![7; bytes - 4]);
        out
    }

    #[test]
    fn a_stream_goes_out_in_frames_of_limited_length() {
        let mut out = with(SEGMENT_BYTES + 10);
        assert_eq!(sent(&mut out, 0, WINDOW), [(0, SEGMENT_BYTES), (SEGMENT_BYTES as u64, 10)]);
    }

    #[test]
    fn no_more_than_a_window_is_under_way() {
        let mut out = with(1_000);
        assert_eq!(sent(&mut out, 0, 300), [(0, 300)]);
        out.acknowledge(Time(1), 100);
        assert_eq!(sent(&mut out, 1, 300), [(300, 100)]);
        assert_eq!(sent(&mut out, 1, 200), [], "the window has become smaller");
    }

    #[test]
    fn a_gap_is_answered_once_for_a_while() {
        let mut out = with(100);
        sent(&mut out, 0, WINDOW);
        out.acknowledge(Time(10), 40);
        out.gap(Time(10), 40);
        assert_eq!(sent(&mut out, 10, WINDOW), [(40, 60)]);
        out.gap(Time(10 + GAP_MS - 1), 40);
        assert_eq!(sent(&mut out, 100, WINDOW), []);
        out.gap(Time(10 + GAP_MS), 40);
        assert_eq!(sent(&mut out, 600, WINDOW), [(40, 60)]);
        out.acknowledge(Time(600), 50);
        out.gap(Time(600), 50);
        assert_eq!(sent(&mut out, 600, WINDOW), [(50, 50)], "another gap");
        out.gap(Time(9_000), 40);
        assert_eq!(sent(&mut out, 9_000, WINDOW), [], "an old one");
    }

    #[test]
    fn what_is_acknowledged_while_it_is_sent_again_is_skipped() {
        let mut out = with(100);
        sent(&mut out, 0, WINDOW);
        out.go_back(Time(1));
        out.acknowledge(Time(2), 70);
        assert_eq!(sent(&mut out, 2, WINDOW), [(70, 30)]);
        out.check();
    }

    #[test]
    fn acknowledgements_that_cannot_be_are_ignored() {
        let mut out = with(100);
        out.send(Time(0), 50);
        out.acknowledge(Time(0), 51);
        out.acknowledge(Time(0), u64::MAX);
        assert_eq!(out.len(), 100);
        out.acknowledge(Time(0), 50);
        out.acknowledge(Time(0), 20);
        assert_eq!(out.len(), 50);
        out.check();
    }

    #[test]
    fn it_is_sent_again_when_nothing_has_been_acknowledged_for_a_while() {
        let mut out = with(100);
        assert_eq!(out.resend_due(), None);
        out.send(Time(100), WINDOW);
        assert_eq!(out.resend_due(), Some(Time(100 + RESEND_MS)));
        out.acknowledge(Time(300), 50);
        assert_eq!(out.resend_due(), Some(Time(300 + RESEND_MS)));
        out.acknowledge(Time(400), 100);
        assert_eq!(out.resend_due(), None);
    }
}
