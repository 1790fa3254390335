//! A connection to a database that is ready: questions in, bytes out; bytes in, answers out. No socket, no clock.
//!
//! Questions are pipelined: each is a statement with the bind parameters that it needs, and what is to be done or not done
//! together ends with a `Sync`. Letters that are put one after the other are one transaction, since committing is what takes
//! a database its time. Nothing in a letter can make its statement fail, so none can cost others their answer.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are many messages, and those who write the list may add others"
)]

use crate::store::postgres::letters::{self, ClockFloor, Clocks, MailLimits, Value};
use crate::store::postgres::messages::{Failure, failure_of, next_message};
use crate::store::postgres::sql::Statement;
use crate::store::{OwnedAnswer, QuestionKind};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use peerpigeon_core::{Letter, Question, QuestionId, Time, UnixMillis};
use postgres_protocol::message::backend::{DataRowBody, Message};
use postgres_protocol::message::frontend;
use postgres_protocol::{IsNull, types};
use std::collections::VecDeque;

/// What is under way between us and a database.
#[derive(Debug)]
pub(super) struct Session {
    /// Of this process, so that its letters have ids of their own.
    process: u64,
    limits: MailLimits,
    /// What is not written yet.
    output: BytesMut,
    /// Bytes that were written, since the beginning.
    written: u64,
    /// What has come, and is not whole.
    input: BytesMut,
    /// In the order in which they were asked.
    batches: VecDeque<Batch>,
    /// Questions in them.
    pending: usize,
    /// The last batch has no `Sync` yet.
    is_open: bool,
    floor: ClockFloor,
    /// What all letters took when that was looked at.
    known_bytes: u64,
    /// Of what we have put since.
    put_bytes: u64,
    is_trimming: bool,
    finished: VecDeque<Finished>,
    errors: VecDeque<String>,
}

/// What is done or not done together.
#[derive(Debug, Default)]
struct Batch {
    jobs: Vec<Job>,
    /// How many of them are complete.
    complete: usize,
    /// Where its end is, counted as [`Session::written`]: until that is written it has not been done.
    end: u64,
    has_failed: bool,
}

/// A statement, and what has come back.
#[derive(Debug)]
struct Job {
    statement: Statement,
    /// `None`: nobody has asked.
    asked: Option<Asked>,
    letters: Vec<Letter>,
    letter_bytes: usize,
    /// Numbers of its one row, or the number of rows that its statement has changed.
    numbers: [u64; 2],
    /// Of steps before.
    gone: u64,
}

/// Who has asked what, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) id: QuestionId,
    pub(super) kind: QuestionKind,
    pub(super) at: Time,
}

/// A question and its answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) asked: Asked,
    pub(super) answer: OwnedAnswer,
}

impl Session {
    /// `input`: what has come already, behind what made it ready.
    pub(super) fn new(process: u64, limits: MailLimits, input: BytesMut) -> Session {
        Session {
            process,
            limits,
            output: BytesMut::new(),
            written: 0,
            input,
            batches: VecDeque::new(),
            pending: 0,
            is_open: false,
            floor: ClockFloor::default(),
            // Nobody knows; so the first sweep finds out, or the first letter.
            known_bytes: limits.total_bytes,
            put_bytes: 0,
            is_trimming: false,
            finished: VecDeque::new(),
            errors: VecDeque::new(),
        }
    }

