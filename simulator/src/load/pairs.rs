//! Peers in pairs that write to each other.

use super::fleet::{Peers, Wire};
use super::handshake::find;
use super::letter::{FIRST_NUMBER, Id, Letter, MIN_DATA_BYTES, Signal, data, id_of};
use super::limit::Hello;
use super::report::Problems;
use super::shape::{Heard, Shapes};
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// All peers of a run; the partner of one is the other of the two numbers that differ in the last bit.
#[derive(Debug)]
pub(super) struct Pairs {
    pub(super) opened: usize,
    /// Signals written, and signals that came.
    pub(super) sent: u64,
    pub(super) delivered: u64,
    pub(super) problems: Problems,
    pub(super) pace: Pace,
    ids: Vec<Id>,
    states: Vec<State>,
    offer: Letter,
    answer: Letter,
    shapes: Shapes,
    wire: Wire,
    /// What every peer says first.
    greeting: Vec<u8>,
}

/// When a peer writes.
#[derive(Debug)]
pub(super) enum Pace {
    /// Answers what comes, but begins nothing new.
    Finish,
    /// Whenever an offer of its own is answered.
    ClosedLoop,
    /// At fixed times, whatever comes.
    OpenLoop { latencies: Box<Latencies> },
}

/// From the time at which a message should have been written to the time at which it was read.
#[derive(Debug)]
pub(super) struct Latencies {
    start: Instant,
    gap: Duration,
    /// Messages before this one are warming up.
    first: u64,
    /// In nanoseconds.
    pub(super) histogram: Histogram<u64>,
}

/// Numbers of the next messages of one peer, and of those that it waits for.
#[derive(Clone, Copy, Debug)]
struct State {
    next_offer: u64,
    expected_offer: u64,
    expected_answer: u64,
}

impl Pairs {
    /// `peers` is even. `data_bytes` is the size of each message's `data`.
    pub(super) fn new(peers: usize, data_bytes: usize, is_raw: bool) -> Pairs {
        let data_bytes = data_bytes.max(MIN_DATA_BYTES + 1);
        let offer = Letter::new(Signal::Offer, &data(data_bytes));
        // Where nothing but bytes is relayed, all messages are of one size.
        let shorter = usize::from(is_raw);
        let answer = Letter::new(Signal::Answer, &data(data_bytes - shorter));
        let wire = if is_raw { Wire::Raw { message_bytes: offer.bytes() } } else { Wire::WebSocket };
        let state =
            State { next_offer: FIRST_NUMBER, expected_offer: FIRST_NUMBER, expected_answer: FIRST_NUMBER };
        Pairs {
            opened: 0,
            sent: 0,
            delivered: 0,
            problems: Problems::default(),
            pace: Pace::Finish,
            ids: (0..peers as u64).map(id_of).collect(),
            states: vec![state; peers],
            offer,
            answer,
            shapes: Shapes::new(data(data_bytes)),
            wire,
            greeting: Vec::new(),
        }
    }

    /// Has every peer say `greeting` as soon as it can speak.
    pub(super) fn greet_with(&mut self, greeting: Vec<u8>) {
        self.greeting = greeting;
    }

    pub(super) fn wire(&self) -> Wire {
        self.wire
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Appends the next offer of `peer`.
    pub(super) fn offer(&mut self, peer: usize, out: &mut Vec<u8>) {
        let state = &mut self.states[peer];
        self.offer.write(out, &self.ids[peer ^ 1], state.next_offer);
        state.next_offer += 1;
        self.sent += 1;
    }

    /// From now on each message is due a `gap` after the one before, from one peer after the other. The first
    /// `warm_up` of them are not measured.
    ///
    /// # Errors
    ///
    /// None in practice: the range of the histogram is constant.
    pub(super) fn open_loop(
        &mut self,
        gap: Duration,
        warm_up: u64,
    ) -> Result<(), hdrhistogram::CreationError> {
        let histogram = Histogram::new_with_bounds(1_000, 100_000_000_000, 3)?;
        for (peer, state) in (0_u64..).zip(&mut self.states) {
            state.next_offer = FIRST_NUMBER + peer;
            state.expected_offer = FIRST_NUMBER + (peer ^ 1);
        }
        let latencies = Latencies { start: Instant::now(), gap, first: warm_up, histogram };
        self.pace = Pace::OpenLoop { latencies: Box::new(latencies) };
        Ok(())
    }

    /// In an open loop: the peer whose message is due, if one is, up to `last`; its message is in `out`.
    pub(super) fn due(&mut self, last: u64, now: Instant, out: &mut Vec<u8>) -> Option<usize> {
        let Pace::OpenLoop { latencies } = &self.pace else { return None };
        if self.sent >= last || latencies.intended(self.sent) > now {
            return None;
        }
        let peer = usize::try_from(self.sent % self.states.len() as u64).unwrap_or_default();
        self.offer.write(out, &self.ids[peer ^ 1], FIRST_NUMBER + self.sent);
        self.sent += 1;
        Some(peer)
    }

    fn hear_raw(&self, peer: usize, message: &[u8]) -> Heard {
        let number = |letter: &Letter| letter.number_in(message, &self.ids[peer]);
        if let Some(number) = number(&self.offer) {
            Heard::Signal { signal: Signal::Offer, number }
        } else if let Some(number) = number(&self.answer) {
            Heard::Signal { signal: Signal::Answer, number }
        } else {
            Heard::Wrong
        }
    }

    fn signal(&mut self, peer: usize, signal: Signal, number: u64, out: &mut Vec<u8>) {
        self.delivered += 1;
        let stride = match &self.pace {
            Pace::OpenLoop { .. } => self.states.len() as u64,
            Pace::Finish | Pace::ClosedLoop => 1,
        };
        let state = &mut self.states[peer];
        let expected = match signal {
            Signal::Offer => &mut state.expected_offer,
            Signal::Answer => &mut state.expected_answer,
        };
        if number != *expected {
            let expected = *expected;
            let name = signal.name();
            self.problems.note(|| format!("{name} {number} came to peer {peer} instead of {expected}"));
        }
        *expected = number + stride;
        match (&mut self.pace, signal) {
            (Pace::OpenLoop { latencies }, _) => latencies.record(number - FIRST_NUMBER),
            (Pace::ClosedLoop | Pace::Finish, Signal::Offer) => {
                self.answer.write(out, &self.ids[peer ^ 1], number);
                self.sent += 1;
            }
            (Pace::ClosedLoop, Signal::Answer) => self.offer(peer, out),
            (Pace::Finish, Signal::Answer) => {}
        }
    }
}

impl Peers for Pairs {
    fn opened(&mut self, peer: usize, out: &mut Vec<u8>) {
        self.opened += 1;
        match self.wire {
            Wire::WebSocket => out.extend_from_slice(&self.greeting),
            Wire::Raw { .. } => {
                let pair: Hello = u32::try_from(peer / 2).unwrap_or_default().to_be_bytes();
                out.extend_from_slice(&pair);
            }
        }
    }

