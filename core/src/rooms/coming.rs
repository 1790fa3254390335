//! Members whose mail is under way from the store: what is sent to them now waits until it has come.

use alloc::collections::{BTreeMap, VecDeque};

use crate::Limits;
use crate::rooms::absent::most_bytes;
use crate::rooms::{Kept, MailRefused, MemberKey, Rooms};
use crate::worst_case::tree;

#[derive(Debug, Default)]
pub(super) struct Coming {
    by_member: BTreeMap<MemberKey, Waiting>,
    bytes: usize,
}

/// Frames, in the order in which they came.
#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Kept>,
    bytes: usize,
}

impl Coming {
    /// The most memory that all of it takes.
    pub(super) fn worst_case(limits: &Limits) -> u64 {
        if limits.store_timeout_ms == 0 {
            return 0;
        }
        u64::from(limits.connections) * tree(size_of::<(MemberKey, Waiting)>())
            + 2 * most_bytes(limits) as u64
    }

    pub(super) fn check(&self, is_member: impl Fn(MemberKey) -> bool) {
        let bytes = |waiting: &Waiting| waiting.frames.iter().map(Kept::bytes).sum::<usize>();
        assert!(self.by_member.keys().all(|key| is_member(*key)), "mail is coming for nobody");
        assert!(self.by_member.values().all(|waiting| waiting.bytes == bytes(waiting)));
        assert_eq!(self.bytes, self.by_member.values().map(bytes).sum::<usize>());
    }
}

impl Rooms {
    /// Mail is under way to a member; `frames` come after it.
    pub(crate) fn mail_is_coming(&mut self, key: MemberKey, frames: VecDeque<Kept>) {
        let bytes = frames.iter().map(Kept::bytes).sum();
        self.coming.bytes += bytes;
        self.coming.by_member.insert(key, Waiting { frames, bytes });
    }

    pub(crate) fn is_mail_coming(&self, key: MemberKey) -> bool {
        self.coming.by_member.contains_key(&key)
    }

    /// Lets a frame wait until the mail of its addressee has come.
    pub(crate) fn wait_for_mail(
        &mut self,
        key: MemberKey,
        kept: Kept,
        limits: &Limits,
    ) -> Result<(), MailRefused> {
        let (bytes, all) = (kept.bytes(), self.coming.bytes);
        let waiting = self.coming.by_member.get_mut(&key).ok_or(MailRefused)?;
        if waiting.frames.len() >= limits.mailbox_messages as usize
            || waiting.bytes + bytes > limits.mailbox_bytes as usize
            || all + bytes > most_bytes(limits)
        {
            return Err(MailRefused);
        }
        self.coming.bytes += bytes;
        waiting.bytes += bytes;
        waiting.frames.push_back(kept);
        Ok(())
    }

    /// The mail of a member has come, or will not come. Returns what has waited for it.
    pub(crate) fn mail_has_come(&mut self, key: MemberKey) -> VecDeque<Kept> {
        let Some(waiting) = self.coming.by_member.remove(&key) else { return VecDeque::new() };
        self.coming.bytes -= waiting.bytes;
        waiting.frames
    }
}