    /// Takes in a question. One too many, or one that is too long, has failed at once.
    pub(super) fn ask(&mut self, asked: Asked, wall: UnixMillis, question: &Question) {
        let is_put = matches!(question, Question::Put(_));
        if self.pending >= MAX_PENDING
            || self.output.len() >= MAX_UNWRITTEN_BYTES
            || self.is_too_big(question)
        {
            self.finished.push_back(Finished { asked, answer: OwnedAnswer::Failed });
            return;
        }
        self.pending += 1;
        let joins = is_put
            && self.is_open
            && self.batches.back().is_some_and(|batch| batch.jobs.len() < MAX_PUTS_AT_ONCE);
        if !joins {
            self.close_batch();
        }
        match question {
            Question::Put(letter) => {
                let values = letters::put(letter, self.process, wall, &self.limits);
                self.put_bytes = self.put_bytes.saturating_add(letters::size(letter) as u64);
                self.add(Job::new(Statement::Put, Some(asked)), &values);
            }
            Question::Take { address, is_proven } => {
                let (messages, bytes) = (self.limits.messages.into(), self.limits.bytes.into());
                let values = [
                    Value::Text(letters::text(address)),
                    Value::Bool(*is_proven),
                    Value::Int8(messages),
                    Value::Int8(bytes),
                ];
                self.add(Job::new(Statement::Take, Some(asked)), &values);
            }
            Question::Discard { address, is_proven } => {
                let values = [Value::Text(letters::text(address)), Value::Bool(*is_proven)];
                self.add(Job::new(Statement::Discard, Some(asked)), &values);
            }
            Question::DiscardAll => self.add(Job::new(Statement::DiscardAll, Some(asked)), &[]),
            Question::Forget { sender, address, is_proven } => {
                let address =
                    address.as_deref().map_or(Value::Null, |address| Value::Text(letters::text(address)));
                let values = [Value::Text(letters::text(sender)), address, Value::Bool(*is_proven)];
                self.add(Job::new(Statement::Forget, Some(asked)), &values);
            }
            Question::Sweep => self.sweep(Job::new(Statement::Sweep, Some(asked))),
        }
        if !is_put {
            self.close_batch();
        }
    }

    /// Ends what was asked, so that it can be written.
    pub(super) fn finish_batch(&mut self) {
        self.close_batch();
        if self.known_bytes.saturating_add(self.put_bytes) > self.limits.total_bytes
            && !self.is_trimming
            && self.pending < MAX_PENDING
        {
            self.trim(Job::new(Statement::Trim, None));
        }
    }

    /// What is to be written.
    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    /// So much of it was.
    pub(super) fn note_written(&mut self, count: usize) {
        let _ = self.output.split_to(count);
        self.written += count as u64;
        if self.output.is_empty() && self.output.capacity() > KEPT_BYTES {
            self.output = BytesMut::new();
        }
    }

    /// Takes in what was read.
    ///
    /// # Errors
    ///
    /// What makes the connection useless.
    pub(super) fn receive(&mut self, bytes: &[u8], clocks: Clocks) -> Result<(), Failure> {
        self.input.extend_from_slice(bytes);
        let longest = self.longest_message();
        while let Some(message) = next_message(&mut self.input, longest)? {
            self.note_message(message, clocks)?;
        }
        if self.input.is_empty() && self.input.capacity() > KEPT_BYTES {
            self.input = BytesMut::new();
        }
        Ok(())
    }

    /// The connection is lost. All that is under way is answered: what was not written whole was not done.
    pub(super) fn lose(&mut self) {
        let written = self.written;
        let is_open = self.is_open;
        let last = self.batches.len().saturating_sub(1);
        for (i, batch) in self.batches.drain(..).enumerate() {
            let was_written = batch.end <= written && !(is_open && i == last);
            let answer = if was_written { OwnedAnswer::Unknown } else { OwnedAnswer::Failed };
            for asked in batch.jobs.into_iter().filter_map(|job| job.asked) {
                self.finished.push_back(Finished { asked, answer: answer.clone() });
            }
        }
        self.pending = 0;
    }

    /// The next question that is answered.
    pub(super) fn poll(&mut self) -> Option<Finished> {
        self.finished.pop_front()
    }

    /// The next error of the database that its own statements met, as one line.
    pub(super) fn poll_error(&mut self) -> Option<String> {
        self.errors.pop_front()
    }

    /// Questions and steps of ours that are under way.
    pub(super) fn pending(&self) -> usize {
        self.pending.max(self.batches.len())
    }

    fn is_too_big(&self, question: &Question) -> bool {
        match question {
            Question::Put(letter) => letters::size(letter) as u64 > self.limits.bytes.into(),
            Question::Take { address: text, .. }
            | Question::Discard { address: text, .. }
            | Question::Forget { sender: text, .. } => text.len() > MAX_UNWRITTEN_BYTES / 8,
            Question::DiscardAll | Question::Sweep => false,
        }
    }

    /// Above all that is allowed at one address: a row has no more than that.
    fn longest_message(&self) -> usize {
        self.limits.bytes as usize + MESSAGE_BYTES
    }

    /// Of all letters of one answer.
    fn longest_answer(&self) -> usize {
        self.limits.bytes as usize + self.limits.messages as usize * ROW_BYTES
    }

