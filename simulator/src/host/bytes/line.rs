//! The peer's end of one connection, byte by byte.

use peerpigeon_core::Time;

use super::frames::{Decoder, Read};

/// What a peer knows of its connection.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) pipe: usize,
    pub(super) phase: Phase,
    head: Vec<u8>,
    decoder: Decoder,
    /// Bytes that are sent later arrive no earlier than this.
    pub(super) busy_until: Time,
    pub(super) loses_up: bool,
    pub(super) loses_down: bool,
    /// The peer reads what comes.
    pub(super) reads: bool,
    /// It has begun to read again and not looked yet.
    pub(super) is_hungry: bool,
    /// The peer has said its own goodbye.
    pub(super) has_closed: bool,
    /// It has read everything as soon as it came.
    pub(super) was_patient: bool,
    slow: Option<Slow>,
    opened: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for the answer to its upgrade.
    Head,
    /// Waits for the answer to a request; `poll`: that asks for what was said.
    Asking { poll: bool },
    /// It asked for something else than a WebSocket, or was refused one.
    Deaf,
    /// Frames.
    Open,
    /// The server has sent a close frame.
    Closed,
    /// Nothing will come any more.
    Over,
}

/// A peer that takes its time.
#[derive(Debug)]
struct Slow {
    bytes_per_second: u64,
    eaten: u64,
    since: Time,
    /// When it reads again, if there is something left.
    next: Option<Time>,
}

/// What the server has told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Opened,
    Refused,
    /// The answer to a request.
    Reply {
        poll: bool,
        status: u16,
        text: String,
    },
    Frame(Read),
}

/// How often a slow peer reads, in ms.
const BITE_MS: u64 = 100;

impl Line {
    pub(super) fn new(pipe: usize, now: Time) -> Line {
        Line {
            pipe,
            phase: Phase::Head,
            head: Vec::new(),
            decoder: Decoder::default(),
            busy_until: now,
            loses_up: false,
            loses_down: false,
            reads: true,
            is_hungry: false,
            has_closed: false,
            was_patient: true,
            slow: None,
            opened: now,
        }
    }

    /// When something that is sent at `now` arrives: never before what was sent earlier.
    pub(super) fn next_arrival(&mut self, now: Time) -> Time {
        self.busy_until = self.busy_until.max(now);
        self.busy_until
    }

    pub(super) fn slow_down(&mut self, now: Time, bytes_per_second: u64) {
        self.slow = Some(Slow { bytes_per_second, eaten: 0, since: now, next: Some(now) });
        self.was_patient = false;
    }

    /// From now on the peer reads whatever comes.
    pub(super) fn hurry(&mut self) {
        self.is_hungry |= self.slow.take().is_some();
    }

    /// How many bytes the peer reads now.
    pub(super) fn appetite(&mut self, now: Time) -> usize {
        self.is_hungry = false;
        match &self.slow {
            _ if !self.reads => 0,
            Some(slow) => {
                let allowed = now.since(slow.since).saturating_mul(slow.bytes_per_second) / 1_000;
                usize::try_from(allowed.saturating_sub(slow.eaten)).unwrap_or(usize::MAX)
            }
            None => usize::MAX,
        }
    }

    /// Whether it reads whatever comes as soon as it comes.
    pub(super) fn listens(&self) -> bool {
        self.reads && self.slow.is_none() && !self.loses_down
    }

    /// It has read so many bytes, and left some.
    pub(super) fn ate(&mut self, now: Time, count: usize, left: bool) {
        if let Some(slow) = &mut self.slow {
            slow.eaten += u64::try_from(count).unwrap_or(u64::MAX);
            slow.next = left.then_some(now + BITE_MS);
        }
    }

    /// When the peer reads again without being told that there is something.
    pub(super) fn next_bite(&self) -> Option<Time> {
        if self.phase == Phase::Over || !self.reads {
            return None;
        }
        if self.is_hungry { Some(self.opened) } else { self.slow.as_ref().and_then(|slow| slow.next) }
    }

    /// Takes in what was read.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Told>, String> {
        match self.phase {
            Phase::Over if !bytes.is_empty() => Err("bytes after the end".to_owned()),
            Phase::Over | Phase::Deaf => Ok(Vec::new()),
            Phase::Head => {
                self.head.extend(bytes);
                self.read_head()
            }
            Phase::Asking { poll } => {
                self.head.extend(bytes);
                self.read_reply(poll)
            }
            Phase::Open | Phase::Closed => self.read_frames(bytes),
        }
    }

    fn read_head(&mut self) -> Result<Vec<Told>, String> {
        let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(Vec::new());
        };
        let head =
            core::str::from_utf8(&self.head[..end]).map_err(|_| "a head that is no text".to_owned())?;
        if !head.starts_with("HTTP/1.1 101 ") {
            if !head.starts_with("HTTP/1.1 ") {
                return Err(format!("no answer to a request: {head}"));
            }
            (self.phase, self.head) = (Phase::Deaf, Vec::new());
            return Ok(vec![Told::Refused]);
        }
        if !head.to_ascii_lowercase().contains(&ACCEPT.to_ascii_lowercase()) {
            return Err(format!("a wrong Sec-WebSocket-Accept: {head}"));
        }
        self.phase = Phase::Open;
        let rest = self.head.split_off(end + 4);
        self.head = Vec::new();
        let mut told = vec![Told::Opened];
        told.extend(self.read_frames(&rest)?);
        Ok(told)
    }

    fn read_reply(&mut self, poll: bool) -> Result<Vec<Told>, String> {
        let answer = str::from_utf8(&self.head).map_err(|_| "an answer that is no text".to_owned())?;
        let Some((head, body)) = answer.split_once("\r\n\r\n") else { return Ok(Vec::new()) };
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|(_, length)| length.parse::<usize>().ok());
        let (Some(status), Some(length)) = (status, length) else {
            return Err(format!("no answer to a request: {head}"));
        };
        if body.len() > length {
            return Err(format!("{} bytes of an answer that is {length} bytes long: {answer}", body.len()));
        }
        if body.len() < length {
            return Ok(Vec::new());
        }
        let text = body.to_owned();
        (self.phase, self.head) = (Phase::Deaf, Vec::new());
        Ok(vec![Told::Reply { poll, status, text }])
    }

    fn read_frames(&mut self, bytes: &[u8]) -> Result<Vec<Told>, String> {
        let read = self.decoder.read(bytes)?;
        if read.iter().any(|read| matches!(read, Read::Close { .. })) {
            self.phase = Phase::Closed;
        }
        Ok(read.into_iter().map(Told::Frame).collect())
    }

    /// Whether the server has begun a frame and not ended it.
    pub(super) fn is_within_frame(&self) -> bool {
        self.decoder.is_within()
    }
}

/// The upgrade of a browser, with the key of RFC 6455 section 1.3.
pub(super) fn handshake(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A request that says something.
pub(super) fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /signaling HTTP/1.1\r\nHost: server\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// A request for what was said.
pub(super) fn poll(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n")
}

/// What that key must be answered with.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
