//! Letters as rows.

use crate::store::postgres::jsonb;
use crate::store::postgres::sql::LEAST_SIZE;
use fallible_iterator::FallibleIterator as _;
use peerpigeon_core::{Letter, Limits, Time, UnixMillis};
use postgres_protocol::message::backend::DataRowBody;
use std::borrow::Cow;
use std::ops::Range;

/// A value of a statement, in the binary form of the protocol. Text and bytes are those of the question.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    Bool(bool),
    Int8(i64),
    Uuid([u8; 16]),
}

impl Value<'_> {
    /// How many bytes it takes.
    pub(super) fn len(&self) -> usize {
        match self {
            Value::Null => 0,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Bool(_) => 1,
            Value::Int8(_) => 8,
            Value::Uuid(_) => 16,
        }
    }
}

/// The limits of mailboxes, as the statements take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MailLimits {
    /// Letters at one address.
    pub(crate) messages: u32,
    /// Bytes at one address.
    pub(crate) bytes: u32,
    /// Bytes of all.
    pub(crate) total_bytes: u64,
}

impl From<&Limits> for MailLimits {
    fn from(limits: &Limits) -> MailLimits {
        MailLimits {
            messages: limits.mailbox_messages,
            bytes: limits.mailbox_bytes,
            total_bytes: limits.mailbox_total_bytes,
        }
    }
}

/// What a letter counts within the limits; as `size!` of the statements counts.
pub(super) fn size(letter: &Letter) -> usize {
    let names = [&letter.address, &letter.sender, &letter.from, &letter.network, &letter.kind, &letter.name];
    let names: usize = names.into_iter().map(|name| text(name).len()).sum();
    names.max(LEAST_SIZE) + letter.data.as_deref().map_or(0, str::len)
}

/// The values of `PUT`, for a process with this number.
pub(super) fn put<'a>(
    letter: &'a Letter,
    process: u64,
    wall: UnixMillis,
    limits: &MailLimits,
) -> [Value<'a>; 16] {
    let jsonb = letter.data.as_deref().filter(|data| jsonb::takes(data)).unwrap_or("null");
    [
        Value::Uuid(id(process, letter.number)),
        Value::Text(text(&letter.address)),
        Value::Text(text(&letter.sender)),
        Value::Text(text(&letter.from)),
        Value::Text(text(&letter.network)),
        Value::Text(text(&letter.kind)),
        Value::Text(text(&letter.name)),
        letter.data.as_deref().map_or(Value::Null, |data| Value::Bytes(data.as_bytes())),
        Value::Text(jsonb.into()),
        Value::Bool(letter.is_proven),
        Value::Bool(letter.is_newest),
        Value::Int8(int8(letter.ttl_ms)),
        Value::Int8(int8(wall.0)),
        Value::Int8(int8(size(letter) as u64)),
        Value::Int8(limits.messages.into()),
        Value::Int8(limits.bytes.into()),
    ]
}

