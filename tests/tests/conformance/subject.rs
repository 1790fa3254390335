//! What is tested: the signaling server, and the echo example.

use peerpigeon_tests::websocket::{self, Decoder, Frame};
use peerpigeon_tests::{PATIENCE, example, http, id};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Something that speaks WebSocket and tells what it has got.
#[derive(Debug)]
pub(crate) struct Subject {
    address: SocketAddr,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Refuses messages of an unknown type, and says which: a payload is sent as the type.
    Signaling,
    Echo,
}

/// Where in its message a frame's payload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// In none.
    None,
    First,
    Middle,
    Last,
    Whole,
}

impl Subject {
    pub(crate) fn signaling(address: SocketAddr) -> Subject {
        Subject { address, kind: Kind::Signaling }
    }

    pub(crate) fn echo(address: SocketAddr) -> Subject {
        Subject { address, kind: Kind::Echo }
    }

    pub(crate) fn is_signaling(&self) -> bool {
        self.kind == Kind::Signaling
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Signaling => "signaling",
            Kind::Echo => "echo",
        }
    }

    /// What to send so that the subject gets `payload` as a message, or as this part of one.
    pub(crate) fn wrap(&self, payload: &[u8], part: Part) -> Vec<u8> {
        let (before, after) = match (self.kind, part) {
            (Kind::Echo, _) | (_, Part::None | Part::Middle) => ("", ""),
            (_, Part::First) => (BEFORE, ""),
            (_, Part::Last) => ("", AFTER),
            (_, Part::Whole) => (BEFORE, AFTER),
        };
        [before.as_bytes(), payload, after.as_bytes()].concat()
    }

    /// Whether `answer` says that `payload` came.
    pub(crate) fn is_answer_to(&self, payload: &[u8], answer: &str) -> bool {
        if self.kind == Kind::Echo {
            return answer.as_bytes() == payload;
        }
        let json: serde_json::Value = serde_json::from_str(answer).expect("the server sends JSON");
        let data = &json["data"];
        let text = std::str::from_utf8(payload).expect("only UTF-8 is answered");
        if text.chars().any(|c| c < ' ') {
            // No JSON string holds them as they are (RFC 8259 section 7).
            data["code"] == "invalid-json"
        } else if text.len() > LONGEST_TYPE_TOLD {
            data["code"] == "unknown-type"
        } else {
            data["code"] == "unknown-type" && data["type"] == text
        }
    }

    /// A WebSocket; `target` instead of one that is let in.
    pub(crate) fn open(&self, target: Option<&str>) -> Result<Socket, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let own = id::target(&id::number(NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut socket = Socket::connect(self.address);
        socket.send(websocket::upgrade(target.unwrap_or(&own)).as_bytes());
        let head = socket.head()?;
        websocket::check_accepted(&head)?;
        if self.is_signaling() && target.is_none() {
            match socket.next()? {
                Got::Frame(Frame::Text(text)) if text.starts_with(r#"{"type":"connected""#) => {}
                other @ (Got::Frame(_) | Got::End | Got::Reset) => {
                    return Err(format!("{other:?} instead of connected"));
                }
            }
        }
        Ok(socket)
    }
}

/// What comes from a subject.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Frame(Frame),
    /// The end of the stream.
    End,
    /// The end of the connection by a reset.
    Reset,
}

/// A client's socket that has the time it needs and no opinion on what is sent.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    decoder: Decoder,
    frames: VecDeque<Frame>,
    /// Read beyond the head of an answer.
    ahead: Vec<u8>,
}

impl Socket {
    pub(crate) fn connect(address: SocketAddr) -> Socket {
        let stream = http::connect(address);
        Socket { stream, decoder: Decoder::default(), frames: VecDeque::new(), ahead: Vec::new() }
    }

    /// Another hand on the same connection.
    pub(crate) fn try_clone(&self) -> Socket {
        let stream = self.stream.try_clone().expect("descriptors enough");
        Socket { stream, decoder: Decoder::default(), frames: VecDeque::new(), ahead: Vec::new() }
    }

    /// A server that has closed already resets: what it said is still to be read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends in pieces of `size` bytes, each in a write of its own.
    pub(crate) fn send_in_pieces(&mut self, bytes: &[u8], size: usize) {
        bytes.chunks(size).for_each(|piece| self.send(piece));
    }

    /// What comes up to the end of a head.
    pub(crate) fn head(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.ahead.split_off(end + 4);
                let head = http::lossy(&self.ahead);
                self.ahead = Vec::new();
                self.decoder.extend(&rest);
                return Ok(head);
            }
            let mut room = [0; 4096];
            match self.read(&mut room)? {
                Some(0) | None => return Err(format!("the end after {:?}", http::lossy(&self.ahead))),
                Some(count) => self.ahead.extend_from_slice(&room[..count]),
            }
        }
    }

    /// The next answer, and nothing of what follows it; `None` at the end of the connection.
    pub(crate) fn answer(&mut self, to_head: bool) -> Result<Option<http::Answer>, String> {
        loop {
            if let Some((answer, rest)) = http::parse(&self.ahead, to_head) {
                self.ahead = rest.to_vec();
                return Ok(Some(answer));
            }
            let mut room = [0; 4096];
            match self.read(&mut room)? {
                Some(0) | None if self.ahead.is_empty() => return Ok(None),
                Some(0) | None => return Err(format!("half an answer: {}", http::lossy(&self.ahead))),
                Some(count) => self.ahead.extend_from_slice(&room[..count]),
            }
        }
    }

    /// The next frame, or the end.
    pub(crate) fn next(&mut self) -> Result<Got, String> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(Got::Frame(frame));
            }
            if let Some(frame) = self.decoder.next_frame()? {
                self.frames.push_back(frame);
                continue;
            }
            let mut room = [0; 64 * 1024];
            match self.read(&mut room)? {
                Some(0) if self.decoder.is_in_frame() => return Err("the end within a frame".to_owned()),
                Some(0) => return Ok(Got::End),
                None => return Ok(Got::Reset),
                Some(count) => self.decoder.extend(&room[..count]),
            }
        }
    }

    /// 0 at the end of the stream; `None` when the connection was reset.
    fn read(&mut self, room: &mut [u8]) -> Result<Option<usize>, String> {
        loop {
            match self.stream.read(room) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(format!("nothing came in {PATIENCE:?}; before that: {:?}", self.ahead));
                }
                Err(_) => return Ok(None),
            }
        }
    }
}

/// The echo example, as a process.
#[derive(Debug)]
pub(crate) struct Echo {
    child: Child,
    address: SocketAddr,
}

impl Echo {
    pub(crate) fn start() -> Echo {
        let mut child = example("echo").stdout(Stdio::piped()).spawn().expect("the example runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("text");
        let address = line.trim().strip_prefix("listening on http://").and_then(|text| text.parse().ok());
        Echo { child, address: address.unwrap_or_else(|| panic!("no address in {line:?}")) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const BEFORE: &str = r#"{"type":""#;
const AFTER: &str = r#""}"#;

/// Bytes of the longest `type` that an `error` repeats, quotes left out.
const LONGEST_TYPE_TOLD: usize = 62;