    fn heard(&mut self, peer: usize, message: &[u8], out: &mut Vec<u8>) {
        let heard = match self.wire {
            Wire::Raw { .. } => self.hear_raw(peer, message),
            Wire::WebSocket => self.shapes.hear(message, &self.ids[peer], &self.ids[peer ^ 1]),
        };
        match heard {
            Heard::Signal { signal, number } => self.signal(peer, signal, number, out),
            Heard::Notice => {}
            Heard::Error | Heard::Wrong => {
                let text = String::from_utf8_lossy(message);
                self.problems
                    .note(|| format!("to peer {peer}: {}", text.chars().take(300).collect::<String>()));
            }
        }
    }

    fn ended(&mut self, peer: usize, why: &str) {
        self.problems.note(|| format!("peer {peer}: {why}"));
    }
}

impl Latencies {
    fn intended(&self, number: u64) -> Instant {
        self.start + self.gap.mul_f64(number as f64)
    }

    fn record(&mut self, number: u64) {
        if number >= self.first {
            let late = self.intended(number).elapsed();
            self.histogram.saturating_record(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
        }
    }
}

/// Whether a server's text speaks of the peer with this id.
pub(super) fn speaks_of(message: &[u8], kind: &str, id: &Id) -> bool {
    find(message, kind.as_bytes()).is_some() && find(message, id).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::frame;

    fn relayed(frame: &[u8], from: u64, to: u64) -> Vec<u8> {
        // Header and mask of a frame of some hundred bytes.
        let mut text = frame[8..].to_vec();
        frame::mask(&mut text, 0);
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let (from, to) = (id_of(from), id_of(to));
        let (from, to) = (str::from_utf8(&from).unwrap(), str::from_utf8(&to).unwrap());
        let (kind, data) = (&value["type"], &value["data"]);
        format!(
            r#"{{"type":{kind},"data":{data},"fromPeerId":"{from}","targetPeerId":"{to}","timestamp":1700000000000}}"#
        )
        .into_bytes()
    }

    #[test]
    fn an_offer_is_answered_and_an_answer_begins_the_next_offer() {
        let mut pairs = Pairs::new(2, 200, false);
        pairs.pace = Pace::ClosedLoop;
        let (mut offer, mut answer, mut next) = (Vec::new(), Vec::new(), Vec::new());
        pairs.offer(0, &mut offer);
        pairs.heard(1, &relayed(&offer, 0, 1), &mut answer);
        pairs.heard(0, &relayed(&answer, 1, 0), &mut next);
        assert_eq!((pairs.sent, pairs.delivered), (3, 2));
        assert!(!next.is_empty() && pairs.problems.check().is_ok());
        // The same once more is a duplicate.
        pairs.heard(1, &relayed(&offer, 0, 1), &mut answer);
        assert!(pairs.problems.check().unwrap_err().to_string().contains("instead of 1000000001"));
    }

    #[test]
    fn bytes_of_one_size_are_told_apart_where_nothing_else_is_relayed() {
        let mut pairs = Pairs::new(2, 200, true);
        pairs.pace = Pace::ClosedLoop;
        let Wire::Raw { message_bytes } = pairs.wire() else { panic!("not raw") };
        let (mut offer, mut answer, mut next) = (Vec::new(), Vec::new(), Vec::new());
        pairs.offer(0, &mut offer);
        pairs.heard(1, &offer, &mut answer);
        pairs.heard(0, &answer, &mut next);
        assert_eq!([offer.len(), answer.len(), next.len()], [message_bytes; 3]);
        assert!(pairs.problems.check().is_ok());
        pairs.heard(1, &next, &mut answer);
        assert_eq!(pairs.delivered, 3);
        // What belongs to the other of the two.
        pairs.heard(0, &next, &mut answer);
        assert!(pairs.problems.check().is_err());
    }

    #[test]
    fn what_is_not_due_is_not_written() {
        let mut pairs = Pairs::new(4, 100, false);
        pairs.open_loop(Duration::from_secs(1000), 0).unwrap();
        let mut out = Vec::new();
        assert_eq!(pairs.due(10, Instant::now(), &mut out), Some(0));
        assert_eq!(pairs.due(10, Instant::now(), &mut out), None);
        let later = Instant::now() + Duration::from_secs(2001);
        assert_eq!(pairs.due(3, later, &mut out), Some(1));
        assert_eq!(pairs.due(3, later, &mut out), Some(2));
        assert_eq!(pairs.due(3, later, &mut out), None);
    }
}
