//! HTTP as raw bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::PATIENCE;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, values trimmed, in the order of their arrival.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of the only header of this name.
    ///
    /// # Panics
    ///
    /// When there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values =
            self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} twice in {self:?}");
        value
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// `GET` of `path` on a connection of its own.
///
/// # Panics
///
/// When no well-formed answer comes.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, "")
}

/// Any method with any further headers (each ended by `\r\n`) on a connection of its own.
///
/// # Panics
///
/// When no well-formed answer comes.
#[must_use]
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    let bytes = exchange(address, text.as_bytes());
    let (answer, rest) =
        parse(&bytes, method == "HEAD").unwrap_or_else(|| panic!("no whole answer: {}", lossy(&bytes)));
    assert!(rest.is_empty(), "more than one answer: {}", lossy(&bytes));
    answer
}

/// Sends bytes and gives back everything that comes until the server ends the connection, or resets it.
///
/// # Panics
///
/// When it cannot connect, or when the server keeps the connection open for longer than [`PATIENCE`].
#[must_use]
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // A server may answer and close before it has read everything: then writing fails, and the answer counts.
    let _ = stream.write_all(bytes);
    read_to_end(&mut stream)
}

/// As [`exchange`], but ends its own side after the bytes.
///
/// # Panics
///
/// As [`exchange`].
#[must_use]
pub fn exchange_and_end(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    read_to_end(&mut stream)
}

/// A socket to the server that waits at most [`PATIENCE`] for anything.
///
/// # Panics
///
/// When it cannot connect.
#[must_use]
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream =
        TcpStream::connect(address).unwrap_or_else(|error| panic!("connecting to {address}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out that is not zero");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time-out that is not zero");
    stream.set_nodelay(true).expect("a TCP socket");
    stream
}

/// Everything up to the end of the stream or its reset.
///
/// # Panics
///
/// When it stays open for longer than its time-out.
pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("the server keeps the connection open after: {}", lossy(&bytes))
        }
        // Whatever came before a reset counts.
        _ => bytes,
    }
}

/// Reads exactly one answer and leaves the connection open.
///
/// # Panics
///
/// When the connection ends before, or nothing comes within its time-out.
pub fn read_answer(stream: &mut TcpStream, to_head: bool) -> Answer {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        if let Some((answer, _)) = parse(&bytes, to_head) {
            return answer;
        }
        match stream.read_exact(&mut byte) {
            Ok(()) => bytes.push(byte[0]),
            Err(error) => panic!("{error} after: {}", lossy(&bytes)),
        }
    }
}

/// The first whole answer in `bytes` and what follows it; `None` when it is not whole or not HTTP.
///
/// Only answers with `Content-Length`, or that have no body by their status or because they are `to_head`, are
/// understood: a server of small JSON answers needs nothing else.
#[must_use]
pub fn parse(bytes: &[u8], to_head: bool) -> Option<(Answer, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())))
        .collect::<Option<_>>()?;
    let has_no_body = to_head || status < 200 || status == 204 || status == 304;
    let length = match headers.iter().find(|(name, _)| name == "content-length") {
        _ if has_no_body => 0,
        Some((_, length)) => length.parse().ok()?,
        None => return None,
    };
    let body = bytes[end + 4..].get(..length)?;
    let body = std::str::from_utf8(body).ok()?.to_owned();
    Some((Answer { status, headers, body }, &bytes[end + 4 + length..]))
}

/// Bytes as text, for messages.
#[must_use]
pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
