//! The rooms of dialect PSP: who is in them, who knows whom, and what is kept for those who dropped out.
//!
//! A page of this dialect is told of others by whole lists, and takes each list for the whole truth. So the machine keeps,
//! for every member, whom it knows ([`acquaintances`]), and tells which lists have changed and when they are due
//! ([`lists`]). What waits for somebody who dropped out is in [`absent`].
//!
//! Rooms know nothing of connections but their numbers, and nothing of what is written: `verbs/psp` does that.

mod absent;
mod acquaintances;
mod agenda;
mod claims;
mod coming;
mod lists;
mod member;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use slab::Slab;

pub(crate) use absent::{Absent, AbsentKey, Kept, MailRefused};
pub(crate) use agenda::Task;
pub(crate) use claims::Claim;
pub(crate) use member::{Member, MemberKey};

use crate::rooms::absent::Absents;
use crate::rooms::acquaintances::{Known, MOST_KNOWN};
use crate::rooms::agenda::Agenda;
use crate::rooms::claims::Claims;
use crate::rooms::coming::Coming;
use crate::rooms::member::Probe;
use crate::timers::{Deadline, NO_CONN, Patience, Timers};
use crate::wire::json_string;
use crate::wire::psp::{self, NAME_BYTES};
use crate::worst_case::{boxed, grown, tree};
use crate::{ConnId, Holder, Limits, NetworkId, Time, TimerKind};

/// What names a room: pages with the same network and the same session see each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    pub(crate) network: Box<str>,
    /// `session_id`, or the network where there is none.
    pub(crate) session: Box<str>,
}

/// What came of it that somebody left.
#[derive(Debug)]
pub(crate) struct Left {
    /// How many knew it.
    pub(crate) told: usize,
    /// Whoever is not remembered as absent any more.
    pub(crate) dropped: Vec<Absent>,
    /// How many frames had waited for its mail.
    pub(crate) waited: usize,
}

/// A room that somebody is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoomKey(u32);

#[derive(Debug)]
pub(crate) struct Room {
    id: NetworkId,
    scope: Scope,
    /// Both names as JSON strings.
    network_json: Box<str>,
    session_json: Box<str>,
    by_id: BTreeMap<Box<str>, MemberKey>,
    /// The same members in an order that ids have no part in: one is drawn by its place.
    drawn: Vec<MemberKey>,
    absent: BTreeMap<Box<str>, AbsentKey>,
}

impl Room {
    pub(crate) fn id(&self) -> NetworkId {
        self.id
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn network_json(&self) -> &str {
        &self.network_json
    }

    pub(crate) fn session_json(&self) -> &str {
        &self.session_json
    }

    pub(crate) fn len(&self) -> usize {
        self.drawn.len()
    }

    /// As what the store knows somebody with this id in this room: JSON, so no two are alike.
    pub(crate) fn address_of(&self, id: &str) -> Box<str> {
        format!("[{},{},{}]", self.network_json, self.session_json, json_string(id)).into()
    }
}

/// What somebody says of itself who joins.
#[derive(Clone, Debug)]
pub(crate) struct Joining {
    pub(crate) scope: Scope,
    pub(crate) id: Box<str>,
    /// Silence after which it is listed no more.
    pub(crate) lease_ms: u64,
    /// Its clock minus the one of the server, in milliseconds.
    pub(crate) clock_ahead: i64,
    /// Of the message, a JSON string: it is acknowledged when the member joins.
    pub(crate) message_id: Box<str>,
}

/// All rooms.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: Slab<Room>,
    by_scope: BTreeMap<Scope, RoomKey>,
    members: Slab<Member>,
    absents: Absents,
    coming: Coming,
    claims: Claims,
    agenda: Agenda,
    deadline: Deadline,
    acquainted: usize,
    last_id: u64,
    /// How often somebody was drawn.
    draws: u64,
}

