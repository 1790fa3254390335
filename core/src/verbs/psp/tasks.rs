//! What rooms have to do later.

use crate::rooms::{AbsentKey, Claim, MemberKey, Task};
use crate::verbs::psp::{Offender, Reply};
use crate::{CloseReason, ConnId, Departure, MailEnd, PeerId, Switchboard, Time};

/// Who is far behind with reading gets its list so much later.
const POSTPONED_MS: u64 = 1_000;

impl Switchboard {
    /// Does what is due.
    pub(crate) fn rooms_are_due(&mut self) {
        self.rooms.fired();
        while !self.outbox.is_crowded()
            && let Some((due, task)) = self.rooms.pop_due(self.now)
        {
            match task {
                Task::Push(member) => self.push_list(member),
                Task::Claim(conn) => self.claim_ends(conn, due),
                Task::Probe(member) => self.probe_ends(member, due),
                Task::Expire(absent) => self.absence_ends(absent),
            }
        }
    }

    fn push_list(&mut self, member: MemberKey) {
        let Some(slot) = self.peers.by_conn(self.rooms.member(member).conn()) else { return };
        if self.backlogs.is_crowded(self.peers[slot].conn()) {
            return self.rooms.list_changes(member, self.now + POSTPONED_MS, self.now);
        }
        self.psp_send_list(slot, member, Reply::Nothing);
    }

    /// A connection has waited long enough for an id: it gets it, unless whoever has it was heard meanwhile.
    fn claim_ends(&mut self, conn: ConnId, due: Time) {
        if self.rooms.is_claim_extended(conn, due, self.now) {
            return;
        }
        let (Some(Claim { member, since, announcement, .. }), Some(slot)) =
            (self.rooms.take_claim(conn), self.peers.by_conn(conn))
        else {
            return;
        };
        let incumbent = member.and_then(|member| self.peers.by_conn(self.rooms.member(member).conn()));
        match incumbent {
            Some(incumbent) if self.peers[incumbent].last_seen() > since => {
                return self.close(slot, CloseReason::PeerStillConnected);
            }
            Some(incumbent) => self.psp_replace(incumbent),
            None => {}
        }
        if let Err(rejection) = self.psp_settle(slot, *announcement) {
            self.psp_refuse(slot, rejection, Offender::default());
        }
        self.place_is_free();
    }

    /// Whoever was said to have gone has had its time: it has gone, unless it was heard meanwhile.
    fn probe_ends(&mut self, member: MemberKey, due: Time) {
        let Some(slot) = self.peers.by_conn(self.rooms.member(member).conn()) else { return };
        if self.rooms.has_gone(member, self.peers[slot].last_seen(), due, self.now) {
            self.psp_leave(slot, member, Departure::Goodbye);
            self.close(slot, CloseReason::InactiveTimeout);
        }
    }

    fn absence_ends(&mut self, absent: AbsentKey) {
        let peer = PeerId::label(self.rooms.absent_id(absent));
        let expired = self.rooms.expire(absent, self.now);
        self.observe_mails(&peer, expired, MailEnd::Expired);
    }
}
