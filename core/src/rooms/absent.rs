//! Those who dropped out moments ago, and what others have sent them since.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use slab::Slab;

use crate::rooms::{RoomKey, Rooms, Task};
use crate::wire::psp::NAME_BYTES;
use crate::worst_case::{ALLOCATION_BYTES, boxed, charged, grown, tree};
use crate::{Holder, Holders, Limits, Time};

/// So long whoever was lost is taken to come back.
const ABSENT_MS: u64 = 30_000;

/// Handle of somebody absent, valid until it is taken back or has been absent for too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AbsentKey(u32);

impl AbsentKey {
    fn new(slot: usize) -> AbsentKey {
        // Hardly more than `Limits::mailboxes`, which is a u32.
        AbsentKey(u32::try_from(slot).unwrap_or(u32::MAX))
    }
}

/// Somebody who was lost.
#[derive(Debug)]
pub(crate) struct Absent {
    room: RoomKey,
    id: Box<str>,
    /// Whom its place is charged to.
    holder: Holder,
    /// Until when it is known to be absent, and frames for it are kept.
    until: Time,
    due: Option<Time>,
    mails: VecDeque<Kept>,
    bytes: usize,
}

impl Absent {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn mails(&self) -> usize {
        self.mails.len()
    }

    /// What was kept for it, in the order in which it came.
    pub(crate) fn into_mails(self) -> VecDeque<Kept> {
        self.mails
    }
}

/// A frame that waits for somebody absent.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) from: Box<str>,
    /// Of those with one number from one sender only the newest waits; `None`: all do.
    pub(crate) kind: Option<u8>,
    /// Whom it is charged to.
    pub(crate) writer: Holder,
    pub(crate) expires: Time,
    pub(crate) text: Box<str>,
    /// In the order in which they came.
    pub(crate) number: u64,
}

impl Kept {
    /// What one counts beside its text: about what it takes, with its places in the tables.
    pub(crate) const OVERHEAD_BYTES: usize = 384;

    pub(crate) fn bytes(&self) -> usize {
        Self::OVERHEAD_BYTES + self.text.len() + self.from.len()
    }
}

/// The frame is larger than all that may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MailRefused;

#[derive(Debug, Default)]
pub(crate) struct Absents {
    all: Slab<Absent>,
    mails: usize,
    by_holder: Holders<(Time, AbsentKey)>,
    /// Bytes, by who wrote them.
    by_writer: Holders<(u64, AbsentKey)>,
    last_number: u64,
}

impl Absents {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn mails(&self) -> usize {
        self.mails
    }

    pub(crate) fn bytes(&self) -> usize {
        self.by_writer.total()
    }

    /// Takes one frame out again.
    fn remove(&mut self, key: AbsentKey, place: usize) {
        let absent = &mut self.all[key.0 as usize];
        if let Some(kept) = absent.mails.remove(place) {
            absent.bytes -= kept.bytes();
            self.mails -= 1;
            self.by_writer.remove(kept.writer, (kept.number, key), kept.bytes());
        }
    }

    /// Whose place is given to one more of `holder`: of whoever has most of them, the one that is known no longer first.
    fn gives_way(&self, holder: Holder) -> Option<AbsentKey> {
        let of_most = || self.by_holder.gives_way(holder, 0);
        self.by_holder.gives_way(holder, 1).or_else(of_most).map(|(_, key)| key)
    }

    pub(super) fn fired(&mut self, key: AbsentKey) {
        self.all[key.0 as usize].due = None;
    }

    fn close(&mut self, key: AbsentKey) -> Absent {
        let absent = self.all.remove(key.0 as usize);
        self.by_holder.remove(absent.holder, (absent.until, key), 1);
        self.mails -= absent.mails.len();
        for kept in &absent.mails {
            self.by_writer.remove(kept.writer, (kept.number, key), kept.bytes());
        }
        absent
    }

    pub(super) fn check_room(&self, room: RoomKey, of_room: &BTreeMap<Box<str>, AbsentKey>) {
        for (id, key) in of_room {
            let absent = &self.all[key.0 as usize];
            assert_eq!((absent.room, &absent.id), (room, id));
        }
    }

    pub(super) fn check(&self, is_on_agenda: impl Fn(Time, Task) -> bool) {
        for (slot, absent) in &self.all {
            assert!(absent.due.is_some_and(|due| is_on_agenda(due, Task::Expire(AbsentKey::new(slot)))));
            assert_eq!(absent.bytes, absent.mails.iter().map(Kept::bytes).sum::<usize>());
            assert!(absent.mails.iter().is_sorted_by_key(|kept| kept.number));
        }
        assert_eq!(self.mails, self.all.iter().map(|(_, absent)| absent.mails.len()).sum::<usize>());
        self.by_holder.check(
            self.all.iter().map(|(slot, absent)| (absent.holder, (absent.until, AbsentKey::new(slot)), 1)),
        );
        let all =
            self.all.iter().flat_map(|(slot, absent)| absent.mails.iter().map(move |kept| (slot, kept)));
        self.by_writer
            .check(all.map(|(slot, kept)| (kept.writer, (kept.number, AbsentKey::new(slot)), kept.bytes())));
    }
}

