//! One WebSocket client.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::websocket::{self, Decoder, Frame, opcode};
use crate::{PATIENCE, Server, http, id};

/// What a peer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text message.
    Text(String),
    /// A close frame; the server ended the stream after it.
    Closed(Option<(u16, String)>),
    /// The stream ended or was reset without a close frame.
    Lost,
}

/// A blocking client of dialect A. Answers pings by itself, as browsers do, whenever it reads.
#[derive(Debug)]
pub struct Peer {
    id: String,
    stream: TcpStream,
    decoder: Decoder,
    /// Read while waiting for something else.
    waiting: VecDeque<Received>,
    pongs: u64,
    pings: u64,
    pings_sent: u64,
    answers_pings: bool,
    is_over: bool,
}

impl Peer {
    /// Connects as `id` and takes the `connected` message.
    ///
    /// # Panics
    ///
    /// When anything else comes.
    #[must_use]
    pub fn connect(server: &Server, id: &str) -> Peer {
        let mut peer = Peer::upgrade(server.address(), &id::target(id));
        id.clone_into(&mut peer.id);
        let connected = peer.json();
        assert_eq!(connected["type"], "connected", "{connected}");
        peer
    }

    /// Connects as `id` and announces itself in `network`.
    ///
    /// # Panics
    ///
    /// As [`Peer::connect`].
    #[must_use]
    pub fn announced(server: &Server, id: &str, network: &str) -> Peer {
        let mut peer = Peer::connect(server, id);
        peer.announce(network);
        peer
    }

