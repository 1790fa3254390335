//! Many client sockets in one thread.
//!
//! The way of a message is as short as can be, so that the server under test is the bottleneck: one read into
//! one shared buffer, a call for each message in it, and one write of everything that these calls answered.

use super::frame::{self, Kind};
use super::handshake::{self, Request};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant};

/// What is spoken over the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// WebSocket; a message is the payload of a text frame.
    WebSocket,
    /// Nothing: every message has so many bytes.
    Raw { message_bytes: usize },
}

/// Who acts through a [`Fleet`]. What is appended to `out` is sent to the server by the same peer.
pub(super) trait Peers {
    /// The peer can speak.
    fn opened(&mut self, peer: usize, out: &mut Vec<u8>);
    /// A message came.
    fn heard(&mut self, peer: usize, message: &[u8], out: &mut Vec<u8>);
    /// The connection is over, or was never there; `why` says how it ended.
    fn ended(&mut self, peer: usize, why: &str);
}

/// Sockets by the number of their peer.
#[derive(Debug)]
pub(super) struct Fleet {
    poll: Poll,
    events: Events,
    links: Vec<Link>,
    wire: Wire,
    remote: SocketAddr,
    /// Addresses of ours that connections come from in turn.
    sources: u8,
    connects: usize,
    request: Request,
    /// What every read goes into, and what every answer is gathered in.
    input: Vec<u8>,
    output: Vec<u8>,
}

#[derive(Debug, Default)]
struct Link {
    stream: Option<TcpStream>,
    stage: Stage,
    /// Number that its id is made from.
    name: u64,
    /// The beginning of a message.
    stash: Vec<u8>,
    /// What the socket did not take, and how much of that it has taken since.
    unsent: Vec<u8>,
    sent: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Connecting,
    Upgrading,
    Open,
}

impl Fleet {
    /// Nobody is connected yet.
    ///
    /// # Errors
    ///
    /// When the system gives no event queue.
    pub(super) fn new(remote: SocketAddr, wire: Wire, sources: u8) -> io::Result<Fleet> {
        Ok(Fleet {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            links: Vec::new(),
            wire,
            remote,
            sources: sources.max(1),
            connects: 0,
            request: Request::new(remote),
            input: vec![0; INPUT_BYTES],
            output: Vec::new(),
        })
    }

