//! What goes in through [`crate::Switchboard::handle`] and what comes out of
//! [`crate::Switchboard::poll_output`].

use crate::{Channel, ConnId, Event, Grant, LiveLimits, Question, QuestionId, StoreAnswer, Time, UnixMillis};

/// The party that a connection counts against where a limit per address applies: an IPv4 address, or the
/// /64 of an IPv6 one. The driver makes it; the core only compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressKey(pub u64);

/// What happened outside.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// A WebSocket upgrade was completed.
    Opened {
        /// Never used before; below 2^63.
        conn: ConnId,
        /// The request target of the upgrade, as it came: path and query, still percent-encoded.
        target: &'a str,
        /// Whom it counts against; `None` where no limit per address applies.
        address: Option<AddressKey>,
        /// What its token allows.
        grant: &'a Grant,
    },
    /// A whole message, text or binary, that is valid UTF-8.
    Text {
        conn: ConnId,
        /// At most `MAX_MESSAGE_SIZE` bytes; the driver has refused what is longer (close code 1009).
        text: &'a str,
    },
    /// The body of `POST /signaling`. Answered by exactly one [`Output::Reply`]: before the next input, or where the store of mail
    /// is asked, as soon as it has answered, but within [`crate::Limits::store_timeout_ms`]; by none once [`Input::Closed`] says
    /// that the connection is gone.
    Posted {
        /// The connection that the request came by.
        conn: ConnId,
        /// The body, valid UTF-8, at most `MAX_MESSAGE_SIZE` bytes.
        body: &'a str,
        /// Whom it counts against; `None` where no limit per address applies.
        address: Option<AddressKey>,
        /// What the token of this request allows.
        grant: &'a Grant,
    },
    /// `GET /signaling`. Answered by at most one [`Output::Reply`], at once or within [`crate::Limits::POLL_MS`];
    /// by none once [`Input::Closed`] says that the connection is gone.
    Polled {
        /// The connection that the request came by; no other request of it may be open.
        conn: ConnId,
        /// The request target: `peerId`, and `wait` in seconds.
        target: &'a str,
        /// What the token of this request allows.
        grant: &'a Grant,
    },
    /// A sign of life without content: a WebSocket ping or pong.
    Heard { conn: ConnId },
    /// The connection is over for the driver: nothing can be sent to it any more.
    Closed {
        /// Which; one that the core has closed or does not know is ignored.
        conn: ConnId,
        cause: Gone,
    },
    /// A peer does not take all it is sent at once. Told as soon as that shows, and before the next input; whenever the peer
    /// has taken something; and when nothing waits any more.
    Backlog {
        conn: ConnId,
        /// Bytes that wait for it.
        waiting: usize,
        /// Bytes that may wait for it: what goes beyond does not fit.
        capacity: usize,
    },
    /// The output queue of this connection is full, since the peer does not read; the last `Send` did not fit.
    QueueFull { conn: ConnId },
    /// Shut down: from now on nobody is let in, and everybody is closed, in parts. One input causes no more than a bounded part,
    /// so where there are too many for `until`, the rest follows after it, as fast as the driver comes for it.
    Drain {
        /// When the last `Close` should have gone out.
        until: Time,
    },
    /// From now on these limits hold.
    Adjust { limits: LiveLimits },
    /// The clock on the wall shows something else than it would have, had it gone on: it was set, or the machine slept.
    ClockSet {
        /// What it shows now.
        wall: UnixMillis,
    },
    /// The store of mail can be asked from now on, or cannot any more. At the beginning it cannot. Whatever was asked before it
    /// could not be reached any more has been answered by then, at least by [`StoreAnswer::Unknown`].
    Store {
        /// Whether it can.
        is_up: bool,
    },
    /// The store of mail answers. Answers may come in any order.
    Answered {
        /// To which question; one that the core does not wait for any more is ignored.
        id: QuestionId,
        answer: StoreAnswer<'a>,
    },
    /// The bus between the nodes of a cluster carries what is published from now on, or does not any more. At the beginning it does
    /// not.
    Bus {
        /// Whether it does.
        is_up: bool,
    },
    /// Something came by the bus, by the channel of all or by that of this node.
    Frame { frame: &'a [u8] },
    /// All that came together has been given in: what waits for other nodes goes out. Once in each turn of a driver that is a
    /// node, after everything else.
    Flush,
    /// Nothing but the passing of time.
    Tick,
}

/// Why a connection is over, seen from the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gone {
    /// The peer sent a close frame, or ended its side of the stream.
    Closed,
    /// The socket failed: reset, timed out in the kernel, unreachable.
    Reset,
    /// The peer broke RFC 6455 and was told so (close codes 1002, 1007).
    ProtocolError,
    /// The peer sent a message over the limit and was told so (close code 1009).
    TooBig,
}

