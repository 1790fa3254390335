//! Pages that speak dialect B, or dialect B over HTTP: their words are turned into those of dialect A and back, so that
//! one page serves all.

use peerpigeon_core::{ConnId, Gone, Limits};

use super::due::Due;
use super::{Request, Socket, World};
use crate::client::{self, compose};
use crate::host::{Downward, Upward};
use crate::scenario::Way;
use crate::watch::{Breach, Delivery, Fetched, Parcel, Said};

/// A page that speaks HTTP announces itself anew after so long, since nothing tells it that it was forgotten.
pub(super) const ANNOUNCE_MS: u64 = 60_000;
/// What a page makes of an answer that says that it is not wanted (RFC 6455 section 7.4.1).
const POLICY_VIOLATION: u16 = 1008;

impl World<'_> {
    pub(super) fn fresh_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    /// A page that speaks HTTP begins to post and to ask.
    pub(super) fn visit(&mut self, slot: usize, attempt: u64) -> ConnId {
        let conn = self.fresh_conn();
        let socket = Socket { slot, way: Way::Http, attempt: Some(attempt), dead: false, over: false };
        self.sockets.insert(conn, socket);
        let delay = self.slots[slot].delay;
        self.slots[slot].announced = self.now;
        self.queue.put(self.now + 2 * delay, Due::Down(conn, Downward::Opened));
        self.queue.put(self.now + 3 * delay, Due::Poll(conn));
        if self.slots[slot].random.chance(20) {
            self.post(slot, conn, compose("register", None, None, None, None));
        }
        conn
    }

    /// The first message of dialect B goes out as soon as the socket is open; sometimes another one comes before.
    pub(super) fn register(&mut self, slot: usize, conn: ConnId) {
        let early = self.slots[slot].random.chance(10);
        let early = early.then(|| compose("ping", None, None, None, None));
        let register = self.with_sender(slot, &compose("register", None, None, None, None));
        let at = self.now + 2 * self.slots[slot].delay;
        for text in early.into_iter().chain([register]) {
            self.queue.put(at, Due::Up(conn, Upward::Text(text)));
        }
    }

    /// A text of dialect A in dialect B; every other one names its sender.
    pub(super) fn in_b(&mut self, slot: usize, text: String) -> String {
        self.serial += 1;
        if self.serial.is_multiple_of(2) { text } else { self.with_sender(slot, &text) }
    }

    fn with_sender(&self, slot: usize, text: &str) -> String {
        match text.strip_prefix('{') {
            Some(rest) if rest.starts_with('"') => format!(r#"{{"peerId":"{}",{rest}"#, self.slots[slot].me),
            Some(_) | None => text.to_owned(),
        }
    }

    /// What reaches a page, in dialect A; none for an acknowledgement.
    pub(super) fn in_dialect_a(&self, conn: ConnId, text: String) -> Option<String> {
        let socket = self.sockets.get(&conn)?;
        if socket.way == Way::A { Some(text) } else { self.in_a(socket.slot, &text) }
    }

    fn in_a(&self, slot: usize, text: &str) -> Option<String> {
        let network = self.slots[slot].page.as_ref().and_then(|page| page.client.network());
        let network = network.unwrap_or(client::DEFAULT_NETWORK);
        match Parcel::read(text)? {
            Parcel::Registered => {
                let me = &self.slots[slot].me;
                Some(format!(
                    r#"{{"type":"connected","networkName":"{}","fromPeerId":"system","targetPeerId":"{me}","timestamp":0}}"#,
                    client::DEFAULT_NETWORK
                ))
            }
            Parcel::Answer(_) => None,
            Parcel::Delivery(delivery) => Some(delivery.to_a(network)),
        }
    }

    pub(super) fn post(&mut self, slot: usize, session: ConnId, text: String) {
        let text = self.with_sender(slot, &text);
        if self.slots[slot].outbox.is_empty() {
            self.queue.put(self.now + self.slots[slot].delay, Due::Post(session));
        }
        self.slots[slot].outbox.push(text);
    }

    /// A page that speaks HTTP sends what it has to say, in as few requests as it can.
    pub(super) fn post_all(&mut self, session: ConnId) -> Result<(), Breach> {
        let Some(socket) = self.sockets.get(&session) else { return Ok(()) };
        let slot = socket.slot;
        let texts = core::mem::take(&mut self.slots[slot].outbox);
        if socket.dead {
            return Ok(());
        }
        for body in bodies(texts) {
            let (conn, address) = (self.fresh_conn(), self.address(slot));
            self.requests.insert(conn, Request { session, poll: false });
            self.server(conn, Upward::Post { body, address })?;
        }
        Ok(())
    }

    /// A page that speaks HTTP asks for what was said to it.
    pub(super) fn poll(&mut self, session: ConnId) -> Result<(), Breach> {
        let Some(socket) = self.sockets.get(&session).filter(|socket| !socket.dead) else { return Ok(()) };
        let (slot, conn) = (socket.slot, self.fresh_conn());
        self.requests.insert(conn, Request { session, poll: true });
        let wait = *self.slots[slot].random.pick(&["", "&wait=0", "&wait=2", "&wait=25", "&wait=900"]);
        let target = format!("/signaling?peerId={}{wait}", self.slots[slot].me);
        self.server(conn, Upward::Poll { target })
    }

    /// The visit of a page that speaks HTTP ends, if that is what happens to it.
    pub(super) fn visit_ends(&mut self, session: ConnId, upward: &Upward) -> Result<(), Breach> {
        let Upward::Gone(cause) = *upward else { return Ok(()) };
        let open = self.requests.iter().filter(|(_, request)| request.session == session);
        for conn in open.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.requests.remove(&conn);
            self.server(conn, Upward::Gone(cause))?;
        }
        self.sockets.remove(&session);
        Ok(())
    }

    /// An answer reaches a page.
    pub(super) fn reply(
        &mut self,
        session: ConnId,
        poll: bool,
        status: u16,
        text: &str,
    ) -> Result<(), Breach> {
        let Some((slot, attempt)) = self.owner(session) else { return Ok(()) };
        if matches!(status, 409 | 503) {
            self.slots[slot].conn.take_if(|current| *current == session);
            self.end(session, Gone::Closed);
            self.page(slot, client::Input::Closed { attempt, code: POLICY_VIOLATION });
            return Ok(());
        }
        if !poll {
            return Ok(());
        }
        let fetched = Fetched::read(text).map(|fetched| fetched.messages).unwrap_or_default();
        for delivery in fetched.iter().filter_map(|message| Delivery::read(message.get())) {
            let network = self.slots[slot].page.as_ref().and_then(|page| page.client.network());
            let text = delivery.to_a(network.unwrap_or(client::DEFAULT_NETWORK));
            self.witnessed(|world| world.witness.heard(session, &text))?;
            self.page(slot, client::Input::Text { attempt, text: &text });
        }
        let there = self.slots[slot].page.as_ref().is_some_and(|page| page.client.network().is_some());
        if there && self.now.since(self.slots[slot].announced) >= ANNOUNCE_MS {
            self.slots[slot].announced = self.now;
            self.announce(slot);
        }
        let pause = self.slots[slot].random.between(0, 8_000);
        self.queue.put(self.now + pause + self.slots[slot].delay, Due::Poll(session));
        Ok(())
    }
}

/// Requests that carry these messages in order: alone, or with others where each of them is one whose end is told.
fn bodies(texts: Vec<String>) -> Vec<String> {
    let fits = |text: &String| {
        let said = Said::read(text);
        said.message().is_some_and(|message| message.kind().is_some()) && !said.is_silent()
    };
    let mut bodies = Vec::new();
    for group in texts.chunk_by(|a, b| fits(a) && fits(b)) {
        for chunk in group.chunks(Limits::BATCH_MESSAGES) {
            bodies.push(match chunk {
                [one] => one.clone(),
                several => format!(r#"{{"messages":[{}]}}"#, several.join(",")),
            });
        }
    }
    bodies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_posted_together_but_for_those_that_must_stand_alone() {
        let ping = || r#"{"type":"ping"}"#.to_owned();
        let all = r#"{"type":"offer","data":{}}"#.to_owned();
        let texts = vec![ping(), ping(), all.clone(), "{".to_owned(), ping()];
        let both = format!(r#"{{"messages":[{},{}]}}"#, ping(), ping());
        assert_eq!(bodies(texts), [both, all, "{".to_owned(), ping()]);
        let many = bodies((0..201).map(|_| ping()).collect());
        assert_eq!(many.len(), 3);
    }
}
