//! Between the core's two doors.

use crate::net::Net;
use crate::observe::FrameKind;
use crate::server::Server;
use crate::server::connection::Phase;
use crate::server::connections::Fit;
use crate::websocket::encode;
use peerpigeon_core::{CloseReason, ConnId, Event, Gone, Input, Output, PeerId};

impl<N: Net> Server<N> {
    /// Hands one input to the core and does what comes out.
    pub(super) fn feed(&mut self, input: Input<'_>) {
        self.give(input);
        self.settle();
    }

    /// Does what comes out of the core, and tells it what comes of that, until nothing does.
    pub(super) fn settle(&mut self) {
        loop {
            self.apply_outputs();
            while let Some((conn, status, text)) = self.replies.pop() {
                self.reply(conn, status, text);
            }
            // An output may not be answered while others wait, so this comes after the last one.
            if let Some(conn) = self.connections.overflowed.pop() {
                self.give(Input::QueueFull { conn });
            } else if let Some((conn, waiting, capacity)) = self.connections.next_behind() {
                self.give(Input::Backlog { conn, waiting, capacity });
            } else if !self.hear_store() && !self.hear_bus() {
                break;
            }
        }
    }

    /// Writes once to every connection that got something, and tells the core who did not take it.
    pub(super) fn flush_all(&mut self) {
        self.connections.flush_all(&mut self.net);
        while let Some((conn, waiting, capacity)) = self.connections.next_behind() {
            self.feed(Input::Backlog { conn, waiting, capacity });
        }
    }

    pub(super) fn give(&mut self, input: Input<'_>) {
        self.net.note_input(self.now, &input);
        self.switchboard.handle(self.now, input);
    }

    fn apply_outputs(&mut self) {
        while let Some(output) = self.switchboard.poll_output() {
            match output {
                Output::Send { conn, text } => {
                    let mut fit = self.connections.queue_text(conn, text);
                    if fit == Fit::TooMuch {
                        // Many messages in one turn do not make a slow reader: what fits may go at once.
                        self.connections.flush(&mut self.net, conn);
                        fit = self.connections.queue_text(conn, text);
                    }
                    match fit {
                        Fit::Fits => {}
                        Fit::Much => self.connections.flush(&mut self.net, conn),
                        Fit::TooMuch => self.connections.note_overflow(conn),
                    }
                }
                Output::Reply { conn, status, text } => self.replies.push((conn, status, text.to_owned())),
                Output::Ping { conn } => {
                    self.connections.sent.count(FrameKind::Ping);
                    self.connections.queue(conn, encode::MAX_HEADER_BYTES, encode::ping);
                }
                Output::Close { conn, why } => {
                    let deadline = self.now + self.config.closing_timeout_ms;
                    self.connections.close(conn, why, deadline);
                }
                Output::Ask { id, question } => {
                    if let Some(store) = &mut self.store {
                        store.ask(self.now, self.clock.at(self.now), id, question);
                    }
                }
                Output::Publish { to, frame } => {
                    if let Some(bus) = &mut self.bus {
                        bus.publish(to, frame);
                    }
                }
                Output::Observe(event) => {
                    self.peer_counters.count(event);
                    log_event(event);
                }
            }
        }
    }

    /// Tells the core that a connection is over, if it knows it and has not ended it itself.
    pub(super) fn tell_gone(&mut self, conn: ConnId, cause: Gone) {
        if let Some(connection) = self.connections.get_mut(conn)
            && std::mem::take(&mut connection.marks.is_known)
        {
            self.feed(Input::Closed { conn, cause });
        }
    }
}

impl<S> crate::server::connections::Connections<S> {
    /// The core closes a connection: the close frame goes behind what is queued.
    fn close(&mut self, conn: ConnId, why: CloseReason, deadline: peerpigeon_core::Time) {
        let Some(connection) = self.get_mut(conn) else { return };
        if !std::mem::take(&mut connection.marks.is_known) {
            // The loop ends it already, and the core has not got as far as to hear that.
            return;
        }
        self.queue_close(conn, Some(why.code().into()), why.text());
        self.advance(conn, Phase::Closing { decoder: Default::default() }, deadline);
    }
}

fn log_event(event: &Event) {
    match event {
        // One of dialect PSP has no name yet.
        Event::Admitted { conn, peer } if *peer == PeerId::default() => log::debug!("{conn:?} admitted"),
        Event::Admitted { conn, peer } => log::debug!("{peer} admitted on {conn:?}"),
        Event::Announced { peer, network, .. } => log::debug!("{peer} announced in {network:?}"),
        Event::Gone { conn, peer: Some(peer), cause } => log::debug!("{peer} gone from {conn:?}: {cause:?}"),
        Event::Gone { conn, peer: None, cause } => log::debug!("{conn:?} gone: {cause:?}"),
        Event::Held { conn, why } => log::debug!("{conn:?} held: {why:?}"),
        Event::NodeOpened { node } => log::info!("cluster: node {:016x} is there", node.0),
        Event::NodeClosed { node, said_bye: true } => log::info!("cluster: node {:016x} has left", node.0),
        Event::NodeClosed { node, said_bye: false } => {
            log::warn!("cluster: node {:016x} is dead: nothing was heard of it", node.0);
        }
        Event::FrameRefused => log::debug!("cluster: a frame that is none was refused"),
        Event::Swept { mailboxes, mails } => log::debug!("swept {mailboxes} mailboxes, {mails} mails"),
        Event::Opened { .. }
        | Event::Left { .. }
        | Event::NetworkOpened { .. }
        | Event::NetworkClosed { .. }
        | Event::Introduced { .. }
        | Event::Struck { .. }
        | Event::Withheld { .. }
        | Event::Accepted { .. }
        | Event::Relayed { .. }
        | Event::Arrived { .. }
        | Event::PassedOn { .. }
        | Event::Listed { .. }
        | Event::Mailed { .. }
        | Event::Shelved { .. }
        | Event::ShelfEnded { .. }
        | Event::MailEnded { .. }
        | Event::LetterEnded { .. }
        | Event::Refused { .. }
        | Event::Limited { .. }
        | Event::Handled { .. } => {}
    }
}
