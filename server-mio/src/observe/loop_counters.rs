//! What the loop counts by itself: turns, frames, answers. What happens to peers is counted from events, by
//! [`crate::PeerCounters`].
//!
//! Counting never allocates: all of it is fixed arrays.

use crate::http::Status;

/// Counters and histograms of the loop since the start.
#[derive(Clone, Debug, Default)]
pub struct LoopCounters {
    /// How long turns of the loop took, from the end of the wait to the end of the turn.
    pub turns: Histogram,
    /// For each relayed signal, from the end of the wait to the end of the flush of the turn that relayed it.
    pub relays: Histogram,
    /// WebSocket frames and messages that were read.
    pub received: Frames,
    /// Sockets that were accepted and closed at once, since their address makes too many.
    pub turned_away: u64,
    /// Connections that were ended since all queues together took too much.
    pub shed: u64,
    /// Sockets that were ended since there were too many that are no WebSockets.
    pub evicted: u64,
    /// Sockets that were ended since their request took too long.
    pub late: u64,
    /// Requests that were refused since their address sends too many.
    pub over_http_rate: u64,
    /// Times that the system could not give another socket.
    pub accept_failures: u64,
    answers: [u64; Status::ALL.len()],
}

impl LoopCounters {
    /// Counts an answer to an HTTP request.
    pub fn count_answer(&mut self, status: Status) {
        self.answers[status as usize] += 1;
    }

    /// Answers to HTTP requests, by status.
    pub fn answers(&self) -> impl Iterator<Item = (Status, u64)> {
        Status::ALL.into_iter().zip(self.answers)
    }
}

/// The kinds of WebSocket frames. Text and binary messages are one kind, and count once however many frames
/// they came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A text or binary message.
    Message,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
    /// A close frame.
    Close,
}

impl FrameKind {
    /// All of them, in the order of their declaration.
    pub const ALL: [FrameKind; 4] = [FrameKind::Message, FrameKind::Ping, FrameKind::Pong, FrameKind::Close];

    /// What it is called in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FrameKind::Message => "message",
            FrameKind::Ping => "ping",
            FrameKind::Pong => "pong",
            FrameKind::Close => "close",
        }
    }
}

/// How many frames went in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    counts: [u64; FrameKind::ALL.len()],
    message_bytes: u64,
}

impl Frames {
    /// Counts a message, given the length of its payload.
    pub fn count_message(&mut self, bytes: usize) {
        self.count(FrameKind::Message);
        self.message_bytes += bytes as u64;
    }

    /// Counts a frame.
    pub fn count(&mut self, kind: FrameKind) {
        self.counts[kind as usize] += 1;
    }

    /// How many, by kind.
    pub fn by_kind(&self) -> impl Iterator<Item = (FrameKind, u64)> {
        FrameKind::ALL.into_iter().zip(self.counts)
    }

    /// Bytes of all messages.
    #[must_use]
    pub fn message_bytes(&self) -> u64 {
        self.message_bytes
    }
}

/// How many of some durations were at most so long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// One for each bound, and one for what is longer than all of them.
    counts: [u64; BOUNDS_MICROS.len() + 1],
    sum_micros: u64,
}

impl Histogram {
    /// Notes one duration, `times` times.
    pub fn note(&mut self, micros: u64, times: u64) {
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.counts[bucket] += times;
        self.sum_micros = self.sum_micros.saturating_add(micros.saturating_mul(times));
    }

    /// Each bound in microseconds, with how many durations were at most that.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut below = 0;
        BOUNDS_MICROS.into_iter().zip(self.counts).map(move |(bound, count)| {
            below += count;
            (bound, below)
        })
    }

    /// All durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    #[must_use]
    pub fn sum_micros(&self) -> u64 {
        self.sum_micros
    }
}

/// From a turn with one message to one that is felt by everybody.
const BOUNDS_MICROS: [u64; 14] =
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_every_bucket_that_it_fits_into() {
        let mut histogram = Histogram::default();
        histogram.note(0, 1);
        histogram.note(10, 1);
        histogram.note(11, 3);
        histogram.note(2_000_000, 1);
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative[..2], [(10, 2), (25, 5)]);
        assert_eq!(cumulative.last(), Some(&(1_000_000, 5)));
        assert_eq!((histogram.count(), histogram.sum_micros()), (6, 10 + 33 + 2_000_000));
    }

    #[test]
    fn the_bounds_grow() {
        assert!(BOUNDS_MICROS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn answers_count_by_their_status() {
        let mut loop_counters = LoopCounters::default();
        for status in [Status::Ok, Status::NotFound, Status::Ok] {
            loop_counters.count_answer(status);
        }
        let counted: Vec<_> = loop_counters.answers().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(Status::Ok, 2), (Status::NotFound, 1)]);
    }

    #[test]
    fn frames_count_under_their_own_kind() {
        let mut frames = Frames::default();
        frames.count(FrameKind::Pong);
        frames.count_message(100);
        frames.count_message(20);
        let counted: Vec<_> = frames.by_kind().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(FrameKind::Message, 2), (FrameKind::Pong, 1)]);
        assert_eq!(frames.message_bytes(), 120);
    }
}
