//! The stream from another node: how far it has come, and the event that is not complete yet.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::frame::FrameError;
use super::{NodeKey, Nodes};
use crate::Time;

/// A gap is told at most once in so many milliseconds.
const GAP_MS: u64 = 100;

/// The length before each event, in bytes.
pub(super) const PREFIX: usize = 4;

/// Whole events that came from a node, in its order. They belong to the last [`Change::Opened`](super::Change::Opened) of it, even if its
/// link breaks before they are looked at.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    pub(crate) node: NodeKey,
    pub(super) bytes: Cow<'a, [u8]>,
}

impl Received<'_> {
    /// Each event, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest: &[u8] = &self.bytes;
        core::iter::from_fn(move || {
            let length = event_length(rest)?;
            let (event, others) = rest.split_at_checked(PREFIX + length)?;
            rest = others;
            event.get(PREFIX..)
        })
    }
}

/// What the length says that the first event of `bytes` has; none if not even the length is there.
fn event_length(bytes: &[u8]) -> Option<usize> {
    let (length, _) = bytes.split_first_chunk::<PREFIX>()?;
    Some(usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX))
}

/// How many bytes at the beginning are whole events.
///
/// # Errors
///
/// When an event is too long.
fn whole(bytes: &[u8]) -> Result<usize, FrameError> {
    let mut at = 0;
    while let Some(length) = event_length(bytes.get(at..).unwrap_or_default()) {
        if length > Nodes::MAX_EVENT {
            return Err(FrameError::BrokenStream);
        }
        if at + PREFIX + length > bytes.len() {
            break;
        }
        at += PREFIX + length;
    }
    Ok(at)
}

/// What there is to tell the other about what came from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owed {
    Nothing,
    /// An acknowledgement, with the next beat at the latest.
    Soon,
    /// An acknowledgement.
    Now,
    /// That there is a gap.
    Gap,
}

#[derive(Debug)]
pub(super) struct Incoming {
    /// The offset of the next byte.
    expected: u64,
    /// What has come of an event that is not complete.
    partial: Vec<u8>,
    /// Bytes that came since the last acknowledgement.
    unacknowledged: usize,
    owed: Owed,
    gap_told: Option<Time>,
}

impl Incoming {
    pub(super) fn new() -> Incoming {
        Incoming { expected: 0, partial: Vec::new(), unacknowledged: 0, owed: Owed::Nothing, gap_told: None }
    }

