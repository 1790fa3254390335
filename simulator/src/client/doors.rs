//! What goes into a [`super::Client`] and what comes out.

use peerpigeon_core::{Signal, Spelling, Time};

/// What happened outside, or what the program wants.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Connect, and stay connected; ignored unless idle.
    Start,
    /// Say goodbye, hang up, and stay away.
    Stop,
    /// Become discoverable, now if connected and after every connection to come.
    Announce {
        /// Peers of other networks are never met.
        network: &'a str,
        /// Links that this peer takes; the server introduces at least its own number of peers.
        max_peers: Option<u8>,
        /// What others are told of this peer: one JSON value.
        data: &'a str,
    },
    /// Leave the network, but stay connected.
    Goodbye,
    /// Send a signal to a peer.
    Signal {
        /// To whom, in the spelling in which it was discovered.
        to: &'a Spelling,
        signal: Signal,
        /// One JSON value; arrives byte for byte.
        data: &'a str,
    },
    /// Ask the server for a `pong`.
    Ping,
    /// Have the mail between this peer and `other` forgotten.
    Cleanup { other: &'a Spelling },
    /// Have all mail from this peer forgotten.
    CleanupAll,
    /// So many WebRTC links are up. While there are some, coming back takes three times as long.
    Links {
        /// How many.
        count: usize,
    },
    /// The socket is open.
    Opened { attempt: u64 },
    /// The socket could not be opened.
    Failed { attempt: u64 },
    /// A message came.
    Text {
        /// From which socket.
        attempt: u64,
        text: &'a str,
    },
    /// A sign of life without content: a WebSocket ping or pong.
    Heard {
        /// From which socket.
        attempt: u64,
    },
    /// The socket is closed.
    Closed {
        attempt: u64,
        /// The code of the close frame; 1006 where there was none (RFC 6455 section 7.1.5).
        code: u16,
    },
    /// Nothing but the passing of time.
    Tick,
}

/// What is to be done.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a WebSocket and report [`Input::Opened`] or [`Input::Failed`]. Sockets of earlier attempts are of
    /// no more use.
    Dial {
        /// Its name from now on.
        attempt: u64,
        /// Where to.
        url: String,
    },
    /// Send one text message.
    Send {
        /// On which socket.
        attempt: u64,
        /// One JSON object.
        text: String,
    },
    /// Close the socket after what is queued, with code 1000.
    HangUp { attempt: u64 },
    /// For the program.
    Tell(Event),
}

/// What a program is told.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server let this peer in.
    Connected {
        /// Number of the server in the settings.
        server: usize,
    },
    /// There is a peer. Introductions are mutual; the one with the larger id, compared as strings, dials.
    Discovered {
        peer: Spelling,
        /// What it announced, one JSON object.
        data: String,
    },
    /// A peer's connection to the server ended. Its WebRTC link may well live.
    Disconnected { peer: Spelling },
    /// A peer left for good: cut its link.
    Goodbye { peer: Spelling },
    /// A signal came.
    Signal {
        from: Spelling,
        signal: Signal,
        /// One JSON value as its sender wrote it; empty where it sent none.
        data: String,
    },
    /// The answer to a ping.
    Pong,
    /// The server refused a message.
    Refused {
        /// What for, as in the protocol.
        code: String,
        /// For people.
        message: String,
    },
    /// There is no connection; signals cannot be sent.
    Away {
        /// When the next attempt is made.
        until: Time,
        /// Of the close frame, if there was one.
        code: Option<u16>,
    },
    /// A signal could not be sent, since there is no connection.
    Unsent { to: Spelling, signal: Signal },
    /// The other side closed with 1000: this client stays away until it is started again.
    GaveUp,
    /// A message that is no message of the protocol, or is meant for another network or peer.
    Dropped {
        /// As it came.
        text: String,
    },
}