    /// Connects by a request target of any kind and takes nothing.
    ///
    /// # Panics
    ///
    /// When the upgrade is not accepted.
    #[must_use]
    pub fn upgrade(address: SocketAddr, target: &str) -> Peer {
        let mut stream = http::connect(address);
        stream.write_all(websocket::upgrade(target).as_bytes()).expect("the server reads");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if let Err(error) = stream.read_exact(&mut byte) {
                panic!("{error} after: {}", http::lossy(&head));
            }
            head.push(byte[0]);
        }
        websocket::check_accepted(&http::lossy(&head)).unwrap_or_else(|fault| panic!("{fault}"));
        Peer {
            id: String::new(),
            stream,
            decoder: Decoder::default(),
            waiting: VecDeque::new(),
            pongs: 0,
            pings: 0,
            pings_sent: 0,
            answers_pings: true,
            is_over: false,
        }
    }

    /// The id it connected as.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The socket, for what only raw bytes can do.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// From now on it does not answer pings: connected, but dead.
    pub fn freeze(&mut self) {
        self.answers_pings = false;
    }

    /// Announces itself with data that says nothing but its id, as the library does.
    pub fn announce(&mut self, network: &str) {
        let id = self.id.clone();
        self.send(&format!(
            r#"{{"type":"announce","data":{{"peerId":"{id}"}},"maxPeers":3,"networkName":"{network}"}}"#
        ));
    }

    /// Sends a signal in `network`; `data` is JSON.
    pub fn signal(&mut self, kind: &str, target: &str, network: &str, data: &str) {
        self.send(&format!(
            r#"{{"type":"{kind}","data":{data},"networkName":"{network}","targetPeerId":"{target}"}}"#
        ));
    }

    /// Sends a text message.
    pub fn send(&mut self, text: &str) {
        self.send_bytes(&websocket::frame(opcode::TEXT, text.as_bytes()));
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // A server that has closed meanwhile may reset: what it said is still to be read.
        let _ = self.stream.write_all(bytes);
    }

    /// What comes next.
    ///
    /// # Panics
    ///
    /// When nothing does within [`PATIENCE`], or when the server breaks RFC 6455.
    pub fn receive(&mut self) -> Received {
        self.receive_within(PATIENCE).unwrap_or_else(|| panic!("nothing came to {} in {PATIENCE:?}", self.id))
    }

    /// What comes next, if anything does within `patience`.
    ///
    /// # Panics
    ///
    /// When the server breaks RFC 6455, or after [`Received::Closed`] or [`Received::Lost`].
    pub fn receive_within(&mut self, patience: Duration) -> Option<Received> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(received) = self.waiting.pop_front() {
                return Some(received);
            }
            if !self.read_until(deadline) {
                return None;
            }
        }
    }

    /// The next message, which must be a text.
    ///
    /// # Panics
    ///
    /// When it is not, or nothing comes.
    pub fn text(&mut self) -> String {
        match self.receive() {
            Received::Text(text) => text,
            other @ (Received::Closed(_) | Received::Lost) => {
                panic!("{} got {other:?} instead of a text", self.id)
            }
        }
    }

    /// The next message, which must be a JSON text.
    ///
    /// # Panics
    ///
    /// When it is not, or nothing comes.
    pub fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// The next message, which must be of this type.
    ///
    /// # Panics
    ///
    /// When it is not, or nothing comes.
    pub fn expect(&mut self, kind: &str) -> Value {
        let value = self.json();
        assert_eq!(value["type"], kind, "{} got {value}", self.id);
        value
    }

    /// The code and reason it is closed with; whatever came before is passed over.
    ///
    /// # Panics
    ///
    /// When it is not closed, or without a code.
    pub fn closed(&mut self) -> (u16, String) {
        loop {
            match self.receive() {
                Received::Text(_) => {}
                Received::Closed(Some(close)) => return close,
                other @ (Received::Closed(None) | Received::Lost) => {
                    panic!("{} got {other:?} instead of a close frame with a code", self.id)
                }
            }
        }
    }

    /// Sends a ping and gives everything that was sent before its pong: after it, nothing that this peer has
    /// caused so far is still on its way to it. Ends early when the connection does.
    ///
    /// # Panics
    ///
    /// When no pong comes within [`PATIENCE`].
    pub fn settle(&mut self) -> Vec<Received> {
        if !self.is_over {
            self.pings_sent += 1;
            let payload = format!("settle {}", self.pings_sent);
            self.send_bytes(&websocket::frame(opcode::PING, payload.as_bytes()));
            let deadline = Instant::now() + PATIENCE;
            while self.pongs < self.pings_sent && !self.is_over {
                assert!(self.read_until(deadline), "{} got no pong", self.id);
            }
        }
        self.waiting.drain(..).collect()
    }

    /// How many pings it has got.
    #[must_use]
    pub fn pings(&self) -> u64 {
        self.pings
    }

    /// Whether its connection is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Closes as a client does: sends a close frame, waits for the echo. Gives everything that came before.
    ///
    /// # Panics
    ///
    /// When the server does not answer.
    pub fn close(mut self, code: u16, reason: &str) -> Vec<Received> {
        self.send_bytes(&websocket::frame(opcode::CLOSE, &websocket::close_payload(code, reason)));
        let deadline = Instant::now() + PATIENCE;
        while !self.is_over {
            assert!(self.read_until(deadline), "{} got no answer to its close frame", self.id);
        }
        self.waiting.into_iter().collect()
    }

    /// Gives the socket away; nothing may have been read that was not taken.
    pub(crate) fn into_stream(self) -> TcpStream {
        assert!(self.waiting.is_empty() && !self.decoder.is_in_frame(), "{} has read ahead", self.id);
        self.stream
    }

    /// Ends the socket without a word; with a reset when something is unread.
    pub fn drop_connection(self) {
        drop(self);
    }

    /// Reads once; `false` when nothing comes by `deadline`.
    fn read_until(&mut self, deadline: Instant) -> bool {
        assert!(!self.is_over, "{} reads on after the end of its connection", self.id);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        self.stream.set_read_timeout(Some(left)).expect("a time-out that is not zero");
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.lose(),
            Ok(count) => self.take(count, &buffer),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return false;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.lose(),
        }
        true
    }

    fn lose(&mut self) {
        self.is_over = true;
        self.waiting.push_back(Received::Lost);
    }

    fn take(&mut self, count: usize, buffer: &[u8]) {
        self.decoder.extend(&buffer[..count]);
        loop {
            match self.decoder.next_frame() {
                Err(fault) => panic!("the server sent {} {fault}", self.id),
                Ok(None) => return,
                Ok(Some(Frame::Text(text))) => self.waiting.push_back(Received::Text(text)),
                Ok(Some(Frame::Pong(_))) => self.pongs += 1,
                Ok(Some(Frame::Ping(payload))) => {
                    self.pings += 1;
                    if self.answers_pings {
                        self.send_bytes(&websocket::frame(opcode::PONG, &payload));
                    }
                }
                Ok(Some(Frame::Close(close))) => {
                    // The echo that RFC 6455 section 5.5.1 asks for; whether it is still read does not matter.
                    let payload =
                        close.as_ref().map(|(code, reason)| websocket::close_payload(*code, reason));
                    self.send_bytes(&websocket::frame(opcode::CLOSE, &payload.unwrap_or_default()));
                    self.is_over = true;
                    self.waiting.push_back(Received::Closed(close));
                    assert!(
                        !self.decoder.is_in_frame(),
                        "the server sent {} more after its close frame",
                        self.id
                    );
                    return;
                }
            }
        }
    }
}
