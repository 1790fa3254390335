//! What waits for `poll_output`: a list of entries over one buffer of text, both reused for ever.

use alloc::string::String;
use alloc::vec::Vec;

use crate::worst_case::SHORTEST_TEXT_BYTES;
use crate::{Channel, CloseReason, ConnId, Event, Limits, Output, Question, QuestionId};

/// Above so much text, what can wait a moment does: deadlines that came due together, and the rest of a batch.
pub(crate) const CROWDED_BYTES: usize = 2 * 1024 * 1024;

/// Capacity that the text buffer keeps between two inputs; a larger one, grown for a rare burst, is given back.
const KEPT_TEXT_BYTES: usize = 256 * 1024;

#[derive(Clone, Copy, Debug)]
enum Entry {
    /// The text reaches from the end of the one before to `end`.
    Send {
        conn: ConnId,
        end: usize,
    },
    Reply {
        conn: ConnId,
        status: u16,
        end: usize,
    },
    Ping(ConnId),
    Close(ConnId, CloseReason),
    /// The next of the questions.
    Ask,
    /// The next of the frames.
    Publish,
    Observe(Event),
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
    text: String,
    questions: Vec<(QuestionId, Question)>,
    frames: Frames,
    /// Questions polled so far.
    polled_questions: usize,
    /// Entries polled so far.
    polled: usize,
    /// Text polled so far.
    polled_text: usize,
}

/// Frames for other nodes.
#[derive(Debug, Default)]
struct Frames {
    /// For whom each is, and where it ends: it begins where the one before does.
    ends: Vec<(Channel, usize)>,
    bytes: Vec<u8>,
    /// Frames polled so far.
    polled: usize,
}

impl Frames {
    fn clear(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        self.ends.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_TEXT_BYTES);
        self.polled = 0;
    }

    fn push(&mut self, to: Channel, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
        self.ends.push((to, self.bytes.len()));
    }

    fn next(&mut self) -> Option<(Channel, &[u8])> {
        let (to, end) = *self.ends.get(self.polled)?;
        let start = self.polled.checked_sub(1).and_then(|before| self.ends.get(before));
        self.polled += 1;
        Some((to, self.bytes.get(start.map_or(0, |(_, end)| *end)..end)?))
    }
}

impl Outbox {
    /// What is there when the rest begins to wait, and the largest step after that: while a buffer grows, the old one
    /// and one of twice its size are there.
    pub(crate) fn worst_case(limits: &Limits) -> u64 {
        let introduction =
            u64::from(limits.announced_data_bytes) + 6 * u64::from(limits.network_name_bytes) + 512;
        let announce = 4 * u64::from(Limits::MAX_PEERS) * introduction + u64::from(limits.mailbox_bytes);
        let broadcast = u64::from(limits.fan_out_bytes) + u64::from(limits.acquaintances) * 1_024;
        let farewell = u64::from(limits.acquaintances) * 2 * 1_024;
        let text = CROWDED_BYTES as u64 + broadcast.max(announce).max(farewell);
        let entries = text / SHORTEST_TEXT_BYTES * 2 * size_of::<Entry>() as u64;
        3 * text + 2 * entries
    }

    /// Makes room for the outputs of one more input; what was not polled stays.
    pub(crate) fn begin(&mut self) {
        debug_assert!(self.polled == self.entries.len(), "poll_output was not drained before handle");
        if self.polled < self.entries.len() {
            return;
        }
        self.entries.clear();
        self.text.clear();
        self.questions.clear();
        self.polled_questions = 0;
        self.polled = 0;
        self.polled_text = 0;
        self.frames.clear();
        if self.text.capacity() > KEPT_TEXT_BYTES {
            self.text.shrink_to(KEPT_TEXT_BYTES);
            self.entries.shrink_to(KEPT_TEXT_BYTES / size_of::<Entry>());
        }
    }

    /// Whether the input that is being handled has caused so much already that the rest should wait.
    pub(crate) fn is_crowded(&self) -> bool {
        self.text.len() > CROWDED_BYTES
    }

    /// One message to `conn`; `write` appends its text. Returns the size in bytes.
    pub(crate) fn send(&mut self, conn: ConnId, write: impl FnOnce(&mut String)) -> usize {
        let start = self.text.len();
        write(&mut self.text);
        let end = self.text.len();
        self.entries.push(Entry::Send { conn, end });
        end - start
    }

