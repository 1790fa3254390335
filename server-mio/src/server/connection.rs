//! One socket and what is known of it.

use crate::http::RequestBody;
use crate::net::ListenerKind;
use crate::server::exchange::Exchange;
use crate::server::queue::Queue;
use crate::websocket::Decoder;
use peerpigeon_core::{AddressKey, ConnId, Grant, Time};
use std::net::SocketAddr;

/// One of very many, most of them idle WebSockets: whatever is rare is boxed.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) id: ConnId,
    pub(super) phase: Phase,
    pub(super) queue: Queue,
    /// When it is ended unless something happens; [`NEVER`] in an open WebSocket, whose silence is the core's business.
    pub(super) deadline: Time,
    pub(super) socket: S,
    pub(super) marks: Marks,
}

/// The deadline of a connection that has none.
pub(super) const NEVER: Time = Time(u64::MAX);

/// Where a connection is in its life. It only moves down this list.
#[derive(Debug)]
pub(super) enum Phase {
    /// Requests are read and answered.
    Http(Box<HttpState>),
    /// A WebSocket. The core knows it.
    Open {
        decoder: Decoder,
        /// The payload of a ping that is answered when the queue is empty.
        pong: Option<Box<[u8]>>,
    },
    /// We have sent a close frame and wait for the client's.
    Closing { decoder: Decoder },
    /// Nothing that arrives matters any more; what is queued is sent, then we end our direction and wait
    /// for the client to end its own. A socket that is closed with unread input would be reset, and the
    /// reset would destroy what the client has not read yet (RFC 9112 section 9.6).
    Lingering,
}

/// A connection that is not a WebSocket.
#[derive(Debug, Default)]
pub(super) struct HttpState {
    pub(super) remote: Option<SocketAddr>,
    pub(super) listener: ListenerKind,
    /// What was read and not used: a head that is not whole, or requests that wait for their turn.
    pub(super) unparsed: Vec<u8>,
    /// How much of what is unparsed is known to hold no whole head.
    pub(super) seen: usize,
    /// The body that is under way, if there is one.
    pub(super) body: RequestBody,
    /// The request that the body is wanted for; without it the body is thrown away.
    pub(super) post: Option<Box<Post>>,
    /// What is unparsed holds requests that wait for their turn.
    pub(super) has_backlog: bool,
}

/// A request whose body is not whole.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) exchange: Exchange,
    pub(super) address: Option<AddressKey>,
    pub(super) grant: Grant,
    /// It grows with what has come, not with what the head promises.
    pub(super) body: Vec<u8>,
}

/// What the loop has noted about a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// It is in the list of those to be read.
    pub(super) is_ready: bool,
    /// It is in the list of those to be flushed.
    pub(super) is_dirty: bool,
    /// The socket takes nothing until it is reported writable.
    pub(super) is_blocked: bool,
    /// The end of the stream, or an error, lies behind what there is to read.
    pub(super) has_hangup: bool,
    /// Writing failed. What the client sent before is still read.
    pub(super) is_broken: bool,
    /// The core has been told of it and has not closed it.
    pub(super) is_known: bool,
    /// The core has been told that something waits for it.
    pub(super) is_behind: bool,
    /// A message did not fit into the queue, and the core is about to be told.
    pub(super) has_overflowed: bool,
    /// There was something to read while answers waited.
    pub(super) is_held_back: bool,
    /// It is over as soon as the queue is empty.
    pub(super) ends_when_flushed: bool,
    /// Our direction has been ended.
    pub(super) has_shut: bool,
    /// It is over; the socket is closed at the end of the turn.
    pub(super) is_doomed: bool,
}

impl<S> Connection<S> {
    /// Bytes of memory that it owns beside itself.
    pub(super) fn owned_bytes(&self) -> usize {
        let input = match &self.phase {
            Phase::Http(state) => {
                let post = state.post.as_ref().map_or(0, |post| size_of::<Post>() + post.body.capacity());
                size_of::<HttpState>() + state.unparsed.capacity() + post
            }
            Phase::Open { decoder, pong } => {
                decoder.owned_bytes() + pong.as_ref().map_or(0, |payload| payload.len())
            }
            Phase::Closing { decoder } => decoder.owned_bytes(),
            Phase::Lingering => 0,
        };
        input + self.queue.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small_and_owns_nothing() {
        // A socket of a release build has 16 bytes; with debug assertions mio notes more in it.
        let bytes = size_of::<Connection<[u64; 2]>>();
        assert!(bytes <= 112, "Connection takes {bytes} bytes, 112 are allowed");
        let connection = Connection {
            id: ConnId(1),
            phase: Phase::Open { decoder: Decoder::default(), pong: None },
            queue: Queue::default(),
            deadline: NEVER,
            socket: 3_i32,
            marks: Marks::default(),
        };
        assert_eq!(connection.owned_bytes(), 0);
    }
}
