//! What a frame looks like: a head of fixed size, all numbers little endian, and what follows it.
//!
//! | bytes | what | in |
//! | --- | --- | --- |
//! | 1 | version: 1 | all |
//! | 1 | kind | all |
//! | 8 | sender | all |
//! | 1, 1 | lowest and highest version that the sender knows | `Beat` |
//! | 1 | 1 if the sender is draining | `Beat` |
//! | 8 | receiver | `Open`, `Data` |
//! | 4 | the sender's epoch | `Open`, `Data` |
//! | 4 | the receiver's epoch, 0 if the sender does not know it | `Open`, `Data` |
//! | 8 | offset of the first byte of the stream in this frame | `Data` |
//! | 8 | acknowledged: offset of the next byte that the sender expects of the receiver | `Data` |
//! | 1 | flags; bit 0: there is a gap, send again from there | `Data` |
//! | rest | bytes of the stream | `Data` |
//!
//! What follows the last known field of a `Beat`, `Bye` or `Open` is ignored, as are unknown flags.

use alloc::vec::Vec;
use core::num::NonZero;

use crate::NodeId;

const VERSION: u8 = 1;

const BEAT: u8 = 1;
const BYE: u8 = 2;
const OPEN: u8 = 3;
const DATA: u8 = 4;

const GAP: u8 = 1;

/// The longest frame, in bytes.
pub(crate) const FRAME_BYTES: usize = 60 * 1024;

/// The head of a `Data` frame, in bytes.
const DATA_HEAD: usize = 1 + 1 + 8 + 8 + 4 + 4 + 8 + 8 + 1;

/// The most bytes of a stream in one frame.
pub(super) const SEGMENT_BYTES: usize = FRAME_BYTES - DATA_HEAD;

/// Why a frame cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// It ends before its head does.
    TooShort,
    /// It is of another version than 1.
    UnknownVersion,
    /// It is of a kind that version 1 does not have.
    UnknownKind,
    /// A field has a value that no node writes.
    Malformed,
    /// An event of its stream is longer than [`Nodes::MAX_EVENT`](super::Nodes::MAX_EVENT), or something else that no sender
    /// can have meant. The link has been broken and opens anew.
    BrokenStream,
}

/// One beginning of one side of a link: greater than every one that its process has had before, for any link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Epoch(NonZero<u32>);

impl Epoch {
    /// The first one of a process.
    pub(super) const FIRST: Epoch = Epoch(NonZero::<u32>::MIN);

    /// The one after this; at one per millisecond they last for seven weeks.
    #[must_use]
    pub(super) fn next(self) -> Epoch {
        Epoch(self.0.saturating_add(1))
    }
}

/// From whom to whom a frame of a link goes, and between which epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) sender: Epoch,
    /// The receiver's, as far as the sender knows.
    pub(super) receiver: Option<Epoch>,
}

/// What a `Data` frame says beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where its bytes begin in the sender's stream.
    pub(super) offset: u64,
    /// The next byte of the receiver's stream that the sender expects.
    pub(super) acknowledged: u64,
    /// What the sender expects is missing, though later bytes came.
    pub(super) has_gap: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Beat { from: NodeId, lowest: u8, highest: u8, is_draining: bool },
    Bye { from: NodeId },
    Open(Route),
    Data(Route, Segment, &'a [u8]),
}

impl<'a> Frame<'a> {
    /// # Errors
    ///
    /// When it is none of version 1.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Frame<'a>, FrameError> {
        let mut rest = Reader(bytes);
        if rest.u8()? != VERSION {
            return Err(FrameError::UnknownVersion);
        }
        let kind = rest.u8()?;
        let from = NodeId(rest.u64()?);
        match kind {
            BEAT => {
                let (lowest, highest) = (rest.u8()?, rest.u8()?);
                Ok(Frame::Beat { from, lowest, highest, is_draining: rest.u8()? != 0 })
            }
            BYE => Ok(Frame::Bye { from }),
            OPEN => Ok(Frame::Open(rest.route(from)?)),
            DATA => {
                let route = rest.route(from)?;
                let (offset, acknowledged) = (rest.u64()?, rest.u64()?);
                let has_gap = rest.u8()? & GAP != 0;
                offset.checked_add(rest.0.len() as u64).ok_or(FrameError::Malformed)?;
                Ok(Frame::Data(route, Segment { offset, acknowledged, has_gap }, rest.0))
            }
            _ => Err(FrameError::UnknownKind),
        }
    }

    pub(super) fn from(&self) -> NodeId {
        match self {
            Frame::Beat { from, .. } | Frame::Bye { from } => *from,
            Frame::Open(route) | Frame::Data(route, ..) => route.from,
        }
    }
}

/// What is left to be read of a frame.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], FrameError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(FrameError::TooShort)?;
        self.0 = rest;
        Ok(*array)
    }

    fn u8(&mut self) -> Result<u8, FrameError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    fn epoch(&mut self) -> Result<Option<Epoch>, FrameError> {
        Ok(NonZero::new(self.array().map(u32::from_le_bytes)?).map(Epoch))
    }

    fn route(&mut self, from: NodeId) -> Result<Route, FrameError> {
        let to = NodeId(self.u64()?);
        let sender = self.epoch()?.ok_or(FrameError::Malformed)?;
        Ok(Route { from, to, sender, receiver: self.epoch()? })
    }
}

