//! The way out: from a message to a peer to a text for its connection, or into its queue.

use alloc::string::String;

use crate::cluster::events::Passed;
use crate::mesh::networks::GLOBAL_JSON;
use crate::peers::PeerSlot;
use crate::switchboard::Stage;
use crate::wire::{self, Message, MessageId, Recipient, Refusal, Stamp};
use crate::{ConnId, Switchboard};

impl Switchboard {
    /// Sends one message to an admitted peer; returns its size in bytes.
    pub(crate) fn send(&mut self, slot: PeerSlot, message: Message<'_>) -> usize {
        let stamp = self.stamp();
        let peer = &self.peers[slot];
        let network = peer.network().map_or(GLOBAL_JSON, |network| self.networks.json(network));
        let to = Recipient { dialect: peer.dialect(), spelling: peer.spelling(), network };
        if peer.has_connection() {
            let bytes = self.outbox.send(peer.conn(), |out| wire::write(out, &to, message, stamp));
            self.backlogs.grow(peer.conn(), bytes);
            self.caused.add(bytes);
            return bytes;
        }
        if !peer.is_here() {
            let Message::Signal { signal, from, data, name } = message else {
                // Its own node tells it.
                return 0;
            };
            return self.pass_on(slot, from, signal, name, data, Passed::Mail);
        }
        let mut text = String::new();
        wire::write(&mut text, &to, message, stamp);
        let bytes = text.len();
        self.caused.add(bytes);
        self.enqueue(slot, text.into_boxed_str());
        bytes
    }

    pub(crate) fn stamp(&mut self) -> Stamp {
        Stamp { timestamp: self.clock.at(self.now).0, naming: self.naming, fresh: self.next_message_id() }
    }

    pub(crate) fn next_message_id(&mut self) -> MessageId {
        self.last_message.0 += 1;
        self.last_message
    }

    /// The driver tells what waits for a connection; nothing any more where that is 0.
    pub(crate) fn backlog(&mut self, conn: ConnId, waiting: usize, capacity: usize) {
        match self.stage(conn) {
            Stage::Admitted(_) if waiting > 0 => self.backlogs.update(conn, waiting, capacity, self.now),
            Stage::Admitted(slot) => {
                if self.backlogs.remove(conn) {
                    self.look_soon(slot);
                }
            }
            Stage::Unregistered | Stage::Held | Stage::Polling(_) | Stage::Asking | Stage::Unknown => {}
        }
    }

    /// Whether a peer has taken nothing of what waits for it for as long as it may be silent after a ping.
    pub(crate) fn has_stopped_reading(&self, slot: PeerSlot) -> bool {
        self.backlogs.has_stopped(self.peers[slot].conn(), self.limits.pong_timeout_ms, self.now)
    }

    /// Refuses a signal for which a peer has no room. If that peer has stopped reading, its time is over.
    pub(crate) fn refuse_for_want_of_room(&mut self, to: PeerSlot) -> Refusal {
        if self.has_stopped_reading(to) {
            self.look_for_life_soon(to);
        }
        Refusal::TargetTooSlow
    }

    /// Whether a signal with so much data may be sent from one peer to another.
    pub(crate) fn has_room(&self, from: PeerSlot, to: PeerSlot, data: Option<&str>) -> bool {
        self.backlogs.has_room(self.peers[from].conn(), self.peers[to].conn(), data)
    }
}
