//! Between the core and the store of mail.

use crate::net::Net;
use crate::server::Server;
use crate::store::StoreEvent;
use peerpigeon_core::Input;

impl<N: Net> Server<N> {
    pub(super) fn note_store_ready(&mut self) {
        if let Some(store) = &mut self.store {
            store.note_ready();
        }
    }

    /// What the store has got since the last turn.
    pub(super) fn read_store(&mut self) {
        let wall = self.clock.at(self.now);
        if let Some(store) = &mut self.store {
            store.read(&mut self.net, self.now, wall);
            self.settle();
        }
    }

    /// Once for all that was asked in a turn.
    pub(super) fn write_store(&mut self) {
        if let Some(store) = &mut self.store {
            store.write(&mut self.net, self.now);
            self.settle();
        }
    }

    /// Questions that are not answered yet.
    pub(super) fn asked_of_store(&self) -> usize {
        self.store.as_ref().map_or(0, |store| store.pending())
    }

    /// Hands the core the next thing that the store tells. Says whether there was one.
    pub(super) fn hear_store(&mut self) -> bool {
        let Some(event) = self.store.as_mut().and_then(|store| store.poll()) else { return false };
        match &event {
            StoreEvent::Up => self.give(Input::Store { is_up: true }),
            StoreEvent::Down => self.give(Input::Store { is_up: false }),
            StoreEvent::Answered(id, answer) => {
                self.give(Input::Answered { id: *id, answer: answer.borrowed() });
            }
        }
        true
    }
}
