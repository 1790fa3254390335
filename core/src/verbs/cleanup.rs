//! `cleanup` and `cleanup-all`: mail that a peer does not want to be delivered or to get any more.

use crate::peers::PeerSlot;
use crate::wire::{Refusal, Request, Target};
use crate::{MailEnd, PeerId, Switchboard};

impl Switchboard {
    /// Forgets the mail between the sender and its target, in both directions.
    pub(crate) fn cleanup(&mut self, slot: PeerSlot, request: &Request<'_>) -> Result<(), Refusal> {
        let Target::Peer(target) = request.target else { return Err(Refusal::MissingTarget) };
        let target = *target.id();
        let sender = *self.peers[slot].id();
        self.forget_mail(&sender, &target);
        if self.owns_mail(self.peers[slot].conn(), &sender) {
            self.forget_mail(&target, &sender);
        }
        Ok(())
    }

    /// Forgets all mail from the sender.
    pub(crate) fn cleanup_all(&mut self, slot: PeerSlot) {
        let sender = *self.peers[slot].id();
        for addressee in self.mailboxes.addressees(&sender) {
            self.forget_mail(&sender, &addressee);
        }
    }

    fn forget_mail(&mut self, from: &PeerId, to: &PeerId) {
        let count = self.mailboxes.forget(from, to);
        self.observe_mails(to, count, MailEnd::Forgotten);
    }
}