    /// Begins to connect `peer` under the id made from `name`; [`Peers::opened`] follows, or [`Peers::ended`].
    ///
    /// # Errors
    ///
    /// Out of descriptors, ports or memory, named.
    pub(super) fn connect(&mut self, peer: usize, name: u64) -> io::Result<()> {
        if self.links.len() <= peer {
            self.links.resize_with(peer + 1, Link::default);
        }
        let mut stream = self.open_socket().map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("connection {} cannot be opened: {error}", self.connects + 1),
            )
        })?;
        self.connects += 1;
        let interests = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(peer), interests)?;
        self.links[peer] = Link { stream: Some(stream), name, ..Link::default() };
        Ok(())
    }

    fn open_socket(&self) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.remote), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if self.remote.ip().is_loopback() && self.remote.is_ipv4() {
            // One address has only some 28,000 ports for us.
            let last = u8::try_from(self.connects % usize::from(self.sources)).unwrap_or_default();
            let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1 + last.min(253)));
            socket.bind(&SockAddr::from(SocketAddr::new(source, 0)))?;
        }
        match socket.connect(&SockAddr::from(self.remote)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock || is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(TcpStream::from_std(socket.into()))
    }

    /// Waits for events and acts on them; without a `timeout` for ever. Says whether there were any.
    ///
    /// # Errors
    ///
    /// When waiting fails.
    pub(super) fn turn(&mut self, timeout: Option<Duration>, peers: &mut impl Peers) -> io::Result<bool> {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let any = !events.is_empty();
        for event in &events {
            let Token(peer) = event.token();
            if event.is_writable() {
                self.writable(peer, peers);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.read(peer, peers);
            }
        }
        self.events = events;
        Ok(any)
    }

    /// Works until nothing has come for `quiet`, but not longer than `limit`.
    ///
    /// # Errors
    ///
    /// When waiting fails, or something still came at the end of `limit`.
    pub(super) fn settle(
        &mut self,
        quiet: Duration,
        limit: Duration,
        peers: &mut impl Peers,
    ) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        while self.turn(Some(quiet), peers)? {
            if Instant::now() > deadline {
                return Err(io::Error::new(ErrorKind::TimedOut, format!("still busy after {limit:?}")));
            }
        }
        Ok(())
    }

    /// Connects the peers of `range`, each under its own number, and returns when `opened` counts `goal` of them.
    ///
    /// # Errors
    ///
    /// As [`Fleet::connect`]; and when nobody else gets in for ten seconds.
    pub(super) fn connect_all<P: Peers>(
        &mut self,
        range: Range<usize>,
        peers: &mut P,
        opened: impl Fn(&P) -> usize,
    ) -> io::Result<()> {
        let start = opened(peers);
        let goal = start + range.len();
        let (mut begun, mut progress, mut deadline) = (start, start, Instant::now() + PATIENCE);
        let mut range = range;
        while opened(peers) < goal {
            while begun < opened(peers) + CONNECTS_AT_ONCE
                && let Some(peer) = range.next()
            {
                self.connect(peer, peer as u64)?;
                begun += 1;
            }
            self.turn(Some(PATIENCE), peers)?;
            if opened(peers) > progress {
                (progress, deadline) = (opened(peers), Instant::now() + PATIENCE);
            } else if Instant::now() > deadline {
                let text = format!("only {} of {} peers got in", progress - start, goal - start);
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
        }
        Ok(())
    }

    /// Sends `bytes` now, or as soon as the socket takes them.
    pub(super) fn send(&mut self, peer: usize, bytes: &[u8], peers: &mut impl Peers) {
        let Some(link) = self.links.get_mut(peer) else { return };
        if let Err(error) = link.send(bytes) {
            self.end(peer, &error.to_string(), peers);
        }
    }

    /// Ends a connection without a word. Nothing is reported of it any more.
    pub(super) fn drop_link(&mut self, peer: usize) {
        if let Some(link) = self.links.get_mut(peer) {
            *link = Link::default();
        }
    }

    /// Ends a connection at once and connects its peer again under the id made from `name`, with the same socket: a
    /// new one would cost as much as all the rest.
    ///
    /// # Errors
    ///
    /// When the socket cannot be used again, or is out of ports.
    pub(super) fn reconnect(&mut self, peer: usize, name: u64, peers: &mut impl Peers) -> io::Result<()> {
        let Some(stream) = self.links.get_mut(peer).and_then(|link| link.stream.take()) else {
            return self.connect(peer, name);
        };
        rustix::net::connect_unspec(&stream)?;
        self.connects += 1;
        match rustix::net::connect(&stream, &self.remote) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let link = &mut self.links[peer];
        *link = Link { name, stash: std::mem::take(&mut link.stash), ..Link::default() };
        link.stash.clear();
        let stream = link.stream.insert(stream);
        if self.wire == Wire::WebSocket {
            // Within one machine it is connected by now; else an event will tell.
            let request = self.request.of(name);
            match stream.write(request) {
                Ok(count) if count == request.len() => link.stage = Stage::Upgrading,
                Ok(count) => {
                    return Err(io::Error::other(format!("only {count} bytes of a request were taken")));
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
                Err(error) => self.end(peer, &error.to_string(), peers),
            }
        }
        Ok(())
    }

    /// Reads nothing more from a connection.
    pub(super) fn stop_reading(&mut self, peer: usize) {
        if let Some(stream) = self.links.get_mut(peer).and_then(|link| link.stream.as_mut()) {
            // Fails only for a connection that is over already.
            let _ = self.poll.registry().deregister(stream);
        }
    }

    /// Whether the kernel has taken all that was sent.
    pub(super) fn has_sent_all(&self, peer: usize) -> bool {
        self.links.get(peer).is_none_or(|link| link.unsent.is_empty())
    }

    fn end(&mut self, peer: usize, why: &str, peers: &mut impl Peers) {
        if self.links.get(peer).is_some_and(|link| link.stream.is_some()) {
            self.drop_link(peer);
            peers.ended(peer, why);
        }
    }

    fn writable(&mut self, peer: usize, peers: &mut impl Peers) {
        let Some(link) = self.links.get_mut(peer) else { return };
        if link.stage == Stage::Connecting {
            self.connected(peer, peers);
        } else if !link.unsent.is_empty()
            && let Err(error) = link.flush()
        {
            self.end(peer, &error.to_string(), peers);
        }
    }

    /// The socket is connected, or has failed to be.
    fn connected(&mut self, peer: usize, peers: &mut impl Peers) {
        let Some(stream) = self.links[peer].stream.as_ref() else { return };
        if let Ok(Some(error)) | Err(error) = stream.take_error() {
            return self.end(peer, &error.to_string(), peers);
        }
        let mut output = std::mem::take(&mut self.output);
        match self.wire {
            Wire::WebSocket => {
                self.links[peer].stage = Stage::Upgrading;
                output.extend_from_slice(self.request.of(self.links[peer].name));
            }
            Wire::Raw { .. } => {
                self.links[peer].stage = Stage::Open;
                peers.opened(peer, &mut output);
            }
        }
        self.answer(peer, output, peers);
    }

    fn read(&mut self, peer: usize, peers: &mut impl Peers) {
        let mut input = std::mem::take(&mut self.input);
        while let Some(link) = self.links.get_mut(peer)
            && let Some(stream) = link.stream.as_mut()
        {
            let kept = link.stash.len();
            if input.len() < kept + MIN_ROOM_BYTES {
                input.resize(kept + INPUT_BYTES, 0);
            }
            let count = match stream.read(&mut input[kept..]) {
                Ok(0) => {
                    self.end(peer, "the server ended the connection", peers);
                    break;
                }
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.end(peer, &error.to_string(), peers);
                    break;
                }
            };
            input[..kept].copy_from_slice(&link.stash);
            empty(&mut link.stash);
            let is_full = kept + count == input.len();
            self.hear_all(peer, &input[..kept + count], peers);
            if !is_full {
                break;
            }
        }
        self.input = input;
    }

    /// Acts on every message in `input`, keeps the beginning of the next one, and sends what was answered.
    fn hear_all(&mut self, peer: usize, input: &[u8], peers: &mut impl Peers) {
        let mut output = std::mem::take(&mut self.output);
        let mut at = 0;
        let result = loop {
            let rest = &input[at..];
            if rest.is_empty() {
                break Ok(());
            }
            match self.hear_one(peer, rest, &mut output, peers) {
                Ok(0) => {
                    self.links[peer].stash.extend_from_slice(rest);
                    break Ok(());
                }
                Ok(bytes) => at += bytes,
                Err(why) => break Err(why),
            }
        };
        self.answer(peer, output, peers);
        if let Err(why) = result {
            self.end(peer, &why, peers);
        }
    }

    /// Acts on the first message in `rest` and returns its length; 0 while it is not whole.
    fn hear_one(
        &mut self,
        peer: usize,
        rest: &[u8],
        output: &mut Vec<u8>,
        peers: &mut impl Peers,
    ) -> Result<usize, String> {
        match self.wire {
            Wire::Raw { message_bytes } => {
                let Some(message) = rest.get(..message_bytes) else { return Ok(0) };
                peers.heard(peer, message, output);
                Ok(message_bytes)
            }
            Wire::WebSocket if self.links[peer].stage == Stage::Open => {
                let Some(frame) = frame::parse(rest).map_err(|malformed| malformed.to_string())? else {
                    return Ok(0);
                };
                match frame.kind {
                    Kind::Text => peers.heard(peer, frame.payload, output),
                    Kind::Ping => frame::write(output, Kind::Pong, frame.payload),
                    Kind::Pong => {}
                    Kind::Close => return Err(close_text(frame.payload)),
                }
                Ok(frame.bytes)
            }
            Wire::WebSocket => {
                let bytes = handshake::response(rest)?;
                if bytes > 0 {
                    self.links[peer].stage = Stage::Open;
                    peers.opened(peer, output);
                }
                Ok(bytes)
            }
        }
    }

    fn answer(&mut self, peer: usize, mut output: Vec<u8>, peers: &mut impl Peers) {
        if !output.is_empty() {
            self.send(peer, &output, peers);
            output.clear();
        }
        self.output = output;
    }
}