impl Rooms {
    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (MemberKey, &Member)> {
        self.members.iter().map(|(slot, member)| (MemberKey::new(slot), member))
    }

    /// Pairs of those who know each other.
    pub(crate) fn acquainted(&self) -> usize {
        self.acquainted
    }

    pub(crate) fn absents(&self) -> &Absents {
        &self.absents
    }

    pub(crate) fn find(&self, scope: &Scope) -> Option<RoomKey> {
        self.by_scope.get(scope).copied()
    }

    pub(crate) fn room(&self, key: RoomKey) -> &Room {
        &self.rooms[key.0 as usize]
    }

    pub(crate) fn member(&self, key: MemberKey) -> &Member {
        &self.members[key.slot()]
    }

    /// The member of a room with this id, byte for byte.
    pub(crate) fn by_id(&self, room: RoomKey, id: &str) -> Option<MemberKey> {
        self.room(room).by_id.get(id).copied()
    }

    /// Lets a connection into a room, which is made where there is none. There must be no member of that id; whoever was absent
    /// under it must have been [taken back](Self::take_absent) before.
    pub(crate) fn join(
        &mut self,
        conn: ConnId,
        holder: Holder,
        announcement: Joining,
        limits: &Limits,
        now: Time,
    ) -> MemberKey {
        let Joining { scope, id, lease_ms, clock_ahead, message_id: _ } = announcement;
        let room = self.find(&scope).unwrap_or_else(|| self.open(scope));
        let Room { session_json, drawn, .. } = &self.rooms[room.0 as usize];
        let (id_json, place) = (json_string(&id), drawn.len());
        let mut entry = String::new();
        psp::peer_list_prefix(&mut entry, &id_json, session_json);
        let member = Member {
            conn,
            holder,
            room,
            id: id.clone(),
            entry: entry.into_boxed_str(),
            id_json: id_json.into(),
            place,
            last_spoke: now,
            lease_ms,
            clock_ahead,
            known: Vec::new(),
            listed: None,
            push_due: None,
            probe: None,
            missed: None,
        };
        let key = MemberKey::new(self.members.insert(member));
        let of_room = &mut self.rooms[room.0 as usize];
        let before = of_room.by_id.insert(id, key);
        debug_assert!(before.is_none(), "an id is in a room twice");
        of_room.drawn.push(key);
        self.acquaint_arrival(key, limits, now);
        key
    }

    /// Takes a member out of its room. It is [absent](absent) for a while if it is to be remembered; but when nobody is in a room
    /// any more, it goes, and is forgotten with all who are absent from it.
    pub(crate) fn leave(&mut self, key: MemberKey, is_remembered: bool, limits: &Limits, now: Time) -> Left {
        let known = self.part_from_all(key, now);
        let member = self.members.remove(key.slot());
        self.agenda.cancel(member.push_due, Task::Push(key));
        self.agenda.cancel(member.probe.and_then(|probe| probe.due), Task::Probe(key));
        let room = &mut self.rooms[member.room.0 as usize];
        room.by_id.remove(&member.id);
        room.drawn.swap_remove(member.place);
        if let Some(moved) = room.drawn.get(member.place) {
            self.members[moved.slot()].place = member.place;
        }
        self.heal(member.room, &known, limits, now);
        self.hurry_claims(key, now);
        let waited = self.mail_has_come(key).len();
        let mut left = Left { told: known.len(), dropped: Vec::new(), waited };
        if self.room(member.room).drawn.is_empty() {
            left.dropped = self.close(member.room);
        } else if is_remembered {
            left.dropped.extend(self.remember(member.room, &member.id, member.holder, limits, now));
        }
        left
    }

    /// A member has said something.
    pub(crate) fn spoke(&mut self, key: MemberKey, clock_ahead: i64, now: Time) {
        let member = &mut self.members[key.slot()];
        (member.last_spoke, member.clock_ahead) = (now, clock_ahead);
    }

