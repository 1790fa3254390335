//! Between mail, whoever it is for, and the store that keeps it beyond the life of the process.
//!
//! Mail goes to the store as soon as it can be asked, and is kept here until it says that it has it. Whoever announces is given
//! what the store has, then what is here, then what has come meanwhile. Where the store does not answer in time, nobody waits for
//! it: mail is kept here, and what the store may still have for whoever has come in the meantime comes too late, so it is
//! forgotten as soon as the store can be asked again.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};

use crate::mail::mailboxes::Keeping;
use crate::mail::questions::{Continuation, Receipt, Taker};
use crate::mesh::networks::NetKey;
use crate::peers::PeerSlot;
use crate::timers::Fired;
use crate::wire::{self, Message, MessageId, Name, Outcome, Recipient, Refusal, SignalName, post};
use crate::{
    ConnId, Event, Grant, Letter, Limits, MailEnd, PeerId, Question, QuestionId, Signal, Spelling,
    StoreAnswer, Switchboard,
};

impl Switchboard {
    /// Whether there is a store, and anything that it could keep.
    pub(crate) fn has_store(&self) -> bool {
        let Limits { store_timeout_ms, message_ttl_ms, mailboxes, .. } = self.limits;
        store_timeout_ms > 0 && message_ttl_ms > 0 && mailboxes > 0
    }

    /// The driver reaches the store, or does so no longer.
    pub(crate) fn store_is(&mut self, is_up: bool) {
        if !self.has_store() {
            return;
        }
        self.questions.set_up(is_up);
        if is_up {
            self.mailboxes.arm_sweep(self.now, &self.limits, &mut self.timers);
            self.ask_again();
        }
    }

    /// The store answers.
    pub(crate) fn answered(&mut self, id: QuestionId, answer: StoreAnswer<'_>) {
        let is_back = self.questions.heard();
        if let Some(continuation) = self.questions.close(id) {
            self.conclude(id, continuation, answer);
        }
        if is_back {
            self.ask_again();
        } else {
            self.ask_next();
        }
    }

    /// The store has not answered in time.
    pub(crate) fn answers_are_due(&mut self, fired: Fired) {
        if self.questions.is_extended(fired.due, self.now) {
            return;
        }
        while let Some(id) = self.questions.overdue(self.now) {
            if let Some(continuation) = self.questions.close(id) {
                self.conclude(id, continuation, StoreAnswer::Unknown);
            }
        }
    }

    /// There is hope again for what was asked in vain.
    pub(crate) fn ask_again(&mut self) {
        self.questions.try_again();
        self.mailboxes.try_again();
        self.ask_next();
    }

    /// Asks what is to be asked and may be.
    pub(crate) fn ask_next(&mut self) {
        while let Some(question) = self.questions.next_owed() {
            self.ask(question.clone(), Continuation::Owed(question));
        }
        while self.questions.may_put()
            && let Some((to, mail, network, is_proven)) = self.mailboxes.next_to_store()
        {
            let (id, ttl_ms) = (mail.id, mail.remaining_ms(self.now, self.limits.message_ttl_ms));
            let letter = Letter {
                number: self.naming.number(id) ^ first_bytes(&to),
                address: address(&to),
                sender: address(mail.from.id()),
                from: String::from_utf8_lossy(&mail.from.digits()).into(),
                network: self.networks.name(network).into(),
                kind: mail.signal.name().into(),
                name: self.naming.name(id).to_string().into(),
                data: mail.data.clone(),
                ttl_ms,
                is_proven,
                is_newest: false,
            };
            self.ask(Question::Put(letter), Continuation::Put { to, id });
        }
    }

    pub(crate) fn ask(&mut self, question: Question, continuation: Continuation) {
        let id = self.questions.open(continuation, self.now, &self.limits);
        self.outbox.ask(id, question);
    }

    /// Asks now, or as soon as the store can be asked.
    pub(crate) fn ask_in_any_case(&mut self, question: impl FnOnce() -> Question) {
        if !self.has_store() {
            return;
        }
        let question = question();
        if self.questions.may_take() {
            self.ask(question.clone(), Continuation::Owed(question));
        } else {
            self.questions.owe(question, false);
        }
    }

    /// Asks the store to look after what it has.
    pub(crate) fn sweep_store(&mut self) {
        if self.questions.may_ask() {
            self.ask(Question::Sweep, Continuation::Ignore);
        }
    }

    /// Fetches what the store has for a peer. Returns whether that is under way: then what is here comes with it, or after it.
    pub(crate) fn fetch_mail(&mut self, peer: PeerId, taker: Taker) -> bool {
        if !self.has_store() {
            return false;
        }
        // What has gone to the store since it was asked first does not come with that.
        if self.questions.is_taking(&peer) && !self.mailboxes.has_asked(&peer) {
            return true;
        }
        let is_proven = taker.is_proven();
        if !self.questions.may_take() {
            self.questions.owe(Question::Discard { address: address(&peer), is_proven }, false);
            return false;
        }
        self.mailboxes.hold(&peer);
        self.ask(Question::Take { address: address(&peer), is_proven }, Continuation::Take { peer, taker });
        true
    }