impl Link {
    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        if self.unsent.is_empty() {
            bytes = match stream.write(bytes) {
                Ok(count) => &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => bytes,
                Err(error) => return Err(error),
            };
        }
        self.unsent.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        while self.sent < self.unsent.len() {
            match stream.write(&self.unsent[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        empty(&mut self.unsent);
        self.sent = 0;
        Ok(())
    }
}

/// What tens of thousands of peers keep must be little.
fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(MAX_KEPT_BYTES);
}

fn close_text(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            format!("the server closed with {code} {}", String::from_utf8_lossy(reason))
        }
        _ => "the server closed without a code".into(),
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    /// `EINPROGRESS` on Linux, for which `ErrorKind` has no stable name.
    const IN_PROGRESS: i32 = 115;
    error.raw_os_error() == Some(IN_PROGRESS)
}

/// Connections under way at once: fewer than any server's queue of those to be accepted.
const CONNECTS_AT_ONCE: usize = 128;

const PATIENCE: Duration = Duration::from_secs(10);

const EVENTS_PER_TURN: usize = 1024;

/// Bytes read at once.
const INPUT_BYTES: usize = 256 * 1024;

/// Capacity of a buffer of one peer.
const MAX_KEPT_BYTES: usize = 4096;

/// A read into less would be a waste.
const MIN_ROOM_BYTES: usize = 64 * 1024;