impl Absents {
    /// The most memory that these can take.
    pub(super) fn worst_case(limits: &Limits) -> u64 {
        let each = grown(size_of::<Absent>() + 8)
            + 2 * boxed(NAME_BYTES as u64)
            + tree(16 + 4)
            + tree(size_of::<(Time, Task)>())
            + charged(size_of::<(Time, AbsentKey)>());
        let bytes = most_bytes(limits) as u64;
        // Each frame counts its overhead within the limit, and takes more than that where it is alone.
        let alone =
            4 * size_of::<Kept>() as u64 + 2 * ALLOCATION_BYTES + charged(size_of::<(u64, AbsentKey)>());
        let frames = bytes.div_ceil(Kept::OVERHEAD_BYTES as u64);
        most_absent(limits) as u64 * each + bytes + frames * alone.saturating_sub(Kept::OVERHEAD_BYTES as u64)
    }
}

impl Rooms {
    /// Keeps a place for a member that was lost from a room. Returns one who makes room, where there are too many: of whoever has
    /// most of them.
    pub(super) fn remember(
        &mut self,
        room: RoomKey,
        id: &str,
        holder: Holder,
        limits: &Limits,
        now: Time,
    ) -> Option<Absent> {
        if limits.mailboxes == 0 {
            return None;
        }
        let is_full = self.absents.len() >= most_absent(limits);
        let given = is_full.then(|| self.absents.gives_way(holder)).flatten();
        let until = now + ABSENT_MS;
        let absent =
            Absent { room, id: id.into(), holder, until, due: Some(until), mails: VecDeque::new(), bytes: 0 };
        let key = AbsentKey::new(self.absents.all.insert(absent));
        self.absents.by_holder.add(holder, (until, key), 1);
        self.rooms[room.0 as usize].absent.insert(id.into(), key);
        self.agenda.add(until, Task::Expire(key));
        given.map(|given| self.take_absent(given))
    }

    /// Who is absent from a room under this id.
    pub(crate) fn absent(&self, room: RoomKey, id: &str) -> Option<AbsentKey> {
        self.room(room).absent.get(id).copied()
    }

    /// The id of somebody absent.
    pub(crate) fn absent_id(&self, key: AbsentKey) -> &str {
        &self.absents.all[key.0 as usize].id
    }

    /// Whether nothing is kept here for somebody absent.
    pub(crate) fn has_no_mail(&self, key: AbsentKey) -> bool {
        self.absents.all[key.0 as usize].mails.is_empty()
    }

    /// Whether frames are still kept for somebody absent.
    pub(crate) fn is_expected(&self, key: AbsentKey, now: Time) -> bool {
        self.absents.all[key.0 as usize].until > now
    }

    /// Somebody absent is back, or will not come back.
    pub(crate) fn take_absent(&mut self, key: AbsentKey) -> Absent {
        let absent = self.absents.close(key);
        self.agenda.cancel(absent.due, Task::Expire(key));
        self.rooms[absent.room.0 as usize].absent.remove(&absent.id);
        absent
    }

    /// Somebody has been absent for as long as it was to be remembered: it is forgotten, unless frames still wait for it. Returns
    /// how many frames have expired.
    pub(crate) fn expire(&mut self, key: AbsentKey, now: Time) -> usize {
        let latest = self.absents.all[key.0 as usize].mails.iter().map(|kept| kept.expires).max();
        match latest.filter(|latest| *latest > now) {
            Some(latest) => {
                self.absents.all[key.0 as usize].due = Some(latest);
                self.agenda.add(latest, Task::Expire(key));
                0
            }
            None => self.take_absent(key).mails(),
        }
    }

    /// Keeps a frame for somebody absent. Returns how many made room for it: older ones of its kind, and where its addressee or
    /// all together have too many, the oldest of whoever has most.
    pub(crate) fn keep(
        &mut self,
        to: AbsentKey,
        mut kept: Kept,
        limits: &Limits,
    ) -> Result<usize, MailRefused> {
        let bytes = kept.bytes();
        if bytes > limits.mailbox_bytes as usize || bytes > most_bytes(limits) || limits.mailbox_messages == 0
        {
            return Err(MailRefused);
        }
        let absents = &mut self.absents;
        let before = absents.mails;
        let same = |other: &Kept| kept.kind.is_some() && other.kind == kept.kind && other.from == kept.from;
        if let Some(place) = absents.all[to.0 as usize].mails.iter().position(same) {
            absents.remove(to, place);
        }
        loop {
            let absent = &absents.all[to.0 as usize];
            if absent.mails.len() >= limits.mailbox_messages as usize
                || absent.bytes + bytes > limits.mailbox_bytes as usize
            {
                absents.remove(to, 0);
            } else if absents.bytes() + bytes > most_bytes(limits) {
                let Some((number, of)) = absents.by_writer.gives_way(kept.writer, 0) else {
                    return Err(MailRefused);
                };
                let mails = &absents.all[of.0 as usize].mails;
                let Ok(place) = mails.binary_search_by_key(&number, |kept| kept.number) else { break };
                absents.remove(of, place);
            } else {
                break;
            }
        }
        let made_room = before - absents.mails;
        absents.last_number += 1;
        kept.number = absents.last_number;
        absents.by_writer.add(kept.writer, (kept.number, to), bytes);
        absents.mails += 1;
        let absent = &mut absents.all[to.0 as usize];
        absent.bytes += bytes;
        absent.mails.push_back(kept);
        Ok(made_room)
    }
}

/// How many are remembered at once: for seconds only, so a quarter of those whom other dialects remember for minutes.
fn most_absent(limits: &Limits) -> usize {
    (limits.mailboxes as usize).div_ceil(4)
}

/// Bytes that all who are absent have together: frames wait for seconds only, so a quarter of what mail of other dialects has.
pub(super) fn most_bytes(limits: &Limits) -> usize {
    usize::try_from(limits.mailbox_total_bytes / 4).unwrap_or(usize::MAX)
}