pub(super) fn int8(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Text as a column can hold it: without NUL, which becomes `\0`; `\` itself becomes `\\`.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains(['\0', '\\']) {
        Cow::Owned(text.replace('\\', "\\\\").replace('\0', "\\0"))
    } else {
        Cow::Borrowed(text)
    }
}

fn original(text: &str) -> Box<str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut original = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        original.push(match char {
            '\\' => match chars.next() {
                Some('0') => '\0',
                other => other.unwrap_or('\\'),
            },
            char => char,
        });
    }
    original.into()
}

fn id(process: u64, number: u64) -> [u8; 16] {
    (u128::from(process) << 64 | u128::from(number)).to_be_bytes()
}

/// What the clocks say, for who takes a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clocks {
    /// The clock of the loop.
    pub(super) now: Time,
    /// Our clock on the wall.
    pub(super) wall: UnixMillis,
}

/// The least that the clock of a database can show, going by what it has shown in this session and by our own monotonic
/// clock: one that is set back does not make letters younger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClockFloor(Option<(i64, Time)>);

impl ClockFloor {
    /// Takes note of what it shows. What counts instead.
    pub(super) fn raised(&mut self, shown: i64, now: Time) -> i64 {
        let floor = self
            .0
            .map_or(i64::MIN, |(floor, since)| floor.saturating_add(int8(now.0.saturating_sub(since.0))));
        let counts = shown.max(floor);
        self.0 = Some((counts, now));
        counts
    }
}

/// Reads a row of `TAKE`. `None`: it is none.
///
/// What is left of its time is the least that two clocks say: the database's, which `expires_at` was made by and which has a
/// floor, and ours on the wall, by which the sender's server wrote down when it was sent. A letter that is from the future by
/// either has expired. Not covered: both clocks are set back by about the same, between the put and the take, and by less
/// than the letter's age, and either we have not spoken with the database before, or the session began after that.
pub(super) fn letter(row: &DataRowBody, clocks: Clocks, floor: &mut ClockFloor) -> Option<Letter> {
    let columns: Vec<Option<Range<usize>>> = row.ranges().collect().ok()?;
    let value = |column: usize| row.buffer().get(columns.get(column)?.clone()?);
    let text = |column| core::str::from_utf8(value(column)?).ok();
    let int = |column| Some(i64::from_be_bytes(value(column)?.try_into().ok()?));
    let id = u128::from_be_bytes(value(0)?.try_into().ok()?);
    let data = match columns.get(7)? {
        Some(_) => Some(text(7)?.into()),
        None => None,
    };
    let (sent, created, expires) = (int(9)?, int(10)?, int(11)?);
    let shown = floor.raised(int(12)?, clocks.now);
    Some(Letter {
        #[expect(clippy::cast_possible_truncation, reason = "the other half is the process")]
        number: id as u64,
        address: original(text(1)?),
        sender: original(text(2)?),
        from: original(text(3)?),
        network: original(text(4)?),
        kind: original(text(5)?),
        name: original(text(6)?),
        data,
        ttl_ms: left(sent, created, expires, shown, int8(clocks.wall.0)),
        is_proven: value(8)? == [1],
        is_newest: false,
    })
}

/// All of them in milliseconds since 1970: sent by the sender's wall clock; created, expires, and shown by the database's.
fn left(sent: i64, created: i64, expires: i64, shown: i64, wall: i64) -> u64 {
    if created > shown || sent > wall.saturating_add(SKEW_MS) {
        return 0;
    }
    let ttl = expires.saturating_sub(created);
    let by_database = expires.saturating_sub(shown);
    let by_wall = sent.saturating_add(ttl).saturating_sub(wall).min(ttl);
    u64::try_from(by_database.min(by_wall)).unwrap_or(0)
}

/// By how much the clocks of two servers may differ.
const SKEW_MS: i64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_fits_a_column_and_comes_back() {
        for sample in ["", "plain", "a\0b", "\\", "\\0", "\0\\0\\\\\0", "\u{1f426}"] {
            let stored = text(sample).into_owned();
            assert!(!stored.contains('\0'));
            assert_eq!(&*original(&stored), sample);
        }
        assert_ne!(text("a\0"), text("a\\0"), "two that differ stay two");
    }

    #[test]
    fn what_is_left_is_the_least_that_a_clock_says() {
        // Sent and created at 1000 by both clocks, for 300.
        for (shown, wall, expected) in [
            (1_000, 1_000, 300),
            (1_100, 1_100, 200),
            (1_250, 1_100, 50),
            (1_100, 1_250, 50),
            (1_300, 1_000, 0),
            (1_000, 1_300, 0),
            (9_000, 9_000, 0),
            // The database's clock was set back.
            (999, 1_100, 0),
            // Ours is a little behind the sender's, or was set back.
            (1_100, 500, 200),
            (1_100, -500, 0),
        ] {
            assert_eq!(left(1_000, 1_000, 1_300, shown, wall), expected, "{shown} {wall}");
        }
    }

    #[test]
    fn a_database_whose_clock_is_set_back_is_believed_no_less_than_our_own_clock() {
        let mut floor = ClockFloor::default();
        assert_eq!(floor.raised(1_000, Time(50)), 1_000);
        assert_eq!(floor.raised(1_010, Time(55)), 1_010);
        assert_eq!(floor.raised(200, Time(85)), 1_040, "30 ms later, whatever it says");
        assert_eq!(floor.raised(5_000, Time(86)), 5_000);
        assert_eq!(floor.raised(5_000, Time(87)), 5_001);
    }
}