    fn add(&mut self, job: Job, values: &[Value<'_>]) {
        if !self.is_open {
            self.batches.push_back(Batch::default());
            self.is_open = true;
        }
        write_statement(job.statement, values, &mut self.output);
        if let Some(batch) = self.batches.back_mut() {
            batch.jobs.push(job);
        }
    }

    fn close_batch(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        frontend::sync(&mut self.output);
        let end = self.written + self.output.len() as u64;
        if let Some(batch) = self.batches.back_mut() {
            batch.end = end;
        }
    }

    fn sweep(&mut self, job: Job) {
        self.close_batch();
        self.add(Job { statement: Statement::Sweep, ..job }, &[Value::Int8(SWEPT_AT_ONCE)]);
        self.close_batch();
    }

    fn trim(&mut self, job: Job) {
        self.close_batch();
        self.is_trimming = true;
        self.put_bytes = 0;
        let bytes = |bytes| Value::Int8(letters::int8(bytes));
        let values = [bytes(self.limits.total_bytes), bytes(self.enough_bytes()), Value::Int8(SWEPT_AT_ONCE)];
        self.add(Job { statement: Statement::Trim, ..job }, &values);
        self.close_batch();
    }

    /// What is left where all took too much: some room, so that not every further letter costs another look at all of them.
    fn enough_bytes(&self) -> u64 {
        self.limits.total_bytes - self.limits.total_bytes / 16
    }

    fn note_message(&mut self, message: Message, clocks: Clocks) -> Result<(), Failure> {
        let (longest, floor) = (self.longest_answer(), &mut self.floor);
        let batch = self.batches.front_mut();
        match message {
            Message::DataRow(row) => {
                let job =
                    batch.and_then(|batch| batch.jobs.get_mut(batch.complete)).ok_or(Failure::GARBLED)?;
                job.note_row(&row, clocks, floor, longest)
            }
            Message::CommandComplete(body) => {
                let batch = batch.ok_or(Failure::GARBLED)?;
                let job = batch.jobs.get_mut(batch.complete).ok_or(Failure::GARBLED)?;
                job.note_tag(body.tag().map_err(|_| Failure::GARBLED)?);
                batch.complete += 1;
                Ok(())
            }
            Message::ErrorResponse(body) => {
                let failure = failure_of(&body);
                let Some(batch) = batch.filter(|_| !failure.ends_session()) else { return Err(failure) };
                batch.has_failed = true;
                if self.errors.len() < MAX_ERRORS {
                    self.errors.push_back(failure.to_string());
                }
                Ok(())
            }
            Message::ReadyForQuery(_) => {
                let batch = self.batches.pop_front().ok_or(Failure::GARBLED)?;
                self.note_batch(batch)
            }
            Message::BindComplete
            | Message::NoticeResponse(_)
            | Message::ParameterStatus(_)
            | Message::NotificationResponse(_) => Ok(()),
            _ => Err(Failure::GARBLED),
        }
    }

    /// A transaction has ended.
    fn note_batch(&mut self, batch: Batch) -> Result<(), Failure> {
        // What has come before its `Sync` was written is no answer to it.
        if batch.end == 0
            || batch.end > self.written
            || (!batch.has_failed && batch.complete < batch.jobs.len())
        {
            return Err(Failure::GARBLED);
        }
        for job in batch.jobs {
            self.is_trimming &= job.statement != Statement::Trim;
            if batch.has_failed {
                // It is tried again with the next sweep.
                if job.statement == Statement::Trim {
                    self.known_bytes = 0;
                }
                self.finish(job.asked, OwnedAnswer::Failed);
                continue;
            }
            match job.statement {
                Statement::Put => self.finish(job.asked, OwnedAnswer::Stored),
                Statement::Take => self.finish(job.asked, OwnedAnswer::Taken(job.letters)),
                Statement::Discard | Statement::DiscardAll | Statement::Forget => {
                    self.finish(job.asked, OwnedAnswer::Gone(job.numbers[0]));
                }
                Statement::Sweep => {
                    let [rows, letters] = job.numbers;
                    let next = Job { gone: job.gone + letters, ..Job::new(job.statement, job.asked) };
                    if rows < SWEPT_AT_ONCE as u64 { self.trim(next) } else { self.sweep(next) }
                }
                Statement::Trim => {
                    let [letters, bytes] = job.numbers;
                    self.known_bytes =
                        if bytes > self.limits.total_bytes { self.enough_bytes() } else { bytes };
                    if letters < SWEPT_AT_ONCE as u64 {
                        self.finish(job.asked, OwnedAnswer::Gone(job.gone + letters));
                    } else {
                        self.trim(Job { gone: job.gone + letters, ..Job::new(job.statement, job.asked) });
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, asked: Option<Asked>, answer: OwnedAnswer) {
        if let Some(asked) = asked {
            self.pending -= 1;
            self.finished.push_back(Finished { asked, answer });
        }
    }
}

impl Job {
    fn new(statement: Statement, asked: Option<Asked>) -> Job {
        Job { statement, asked, letters: Vec::new(), letter_bytes: 0, numbers: [0; 2], gone: 0 }
    }

    fn note_row(
        &mut self,
        row: &DataRowBody,
        clocks: Clocks,
        floor: &mut ClockFloor,
        longest: usize,
    ) -> Result<(), Failure> {
        match self.statement {
            Statement::Take => {
                self.letter_bytes += row.buffer().len();
                if self.letter_bytes > longest {
                    return Err(Failure::GARBLED);
                }
                self.letters.push(letters::letter(row, clocks, floor).ok_or(Failure::GARBLED)?);
                Ok(())
            }
            Statement::Sweep | Statement::Trim => {
                let columns: Vec<_> = row.ranges().collect().map_err(|_| Failure::GARBLED)?;
                for (number, column) in self.numbers.iter_mut().zip(columns) {
                    let value = column.and_then(|column| row.buffer().get(column)).ok_or(Failure::GARBLED)?;
                    let value = value.try_into().map(i64::from_be_bytes).map_err(|_| Failure::GARBLED)?;
                    *number = u64::try_from(value).map_err(|_| Failure::GARBLED)?;
                }
                Ok(())
            }
            Statement::Put | Statement::Discard | Statement::DiscardAll | Statement::Forget => {
                Err(Failure::GARBLED)
            }
        }
    }

    /// As `UPDATE 3`.
    fn note_tag(&mut self, tag: &str) {
        if matches!(self.statement, Statement::Discard | Statement::DiscardAll | Statement::Forget) {
            self.numbers[0] = tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
        }
    }
}

fn write_statement(statement: Statement, values: &[Value<'_>], output: &mut BytesMut) {
    let serialize = |value: &Value<'_>, output: &mut BytesMut| {
        match value {
            Value::Null => return Ok(IsNull::Yes),
            Value::Text(text) => types::text_to_sql(text, output),
            Value::Bytes(bytes) => types::bytea_to_sql(bytes, output),
            Value::Bool(bool) => types::bool_to_sql(*bool, output),
            Value::Int8(number) => types::int8_to_sql(*number, output),
            Value::Uuid(uuid) => types::uuid_to_sql(*uuid, output),
        }
        Ok(IsNull::No)
    };
    debug_assert_eq!(values.len(), statement.text().1.len());
    output.reserve(values.iter().map(|value| value.len() + 4).sum::<usize>() + 64);
    // Fails only where a value has 2 GiB, and none comes near that.
    let bound = frontend::bind("", statement.name(), [1], values, serialize, [1], output);
    let executed = frontend::execute("", 0, output);
    assert!(bound.is_ok() && executed.is_ok(), "a statement of a bounded size");
}

/// Of questions at once.
pub(crate) const MAX_PENDING: usize = 4_096;
/// More than that is not taken in.
pub(crate) const MAX_UNWRITTEN_BYTES: usize = 4 * 1024 * 1024;
/// One transaction that fails costs no more.
const MAX_PUTS_AT_ONCE: usize = 64;
/// Few enough for the questions that wait behind.
const SWEPT_AT_ONCE: i64 = 2_000;
/// Of a message without a letter, as an error.
const MESSAGE_BYTES: usize = 64 * 1024;
/// Of a row without what counts within the limits: numbers, times, lengths.
const ROW_BYTES: usize = 256;
/// Buffers that have grown larger are given back.
const KEPT_BYTES: usize = 64 * 1024;
/// Of which there is a line.
const MAX_ERRORS: usize = 16;

#[cfg(test)]
mod tests;
