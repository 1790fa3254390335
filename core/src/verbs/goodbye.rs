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
        let id = *self.peers[slot].id();
        if self.owns_mail(self.peers[slot].conn(), &id) {
            self.close_mailbox(&id, MailEnd::Dropped);
            let is_proven = self.grants.has_proven(self.peers[slot].conn(), &id);
            self.ask_in_any_case(|| Question::Discard { address: address(&id), is_proven });
        }
    }
}
