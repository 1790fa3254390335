//! `discover`, and the lists that a page gets without asking.

use alloc::vec::Vec;

use crate::peers::PeerSlot;
use crate::rooms::MemberKey;
use crate::verbs::psp::Reply;
use crate::wire::psp::{self, Discover, Envelope};
use crate::{Event, Switchboard, Verb};

impl Switchboard {
    /// Answers with the list of the sender, or with an empty one where it has not announced itself.
    ///
    /// However few peers a page asks for, the list is the same: a page takes peers that are missing from a list for gone, so
    /// lists must not jump.
    pub(crate) fn psp_discover(&mut self, slot: PeerSlot, envelope: &Envelope<'_>) {
        self.outbox.observe(Event::Handled { conn: self.peers[slot].conn(), verb: Verb::Discover });
        let reply = Reply::Question(envelope);
        match self.peers[slot].member() {
            Some(member) => self.psp_send_list(slot, member, reply),
            None => self.psp_send(slot, reply, |out, head, _| {
                psp::peer_list_head(out, head);
                psp::peer_list_tail(out);
            }),
        }
    }

    /// Sends a member its list, which it has asked for, or which has changed.
    pub(crate) fn psp_send_list(&mut self, slot: PeerSlot, member: MemberKey, reply: Reply<'_>) {
        let body = match reply {
            Reply::Question(asked) => asked.body,
            Reply::Announcement { .. } | Reply::Refusal(_) | Reply::Nothing => None,
        };
        let room = self.rooms.member(member).room();
        let excluded = Discover::read(body).excluded().filter_map(|id| self.rooms.by_id(room, &id));
        // Pages name themselves and who they were before, neither of whom is on their lists.
        let excluded: Vec<MemberKey> = excluded.filter(|excluded| *excluded != member).collect();
        let (now, wall) = (self.now, self.clock.at(self.now).0);
        let mut peers = 0;
        self.psp_send(slot, reply, |out, head, rooms| {
            psp::peer_list_head(out, head);
            for entry in rooms.list(member, now, wall).filter(|entry| !excluded.contains(&entry.member)) {
                psp::peer_list_entry(out, entry.json, entry.timestamp);
                peers += 1;
            }
            psp::peer_list_tail(out);
        });
        self.rooms.list_sent(member, now);
        self.outbox.observe(Event::Listed { conn: self.peers[slot].conn(), peers });
    }
}
