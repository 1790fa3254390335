//! Requests, up to the one that makes a WebSocket of the connection.

use crate::access::AllowOrigin;
use crate::access::Purpose;
use crate::http::{
    self, Answer, Audience, BodyLength, Framing, Handshake, HttpRefusal, HttpRequest, MAX_BODY_BYTES,
    MAX_HEADERS, Method, RequestBody, Status, Upgrade,
};
use crate::net::{ListenerKind, Net};
use crate::observe::{ClusterState, MailStoreState, Snapshot};
use crate::server::Server;
use crate::server::connection::{HttpState, NEVER, Phase};
use crate::server::read::Received;
use peerpigeon_core::{ConnId, Grant, Input, UnixMillis};

/// What follows a request.
pub(super) enum Next {
    /// Another request.
    HttpRequest,
    /// Nothing before the core has answered.
    Answer,
    /// Nothing: what else comes does not matter.
    Nothing,
    /// Frames.
    Frames,
}

impl<N: Net> Server<N> {
    /// Answers the requests that have come. While an answer waits to be sent no further one is read, so
    /// that a client that does not read cannot make the server write.
    pub(super) fn read_http(&mut self, id: ConnId, room: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if !connection.queue.is_empty() {
            connection.marks.is_held_back = true;
            return;
        }
        if self.exchanges.contains_key(&id) {
            // Nothing is read while the core has not answered; a client that goes shows by its hangup.
            if connection.marks.has_hangup {
                self.connections.close_at_end_of_turn(id);
            } else {
                connection.marks.is_held_back = true;
            }
            return;
        }
        let Some(mut state) = self.connections.take_http(id) else { return };
        let kept = state.unparsed.len();
        room[..kept].copy_from_slice(&state.unparsed);
        state.unparsed = Vec::new();
        let received = if std::mem::take(&mut state.has_backlog) {
            Received::Bytes { count: 0, more: true }
        } else {
            // A reload may have lowered the limit below what is kept: one more byte is enough to say so.
            let end = self.config.max_head_bytes.max(kept);
            self.receive(id, &mut room[kept..=end])
        };
        match received {
            Received::Bytes { count, more } => {
                self.serve(id, state, &mut room[..kept + count]);
                if more {
                    self.connections.mark_ready(id);
                }
            }
            // Answers that are under way still reach a client that has only ended its own direction.
            Received::End(_) => {
                self.connections.return_http(id, state);
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.marks.ends_when_flushed = true;
                    self.connections.mark_dirty(id);
                }
            }
        }
    }

    fn serve(&mut self, id: ConnId, mut state: Box<HttpState>, input: &mut [u8]) {
        let mut at = 0;
        for _ in 0..REQUESTS_PER_TURN {
            let kept = state.post.as_mut().map(|post| &mut post.body);
            match (state.body.take(&input[at..], kept, self.config.max_message_bytes), &state.post) {
                (Ok(taken), _) => at += taken,
                (Err(refusal), Some(post)) => return self.refuse_post(id, &post.exchange, refusal),
                (Err(refusal), None) => return self.refuse(id, refusal, None),
            }
            if !state.body.is_whole() {
                break;
            }
            if let Some(post) = state.post.take() {
                match self.finish_post(id, *post) {
                    Next::HttpRequest => continue,
                    Next::Nothing | Next::Answer | Next::Frames => return,
                }
            }
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let next = match http::parse(&input[at..], state.seen, &mut headers, self.config.max_head_bytes) {
                Ok(None) => {
                    state.seen = input.len() - at;
                    break;
                }
                Ok(Some((request, head_bytes))) => {
                    state.seen = 0;
                    at += head_bytes;
                    self.answer(id, &mut state, &request)
                }
                Err(refusal) => {
                    self.refuse(id, refusal, None);
                    Next::Nothing
                }
            };
            match next {
                Next::HttpRequest => {}
                Next::Answer => break,
                Next::Nothing => return,
                Next::Frames => return self.decode(id, &mut input[at..]),
            }
        }
        // Whatever is left is either a head that is not whole or has to wait for its turn.
        state.has_backlog = state.seen == 0 && at < input.len();
        if at < input.len() || !state.body.is_whole() {
            self.connections.note_begun(id, self.now + self.config.handshake_timeout_ms);
        }
        state.unparsed = input[at..].to_vec();
        let has_backlog = state.has_backlog;
        self.connections.return_http(id, state);
        if has_backlog {
            self.connections.mark_ready(id);
        }
    }

    /// Answers one request; unless another may follow, the connection has left [`Phase::Http`].
    fn answer(&mut self, id: ConnId, state: &mut HttpState, request: &HttpRequest<'_>) -> Next {
        let upgrade = match http::classify(request) {
            Ok(upgrade) => upgrade,
            Err(refusal) => {
                self.refuse(id, refusal, Some(request));
                return Next::Nothing;
            }
        };
        let purpose = purpose_of(upgrade, request);
        let verdict = match (state.listener, purpose) {
            (ListenerKind::Public, _) => {
                self.policy.judge(self.now, self.clock.at(self.now), state.remote, request, purpose)
            }
            (ListenerKind::Admin, Purpose::Http | Purpose::Health) => Ok(Grant::ANY),
            (ListenerKind::Admin, Purpose::Signaling | Purpose::WebSocket) => Err(http::NOTHING_HERE),
        };
        let grant = match verdict {
            Ok(grant) => grant,
            Err(refusal) => {
                self.count_refusal(refusal.status, purpose);
                self.refuse(id, refusal, Some(request));
                return Next::Nothing;
            }
        };
        match upgrade {
            Upgrade::WebSocket(handshake) => {
                self.open(id, state, request, handshake, &grant);
                Next::Frames
            }
            Upgrade::No if self.is_too_long(request) => {
                self.refuse(id, http::TOO_LONG, Some(request));
                Next::Nothing
            }
            Upgrade::No if http::is_signaling(request) => self.begin_exchange(id, state, request, grant),
            Upgrade::No => {
                let audience = Audience::of(state.listener, state.remote, request);
                let answer = http::respond(request, audience, &self.config.pages, &self.snapshot());
                // A body that nobody wants is read to its end only where it says beforehand how long it is.
                let keep_alive = request.keep_alive && request.body != BodyLength::Chunked;
                self.write_answer(id, &answer, Some(request), keep_alive);
                if !keep_alive {
                    self.linger(id);
                    return Next::Nothing;
                }
                state.body = RequestBody::new(request.body);
                self.connections.set_idle_deadline(id, self.now + self.config.keep_alive_timeout_ms);
                Next::HttpRequest
            }
        }
    }

    /// Which limit was met, if one was.
    fn count_refusal(&mut self, status: Status, purpose: Purpose) {
        if status != Status::TooManyRequests {
            return;
        }
        match purpose {
            Purpose::WebSocket => self.loop_counters.turned_away += 1,
            Purpose::Http | Purpose::Health | Purpose::Signaling => self.loop_counters.over_http_rate += 1,
        }
    }

    fn is_too_long(&self, request: &HttpRequest<'_>) -> bool {
        let limit =
            if http::is_signaling(request) { self.config.max_message_bytes as u64 } else { MAX_BODY_BYTES };
        matches!(request.body, BodyLength::Known(bytes) if bytes > limit)
    }

    /// Makes a WebSocket of the connection and tells the core.
    fn open(
        &mut self,
        conn: ConnId,
        state: &HttpState,
        request: &HttpRequest<'_>,
        handshake: Handshake<'_>,
        grant: &Grant,
    ) {
        let cors = self.policy.cors(request.origin());
        self.loop_counters.count_answer(Status::SwitchingProtocols);
        let bytes = 512 + handshake.protocol.map_or(0, <[u8]>::len);
        self.connections.queue(conn, bytes, |out| http::write_switch(out, handshake, cors));
        let address = self.policy.address_key(state.remote, request);
        let phase = Phase::Open { decoder: Default::default(), pong: None };
        self.connections.advance(conn, phase, NEVER);
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.marks.is_known = true;
        }
        log::debug!("{conn:?} is a WebSocket from {:?}", state.remote);
        self.feed(Input::Opened { conn, target: request.target, address, grant });
    }

    /// Answers what cannot be served. The connection ends with it.
    pub(super) fn refuse(&mut self, id: ConnId, refusal: HttpRefusal, request: Option<&HttpRequest<'_>>) {
        log::debug!("{id:?}: {} {}", refusal.status.code(), refusal.text);
        self.write_answer(id, &Answer::refusal(refusal), request, false);
        self.linger(id);
    }

    pub(super) fn linger(&mut self, id: ConnId) {
        let deadline = self.now + self.config.closing_timeout_ms;
        self.connections.advance(id, Phase::Lingering, deadline);
    }

    fn write_answer(
        &mut self,
        id: ConnId,
        answer: &Answer,
        request: Option<&HttpRequest<'_>>,
        keep_alive: bool,
    ) {
        let is_head = request.is_some_and(|request| request.method == Method::Head);
        let is_1_1 = request.is_none_or(|request| request.is_1_1);
        let origin = request.and_then(HttpRequest::origin);
        self.write_framed(id, answer, origin, |cors, wall| Framing {
            cors,
            wall,
            is_head,
            is_1_1,
            keep_alive,
        });
    }

    pub(super) fn write_framed<'b>(
        &'b mut self,
        id: ConnId,
        answer: &Answer,
        origin: Option<&'b str>,
        frame: impl FnOnce(AllowOrigin<'b>, UnixMillis) -> Framing<'b>,
    ) {
        self.loop_counters.count_answer(answer.status);
        let frame = frame(self.policy.cors(origin), self.clock.at(self.now));
        self.connections.queue(id, 512 + answer.body.len(), |out| http::write(out, answer, frame));
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            now: self.now,
            wall: self.clock.at(self.now),
            gauges: self.switchboard.census(),
            peer_counters: &self.peer_counters,
            loop_counters: &self.loop_counters,
            sent: self.connections.sent,
            handshakes: self.connections.handshakes(),
            sockets: self.connections.len(),
            buffered_bytes: self.buffered_bytes(),
            memory_budget_bytes: self.config.memory_budget_bytes,
            max_connections: self.config.limits.connections,
            process: self.net.process(),
            is_draining: self.is_draining(),
            psp_server_id: self.switchboard.psp_server_id(),
            public_url: self.config.public_url.as_ref(),
            cluster: self
                .bus
                .as_deref()
                .map(|bus| ClusterState { bus: bus.counters(), node: self.switchboard.node_id() }),
            mail_store: self
                .store
                .as_deref()
                .map(|store| MailStoreState { counters: store.counters(), pending: store.pending() }),
        }
    }
}

fn purpose_of(upgrade: Upgrade<'_>, request: &HttpRequest<'_>) -> Purpose {
    match upgrade {
        Upgrade::WebSocket(_) => Purpose::WebSocket,
        // A preflight has no token: the browser asks before it sends one.
        Upgrade::No if request.method == Method::Options => Purpose::Http,
        Upgrade::No if request.path() == http::SIGNALING => Purpose::Signaling,
        Upgrade::No if request.path() == http::HEALTH => Purpose::Health,
        Upgrade::No => Purpose::Http,
    }
}

/// Requests of one connection answered in one turn, so that pipelining does not delay the others.
const REQUESTS_PER_TURN: usize = 16;
