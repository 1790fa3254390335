//! The WebSocket handshake (RFC 6455 section 4.2).

use crate::access::AllowOrigin;
use crate::http::request::{BodyLength, is_token, list};
use crate::http::{HttpRefusal, HttpRequest, Method, Status};
use tungstenite::handshake::derive_accept_key;

/// What a request wants to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upgrade<'b> {
    /// Nothing: plain HTTP.
    No,
    /// A WebSocket.
    WebSocket(Handshake<'b>),
}

/// What the answer to a handshake is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handshake<'b> {
    pub(super) key: &'b [u8],
    /// The first subprotocol on offer. Whatever is spoken here is spoken under every name, and many clients give up
    /// where none of theirs is answered (section 4.1).
    pub(crate) protocol: Option<&'b [u8]>,
}

/// Decides whether a request is a WebSocket handshake, and checks it if so.
pub(crate) fn classify<'b>(request: &HttpRequest<'b>) -> Result<Upgrade<'b>, HttpRefusal> {
    // RFC 9110 section 7.8: `Upgrade` in HTTP/1.0 is ignored.
    if !request.is_1_1 || !request.lists("Upgrade", "websocket") {
        return Ok(Upgrade::No);
    }
    if request.method != Method::Get {
        return Err(HttpRefusal::new(Status::MethodNotAllowed, "A WebSocket handshake is a GET request"));
    }
    if !request.lists("Connection", "Upgrade") {
        return Err(bad("Connection does not list Upgrade"));
    }
    if request.body != BodyLength::Known(0) {
        return Err(bad("A WebSocket handshake has no body"));
    }
    let mut versions = request.fields("Sec-WebSocket-Version");
    if versions.next() != Some(b"13") || versions.next().is_some() {
        return Err(HttpRefusal::new(Status::UpgradeRequired, "Sec-WebSocket-Version must be 13"));
    }
    let mut keys = request.fields("Sec-WebSocket-Key");
    match (keys.next(), keys.next()) {
        (Some(key), None) if is_key(key) => {
            let protocol = request.fields("Sec-WebSocket-Protocol").flat_map(list).next();
            Ok(Upgrade::WebSocket(Handshake { key, protocol: protocol.filter(|name| is_token(name)) }))
        }
        _ => Err(bad("Sec-WebSocket-Key must be 16 bytes in base64, once")),
    }
}

/// Appends the answer that turns the connection into a WebSocket.
pub(crate) fn write_switch(
    out: &mut Vec<u8>,
    Handshake { key, protocol }: Handshake<'_>,
    cors: AllowOrigin<'_>,
) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    );
    cors.write(out);
    if let Some(protocol) = protocol {
        out.extend_from_slice(b"Sec-WebSocket-Protocol: ");
        out.extend_from_slice(protocol);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Sec-WebSocket-Accept: ");
    out.extend_from_slice(derive_accept_key(key).as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
}

/// Section 4.1: 16 bytes in base64 are 22 digits and two signs of padding. Of the last digit only 2 bits count; what the
/// others say does not matter, since nobody decodes the key. The example of section 4.1 itself has some.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key {
        [digits @ .., b'=', b'='] => digits.len() == 22 && digits.iter().all(is_digit),
        _ => false,
    }
}

fn bad(text: &'static str) -> HttpRefusal {
    HttpRefusal::new(Status::BadRequest, text)
}