    fn conclude(&mut self, id: QuestionId, continuation: Continuation, answer: StoreAnswer<'_>) {
        match continuation {
            Continuation::Put { to, id } => self.put_ends(&to, id, answer),
            Continuation::Take { peer, taker } => {
                let letters = if let StoreAnswer::Taken(letters) = answer { Some(letters) } else { None };
                if letters.is_none() {
                    let is_proven = taker.is_proven();
                    self.questions.owe(Question::Discard { address: address(&peer), is_proven }, true);
                }
                let mut letters = letters.unwrap_or_default();
                if self.questions.is_taking_before(&peer, id) {
                    // It would overtake what has not come yet.
                    self.observe_letters(&peer, letters.len(), MailEnd::Dropped);
                    letters = &[];
                }
                match taker {
                    Taker::Session { is_proven } => self.mail_arrives(peer, is_proven, letters),
                    Taker::Poll { conn, peer, grant } => {
                        let is_waited_for = self.questions.end_request(conn);
                        self.mail_arrives_for_request(is_waited_for.then_some(conn), &peer, &grant, letters);
                    }
                }
            }
            Continuation::PutFrame { to, id } => {
                self.questions.kept(to, id);
                let is_stored = answer == StoreAnswer::Stored;
                self.observe_mails(&to, 1, if is_stored { MailEnd::Stored } else { MailEnd::Dropped });
            }
            Continuation::TakeFrames { conn, address } => {
                if let StoreAnswer::Taken(letters) = answer {
                    self.psp_mail_arrives(conn, letters);
                } else {
                    self.questions.owe(Question::Discard { address, is_proven: false }, true);
                    self.psp_mail_arrives(conn, &[]);
                }
            }
            Continuation::Owed(question) => {
                if matches!(answer, StoreAnswer::Failed | StoreAnswer::Unknown) {
                    self.questions.owe(question, true);
                }
            }
            Continuation::Ignore => {}
        }
    }

    fn put_ends(&mut self, to: &PeerId, id: MessageId, answer: StoreAnswer<'_>) {
        match answer {
            StoreAnswer::Stored => {
                if self.mailboxes.stored(to, id) {
                    self.observe_mails(to, 1, MailEnd::Stored);
                }
            }
            StoreAnswer::Failed => self.mailboxes.not_stored(to, id, true),
            StoreAnswer::Unknown | StoreAnswer::Taken(_) | StoreAnswer::Gone(_) => {
                self.mailboxes.not_stored(to, id, false);
            }
        }
        // Where the store does not have it, it waits here.
        match self.questions.kept(*to, id) {
            Receipt::Nobody => {}
            Receipt::Sender(conn) => {
                self.receipts.known(conn, id);
                self.give_receipts(conn);
            }
            Receipt::Post(conn) => {
                if let Some((status, reply)) = self.questions.one_kept(conn) {
                    self.reply(conn, status, &reply);
                }
            }
        }
    }

    /// Tells a peer what became of its message: as soon as that is known, and in the order of its messages.
    pub(crate) fn acknowledge(
        &mut self,
        slot: PeerSlot,
        id: MessageId,
        result: Result<Outcome, Refusal>,
        offending_type: Option<&str>,
    ) {
        let conn = self.peers[slot].conn();
        let is_kept = result.is_err() || !self.questions.tell_when_kept(id, Receipt::Sender(conn));
        if !is_kept || self.receipts.is_waiting(conn) {
            self.receipts.wait(conn, id, result, is_kept);
            return self.give_receipts(conn);
        }
        match result {
            Ok(outcome) => self.send(slot, Message::Done { id, outcome }),
            Err(refusal) => self.send(slot, Message::Error { refusal, offending_type, id }),
        };
    }

    /// Gives the acknowledgements that need not wait any longer.
    fn give_receipts(&mut self, conn: ConnId) {
        let Some(slot) = self.peers.by_conn(conn) else { return };
        while let Some((id, result)) = self.receipts.next(conn) {
            match result {
                Ok(outcome) => self.send(slot, Message::Done { id, outcome }),
                // No dialect that acknowledges repeats the type.
                Err(refusal) => self.send(slot, Message::Error { refusal, offending_type: None, id }),
            };
        }
    }

    /// Gives a peer what the store had for it, and what is here. Of a peer that has gone again it is lost.
    fn mail_arrives(&mut self, peer: PeerId, is_proven: bool, letters: &[Letter]) {
        let slot = self.peers.by_id(&peer);
        let Some((slot, network)) = slot.and_then(|slot| Some((slot, self.peers[slot].network()?))) else {
            return self.observe_letters(&peer, letters.len(), MailEnd::Dropped);
        };
        let caused = self.caused;
        let mut named = BTreeSet::new();
        for letter in letters {
            named.insert(letter.name.as_ref());
            let is_allowed =
                *letter.network == *self.networks.name(network) && (is_proven || !letter.is_proven);
            let end = match signal_of(letter, &self.limits) {
                _ if letter.ttl_ms == 0 => MailEnd::Expired,
                Some(message) if is_allowed => {
                    self.send(slot, message);
                    MailEnd::Delivered
                }
                Some(_) | None => MailEnd::Dropped,
            };
            self.observe_letters(&peer, 1, end);
        }
        if !self.questions.is_taking(&peer) {
            self.hand_out_here(slot, network, &named);
        }
        // Whoever wrote that has paid for it.
        self.caused = caused;
    }