/// Bytes of a ring buffer: what lies before its end, and what goes on at its beginning.
pub(super) type Parts<'a> = (&'a [u8], &'a [u8]);

/// One frame at a time, in a buffer that is used again.
#[derive(Debug, Default)]
pub(super) struct FrameWriter(Vec<u8>);

impl FrameWriter {
    pub(super) fn beat(&mut self, from: NodeId, is_draining: bool) -> &[u8] {
        self.begin(BEAT, from);
        self.0.extend([VERSION, VERSION, u8::from(is_draining)]);
        &self.0
    }

    pub(super) fn bye(&mut self, from: NodeId) -> &[u8] {
        self.begin(BYE, from);
        &self.0
    }

    pub(super) fn open(&mut self, route: &Route) -> &[u8] {
        self.route(OPEN, route);
        &self.0
    }

    /// `bytes` are at most [`SEGMENT_BYTES`].
    pub(super) fn data(&mut self, route: &Route, segment: &Segment, bytes: Parts<'_>) -> &[u8] {
        self.route(DATA, route);
        self.0.extend_from_slice(&segment.offset.to_le_bytes());
        self.0.extend_from_slice(&segment.acknowledged.to_le_bytes());
        self.0.push(if segment.has_gap { GAP } else { 0 });
        self.0.extend_from_slice(bytes.0);
        self.0.extend_from_slice(bytes.1);
        debug_assert!(self.0.len() <= FRAME_BYTES);
        &self.0
    }

    fn begin(&mut self, kind: u8, from: NodeId) {
        self.0.clear();
        self.0.extend([VERSION, kind]);
        self.0.extend_from_slice(&from.0.to_le_bytes());
    }

    fn route(&mut self, kind: u8, route: &Route) {
        self.begin(kind, route.from);
        self.0.extend_from_slice(&route.to.0.to_le_bytes());
        self.0.extend_from_slice(&route.sender.0.get().to_le_bytes());
        let receiver = route.receiver.map_or(0, |epoch| epoch.0.get());
        self.0.extend_from_slice(&receiver.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: Route =
        Route { from: NodeId(7), to: NodeId(u64::MAX), sender: Epoch::FIRST, receiver: None };

    fn all() -> [Vec<u8>; 4] {
        let segment = Segment { offset: 5, acknowledged: 1 << 40, has_gap: true };
        [
            FrameWriter::default().beat(NodeId(7), true).to_vec(),
            FrameWriter::default().bye(NodeId(7)).to_vec(),
            FrameWriter::default().open(&ROUTE).to_vec(),
            FrameWriter::default().data(&ROUTE, &segment, (b"ab", b"c")).to_vec(),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let segment = Segment { offset: 5, acknowledged: 1 << 40, has_gap: true };
        let [beat, bye, open, data] = all();
        let from = NodeId(7);
        assert_eq!(Frame::parse(&beat), Ok(Frame::Beat { from, lowest: 1, highest: 1, is_draining: true }));
        assert_eq!(Frame::parse(&bye), Ok(Frame::Bye { from }));
        assert_eq!(Frame::parse(&open), Ok(Frame::Open(ROUTE)));
        assert_eq!(Frame::parse(&data), Ok(Frame::Data(ROUTE, segment, b"abc")));
        assert_eq!(data.len(), DATA_HEAD + 3);
    }

    #[test]
    fn a_frame_that_ends_within_its_head_is_too_short() {
        for frame in all() {
            let head = frame.len().min(DATA_HEAD);
            for end in 0..head {
                assert_eq!(Frame::parse(&frame[..end]), Err(FrameError::TooShort), "{end} of {frame:?}");
            }
        }
    }

    #[test]
    fn what_follows_the_fields_that_are_known_is_ignored() {
        for mut frame in all().into_iter().take(3) {
            let alone = frame.clone();
            frame.extend([1, 2, 3]);
            assert_eq!(Frame::parse(&frame), Frame::parse(&alone));
        }
    }

    #[test]
    fn other_versions_and_kinds_and_values_are_told_apart() {
        let [beat, _, open, mut data] = all();
        let with = |frame: &[u8], at: usize, byte: u8| {
            let mut changed = frame.to_vec();
            changed[at] = byte;
            Frame::parse(&changed).map(|_| ())
        };
        assert_eq!(with(&beat, 0, 2), Err(FrameError::UnknownVersion));
        assert_eq!(with(&beat, 1, 5), Err(FrameError::UnknownKind));
        assert_eq!(with(&open, 18, 0), Err(FrameError::Malformed), "no epoch");
        data[26..34].fill(0xFF);
        assert_eq!(Frame::parse(&data).map(|_| ()), Err(FrameError::Malformed), "past the last offset");
    }
}
