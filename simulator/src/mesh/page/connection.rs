//! One `PeerConnection` of a page, as far as its state decides anything.

use peerpigeon_core::Time;

use super::super::introducer::End;
use super::super::key::Key;

#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Connection {
    pub(in super::super) peer: Key,
    pub(in super::super) end: End,
    /// The end that its remote description named; 0 where there is none, or an answer was meant for another end.
    pub(in super::super) other: End,
    /// `connectionStartTime`
    pub(super) start: Time,
    pub(super) role: Role,
    pub(super) signaling: Signaling,
    pub(super) transport: Transport,
    pub(super) is_open: bool,
    /// Whether a candidate of the other end has come.
    pub(super) has_candidate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Dialler,
    Answerer,
}

/// How far the descriptions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signaling {
    /// The own description is being made.
    Making,
    /// `have-local-offer`
    Offered,
    Stable,
}

/// How far ICE and DTLS are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    New,
    /// `checking`
    Checking,
    /// `checking`, and a link will come if both ends stay.
    Paired,
    /// `connected`, as far as ICE goes.
    Reached,
    /// `connected`, as far as DTLS goes.
    Secured,
    /// `disconnected`: the other end is silent.
    Silent,
}

/// What `getStatus()` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Connecting,
    ChannelConnecting,
    Connected,
    Disconnected,
}

/// Each call that makes or takes a description takes so long.
pub(super) const DESCRIPTION_MS: u64 = 5;

/// Calls that a dialler makes until its offer is sent.
pub(super) const OFFER_CALLS: u64 = 2;

/// Calls that an answerer makes until its answer is sent.
pub(super) const ANSWER_CALLS: u64 = 3;

/// After this long without a result the library takes a call for failed.
pub(super) const CALL_TIMEOUT_MS: u64 = 10_000;

impl Connection {
    pub(super) fn new(now: Time, role: Role, peer: Key, (end, other): (End, End)) -> Connection {
        Connection {
            peer,
            end,
            other,
            start: now,
            role,
            signaling: Signaling::Making,
            transport: Transport::New,
            is_open: false,
            has_candidate: false,
        }
    }

    pub(super) fn status(&self) -> Status {
        match (self.transport, self.role) {
            (Transport::New, _) => Status::Connecting,
            (Transport::Checking | Transport::Paired | Transport::Reached, Role::Answerer) => {
                Status::Connecting
            }
            (Transport::Checking | Transport::Paired | Transport::Reached, Role::Dialler) => {
                Status::ChannelConnecting
            }
            // The answerer has no channel yet, and the library looks no further than that.
            (Transport::Secured, Role::Dialler) if !self.is_open => Status::ChannelConnecting,
            (Transport::Secured, _) => Status::Connected,
            (Transport::Silent, _) => Status::Disconnected,
        }
    }

    /// Whether the link is up at this end.
    pub(in super::super) fn is_up(&self) -> bool {
        self.is_open && self.transport == Transport::Secured
    }

    /// Whether ICE looks for a way to this other end.
    pub(in super::super) fn looks_for(&self, peer: Key, other: End) -> bool {
        self.peer == peer && self.other == other && self.transport == Transport::Checking
    }

    pub(in super::super) fn has_candidate(&self) -> bool {
        self.has_candidate
    }

    /// When the call that closing it now leaves without a result is taken for failed.
    pub(super) fn call_timeout(&self, now: Time) -> Option<Time> {
        let calls = now.0.saturating_sub(self.start.0) / DESCRIPTION_MS;
        (self.signaling == Signaling::Making).then(|| self.start + (calls * DESCRIPTION_MS + CALL_TIMEOUT_MS))
    }
}
