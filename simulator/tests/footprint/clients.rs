//! What clients send.

/// The id of the peer with this number.
pub(crate) fn id(peer: usize) -> String {
    format!("{:040x}", (peer as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

/// A request target.
pub(crate) fn target(peer: usize) -> String {
    format!("/?peerId={}", id(peer))
}

/// The request that opens a WebSocket.
pub(crate) fn upgrade(peer: usize) -> Vec<u8> {
    format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        target(peer)
    )
    .into_bytes()
}

pub(crate) const ANNOUNCE: &str = r#"{"type":"announce","data":{},"maxPeers":3,"networkName":"global"}"#;

/// An offer to `peer` with about `bytes` bytes of `data`.
pub(crate) fn offer(peer: usize, bytes: usize) -> String {
    let sdp = "x".repeat(bytes);
    let target = id(peer);
    format!(
        r#"{{"type":"offer","data":{{"sdp":"{sdp}\r\n"}},"targetPeerId":"{target}","networkName":"global"}}"#
    )
}

/// A masked text frame (RFC 6455 section 5.2).
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend_from_slice(&mask);
    frame.extend(text.bytes().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
