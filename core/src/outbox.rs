//! What waits for `poll_output`: a list of entries over one buffer of text, both reused for ever.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{CloseReason, ConnId, Event, Output};

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
    Observe(Event),
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
    text: String,
    /// Entries polled so far.
    polled: usize,
    /// Text polled so far.
    polled_text: usize,
}

impl Outbox {
    /// Bytes of one entry, its text aside.
    pub(crate) const ENTRY_BYTES: usize = size_of::<Entry>();

    /// Makes room for the outputs of one more input; what was not polled stays.
    pub(crate) fn begin(&mut self) {
        debug_assert!(self.polled == self.entries.len(), "poll_output was not drained before handle");
        if self.polled < self.entries.len() {
            return;
        }
        self.entries.clear();
        self.text.clear();
        self.polled = 0;
        self.polled_text = 0;
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

    pub(crate) fn observe(&mut self, event: Event) {
        self.entries.push(Entry::Observe(event));
    }

    pub(crate) fn poll(&mut self) -> Option<Output<'_>> {
        let entry = *self.entries.get(self.polled)?;
        self.polled += 1;
        Some(match entry {
            Entry::Send { conn, end } => {
                let start = core::mem::replace(&mut self.polled_text, end);
                Output::Send { conn, text: &self.text[start..end] }
            }
            Entry::Reply { conn, status, end } => {
                let start = core::mem::replace(&mut self.polled_text, end);
                Output::Reply { conn, status, text: &self.text[start..end] }
            }
            Entry::Ping(conn) => Output::Ping { conn },
            Entry::Close(conn, why) => Output::Close { conn, why },
            Entry::Observe(event) => Output::Observe(event),
        })
    }
}