    /// The answer to an HTTP request.
    pub(crate) fn reply(&mut self, conn: ConnId, status: u16, text: &str) {
        self.text.push_str(text);
        self.entries.push(Entry::Reply { conn, status, end: self.text.len() });
    }

    pub(crate) fn ping(&mut self, conn: ConnId) {
        self.entries.push(Entry::Ping(conn));
    }

    pub(crate) fn close(&mut self, conn: ConnId, why: CloseReason) {
        self.entries.push(Entry::Close(conn, why));
    }

    pub(crate) fn ask(&mut self, id: QuestionId, question: Question) {
        self.questions.push((id, question));
        self.entries.push(Entry::Ask);
    }

    /// A frame for other nodes.
    pub(crate) fn publish(&mut self, to: Channel, frame: &[u8]) {
        self.frames.push(to, frame);
        self.entries.push(Entry::Publish);
    }

    pub(crate) fn observe(&mut self, event: Event) {
        self.entries.push(Entry::Observe(event));
    }

    pub(crate) fn poll(&mut self) -> Option<Output<'_>> {
        let entry = self.entries.get(self.polled)?;
        self.polled += 1;
        Some(match entry {
            Entry::Send { conn, end } => {
                let start = core::mem::replace(&mut self.polled_text, *end);
                Output::Send { conn: *conn, text: &self.text[start..*end] }
            }
            Entry::Reply { conn, status, end } => {
                let start = core::mem::replace(&mut self.polled_text, *end);
                Output::Reply { conn: *conn, status: *status, text: &self.text[start..*end] }
            }
            Entry::Ping(conn) => Output::Ping { conn: *conn },
            Entry::Close(conn, why) => Output::Close { conn: *conn, why: *why },
            Entry::Ask => {
                let (id, question) = self.questions.get(self.polled_questions)?;
                self.polled_questions += 1;
                Output::Ask { id: *id, question }
            }
            Entry::Publish => {
                let (to, frame) = self.frames.next()?;
                Output::Publish { to, frame }
            }
            Entry::Observe(event) => Output::Observe(event),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: ConnId = ConnId(1);

    fn drained(outbox: &mut Outbox) {
        while outbox.poll().is_some() {}
        outbox.begin();
    }

    #[test]
    fn what_goes_in_comes_out_in_its_order_and_then_takes_no_room() {
        let mut outbox = Outbox::default();
        for _ in 0..2 {
            outbox.begin();
            assert_eq!(outbox.send(CONN, |out| out.push_str("one")), 3);
            outbox.ping(CONN);
            outbox.reply(CONN, 200, "three");
            assert_eq!(outbox.send(CONN, |out| out.push_str("four")), 4);
            outbox.close(CONN, CloseReason::TooSlow);
            outbox.observe(Event::Opened { conn: CONN });
            for expected in [
                Output::Send { conn: CONN, text: "one" },
                Output::Ping { conn: CONN },
                Output::Reply { conn: CONN, status: 200, text: "three" },
                Output::Send { conn: CONN, text: "four" },
                Output::Close { conn: CONN, why: CloseReason::TooSlow },
                Output::Observe(&Event::Opened { conn: CONN }),
            ] {
                assert_eq!(outbox.poll(), Some(expected));
            }
            assert_eq!(outbox.poll(), None);
            outbox.begin();
            assert!(outbox.entries.is_empty() && outbox.text.is_empty());
        }
    }

    #[test]
    fn more_than_two_mebibytes_are_a_crowd() {
        let mut outbox = Outbox::default();
        outbox.send(CONN, |out| out.extend(core::iter::repeat_n('x', 2_097_152)));
        assert!(!outbox.is_crowded());
        outbox.send(CONN, |out| out.push('x'));
        assert!(outbox.is_crowded());
        drained(&mut outbox);
        assert!(!outbox.is_crowded());
    }

    #[test]
    fn room_for_a_quarter_of_a_mebibyte_is_kept_and_what_a_burst_took_beyond_is_given_back() {
        let mut outbox = Outbox::default();
        (0..10_000).for_each(|_| outbox.ping(CONN));
        outbox.send(CONN, |out| out.reserve_exact(200_000));
        drained(&mut outbox);
        assert!(outbox.text.capacity() == 200_000 && outbox.entries.capacity() >= 10_000);
        outbox.send(CONN, |out| out.reserve_exact(300_000));
        drained(&mut outbox);
        assert_eq!(outbox.text.capacity(), 262_144);
        assert_eq!(outbox.entries.capacity(), 5_461, "as many bytes, of 48 each");
    }
}