    /// A member has announced itself again where it is.
    pub(crate) fn renew(&mut self, key: MemberKey, lease_ms: u64) {
        self.members[key.slot()].lease_ms = lease_ms;
    }

    /// A member writes to somebody who is not there. Whether it did so within the last second, too.
    pub(crate) fn is_missed_again(&mut self, key: MemberKey, target: &str, now: Time) -> bool {
        let missed = &mut self.members[key.slot()].missed;
        let again = missed.as_ref().is_some_and(|(id, at)| **id == *target && now.since(*at) < MISSED_MS);
        if !again {
            *missed = Some((target.into(), now));
        }
        again
    }

    /// Somebody says that a member has gone: it has two seconds for a sign of life. `false` where it is being asked already.
    pub(crate) fn probe(&mut self, key: MemberKey, now: Time) -> bool {
        let probe = &mut self.members[key.slot()].probe;
        if probe.is_some() {
            return false;
        }
        let due = now + PROBE_MS;
        *probe = Some(Probe { asked: now, due: Some(due), patience: Patience::Fresh });
        self.agenda.add(due, Task::Probe(key));
        true
    }

    /// The time is over that a member had, and that was due at `due`; it was `heard` last then. Whether it has gone.
    pub(crate) fn has_gone(&mut self, key: MemberKey, heard: Time, due: Time, now: Time) -> bool {
        let probe = &mut self.members[key.slot()].probe;
        let Some(mut asked) = probe.take().filter(|probe| heard <= probe.asked) else { return false };
        asked.due = asked.patience.extend(due, now);
        let Some(due) = asked.due else { return true };
        *probe = Some(asked);
        self.agenda.add(due, Task::Probe(key));
        false
    }

    /// Sees to it that the next thing to be done is done in time.
    pub(crate) fn arm(&mut self, now: Time, timers: &mut Timers) {
        // What was left for the next turn is due in it.
        let due = self.next_due().map(|due| due.max(now + 1));
        if due != self.deadline.time() {
            timers.disarm(self.deadline, NO_CONN);
            let arm = |due| timers.arm(due, TimerKind::Rooms, NO_CONN);
            self.deadline = due.map_or(Deadline::NONE, arm);
        }
    }

    /// The deadline has fired.
    pub(crate) fn fired(&mut self) {
        self.deadline = Deadline::NONE;
    }

