//! Thousands of WebSocket clients on one thread.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::websocket::{Decoder, Frame, append_frame, close_payload, opcode};
use crate::{PATIENCE, Peer, Server, id};

const READ_BUFFER_BYTES: usize = 64 * 1024;

/// What a member of the crowd gets.
#[derive(Debug)]
pub enum News {
    /// A text message.
    Text(String),
    /// A close frame. Its echo is sent, and the socket is dropped.
    Closed(Option<(u16, String)>),
    /// The end of the stream, or a reset, without a close frame.
    Lost,
}

/// Clients by number, from 0. They answer pings by themselves, whenever [`Crowd::turn`] is called.
#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    events: Events,
    members: Vec<Member>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Member {
    id: String,
    /// `None` once the connection is over.
    stream: Option<TcpStream>,
    decoder: Decoder,
    outgoing: Vec<u8>,
    pings_sent: u64,
    pongs: u64,
}

impl Crowd {
    /// Nobody yet.
    ///
    /// # Panics
    ///
    /// When the system has no more epoll instances.
    #[must_use]
    pub fn new() -> Crowd {
        let poll = Poll::new().expect("an epoll instance");
        Crowd {
            poll,
            events: Events::with_capacity(1024),
            members: Vec::new(),
            buffer: vec![0; READ_BUFFER_BYTES],
        }
    }

    /// Connects `count` members more, with ids of the series [`id::number`], and takes their `connected`.
    ///
    /// # Panics
    ///
    /// When one of them is not let in.
    pub fn connect(&mut self, server: &Server, count: usize) {
        for _ in 0..count {
            self.connect_as(server, &id::number(self.members.len()));
        }
    }

    /// Connects one member more; gives its number.
    ///
    /// # Panics
    ///
    /// When it is not let in.
    pub fn connect_as(&mut self, server: &Server, id: &str) -> usize {
        self.adopt(Peer::connect(server, id).into_stream(), id)
    }

