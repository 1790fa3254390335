//! `ping`: is the server there? Works before `announce`.

use crate::Switchboard;
use crate::wire::Message;

impl Switchboard {
    pub(crate) fn ping(&mut self, slot: u32) {
        self.send(slot, Message::Pong);
    }
}
