//! Behind a proxy: Unix sockets, and the PROXY protocol.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod common;

use common::{PATIENCE, Running, exchange, next, wait_until};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use tungstenite::{ClientRequestBuilder, WebSocket, client};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A path for a socket, free and removed with its value.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        Place(std::env::temp_dir().join(format!("peerpigeon-{name}-{}.sock", std::process::id())))
    }

    fn host(&self) -> String {
        format!("unix:{}", self.0.display())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A WebSocket whose proxy says that it is from `client`; `n` makes its id.
fn forwarded(place: &Place, client_address: &str, n: u32) -> WebSocket<UnixStream> {
    let stream = UnixStream::connect(&place.0).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let uri = format!("ws://localhost/?peerId={n:040x}").parse().unwrap();
    let request = ClientRequestBuilder::new(uri).with_header("X-Forwarded-For", client_address);
    client(request, stream).unwrap().0
}

#[test]
fn by_a_unix_socket_the_headers_of_the_proxy_tell_the_client() {
    let place = Place::new("headers");
    let server = Running::start(&[("HOST", &place.host()), ("MAX_CONNECTIONS_PER_IP", "1")]);
    assert_eq!(server.listening, place.host());
    assert_eq!(fs::metadata(&place.0).unwrap().permissions().mode() & 0o777, 0o660);
    let mut first = forwarded(&place, "192.0.2.1", 1);
    assert!(next(&mut first).contains("connected"));
    let mut other = forwarded(&place, "192.0.2.2", 2);
    assert!(next(&mut other).contains("connected"));
    let mut second = forwarded(&place, "10.0.0.1, 192.0.2.1", 3);
    assert_eq!(next(&mut second), "1013 Too many connections from this address");
}

#[test]
fn a_socket_left_behind_is_replaced_and_a_live_one_is_not() {
    let place = Place::new("stale");
    drop(UnixListener::bind(&place.0).unwrap());
    let mut server = Running::start(&[("HOST", &place.host()), ("SOCKET_MODE", "600")]);
    assert_eq!(fs::metadata(&place.0).unwrap().permissions().mode() & 0o777, 0o600);
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerpigeon-server"));
        command.env_clear().env("HOST", place.host()).output().unwrap()
    };
    let refused = start();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("somebody listens there"));
    let health = exchange(UnixStream::connect(&place.0).unwrap(), "GET /health HTTP/1.0\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    server.stop();
    assert!(!place.0.exists(), "it is removed in the end");
    fs::write(&place.0, "not a socket").unwrap();
    let refused = start();
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&place.0).unwrap(), "not a socket");
}

/// The answer to a request for `/health` behind these bytes; empty when there is none.
fn behind(server: &Running, header: &[u8]) -> String {
    let mut stream = server.connect();
    stream.write_all(header).unwrap();
    exchange(stream, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

const PROXIES: [(&str, &str); 2] = [("PROXY_PROTOCOL", "on"), ("TRUSTED_PROXIES", "127.0.0.0/8")];

#[test]
fn a_proxy_tells_its_client_in_text_and_in_binary() {
    let server = Running::start(&[&PROXIES[..], &[("MAX_CONNECTIONS_PER_IP", "1")]].concat());
    let open = |header: &[u8], n: u32| {
        let mut stream = server.connect();
        stream.write_all(header).unwrap();
        client(format!("ws://localhost/?peerId={n:040x}"), stream).unwrap().0
    };
    let text = b"PROXY TCP4 192.0.2.1 127.0.0.1 1000 3000\r\n";
    let same = binary(0x21, 0x11, &[192, 0, 2, 1, 127, 0, 0, 1, 3, 232, 11, 184]);
    let mut first: WebSocket<TcpStream> = open(text, 1);
    assert!(next(&mut first).contains("connected"));
    let mut second = open(&same, 2);
    assert_eq!(next(&mut second), "1013 Too many connections from this address");
    let mut other = open(b"PROXY TCP4 192.0.2.2 127.0.0.1 1000 3000\r\n", 3);
    assert!(next(&mut other).contains("connected"));
    // Of its own connections, such as checks of health, nothing more is known.
    for own in [&b"PROXY UNKNOWN\r\n"[..], &binary(0x20, 0, b"")] {
        assert!(behind(&server, own).starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_header_may_come_byte_by_byte_but_not_for_ever() {
    let server = Running::start(&[&PROXIES[..], &[("HANDSHAKE_TIMEOUT", "2000")]].concat());
    let mut stream = server.connect();
    stream.set_nodelay(true).unwrap();
    for byte in b"PROXY TCP6 2001:db8::1 ::1 1000 3000\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    let answer = exchange(stream, "GET /health HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for begun in [&b""[..], b"PROXY TCP4 1", &SIGNATURE[..5], &binary(0x21, 0x11, &[1; 12])[..20]] {
        let mut stream = server.connect();
        stream.write_all(begun).unwrap();
        let mut rest = Vec::new();
        assert!(matches!(stream.read_to_end(&mut rest), Ok(0)), "{rest:?}");
    }
}

#[test]
fn what_is_no_header_is_no_connection() {
    let server = Running::start(&PROXIES);
    assert_eq!(behind(&server, b""), "", "a request without a header");
    assert_eq!(behind(&server, b"PROXY TCP4 1.1.1.1 1.1.1.1 1 x\r\n"), "");
    assert_eq!(behind(&server, &binary(0x21, 0x12, &[0; 12])), "");
}

#[test]
fn from_anybody_else_the_header_is_not_heard() {
    let server = Running::start(&[("PROXY_PROTOCOL", "on"), ("TRUSTED_PROXIES", "192.0.2.0/24")]);
    assert!(behind(&server, b"").starts_with("HTTP/1.1 200 "));
    assert!(behind(&server, b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n").starts_with("HTTP/1.1 400 "));
    let server = Running::start(&[("TRUSTED_PROXIES", "127.0.0.0/8")]);
    assert!(behind(&server, b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n").starts_with("HTTP/1.1 400 "));
}

#[test]
fn many_half_headers_do_not_keep_others_out() {
    let server = Running::start(&PROXIES);
    let _half: Vec<TcpStream> = (0..1_200)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"PROXY").unwrap();
            stream
        })
        .collect();
    assert!(behind(&server, b"PROXY UNKNOWN\r\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_proxy_on_the_same_machine_that_nobody_has_named_is_noticed_once() {
    let server = Running::start(&[]);
    for _ in 0..3 {
        let mut stream = server.connect();
        write!(stream, "GET /health HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n").unwrap();
        assert_ne!(stream.read(&mut [0; 512]).unwrap(), 0);
    }
    wait_until("the warning", || server.log().contains("127.0.0.1 forwards requests of others"));
    assert_eq!(server.log().matches("TRUSTED_PROXIES").count(), 1, "{}", server.log());
}
