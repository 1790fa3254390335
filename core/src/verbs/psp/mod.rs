//! Dialect PSP: what its pages say, and what they are told. One file per thing that they ask for.
//!
//! A page names itself, its network and its room in every message. The first `announce` binds its connection to these: later
//! messages that say otherwise are refused, so whoever gets a relayed message can trust its `from`.

mod announce;
mod discover;
mod relay;
mod tasks;
mod withdraw;

use alloc::string::String;

use crate::peers::PeerSlot;
use crate::peers::rate_limiter::{Caused, RateCheck};
use crate::rooms::{Member, MemberKey, Room, Rooms};
use crate::wire::json_string;
use crate::wire::psp::{self, Envelope, EnvelopeKind, Head, Malformed, PspCode};
use crate::{CloseReason, ErrorCode, Event, Limit, Switchboard, Verb};

/// The longest message of this dialect: as much as the relays take that pages are made for.
const MESSAGE_BYTES: usize = 65_536;

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    code: PspCode,
    sentence: &'static str,
    limit: Option<Limit>,
}

impl From<PspCode> for Rejection {
    fn from(code: PspCode) -> Rejection {
        Rejection { code, sentence: code.sentence(), limit: None }
    }
}

/// What an error says of the message that it is about. Slices are JSON.
#[derive(Clone, Copy, Default)]
pub(crate) struct Offender<'a> {
    message_id: Option<&'a str>,
    kind: Option<&'a str>,
    from: Option<&'a str>,
}

impl Switchboard {
    /// Handles one message of an admitted connection of this dialect.
    pub(crate) fn psp_text(&mut self, slot: PeerSlot, text: &str) {
        let rejection = match self.peers.admit(slot, text.len(), self.now, &self.limits) {
            RateCheck::Within if text.len() > MESSAGE_BYTES => PspCode::TooLarge.into(),
            RateCheck::Within => return self.psp_message(slot, text),
            over @ (RateCheck::TooMany | RateCheck::TooMuch | RateCheck::TooManyTogether) => {
                rate_limited(over)
            }
            RateCheck::Disconnect => return self.close(slot, CloseReason::RateLimitExceeded),
        };
        self.psp_refuse(slot, rejection, Offender::default());
    }

    fn psp_message(&mut self, slot: PeerSlot, text: &str) {
        self.caused = Caused::default();
        let peers = self.peers.len();
        match psp::read(text, &self.limits) {
            Ok(envelope) => {
                if let Err(rejection) = self.psp_perform(slot, &envelope, text) {
                    let offender = Offender { message_id: Some(envelope.message_id), ..Offender::default() };
                    self.psp_refuse(slot, rejection, offender);
                }
            }
            Err(Malformed { flaw, message_id, kind, from }) => {
                let rejection = Rejection { code: flaw.code(), sentence: flaw.sentence(), limit: None };
                self.psp_refuse(slot, rejection, Offender { message_id, kind, from });
            }
        }
        self.peers.charge(slot, self.caused.beyond(text.len()), self.now, &self.limits);
        // Somebody was replaced. Whoever is let in now says what it has to say at once, which can end this connection, too.
        if self.peers.len() < peers {
            self.place_is_free();
        }
    }

    fn psp_perform(&mut self, slot: PeerSlot, envelope: &Envelope<'_>, text: &str) -> Result<(), Rejection> {
        let (member, kind) = (self.peers[slot].member(), envelope.kind);
        if kind == EnvelopeKind::Announce {
            return self.psp_announce(slot, envelope);
        }
        if kind == EnvelopeKind::Withdraw || (kind == EnvelopeKind::Bye && envelope.to.is_none()) {
            return self.psp_withdraw(slot, envelope);
        }
        if let Some(member) = member {
            self.check_sender(member, envelope)?;
            let clock_ahead = self.clock_ahead(envelope.timestamp);
            self.rooms.spoke(member, clock_ahead, self.now);
        }
        if kind == EnvelopeKind::Ping {
            self.psp_ping(slot, envelope);
        } else if kind == EnvelopeKind::Discover {
            self.psp_discover(slot, envelope);
        } else if is_for_peers(envelope) {
            self.psp_relay(slot, member.ok_or(PspCode::NotAnnounced)?, envelope, text)?;
        }
        Ok(())
    }

    fn psp_ping(&mut self, slot: PeerSlot, envelope: &Envelope<'_>) {
        self.psp_send(slot, Reply::Question(envelope), |out, head, _| psp::pong(out, head));
        self.outbox.observe(Event::Handled { conn: self.peers[slot].conn(), verb: Verb::Ping });
    }

    /// Whether a message says of its sender what the connection has announced.
    fn check_sender(&self, member: MemberKey, envelope: &Envelope<'_>) -> Result<(), Rejection> {
        let member = self.rooms.member(member);
        let scope = self.rooms.room(member.room()).scope();
        if *member.id() != *envelope.from {
            return Err(PspCode::NotYourId.into());
        }
        if *scope.network != *envelope.network || *scope.session != *envelope.room {
            return Err(PspCode::OtherScope.into());
        }
        Ok(())
    }

