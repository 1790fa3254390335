//! `withdraw`, and a `bye` to nobody in particular: a page leaves, or says that it was somebody else before.

use crate::peers::PeerSlot;
use crate::rooms::Scope;
use crate::verbs::psp::Rejection;
use crate::wire::psp::Envelope;
use crate::{Departure, Event, MailEnd, PeerId, Question, Switchboard, Verb};

impl Switchboard {
    /// A page that was loaded again says so of its former self, by a connection of its own. Anybody could say so of anybody: so
    /// who is still connected is asked first.
    pub(crate) fn psp_withdraw(&mut self, slot: PeerSlot, envelope: &Envelope<'_>) -> Result<(), Rejection> {
        let conn = self.peers[slot].conn();
        self.outbox.observe(Event::Handled { conn, verb: Verb::Goodbye });
        if let Some(member) =
            self.peers[slot].member().filter(|member| self.check_sender(*member, envelope).is_ok())
        {
            self.psp_leave(slot, member, Departure::Goodbye);
            return Ok(());
        }
        let grant = self.grants.of(conn);
        let scope = Scope { network: (*envelope.network).into(), session: (*envelope.room).into() };
        let Some(room) = self.rooms.find(&scope) else { return Ok(()) };
        if !grant.allows_network(&envelope.network) || !grant.allows_member(&envelope.from) {
            return Ok(());
        }
        if let Some(absent) = self.rooms.absent(room, &envelope.from) {
            let dropped = self.rooms.take_absent(absent).mails();
            self.observe_mails(&PeerId::label(&envelope.from), dropped, MailEnd::Dropped);
            let address = self.rooms.room(room).address_of(&envelope.from);
            self.ask_in_any_case(|| Question::Discard { address, is_proven: false });
        } else if let Some(member) = self.rooms.by_id(room, &envelope.from)
            && let Some(other) = self.peers.by_conn(self.rooms.member(member).conn())
            && self.rooms.probe(member, self.now)
        {
            self.ask_for_life(other);
        }
        Ok(())
    }
}