    /// Gives a peer what is kept for it here; kept for another network it is lost. Whatever the store may have it has given, or
    /// it is lost: `named` are those.
    pub(crate) fn hand_out_here(&mut self, slot: PeerSlot, network: NetKey, named: &BTreeSet<&str>) {
        let id = *self.peers[slot].id();
        if self.mailboxes.network_of(&id, self.now) != Some(network) {
            self.close_mailbox(&id, MailEnd::Dropped);
            return;
        }
        let Some((network, mails)) = self.mailboxes.close(&id) else { return };
        self.networks.release(network);
        let mut is_late = false;
        for mail in mails {
            let end = if mail.is_expired(self.now, self.limits.message_ttl_ms) {
                MailEnd::Expired
            } else if mail.keeping == Keeping::Here {
                self.send(slot, mail.message());
                MailEnd::Delivered
            } else if named.contains(self.naming.name(mail.id).to_string().as_str()) {
                MailEnd::Stored
            } else {
                is_late = true;
                MailEnd::Dropped
            };
            self.observe_mails(&id, 1, end);
        }
        if is_late && self.peers[slot].is_here() {
            // The store may have it all the same.
            let is_proven = self.grants.has_proven(self.peers[slot].conn(), &id);
            self.ask_in_any_case(|| Question::Discard { address: address(&id), is_proven });
        }
    }

    /// Answers a request with what the store had for a peer that is not here at all, and with what is here, but for mails that
    /// have gone to the store meanwhile, and those behind them.
    pub(crate) fn mail_arrives_for_request(
        &mut self,
        conn: Option<ConnId>,
        peer: &Spelling,
        grant: &Grant,
        letters: &[Letter],
    ) {
        let id = *peer.id();
        let Some(conn) = conn else {
            return self.observe_letters(&id, letters.len(), MailEnd::Dropped);
        };
        let to = Recipient { spelling: *peer, ..Recipient::NOBODY };
        let mut reply = post::start();
        for letter in letters {
            let is_allowed =
                grant.allows_network(&letter.network) && (grant.peer.is_some() || !letter.is_proven);
            let end = match signal_of(letter, &self.limits) {
                _ if letter.ttl_ms == 0 => MailEnd::Expired,
                Some(message) if is_allowed => {
                    self.push_into(&mut reply, &to, message);
                    MailEnd::Delivered
                }
                Some(_) | None => MailEnd::Dropped,
            };
            self.observe_letters(&id, 1, end);
        }
        while let Some(mail) = self.mailboxes.pop(&id) {
            let is_expired = mail.is_expired(self.now, self.limits.message_ttl_ms);
            if !is_expired {
                self.push_into(&mut reply, &to, mail.message());
            }
            self.observe_mails(&id, 1, if is_expired { MailEnd::Expired } else { MailEnd::Delivered });
        }
        if self.mailboxes.is_empty(&id) {
            self.close_mailbox(&id, MailEnd::Dropped);
        }
        self.reply_with(conn, reply);
    }

    /// Appends a message to the answer to a request.
    pub(crate) fn push_into(&mut self, reply: &mut String, to: &Recipient<'_>, message: Message<'_>) {
        let mut text = String::new();
        let stamp = self.stamp();
        wire::write(&mut text, to, message, stamp);
        post::push(reply, &text);
    }

    pub(crate) fn observe_letters(&mut self, to: &PeerId, count: usize, end: MailEnd) {
        for _ in 0..count {
            self.outbox.observe(Event::LetterEnded { to: *to, end });
        }
    }
}

impl Taker {
    /// Whether it has proven to be whom the mail is for.
    fn is_proven(&self) -> bool {
        match self {
            Taker::Session { is_proven } => *is_proven,
            Taker::Poll { grant, .. } => grant.peer.is_some(),
        }
    }
}

/// What was sent to many has one id: whom it is for makes letters of it that differ.
fn first_bytes(peer: &PeerId) -> u64 {
    let PeerId([a, b, c, d, e, f, g, h, ..]) = *peer;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// As what the store knows a peer.
pub(crate) fn address(peer: &PeerId) -> Box<str> {
    peer.to_string().into()
}

/// What a letter says; `None` of one that no process of this kind has written.
fn signal_of<'a>(letter: &'a Letter, limits: &Limits) -> Option<Message<'a>> {
    if letter.data.as_deref().is_some_and(|data| !wire::is_json(data, limits.nesting_levels)) {
        return None;
    }
    Some(Message::Signal {
        signal: Signal::ALL.into_iter().find(|signal| *signal.name() == *letter.kind)?,
        from: Spelling::parse(&letter.from)?,
        data: letter.data.as_deref(),
        name: SignalName::Others(Name::parse(&letter.name)?),
    })
}
