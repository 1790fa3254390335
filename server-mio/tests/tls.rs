//! The program under TLS, from outside.
#![cfg(feature = "tls")]
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "tests, one of which measures")]

mod common;

use common::{Running, exchange, healthcheck, next, wait_until};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tungstenite::{WebSocket, client};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A server with a certificate for `localhost`, and clients that trust it.
struct Secured {
    folder: PathBuf,
    server: Running,
    trust: Arc<ClientConfig>,
}

impl Secured {
    fn new(name: &str, environment: &[(&str, &str)]) -> Secured {
        let folder = std::env::temp_dir().join(format!("peerpigeon-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (chain, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        write_certificate(&folder);
        let files = [("TLS_CERT", chain.to_str().unwrap()), ("TLS_KEY", key.to_str().unwrap())];
        let server = Running::start(&[&files, environment].concat());
        let trust = trust(&folder, rustls::ALL_VERSIONS);
        Secured { folder, server, trust }
    }

    /// Another certificate; from now on clients trust that one alone, and speak these versions.
    fn renew(&mut self, versions: &[&'static SupportedProtocolVersion]) {
        write_certificate(&self.folder);
        self.trust = trust(&self.folder, versions);
    }

    fn connect(&self) -> Stream {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.trust), name).unwrap();
        StreamOwned::new(connection, self.server.connect())
    }

    fn open(&self, id: &str) -> WebSocket<Stream> {
        let (mut socket, _) = client(format!("wss://localhost/?peerId={id}"), self.connect()).unwrap();
        assert!(next(&mut socket).starts_with(r#"{"type":"connected""#));
        socket
    }
}

fn write_certificate(folder: &Path) {
    let pair = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), pair.serialize_pem()).unwrap();
}

/// A client that trusts the certificate there.
fn trust(folder: &Path, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

impl Drop for Secured {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn peers_signal_by_wss_and_pages_come_by_https() {
    let secured = Secured::new("signal", &[]);
    assert!(secured.server.listening.starts_with("https://"));
    let (a, b) = ("a".repeat(40), "b".repeat(40));
    let (mut first, mut second) = (secured.open(&a), secured.open(&b));
    for socket in [&mut first, &mut second] {
        socket.send(r#"{"type":"announce"}"#.into()).unwrap();
    }
    for socket in [&mut first, &mut second] {
        assert!(next(socket).starts_with(r#"{"type":"peer-discovered""#));
    }
    // Longer than one record, and more than the sockets take at once.
    let data = format!("\"{}\"", "x".repeat(1_000_000));
    first.send(format!(r#"{{"type":"offer","targetPeerId":"{b}","data":{data}}}"#).into()).unwrap();
    assert!(next(&mut second).starts_with(&format!(r#"{{"type":"offer","data":{data}"#)));

    let answer = exchange(secured.connect(), "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(r#""peers":2"#), "{answer}");
}

#[test]
fn its_health_can_be_asked_for_by_its_own_program() {
    let secured = Secured::new("health", &[]);
    let port = secured.server.address().port().to_string();
    let files = ["cert.pem", "key.pem"].map(|name| secured.folder.join(name).to_str().unwrap().to_owned());
    let settings = [("PORT", port.as_str()), ("TLS_CERT", &files[0]), ("TLS_KEY", &files[1])];
    assert_eq!(healthcheck(&settings), (Some(0), "healthy".to_owned()));
    let (status, said) = healthcheck(&settings[..1]);
    assert!(status == Some(1) && said.contains("not healthy: HTTP/1.1 400 "), "{said}");
}

#[test]
fn a_hangup_has_the_certificate_read_again_and_a_bad_one_changes_nothing() {
    // A day: nobody looks at the files before.
    let secured = Secured::new("hangup", &[("CLEANUP_INTERVAL", "86400000")]);
    let mut peer = secured.open(&"a".repeat(40));
    let shown = || {
        let mut stream = secured.connect();
        let _ = stream.conn.complete_io(&mut stream.sock);
        stream.conn.peer_certificates().map(|chain| chain[0].to_vec())
    };
    let before = shown().expect("the first one is trusted");
    fs::write(secured.folder.join("cert.pem"), "no certificate").unwrap();
    secured.server.signal("HUP");
    secured.server.wait_for_log("the certificate stays the one that it was: TLS_CERT");
    assert_eq!(shown().as_ref(), Some(&before));

    let pair = KeyPair::generate().unwrap();
    let next_one = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    fs::write(secured.folder.join("key.pem"), pair.serialize_pem()).unwrap();
    fs::write(secured.folder.join("cert.pem"), next_one.pem()).unwrap();
    assert_eq!(shown().as_ref(), Some(&before));
    secured.server.signal("HUP");
    secured.server.wait_for_log("the certificate has been read again");
    assert_eq!(shown(), None, "the other one is not trusted by who knows only the first");
    peer.send(r#"{"type":"ping"}"#.into()).unwrap();
    assert!(next(&mut peer).starts_with(r#"{"type":"pong""#), "who is there stays");
}

#[test]
fn a_file_that_hangs_stops_nobody() {
    for (name, interval, hangup) in [("fifo", "10", false), ("fifo-hangup", "86400000", true)] {
        let secured = Secured::new(name, &[("CLEANUP_INTERVAL", interval)]);
        let mut peer = secured.open(&"a".repeat(40));
        // Whoever opens it waits for somebody who writes.
        let key = secured.folder.join("key.pem");
        fs::remove_file(&key).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&key).status().unwrap().success());
        if hangup {
            secured.server.signal("HUP");
        }
        for turn in 0..50 {
            secured.open(&format!("{turn:040}"));
            peer.send(r#"{"type":"ping"}"#.into()).unwrap();
            assert!(next(&mut peer).starts_with(r#"{"type":"pong""#));
        }
    }
}

#[test]
fn who_speaks_http_here_is_told_what_is_spoken_here() {
    let secured = Secured::new("http", &[]);
    let answer = exchange(secured.server.connect(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("use https:// or wss://"), "{answer}");
}

#[test]
fn half_a_handshake_is_ended_in_time() {
    let secured = Secured::new("half", &[("HANDSHAKE_TIMEOUT", "300")]);
    let mut half = secured.server.connect();
    half.write_all(&[0x16, 3, 1, 1, 0, 1]).unwrap();
    let mut whole = secured.connect();
    whole.write_all(b"GET ").unwrap();
    let mut rest = Vec::new();
    // Its end, by whatever way: `connect` has set a deadline.
    let _ = half.read_to_end(&mut rest);
    let mut answer = String::new();
    let _ = whole.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn the_silent_make_room_for_newcomers_in_a_handshake_as_well() {
    let secured = Secured::new("crowd", &[("MAX_HANDSHAKES", "2")]);
    let mut halves: Vec<TcpStream> = (0..3).map(|_| secured.server.connect()).collect();
    for half in &mut halves {
        half.write_all(&[0x16, 3, 1, 1, 0, 1]).unwrap();
    }
    let end = halves[0].read(&mut [0; 100]).map_err(|error| error.kind());
    assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "the oldest goes: {end:?}");
    let _peer = secured.open(&"a".repeat(40));
}

#[test]
fn a_new_certificate_is_for_newcomers_and_drops_nobody() {
    for (name, versions) in [("1.2", [&version::TLS12]), ("1.3", [&version::TLS13])] {
        let mut secured = Secured::new(name, &[("CLEANUP_INTERVAL", "20")]);
        secured.trust = trust(&secured.folder, &versions);
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let (mut first, mut second) = (secured.open(&a), secured.open(&b));
        let expected = versions[0].version;
        assert_eq!(first.get_ref().conn.protocol_version(), Some(expected));
        secured.renew(&versions);
        wait_until("the new certificate", || {
            // The files are looked at when the loop wakes up, and a client is what wakes it.
            let mut stream = secured.connect();
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").is_ok()
        });
        let mut third = secured.open(&c);
        for socket in [&mut first, &mut second, &mut third] {
            socket.send(r#"{"type":"announce"}"#.into()).unwrap();
        }
        second
            .send(format!(r#"{{"type":"offer","targetPeerId":"{a}","data":"still here"}}"#).into())
            .unwrap();
        while !next(&mut first).contains("still here") {}
        third.send(format!(r#"{{"type":"offer","targetPeerId":"{b}","data":"new here"}}"#).into()).unwrap();
        while !next(&mut second).contains("new here") {}
        wait_until("a line about it", || {
            secured.server.log().contains("the certificate has been read again")
        });
    }
}

/// Resident memory of the server.
fn resident(secured: &Secured) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", secured.server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn what_half_a_handshake_costs_is_measured() {
    const CONNECTIONS: u64 = 400;
    let secured = Secured::new("halfway", &[]);
    // Said hello, and never heard again.
    let begin = || {
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(Arc::clone(&secured.trust), name).unwrap();
        let mut stream = secured.server.connect();
        connection.write_tls(&mut stream).unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 300, "the server's part of the handshake");
        stream
    };
    let warm: Vec<TcpStream> = (0..50).map(|_| begin()).collect();
    let before = resident(&secured);
    let halves: Vec<TcpStream> = (0..CONNECTIONS).map(|_| begin()).collect();
    let cost = (resident(&secured) - before) / CONNECTIONS;
    println!("half a TLS handshake takes {cost} bytes of resident memory");
    assert!(cost < 8_192, "more than is reckoned with in worst_case.rs");
    drop((warm, halves));
}

#[test]
fn half_records_of_thousands_stay_within_their_limit() {
    const CONNECTIONS: usize = 2_600;
    let secured = Secured::new("records", &[("MAX_HANDSHAKES", "3000")]);
    let before = resident(&secured);
    let mut half = vec![0x16, 3, 1, 0x40, 0];
    half.resize(16_000, 1);
    let mut sockets: Vec<TcpStream> = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut socket = secured.server.connect();
        socket.write_all(&half).unwrap();
        sockets.push(socket);
    }
    let answer = exchange(secured.connect(), "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "others come in: {answer}");
    let taken = resident(&secured) - before;
    println!("{CONNECTIONS} halves of a TLS record take {taken} bytes of resident memory");
    assert!(taken < (32 << 20) + CONNECTIONS as u64 * 8_192, "more than is reckoned with in worst_case.rs");
    let mut ended = 0;
    for socket in &mut sockets {
        socket.set_nonblocking(true).unwrap();
        let end = socket.read(&mut [0; 100]).map_err(|error| error.kind());
        ended += usize::from(end != Err(ErrorKind::WouldBlock));
    }
    assert!(ended > 100, "only {ended} were ended");
}

#[test]
fn what_an_idle_connection_costs_is_measured() {
    const CONNECTIONS: u64 = 400;
    let secured = Secured::new("idle", &[]);
    // What is made once is no cost of a connection.
    let warm: Vec<_> = (0..50).map(|n| secured.open(&format!("{n:040x}"))).collect();
    let (before, start) = (resident(&secured), Instant::now());
    let idle: Vec<_> = (100..100 + CONNECTIONS).map(|n| secured.open(&format!("{n:040x}"))).collect();
    let cost = (resident(&secured) - before) / CONNECTIONS;
    println!("an idle TLS connection takes {cost} bytes of resident memory");
    println!("{CONNECTIONS} handshakes one after the other, both ends: {:?}", start.elapsed());
    // A buffer for one record alone would be more.
    assert!(cost < 16_384, "{cost} bytes");
    drop((warm, idle));
}
