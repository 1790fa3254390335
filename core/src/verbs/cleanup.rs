//! `cleanup` and `cleanup-all`: mail that a peer does not want to be delivered or to get any more.

use crate::peers::PeerSlot;
use crate::switchboard::storing::address;
use crate::wire::{Refusal, Request, Target};
use crate::{MailEnd, PeerId, Question, Switchboard};

impl Switchboard {
    /// Forgets the mail between the sender and its target, in both directions.
    pub(crate) fn cleanup(&mut self, slot: PeerSlot, request: &Request<'_>) -> Result<(), Refusal> {
        let Target::Peer(target) = request.target else { return Err(Refusal::MissingTarget) };
        let target = *target.id();
        let sender = *self.peers[slot].id();
        self.forget_mail(&sender, &target);
        self.tell_of_cleanup(sender, Some(target));
        let conn = self.peers[slot].conn();
        let forget = |from: &PeerId, to: &PeerId, is_proven| Question::Forget {
            sender: address(from),
            address: Some(address(to)),
            is_proven,
        };
        self.ask_in_any_case(|| forget(&sender, &target, true));
        if self.owns_mail(conn, &sender) {
            self.forget_mail(&target, &sender);
            self.tell_of_cleanup(target, Some(sender));
            let is_proven = self.grants.has_proven(conn, &sender);
            self.ask_in_any_case(|| forget(&target, &sender, is_proven));
        }
        Ok(())
    }

    /// Forgets all mail from the sender.
    pub(crate) fn cleanup_all(&mut self, slot: PeerSlot) {
        let sender = *self.peers[slot].id();
        self.forget_all_mail(&sender);
        self.tell_of_cleanup(sender, None);
        self.ask_in_any_case(|| Question::Forget {
            sender: address(&sender),
            address: None,
            is_proven: true,
        });
    }

    pub(crate) fn forget_all_mail(&mut self, sender: &PeerId) {
        for addressee in self.mailboxes.addressees(sender) {
            self.forget_mail(sender, &addressee);
        }
    }

    pub(crate) fn forget_mail(&mut self, from: &PeerId, to: &PeerId) {
        let count = self.mailboxes.forget(from, to);
        self.observe_mails(to, count, MailEnd::Forgotten);
    }
}
