//! Signaling without a WebSocket: requests that the core answers, at once or when there is something to tell.

use crate::http::{Answer, BodyLength, Framing, HttpRefusal, HttpRequest, Method, RequestBody, Status};
use crate::net::Net;
use crate::server::Server;
use crate::server::connection::{HttpState, Post};
use crate::server::read_http::Next;
use peerpigeon_core::{ConnId, Gone, Grant, Input, Limits};

/// What must be known of a request when it is answered.
#[derive(Debug)]
pub(super) struct Exchange {
    origin: Option<Box<str>>,
    is_1_1: bool,
    keep_alive: bool,
}

impl<N: Net> Server<N> {
    /// Hands a request to the core, or waits for its body.
    pub(super) fn begin_exchange(
        &mut self,
        id: ConnId,
        state: &mut HttpState,
        request: &HttpRequest<'_>,
        grant: Grant,
    ) -> Next {
        let is_post = request.method == Method::Post;
        let keep_alive = request.keep_alive && (is_post || request.body != BodyLength::Chunked);
        let origin = request.origin().map(Into::into);
        let exchange = Exchange { origin, is_1_1: request.is_1_1, keep_alive };
        state.body = RequestBody::new(request.body);
        if is_post {
            if request.lists("Expect", "100-continue") {
                // RFC 9110 section 10.1.1: the client waits for this before it sends the body.
                self.connections.queue(id, 32, |out| out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"));
            }
            let address = self.policy.address_key(state.remote, request);
            state.post = Some(Box::new(Post { exchange, address, grant, body: Vec::new() }));
            return Next::HttpRequest;
        }
        self.exchanges.insert(id, exchange);
        self.feed(Input::Polled { conn: id, target: request.target, grant: &grant });
        if self.exchanges.contains_key(&id) {
            let deadline = self.now + Limits::POLL_MS + self.config.handshake_timeout_ms;
            self.connections.set_handshake_deadline(id, deadline);
            Next::Answer
        } else if keep_alive {
            Next::HttpRequest
        } else {
            Next::Nothing
        }
    }

    /// The body is whole.
    pub(super) fn finish_post(&mut self, id: ConnId, Post { exchange, address, grant, body }: Post) -> Next {
        let Ok(body) = std::str::from_utf8(&body) else {
            let refusal = HttpRefusal::new(Status::BadRequest, "Body is not UTF-8");
            self.refuse_post(id, &exchange, refusal);
            return Next::Nothing;
        };
        let keep_alive = exchange.keep_alive;
        self.exchanges.insert(id, exchange);
        self.feed(Input::Posted { conn: id, body, address, grant: &grant });
        if keep_alive { Next::HttpRequest } else { Next::Nothing }
    }

    /// Answers a request whose body is not what it must be. The connection ends with it.
    pub(super) fn refuse_post(&mut self, id: ConnId, exchange: &Exchange, refusal: HttpRefusal) {
        log::debug!("{id:?}: {} {}", refusal.status.code(), refusal.text);
        let Exchange { origin, is_1_1, .. } = exchange;
        self.write_framed(id, &Answer::refusal(refusal), origin.as_deref(), |cors, wall| Framing {
            cors,
            wall,
            is_head: false,
            is_1_1: *is_1_1,
            keep_alive: false,
        });
        self.linger(id);
    }

    /// The core has answered.
    pub(super) fn reply(&mut self, id: ConnId, status: u16, text: String) {
        let Some(Exchange { origin, is_1_1, keep_alive }) = self.exchanges.remove(&id) else { return };
        let mut answer = Answer::json(status_of(status), text);
        if answer.status == Status::TooManyRequests {
            // The buckets of a peer are filled by the second.
            answer.lines += "Retry-After: 1\r\n";
        }
        self.write_framed(id, &answer, origin.as_deref(), |cors, wall| Framing {
            cors,
            wall,
            is_head: false,
            is_1_1,
            keep_alive,
        });
        if keep_alive {
            self.connections.set_idle_deadline(id, self.now + self.config.keep_alive_timeout_ms);
            self.connections.mark_ready(id);
        } else {
            self.linger(id);
        }
    }

    /// Tells the core of those whose client has gone before they were answered.
    pub(super) fn abandon_exchanges(&mut self) {
        if self.exchanges.is_empty() {
            return;
        }
        let gone: Vec<ConnId> = self
            .connections
            .ending
            .iter()
            .copied()
            .filter(|id| self.exchanges.remove(id).is_some())
            .collect();
        for conn in gone {
            self.feed(Input::Closed { conn, cause: Gone::Closed });
        }
    }
}

/// The codes that the core answers with.
fn status_of(code: u16) -> Status {
    match code {
        200 => Status::Ok,
        403 => Status::Forbidden,
        404 => Status::NotFound,
        409 => Status::Conflict,
        429 => Status::TooManyRequests,
        503 => Status::ServiceUnavailable,
        _ => Status::BadRequest,
    }
}
