//! How the links of a page come and go, as its browser tells it.

use super::connection::Transport;
use super::{Cause, Output, Page, Timer, Turn};
use crate::mesh::introducer::End;
use crate::mesh::key::Key;

/// What happens to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Change {
    /// ICE is `connected`.
    Reached,
    /// DTLS is through: the connection is `connected`.
    Secured,
    /// The data channel is open: the link is up.
    Opened,
    /// The other end closed.
    Closed,
    /// The other end closed to make room, and said so.
    Evicted,
    /// The other end is silent.
    Silent,
}

/// From the first check, or from the silence of the other end, until ICE gives up.
const HOPELESS_MS: u64 = 15_000;
/// So long the library waits for a silent end to come back.
const SILENT_MS: u64 = 5_000;
const AFTER_LOSS_MS: u64 = 500;

impl Page {
    /// Something happens to an end; nothing where that end is closed already.
    pub(in super::super) fn change(&mut self, turn: &mut Turn<'_>, end: End, change: Change) {
        self.now = turn.now;
        let Some(connection) = self.connections.iter_mut().find(|one| one.end == end) else { return };
        let peer = connection.peer;
        match change {
            Change::Reached => connection.transport = Transport::Reached,
            Change::Secured => {
                connection.transport = Transport::Secured;
                self.known.forget_attempts(peer);
                self.known.unmark(peer);
                self.known.touch(turn.now, peer);
            }
            Change::Opened => connection.is_open = true,
            Change::Closed => self.disconnected(turn, peer),
            // Nothing else follows: an evicted page does not look for another link by that.
            Change::Evicted => self.close(turn, peer, Cause::Other),
            Change::Silent => {
                connection.transport = Transport::Silent;
                self.after(SILENT_MS, Timer::StillSilent(end));
            }
        }
    }

    /// Both ends look for each other, and have what they need.
    pub(in super::super) fn pair(&mut self, end: End) {
        if let Some(connection) = self.connections.iter_mut().find(|one| one.end == end) {
            connection.transport = Transport::Paired;
        }
    }

    /// Both descriptions are there: ICE begins.
    pub(super) fn check(&mut self, turn: &mut Turn<'_>, end: End) {
        let Some(connection) = self.connections.iter_mut().find(|one| one.end == end) else { return };
        connection.transport = Transport::Checking;
        let peer = connection.peer;
        self.after(HOPELESS_MS, Timer::Hopeless(end));
        self.announce_check(turn, peer);
    }

    pub(super) fn announce_check(&self, turn: &mut Turn<'_>, peer: Key) {
        let Some(connection) = self.connections.iter().find(|one| one.peer == peer) else { return };
        if connection.transport == Transport::Checking && connection.other != 0 {
            turn.outputs.push(Output::Check { peer, end: connection.end, other: connection.other });
        }
    }

    pub(super) fn ice_gives_up(&mut self, turn: &mut Turn<'_>, end: End) {
        let Some(connection) = self.connection(end) else { return };
        if matches!(connection.transport, Transport::Checking | Transport::Paired) {
            self.disconnected(turn, connection.peer);
        }
    }

    pub(super) fn still_silent(&mut self, turn: &mut Turn<'_>, end: End) {
        if let Some(connection) = self.connection(end) {
            self.disconnected(turn, connection.peer);
        }
    }

    /// A `goodbye` closes at once, and clears every trace.
    pub(in super::super) fn goodbye(&mut self, turn: &mut Turn<'_>, peer: Key) {
        self.now = turn.now;
        self.known.remove(peer);
        self.known.forget_attempts(peer);
        self.disconnected(turn, peer);
    }

    /// `handlePeerDisconnection`
    pub(super) fn disconnected(&mut self, turn: &mut Turn<'_>, peer: Key) {
        self.close(turn, peer, Cause::Other);
        self.known.unmark(peer);
        if self.connected() == 0 && !self.known.is_empty() {
            self.after(AFTER_LOSS_MS, Timer::AfterLoss);
        }
    }

    /// `cleanupFailedConnection`: it closes whatever there is to that peer, a newer connection, too.
    pub(super) fn clean_up(&mut self, turn: &mut Turn<'_>, peer: Key) {
        self.close(turn, peer, Cause::Other);
        self.known.unmark(peer);
    }

    /// Closes what there is to a peer, and nothing else.
    pub(super) fn close(&mut self, turn: &mut Turn<'_>, peer: Key, cause: Cause) {
        let Some(place) = self.connections.iter().position(|one| one.peer == peer) else { return };
        let closed = self.connections.remove(place);
        if let Some(due) = closed.call_timeout(turn.now) {
            self.timers.push((due, Timer::LateCleanUp(peer)));
        }
        turn.outputs.push(Output::Closed { peer, other: closed.other, cause });
    }
}