    /// How far the clock of a client is ahead that shows this now.
    fn clock_ahead(&self, timestamp: u64) -> i64 {
        timestamp.wrapping_sub(self.clock.at(self.now).0).cast_signed()
    }

    /// Refuses a message.
    pub(crate) fn psp_refuse(&mut self, slot: PeerSlot, rejection: Rejection, offender: Offender<'_>) {
        let Rejection { code, sentence, limit } = rejection;
        self.psp_send(slot, Reply::Refusal(offender), |out, head, _| {
            psp::error(out, head, code, sentence, offender.kind);
        });
        let conn = self.peers[slot].conn();
        self.outbox.observe(Event::Refused { conn, code: code_of(code) });
        if let Some(limit) = limit {
            self.outbox.observe(Event::Limited { conn, limit });
        }
    }

    /// Sends a message to a connection of this dialect; `write` gets what stands before its body.
    pub(crate) fn psp_send(
        &mut self,
        slot: PeerSlot,
        reply: Reply<'_>,
        write: impl FnOnce(&mut String, &Head<'_>, &Rooms),
    ) {
        let message_id = self.next_message_id();
        let conn = self.peers[slot].conn();
        let own = self.peers[slot].member().map(|member| self.rooms.member(member));
        let room = own.map(|own| self.rooms.room(own.room()));
        // Before it has announced itself, what a page says of itself is all there is.
        let asked = match reply {
            Reply::Question(asked) if own.is_none() => Some(asked),
            Reply::Question(_) | Reply::Announcement { .. } | Reply::Refusal(_) | Reply::Nothing => None,
        };
        let [network, session, from] = asked.map_or_else(Default::default, |asked| {
            [&asked.network, &asked.room, &asked.from].map(|name| json_string(name))
        });
        let own_id = own.map_or(from.as_str(), Member::id_json);
        let (to, reply_to) = match reply {
            Reply::Question(asked) => (own_id, asked.message_id),
            Reply::Announcement { message_id } => (own_id, message_id),
            Reply::Refusal(Offender { message_id, from, .. }) => {
                (own.map(Member::id_json).or(from).unwrap_or(psp::NULL), message_id.unwrap_or(psp::NULL))
            }
            Reply::Nothing => (psp::NULL, psp::NULL),
        };
        let head = Head {
            network: room.map_or(null_if_empty(&network), Room::network_json),
            from: &self.server_id,
            to,
            room: room.map_or(null_if_empty(&session), Room::session_json),
            message_id: self.naming.number(message_id),
            timestamp: self.clock.at(self.now).0,
            reply_to,
        };
        let bytes = self.outbox.send(conn, |out| write(out, &head, &self.rooms));
        self.backlogs.grow(conn, bytes);
        self.caused.add(bytes);
    }
}

/// What a message of the server is an answer to.
#[derive(Clone, Copy)]
pub(crate) enum Reply<'a> {
    /// A message that asked for it.
    Question(&'a Envelope<'a>),
    /// An `announce`, perhaps of a while ago.
    Announcement {
        message_id: &'a str,
    },
    Refusal(Offender<'a>),
    /// Nobody asked.
    Nothing,
}

fn null_if_empty(json: &str) -> &str {
    if json.is_empty() { psp::NULL } else { json }
}

/// Whether a message is for another page. Lists and redirections are the server's to give: from a page they would be lies for
/// another one.
fn is_for_peers(envelope: &Envelope<'_>) -> bool {
    let is_servers = matches!(envelope.kind, EnvelopeKind::PeerList | EnvelopeKind::Redirect);
    let is_to_nobody = envelope.to.is_none()
        && matches!(envelope.kind, EnvelopeKind::Error | EnvelopeKind::Ack | EnvelopeKind::Ext);
    envelope.kind.is_relayed() && !is_servers && !is_to_nobody
}

/// What a page is told that is over one of its rates.
pub(crate) fn rate_limited(over: RateCheck) -> Rejection {
    let limit = if over == RateCheck::TooMuch { Limit::ByteRate } else { Limit::MessageRate };
    Rejection { limit: Some(limit), ..PspCode::RateLimited.into() }
}

/// How a refusal is counted together with those of other dialects.
fn code_of(code: PspCode) -> ErrorCode {
    match code {
        PspCode::InvalidJson => ErrorCode::InvalidJson,
        PspCode::InvalidEnvelope | PspCode::InstanceIdMismatch | PspCode::TooLarge => {
            ErrorCode::InvalidMessage
        }
        PspCode::UnknownType => ErrorCode::UnknownType,
        PspCode::NotAnnounced => ErrorCode::NotAnnounced,
        PspCode::NotYourId => ErrorCode::Forbidden,
        PspCode::OtherScope => ErrorCode::OtherNetwork,
        PspCode::TargetNotConnected => ErrorCode::TargetNotConnected,
        PspCode::RateLimited | PspCode::QueueFull => ErrorCode::RateLimited,
    }
}
