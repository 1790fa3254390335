//! One member of a room.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::rooms::RoomKey;
use crate::rooms::acquaintances::Known;
use crate::timers::Patience;
use crate::{ConnId, Holder, Time};

/// Handle of a member, valid until it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MemberKey(u32);

impl MemberKey {
    pub(super) fn new(slot: usize) -> MemberKey {
        // Never more than `Limits::connections`, which is a u32.
        MemberKey(u32::try_from(slot).unwrap_or(u32::MAX))
    }

    pub(super) fn slot(self) -> usize {
        self.0 as usize
    }
}

/// When a member was asked for a sign of life, and until when it has time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) asked: Time,
    /// Kept until it has fired.
    pub(super) due: Option<Time>,
    pub(super) patience: Patience,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(super) conn: ConnId,
    pub(super) holder: Holder,
    pub(super) room: RoomKey,
    pub(super) id: Box<str>,
    pub(super) id_json: Box<str>,
    /// What lists say of it, up to its time stamp.
    pub(super) entry: Box<str>,
    /// Its place in the order from which members are drawn.
    pub(super) place: usize,
    pub(super) last_spoke: Time,
    pub(super) lease_ms: u64,
    pub(super) clock_ahead: i64,
    /// Sorted by their handles.
    pub(super) known: Vec<Known>,
    /// When it was sent a list for the last time.
    pub(super) listed: Option<Time>,
    pub(super) push_due: Option<Time>,
    /// It is said to have gone, and was asked for a sign of life.
    pub(super) probe: Option<Probe>,
    /// To whom it has written last who was not there, and when.
    pub(super) missed: Option<(Box<str>, Time)>,
}

impl Member {
    pub(crate) fn conn(&self) -> ConnId {
        self.conn
    }

    pub(crate) fn room(&self) -> RoomKey {
        self.room
    }

    /// Its id as a JSON string.
    pub(crate) fn id_json(&self) -> &str {
        &self.id_json
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}
