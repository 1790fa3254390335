//! The opening handshake of a WebSocket (RFC 6455 section 4.1).

use super::letter::id_of;
use std::net::SocketAddr;

/// The key of section 1.3 of the RFC, and the answer to it: nobody checks keys for being random.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Appends the request of the peer with the id made from `name`, as a browser sends it.
pub(super) fn request(out: &mut Vec<u8>, name: u64, remote: SocketAddr) {
    let id = id_of(name);
    let id = str::from_utf8(&id).unwrap_or_default();
    let text = format!(
        "GET /?peerId={id} HTTP/1.1\r\nHost: {remote}\r\nConnection: Upgrade\r\nPragma: no-cache\r\n\
         Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like \
         Gecko) Chrome/142.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: http://localhost:8080\r\n\
         Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    );
    out.extend_from_slice(text.as_bytes());
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
