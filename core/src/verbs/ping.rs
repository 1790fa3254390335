//! `ping`: is the server there? Works before `announce`.

use crate::Switchboard;
use crate::peers::PeerSlot;
use crate::wire::Message;

impl Switchboard {
    pub(crate) fn ping(&mut self, slot: PeerSlot) {
        self.send(slot, Message::Pong);
    }
}