    /// The earliest thing to be done.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.agenda.next_due()
    }

    /// Takes the next thing that is due, and when it was due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Time, Task)> {
        let (due, task) = self.agenda.pop_due(now)?;
        match task {
            Task::Push(key) => self.members[key.slot()].push_due = None,
            Task::Probe(key) => {
                self.members[key.slot()].probe.iter_mut().for_each(|probe| probe.due = None);
            }
            Task::Claim(conn) => self.claims.fired(conn),
            Task::Expire(key) => self.absents.fired(key),
        }
        Some((due, task))
    }

    fn open(&mut self, scope: Scope) -> RoomKey {
        self.last_id += 1;
        let room = Room {
            id: NetworkId(FIRST_ID + self.last_id),
            network_json: json_string(&scope.network).into_boxed_str(),
            session_json: json_string(&scope.session).into_boxed_str(),
            scope: scope.clone(),
            by_id: BTreeMap::new(),
            drawn: Vec::new(),
            absent: BTreeMap::new(),
        };
        // Never more than `Limits::networks`, which is a u32.
        let key = RoomKey(u32::try_from(self.rooms.insert(room)).unwrap_or(u32::MAX));
        self.by_scope.insert(scope, key);
        key
    }

    fn close(&mut self, key: RoomKey) -> Vec<Absent> {
        let absent: Vec<AbsentKey> = self.room(key).absent.values().copied().collect();
        let dropped = absent.into_iter().map(|absent| self.take_absent(absent)).collect();
        let room = self.rooms.remove(key.0 as usize);
        self.by_scope.remove(&room.scope);
        dropped
    }

    /// Checks every invariant; returns how many deadlines there are.
    ///
    /// # Panics
    ///
    /// When one does not hold.
    pub(crate) fn check(&self, timers: &Timers) -> usize {
        self.check_rooms();
        assert_eq!(self.agenda.len() > 0, self.deadline != Deadline::NONE, "tasks that nobody does");
        timers.check(self.deadline, NO_CONN)
    }

    fn check_rooms(&self) {
        assert_eq!(self.rooms.len(), self.by_scope.len());
        let mut tasks = self.claims.check(|due, task| self.agenda.has(due, task)) + self.absents.len();
        let (mut members, mut absents) = (0, 0);
        for (scope, key) in &self.by_scope {
            let room = self.room(*key);
            assert_eq!(room.scope, *scope);
            assert_eq!(room.by_id.len(), room.drawn.len());
            assert!(!room.drawn.is_empty(), "nobody is in a room");
            for (id, member) in &room.by_id {
                assert_eq!((self.member(*member).room, &self.member(*member).id), (*key, id));
                assert!(!room.absent.contains_key(id), "{id} is there and absent");
            }
            for (place, member) in room.drawn.iter().enumerate() {
                assert_eq!(self.member(*member).place, place);
            }
            members += room.drawn.len();
            absents += room.absent.len();
            self.absents.check_room(*key, &room.absent);
        }
        assert_eq!(members, self.members.len());
        assert_eq!(absents, self.absents.len());
        for (slot, member) in &self.members {
            let key = MemberKey::new(slot);
            let probe_due = member.probe.and_then(|probe| probe.due);
            tasks += usize::from(member.push_due.is_some()) + usize::from(probe_due.is_some());
            assert_eq!(probe_due.is_some(), member.probe.is_some());
            assert!(member.push_due.is_none_or(|due| self.agenda.has(due, Task::Push(key))));
            assert!(probe_due.is_none_or(|due| self.agenda.has(due, Task::Probe(key))));
        }
        assert_eq!(tasks, self.agenda.len(), "tasks that nobody knows");
        self.absents.check(|due, task| self.agenda.has(due, task));
        self.coming.check(|key| self.members.contains(key.slot()));
        self.check_acquaintances();
    }
}

impl Rooms {
    /// The most memory that rooms can take, with all who are in them or absent from them, beyond what the same connections would
    /// have `announced` in networks. Each name is kept as it is and as JSON, where each byte can be six.
    pub(crate) fn worst_case(limits: &Limits, announced: u64) -> u64 {
        let name = boxed(NAME_BYTES as u64);
        let json = boxed(6 * NAME_BYTES as u64 + 2);
        let room = grown(size_of::<Room>() + 8) + tree(size_of::<Scope>() + 4) + 4 * name + 2 * json;
        let claim =
            tree(8 + size_of::<Claim>()) + tree(12) + boxed(size_of::<Joining>() as u64) + 3 * name + json;
        let member = grown(size_of::<Member>() + 8)
            + tree(16 + 4)
            + 3 * name
            + 3 * json
            + grown(MOST_KNOWN * size_of::<Known>() + 4)
            + 3 * tree(size_of::<(Time, Task)>())
            + claim;
        // Nobody is in two rooms, and nobody is not in a room that is there.
        let rooms = u64::from(limits.networks.min(limits.connections));
        let members = u64::from(limits.connections) * member;
        rooms * room
            + members.saturating_sub(announced)
            + Absents::worst_case(limits)
            + Coming::worst_case(limits)
    }
}

/// So long whoever is said to have gone has for a sign of life.
const PROBE_MS: u64 = 2_000;

/// So long nobody is told again that somebody is not there.
const MISSED_MS: u64 = 1_000;

/// Rooms are numbered from here, so that no network has the number of a room.
const FIRST_ID: u64 = 1 << 63;

#[cfg(test)]
mod tests;
