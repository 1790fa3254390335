//! Between the core and the bus that other nodes are reached by.

use crate::bus::{Bus, BusEvent};
use crate::net::Net;
use crate::server::Server;
use peerpigeon_core::{Input, NodeId};

impl<N: Net> Server<N> {
    /// The number of this process, as other nodes know it.
    pub fn node_id(&self) -> NodeId {
        self.switchboard.node_id()
    }

    /// Speaks with other nodes by this bus, where [`peerpigeon_core::Limits::node_timeout_ms`] says that there are any. Before
    /// the first turn.
    pub fn join(&mut self, bus: Box<dyn Bus<N>>) {
        self.bus = Some(bus);
    }

    pub(super) fn note_bus_ready(&mut self) {
        if let Some(bus) = &mut self.bus {
            bus.note_ready();
        }
    }

    /// What has come by the bus since the last turn.
    pub(super) fn read_bus(&mut self) {
        if let Some(bus) = &mut self.bus {
            bus.read(&mut self.net, self.now);
            self.settle();
        }
    }

    /// What this turn has for other nodes, once for all of it.
    pub(super) fn write_bus(&mut self) {
        if self.bus.is_none() {
            return;
        }
        self.feed(Input::Flush);
        if let Some(bus) = &mut self.bus {
            bus.write(&mut self.net, self.now);
            self.settle();
        }
    }

    /// Hands the core the next thing that the bus tells. Says whether there was one.
    pub(super) fn hear_bus(&mut self) -> bool {
        let Some(event) = self.bus.as_mut().and_then(|bus| bus.poll()) else { return false };
        match &event {
            BusEvent::Up => self.give(Input::Bus { is_up: true }),
            BusEvent::Down => self.give(Input::Bus { is_up: false }),
            BusEvent::Frame(frame) => self.give(Input::Frame { frame }),
        }
        true
    }
}