    /// The offset of the next byte.
    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    /// Takes what is new of these bytes of the stream. Returns the whole events; what follows them stays here.
    ///
    /// # Errors
    ///
    /// When an event is too long: then the stream cannot go on.
    pub(super) fn take<'a>(
        &mut self,
        now: Time,
        offset: u64,
        bytes: &'a [u8],
        window: usize,
    ) -> Result<Cow<'a, [u8]>, FrameError> {
        if bytes.is_empty() {
            return Ok(Cow::Borrowed(&[]));
        }
        self.owe(Owed::Soon);
        if offset > self.expected {
            if self.gap_told.is_none_or(|told| now.since(told) >= GAP_MS) {
                self.gap_told = Some(now);
                self.owe(Owed::Gap);
            }
            return Ok(Cow::Borrowed(&[]));
        }
        let known = usize::try_from(self.expected - offset).unwrap_or(usize::MAX);
        let new = bytes.get(known..).unwrap_or_default();
        self.expected += new.len() as u64;
        self.unacknowledged += new.len();
        if self.unacknowledged >= window / 4 {
            self.owe(Owed::Now);
        }
        self.join(new)
    }

    /// Puts `new` behind what is there of an event.
    fn join<'a>(&mut self, new: &'a [u8]) -> Result<Cow<'a, [u8]>, FrameError> {
        if self.partial.is_empty() {
            let (events, rest) = new.split_at(whole(new)?);
            self.keep(rest);
            return Ok(Cow::Borrowed(events));
        }
        self.keep(new);
        let end = whole(&self.partial)?;
        if end == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let rest = self.partial.split_off(end);
        Ok(Cow::Owned(core::mem::replace(&mut self.partial, rest)))
    }

    /// More of an event that is not complete. Room is made for the whole of it at once, and not for more.
    fn keep(&mut self, bytes: &[u8]) {
        let length = match self.partial.is_empty() {
            true => event_length(bytes),
            false => event_length(&self.partial),
        };
        let all = (length.map_or(0, |length| PREFIX + length)).max(self.partial.len() + bytes.len());
        self.partial.reserve_exact(all - self.partial.len());
        self.partial.extend_from_slice(bytes);
    }

    fn owe(&mut self, owed: Owed) {
        self.owed = self.owed.max(owed);
    }

    /// An acknowledgement is owed at once if one is at all.
    pub(super) fn beat(&mut self) {
        if self.owed == Owed::Soon {
            self.owed = Owed::Now;
        }
    }

    /// The other is to be told how far its stream has come, though it may know.
    pub(super) fn owe_now(&mut self) {
        self.owe(Owed::Now);
    }

    /// Whether a frame is owed even if there is nothing else to be sent.
    pub(super) fn owes(&self) -> bool {
        self.owed >= Owed::Now
    }

    /// What a frame to the other says: the next byte expected, and whether it is missing. Then nothing is owed any more.
    pub(super) fn tell(&mut self) -> (u64, bool) {
        let has_gap = self.owed == Owed::Gap;
        self.owed = Owed::Nothing;
        self.unacknowledged = 0;
        (self.expected, has_gap)
    }

    /// # Panics
    ///
    /// When an invariant does not hold.
    pub(super) fn check(&self) {
        let most = PREFIX + Nodes::MAX_EVENT;
        assert!(self.partial.len() < most, "a whole event was kept");
        assert!(self.partial.capacity() <= most + super::frame::FRAME_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const WINDOW: usize = 400;

    fn stream(events: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for event in events {
            bytes.extend(u32::try_from(event.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(event);
        }
        bytes
    }

    fn taken(into: &mut Incoming, now: u64, offset: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
        let bytes = into.take(Time(now), offset as u64, bytes, WINDOW).unwrap();
        let received = Received { node: NodeKey::at(0), bytes };
        received.events().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn events_come_whole_however_the_stream_is_cut() {
        let events: [&[u8]; 4] = [b"one", b"", b"three", &[9; 200]];
        let bytes = stream(&events);
        for piece in 1..bytes.len() {
            let mut into = Incoming::new();
            let mut all = Vec::new();
            for (number, part) in bytes.chunks(piece).enumerate() {
                all.extend(taken(&mut into, 0, number * piece, part));
                into.check();
            }
            assert_eq!(all, events);
        }
    }

    #[test]
    fn what_is_known_is_skipped() {
        let bytes = stream(&[b"one", b"two"]);
        let mut into = Incoming::new();
        assert_eq!(taken(&mut into, 0, 0, &bytes[..9]), [b"one"]);
        assert_eq!(taken(&mut into, 0, 0, &bytes[..5]), [b""; 0]);
        assert_eq!(taken(&mut into, 0, 2, &bytes[2..]), [b"two"]);
        assert_eq!(taken(&mut into, 0, 0, &bytes), [b""; 0]);
        assert_eq!(into.tell(), (14, false));
    }

    #[test]
    fn a_gap_is_told_once_for_a_while_and_nothing_is_taken() {
        let mut into = Incoming::new();
        assert_eq!(taken(&mut into, 500, 7, b"\0\0\0\0"), [b""; 0]);
        assert!(into.owes());
        assert_eq!(into.tell(), (0, true));
        taken(&mut into, 500 + GAP_MS - 1, 7, b"\0\0\0\0");
        assert!(!into.owes());
        taken(&mut into, 500 + GAP_MS, 7, b"\0\0\0\0");
        assert_eq!(into.tell(), (0, true));
    }

    #[test]
    fn an_acknowledgement_is_owed_for_a_quarter_of_the_window_or_with_a_beat() {
        let mut into = Incoming::new();
        taken(&mut into, 0, 0, &stream(&[&[1; 50]]));
        assert!(!into.owes());
        into.beat();
        assert!(into.owes());
        assert_eq!(into.tell(), (54, false));
        into.beat();
        assert!(!into.owes());
        taken(&mut into, 0, 54, &stream(&[&[1; 94]]));
        assert!(!into.owes());
        taken(&mut into, 0, 152, b"\0\0");
        assert!(into.owes());
    }

    #[test]
    fn what_comes_again_is_acknowledged_again() {
        let mut into = Incoming::new();
        let bytes = stream(&[b"one"]);
        taken(&mut into, 0, 0, &bytes);
        into.tell();
        taken(&mut into, 0, 0, &bytes);
        into.beat();
        assert!(into.owes());
    }

    #[test]
    fn an_event_that_is_too_long_ends_the_stream() {
        let length = u32::try_from(Nodes::MAX_EVENT + 1).unwrap().to_le_bytes();
        let alone = Incoming::new().take(Time(0), 0, &length, WINDOW);
        assert_eq!(alone, Err(FrameError::BrokenStream));
        let mut bytes = stream(&[b"one"]);
        bytes.extend(length);
        assert_eq!(Incoming::new().take(Time(0), 0, &bytes, WINDOW), Err(FrameError::BrokenStream));
        let mut longest = stream(&[&vec![1; Nodes::MAX_EVENT]]);
        longest.pop();
        let mut into = Incoming::new();
        for (number, part) in longest.chunks(50_000).enumerate() {
            assert_eq!(taken(&mut into, 0, number * 50_000, part), [b""; 0]);
            into.check();
        }
    }
}
