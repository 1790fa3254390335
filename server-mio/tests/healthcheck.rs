//! The subcommand `healthcheck`, at every kind of place where a server can listen.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Running, healthcheck, wait_until};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

fn healthy() -> (Option<i32>, String) {
    (Some(0), "healthy".to_owned())
}

#[test]
fn the_address_of_the_settings_is_asked() {
    for (host, proxies) in [
        ("localhost", &[][..]),
        ("127.0.0.1", &[]),
        ("0.0.0.0", &[]),
        ("::", &[]),
        ("127.0.0.1", &[("PROXY_PROTOCOL", "on"), ("TRUSTED_PROXIES", "127.0.0.0/8")]),
        ("127.0.0.1", &[("PROXY_PROTOCOL", "on"), ("TRUSTED_PROXIES", "192.0.2.0/24")]),
        // Its own requests are not counted as those of a client that is there.
        ("127.0.0.1", &[("AUTH_TOKEN", "secret"), ("CORS_ORIGIN", "https://example.com")]),
    ] {
        let settings = [&[("HOST", host)], proxies].concat();
        let server = Running::start(&settings);
        let port = server.listening.rsplit(':').next().unwrap();
        assert_eq!(healthcheck(&[&[("PORT", port)], &settings[..]].concat()), healthy(), "{settings:?}");
    }
}

#[test]
fn the_address_for_operators_comes_first() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let admin = free.to_string();
    let _server = Running::start(&[("ADMIN_LISTEN", &admin)]);
    // Nobody listens at this port.
    assert_eq!(healthcheck(&[("PORT", "1"), ("ADMIN_LISTEN", &admin)]), healthy());
}

#[test]
fn a_unix_socket_is_asked() {
    let path = std::env::temp_dir().join(format!("peerpigeon-healthcheck-{}", std::process::id()));
    let host = format!("unix:{}", path.display());
    for protocol in ["off", "on"] {
        let settings = [("HOST", host.as_str()), ("PROXY_PROTOCOL", protocol)];
        let mut server = Running::start(&settings);
        assert_eq!(healthcheck(&settings), healthy(), "{protocol}");
        server.stop();
    }
    let (status, said) = healthcheck(&[("HOST", &host)]);
    assert_eq!(status, Some(1));
    assert!(said.starts_with(&format!("peerpigeon-server: {}: ", path.display())), "{said}");
}

#[test]
fn whoever_does_not_answer_or_is_leaving_is_not_healthy() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    let port = address.port().to_string();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = nobody.accept().unwrap();
        let _ = stream.read(&mut [0; 256]).unwrap();
        stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
    });
    assert_eq!(
        healthcheck(&[("PORT", &port)]),
        (Some(1), "peerpigeon-server: not healthy: 220 mail.example ESMTP".to_owned())
    );
    other.join().unwrap();
    let (status, said) = healthcheck(&[("PORT", &port)]);
    assert!(status == Some(1) && said.starts_with(&format!("peerpigeon-server: {address}: ")), "{said}");
    let (status, said) = healthcheck(&[("PORT", "none")]);
    assert!(status == Some(2) && said.contains("PORT=\"none\""), "{said}");
}

#[test]
fn a_server_that_says_goodbye_is_not_healthy() {
    let server = Running::start(&[]);
    let port = server.address().port().to_string();
    // A peer that does not answer the close frame, and so holds up the end.
    let mut peer = server.connect();
    let handshake = "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    write!(peer, "GET /?peerId={:040} HTTP/1.1\r\n{handshake}", 1).unwrap();
    assert_ne!(peer.read(&mut [0; 256]).unwrap(), 0);
    server.signal("TERM");
    wait_until("the end to begin", || server.log().contains("shutting down"));
    let (status, said) = healthcheck(&[("PORT", &port)]);
    assert_eq!(status, Some(1));
    assert!(said.contains("not healthy: HTTP/1.1 503 "), "{said}");
}