/// What is to be done, or what happened inside.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// Send one text message.
    Send {
        conn: ConnId,
        /// One JSON object.
        text: &'a str,
    },
    /// StoreAnswer an HTTP request.
    Reply {
        /// The connection that it came by.
        conn: ConnId,
        /// Status code (RFC 9110 section 15).
        status: u16,
        /// The body: one JSON object.
        text: &'a str,
    },
    /// Send a WebSocket ping.
    Ping { conn: ConnId },
    /// Send a close frame after what is queued, then end the connection. The core has forgotten it: nothing
    /// follows, and nothing that arrives from it is heard any more.
    Close {
        conn: ConnId,
        /// Code and reason of the close frame.
        why: CloseReason,
    },
    /// Ask the store of mail. Only where [`crate::Limits::store_timeout_ms`] is not 0.
    Ask {
        /// To be answered by exactly one [`Input::Answered`] with this id, however late.
        id: QuestionId,
        question: &'a Question,
    },
    /// Publish a frame on the bus, if it can be done; what is lost is sent again. Only where
    /// [`crate::Limits::node_timeout_ms`] is not 0.
    Publish {
        to: Channel,
        /// At most [`crate::Limits::FRAME_BYTES`].
        frame: &'a [u8],
    },
    /// For logs, metrics and the laws of the simulator; asks for nothing.
    Observe(&'a Event),
}

/// The closes that the protocol knows, with their code and reason on the wire.
///
/// Never 1000: many clients give up for good after it (observed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// 1001: drain.
    ShuttingDown,
    /// 1001: nothing was heard for too long.
    InactiveTimeout,
    /// 1008: the upgrade named no valid peer id.
    InvalidPeerId,
    /// 1008: the token is bound to another peer id.
    PeerNotGranted,
    /// 1008: somebody else is connected under this id and alive.
    PeerAlreadyConnected,
    /// 1008: went on over its limit after being told.
    RateLimitExceeded,
    /// 1013: `MAX_CONNECTIONS`.
    MaximumConnections,
    /// 1013: `MAX_CONNECTIONS_PER_IP`.
    TooManyFromAddress,
    /// 1013: the peer does not read and its queue is full.
    TooSlow,
    /// 4001: the same peer came back by another connection.
    Replaced,
    /// 4001: in its room somebody else has this id and is alive (dialect PSP).
    PeerStillConnected,
}

impl CloseReason {
    /// All of them, in the order of their codes.
    pub const ALL: [CloseReason; 11] = [
        CloseReason::ShuttingDown,
        CloseReason::InactiveTimeout,
        CloseReason::InvalidPeerId,
        CloseReason::PeerNotGranted,
        CloseReason::PeerAlreadyConnected,
        CloseReason::RateLimitExceeded,
        CloseReason::MaximumConnections,
        CloseReason::TooManyFromAddress,
        CloseReason::TooSlow,
        CloseReason::Replaced,
        CloseReason::PeerStillConnected,
    ];

    /// The status code of the close frame (RFC 6455 section 7.4).
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            CloseReason::ShuttingDown | CloseReason::InactiveTimeout => 1001,
            CloseReason::InvalidPeerId
            | CloseReason::PeerNotGranted
            | CloseReason::PeerAlreadyConnected
            | CloseReason::RateLimitExceeded => 1008,
            CloseReason::MaximumConnections | CloseReason::TooManyFromAddress | CloseReason::TooSlow => 1013,
            CloseReason::Replaced | CloseReason::PeerStillConnected => 4001,
        }
    }

    /// The reason text of the close frame.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            CloseReason::ShuttingDown => "Server shutting down",
            CloseReason::InactiveTimeout => "Inactive timeout",
            CloseReason::InvalidPeerId => "Invalid peerId: expected 40 hex digits",
            CloseReason::PeerNotGranted => "Token is for another peerId",
            CloseReason::PeerAlreadyConnected => "Peer already connected",
            CloseReason::RateLimitExceeded => "Rate limit exceeded",
            CloseReason::MaximumConnections => "Maximum connections reached",
            CloseReason::TooManyFromAddress => "Too many connections from this address",
            CloseReason::TooSlow => "Too slow",
            CloseReason::Replaced => "Replaced by a newer connection",
            CloseReason::PeerStillConnected => "already_connected",
        }
    }

    /// What it is called in metrics: the reason without what it tells the peer to do better.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.text().split(':').next().unwrap_or_default()
    }
}