    fn adopt(&mut self, stream: std::net::TcpStream, id: &str) -> usize {
        stream.set_nonblocking(true).expect("a socket");
        let mut stream = TcpStream::from_std(stream);
        let number = self.members.len();
        self.poll
            .registry()
            .register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)
            .expect("a socket that is registered once");
        self.members.push(Member {
            id: id.to_owned(),
            stream: Some(stream),
            decoder: Decoder::default(),
            outgoing: Vec::new(),
            pings_sent: 0,
            pongs: 0,
        });
        number
    }

    /// How many members there have ever been.
    #[must_use]
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// The id of a member.
    #[must_use]
    pub fn id(&self, member: usize) -> &str {
        &self.members[member].id
    }

    /// Whether its connection is still there.
    #[must_use]
    pub fn is_connected(&self, member: usize) -> bool {
        self.members[member].stream.is_some()
    }

    /// Queues a text message; it is written by the next [`Crowd::turn`].
    pub fn send(&mut self, member: usize, text: &str) {
        append_frame(&mut self.members[member].outgoing, 0x80 | opcode::TEXT, text.as_bytes());
    }

    /// Queues the `announce` of a member that asks for the library's default of three links.
    pub fn announce(&mut self, member: usize, network: &str) {
        self.announce_with(member, network, 3);
    }

    /// Queues the `announce` of a member that takes so many links.
    pub fn announce_with(&mut self, member: usize, network: &str, links: u8) {
        let text = format!(
            r#"{{"type":"announce","data":{{"peerId":"{}"}},"maxPeers":{links},"networkName":"{network}"}}"#,
            self.members[member].id
        );
        self.send(member, &text);
    }

    /// Queues a signal from one member to another.
    pub fn signal(&mut self, member: usize, kind: &str, to: usize, network: &str, data: &str) {
        let target = &self.members[to].id;
        let text = format!(
            r#"{{"type":"{kind}","data":{data},"networkName":"{network}","targetPeerId":"{target}"}}"#
        );
        self.send(member, &text);
    }

    /// Ends the socket of a member without a word.
    pub fn drop_connection(&mut self, member: usize) {
        self.members[member].stream = None;
    }

    /// Writes what is queued, waits at most `patience` for something to happen, and hands out what came.
    ///
    /// # Panics
    ///
    /// When the server breaks RFC 6455.
    pub fn turn(&mut self, patience: Duration, mut hear: impl FnMut(usize, News)) {
        for member in &mut self.members {
            member.write();
        }
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            result => result.expect("a valid epoll instance"),
        }
        for event in &self.events {
            let number = event.token().0;
            let member = &mut self.members[number];
            member.read(&mut self.buffer, &mut |news| hear(number, news));
            member.write();
        }
    }

    /// Turns until `is_done`, which is asked after each turn.
    ///
    /// # Panics
    ///
    /// When nothing at all comes for [`PATIENCE`] before that.
    pub fn turn_until(
        &mut self,
        what: &str,
        mut hear: impl FnMut(usize, News),
        mut is_done: impl FnMut() -> bool,
    ) {
        let mut last_news = Instant::now();
        while !is_done() {
            self.turn(Duration::from_millis(100), |member, news| {
                last_news = Instant::now();
                hear(member, news);
            });
            assert!(last_news.elapsed() < PATIENCE, "nothing comes any more while waiting for {what}");
        }
    }

    /// Pings the server from `members` and turns until all have their pong, or are over: what they have caused
    /// so far is done, and what was on its way to them has come.
    ///
    /// # Panics
    ///
    /// When a pong does not come within [`PATIENCE`].
    pub fn settle(&mut self, members: impl IntoIterator<Item = usize>, mut hear: impl FnMut(usize, News)) {
        let asked: Vec<usize> = members.into_iter().filter(|member| self.is_connected(*member)).collect();
        for member in &asked {
            let member = &mut self.members[*member];
            member.pings_sent += 1;
            append_frame(&mut member.outgoing, 0x80 | opcode::PING, b"settle");
        }
        let deadline = Instant::now() + PATIENCE;
        let is_waiting = |member: &Member| member.stream.is_some() && member.pongs < member.pings_sent;
        while asked.iter().any(|member| is_waiting(&self.members[*member])) {
            assert!(Instant::now() < deadline, "a pong is missing");
            self.turn(Duration::from_millis(100), &mut hear);
        }
    }

    /// As [`Crowd::settle`] for everybody.
    ///
    /// # Panics
    ///
    /// As [`Crowd::settle`].
    pub fn settle_all(&mut self, hear: impl FnMut(usize, News)) {
        self.settle(0..self.members.len(), hear);
    }
}

impl Default for Crowd {
    fn default() -> Crowd {
        Crowd::new()
    }
}

impl Member {
    fn write(&mut self) {
        let Some(stream) = &mut self.stream else { return self.outgoing.clear() };
        while !self.outgoing.is_empty() {
            match stream.write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Would block, or is over: then reading tells why.
                Err(_) => return,
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8], hear: &mut impl FnMut(News)) {
        while let Some(stream) = &mut self.stream {
            match stream.read(buffer) {
                Ok(0) => self.lose(hear),
                Ok(count) => self.take(&buffer[..count], hear),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.lose(hear),
            }
        }
    }

    fn lose(&mut self, hear: &mut impl FnMut(News)) {
        self.stream = None;
        hear(News::Lost);
    }

    fn take(&mut self, bytes: &[u8], hear: &mut impl FnMut(News)) {
        self.decoder.extend(bytes);
        loop {
            match self.decoder.next_frame() {
                Err(fault) => panic!("the server sent {} {fault}", self.id),
                Ok(None) => return,
                Ok(Some(Frame::Text(text))) => hear(News::Text(text)),
                Ok(Some(Frame::Pong(_))) => self.pongs += 1,
                Ok(Some(Frame::Ping(payload))) => {
                    append_frame(&mut self.outgoing, 0x80 | opcode::PONG, &payload);
                }
                Ok(Some(Frame::Close(close))) => {
                    let payload = close.as_ref().map(|(code, reason)| close_payload(*code, reason));
                    append_frame(&mut self.outgoing, 0x80 | opcode::CLOSE, &payload.unwrap_or_default());
                    self.write();
                    self.stream = None;
                    return hear(News::Closed(close));
                }
            }
        }
    }
}
