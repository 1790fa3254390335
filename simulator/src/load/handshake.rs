//! The opening handshake of a WebSocket (RFC 6455 section 4.1).

use super::letter::{ID_DIGITS, id_of};
use std::net::SocketAddr;

/// The key of section 1.3 of the RFC, and the answer to it: nobody checks keys for being random.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The request, made once: only the id of the peer changes.
#[derive(Debug)]
pub(super) struct Request {
    bytes: Vec<u8>,
    id_at: usize,
}

impl Request {
    /// As a browser sends it.
    pub(super) fn new(remote: SocketAddr) -> Request {
        let before = "GET /?peerId=";
        let id = "0".repeat(ID_DIGITS);
        let text = format!(
            "{before}{id} HTTP/1.1\r\nHost: {remote}\r\nConnection: Upgrade\r\nPragma: no-cache\r\n\
             Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like \
             Gecko) Chrome/142.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: http://localhost:8080\r\n\
             Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        );
        Request { bytes: text.into_bytes(), id_at: before.len() }
    }

    /// That of the peer with the id made from `name`.
    pub(super) fn of(&mut self, name: u64) -> &[u8] {
        self.bytes[self.id_at..self.id_at + ID_DIGITS].copy_from_slice(&id_of(name));
        &self.bytes
    }
}

/// The length of the answer at the start of `bytes`; 0 while it is not whole.
///
/// # Errors
///
/// What the server said instead of switching.
pub(super) fn response(bytes: &[u8]) -> Result<usize, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(0) };
    let head = &bytes[..end];
    if !head.starts_with(b"HTTP/1.1 101 ") || find(head, ACCEPT).is_none() {
        return Err(format!("the server refused the upgrade: {}", String::from_utf8_lossy(head)));
    }
    Ok(end + 4)
}

/// Where `part` begins in `bytes`.
pub(super) fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_the_id_of_its_peer_and_nothing_of_the_one_before() {
        let mut request = Request::new(SocketAddr::from(([127, 0, 0, 1], 3000)));
        let first = request.of(1).to_vec();
        let second = request.of(2).to_vec();
        assert!(find(&first, &id_of(1)).is_some() && find(&second, &id_of(2)).is_some());
        assert!(find(&second, &id_of(1)).is_none());
        assert!(second.starts_with(b"GET /?peerId=") && second.ends_with(b"\r\n\r\n"));
    }
}
