//! `goodbye`: a peer leaves its network now, of its own will.

use crate::peers::{PeerSlot, Standing};
use crate::switchboard::storing::address;
use crate::{Departure, MailEnd, Question, Switchboard};

impl Switchboard {
    /// The network that it announced itself in counts, whatever the message says. Idempotent: browsers say it
    /// up to three times while a page unloads (observed).
    pub(crate) fn goodbye(&mut self, slot: PeerSlot) {
        self.leave(slot, Departure::Goodbye);
        if matches!(self.peers[slot].stand(Standing::Departed), Standing::Departed) {
            return;
        }
        self.tell_of_goodbye(slot);
        if self.drop_mail(slot) {
            let id = *self.peers[slot].id();
            let is_proven = self.grants.has_proven(self.peers[slot].conn(), &id);
            self.ask_in_any_case(|| Question::Discard { address: address(&id), is_proven });
        }
    }

    /// Whoever has said goodbye wants nothing that is kept here. Returns whether that was its own.
    pub(crate) fn drop_mail(&mut self, slot: PeerSlot) -> bool {
        let id = *self.peers[slot].id();
        let is_own = self.owns_mail(self.peers[slot].conn(), &id);
        if is_own {
            self.close_mailbox(&id, MailEnd::Dropped);
        }
        is_own
    }
}
