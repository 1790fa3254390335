//! The real network under TLS, with the client of the same library at the other end.

use super::Certificate;
use crate::net::host::Host as _;
use crate::net::mio_net::MioNet;
use crate::net::mio_net::MioSocket;
use crate::net::sockets::{Accepted, ListenerKind, Net as _, Ready};
use crate::program::settings::Pem;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const KEY: usize = 7;

/// A folder with a certificate, removed with its value.
struct TestFiles {
    folder: PathBuf,
}

impl TestFiles {
    fn new() -> TestFiles {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("peerpigeon-tls-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let files = TestFiles { folder };
        files.renew();
        files
    }

    /// Writes another certificate for `localhost`, signed by itself.
    fn renew(&self) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(self.chain(), certificate.pem()).unwrap();
        fs::write(self.key(), key.serialize_pem()).unwrap();
    }

    fn chain(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }

    fn load(&self) -> Result<Certificate, String> {
        Certificate::load(&Pem::File(self.chain()), &Pem::File(self.key())).map_err(|error| error.to_string())
    }

    fn client(&self, address: SocketAddr, version: &'static SupportedProtocolVersion) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.chain()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        StreamOwned::new(connection, stream)
    }
}

impl Drop for TestFiles {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

type Client = StreamOwned<ClientConnection, TcpStream>;

/// One connection as the loop sees it: it acts on what is reported, and on nothing else.
struct Driven {
    net: MioNet,
    socket: Option<MioSocket>,
    /// Everything that was read.
    got: Vec<u8>,
    /// The end of the stream: orderly, or an error.
    end: Option<Result<(), ErrorKind>>,
    /// What is to be written.
    queue: Vec<u8>,
    room: usize,
    is_readable: bool,
    has_hangup: bool,
    is_blocked: bool,
}

impl Driven {
    fn new(files: &TestFiles, room: usize) -> Driven {
        let mut net = MioNet::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))]).unwrap();
        net.secure(files.load().unwrap(), 0).unwrap();
        Driven {
            net,
            socket: None,
            got: Vec::new(),
            end: None,
            queue: Vec::new(),
            room,
            is_readable: false,
            has_hangup: false,
            is_blocked: false,
        }
    }

    fn address(&self) -> SocketAddr {
        self.net.local_addresses(ListenerKind::Public).unwrap()[0]
    }

    /// Works until `is_done`, or until nothing has been reported for 20 s.
    fn drive(&mut self, mut is_done: impl FnMut(&Driven) -> bool) {
        while !is_done(self) {
            let has_work = self.is_readable || (!self.queue.is_empty() && !self.is_blocked);
            let until = self.net.now() + if has_work { 0 } else { 20_000 };
            let mut ready = Vec::new();
            self.net.wait(Some(until), &mut ready).unwrap();
            // What wakes it may be for itself: a certificate that has been read again.
            let is_early = self.net.now() < until;
            assert!(!ready.is_empty() || has_work || is_early, "forgotten: {} bytes came", self.got.len());
            for event in ready {
                match event {
                    Ready::Acceptable => self.accept(),
                    Ready::Readable { key: KEY, hangup } => {
                        self.is_readable = true;
                        self.has_hangup |= hangup;
                    }
                    Ready::Writable { key: KEY } => self.is_blocked = false,
                    Ready::Readable { .. }
                    | Ready::Writable { .. }
                    | Ready::Store
                    | Ready::Bus
                    | Ready::Stop => {
                        panic!("{event:?}")
                    }
                }
            }
            self.read();
            self.write();
        }
    }

    fn accept(&mut self) {
        while let Ok(Accepted { mut socket, .. }) = self.net.accept() {
            assert!(self.socket.is_none());
            self.net.register(&mut socket, KEY).unwrap();
            self.socket = Some(socket);
        }
    }

    /// As the loop does in `receive`.
    fn read(&mut self) {
        let Some(socket) = self.socket.as_mut().filter(|_| self.is_readable && self.end.is_none()) else {
            return;
        };
        let mut room = vec![0; self.room];
        match self.net.read(socket, &mut room) {
            Ok(0) => self.end = Some(Ok(())),
            Ok(count) => {
                self.got.extend_from_slice(&room[..count]);
                self.is_readable = count == room.len() || self.has_hangup;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.has_hangup = false;
                self.is_readable = false;
            }
            Err(error) => self.end = Some(Err(error.kind())),
        }
    }

    fn write(&mut self) {
        let Some(socket) = self.socket.as_mut().filter(|_| !self.is_blocked && !self.queue.is_empty()) else {
            return;
        };
        match self.net.write(socket, &self.queue) {
            Ok(taken) => {
                self.is_blocked = taken < self.queue.len();
                self.queue.drain(..taken);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_blocked = true,
            Err(error) => panic!("{error}"),
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.socket.as_ref().map_or(0, |socket| socket.buffered_bytes())
    }
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect()
}

#[test]
fn what_is_sent_arrives_whatever_the_room_and_the_pieces() {
    let files = TestFiles::new();
    for version in [&version::TLS12, &version::TLS13] {
        for (room, pieces) in
            [(1, 50), (10, 300), (1_000, 5_000), (65_536, 1), (65_536, 40_000), (65_536, 1_000_000)]
        {
            let mut driven = Driven::new(&files, room);
            let mut client = files.client(driven.address(), version);
            let sent = pattern(if room < 1_000 { 5_000 } else { 1_000_000.min(pieces * 2_000) });
            let expected = sent.clone();
            let sender = thread::spawn(move || {
                for piece in sent.chunks(pieces) {
                    client.write_all(piece).unwrap();
                }
                client
            });
            driven.drive(|driven| driven.got.len() >= expected.len());
            assert!(driven.got == expected, "{version:?} {room} {pieces}");
            drop(sender.join().unwrap());
            driven.drive(|driven| driven.end.is_some());
        }
    }
}

#[test]
fn what_the_client_does_not_read_waits_and_arrives() {
    let files = TestFiles::new();
    for version in [&version::TLS12, &version::TLS13] {
        let mut driven = Driven::new(&files, 65_536);
        let mut client = files.client(driven.address(), version);
        let expected = pattern(20_000_000);
        let (told, tells) = std::sync::mpsc::channel();
        let reader = thread::spawn(move || {
            client.write_all(b"x").unwrap();
            // Only now, when the sockets are full.
            tells.recv().unwrap();
            let mut got = vec![0; 20_000_000];
            client.read_exact(&mut got).unwrap();
            (client, got)
        });
        // What came first makes sure that the handshake is over.
        driven.drive(|driven| !driven.got.is_empty());
        driven.queue.clone_from(&expected);
        driven.drive(|driven| driven.is_blocked);
        assert!(driven.queue.len() > 1_000_000, "it was all taken");
        assert!(driven.buffered_bytes() < 40_000, "{} bytes are kept", driven.buffered_bytes());
        told.send(()).unwrap();
        driven.drive(|driven| driven.queue.is_empty());
        let (_client, got) = reader.join().unwrap();
        assert!(got == expected);
        assert_eq!(driven.buffered_bytes(), 0);
    }
}

#[test]
fn the_end_is_seen_behind_what_came_with_it() {
    let files = TestFiles::new();
    for version in [&version::TLS12, &version::TLS13] {
        for room in [3, 65_536] {
            let mut driven = Driven::new(&files, room);
            let mut client = files.client(driven.address(), version);
            let client = thread::spawn(move || {
                client.write_all(b"first").unwrap();
                // One segment, and the socket stays open: nothing but the alert tells of the end.
                client.conn.writer().write_all(b"last").unwrap();
                client.conn.send_close_notify();
                while client.conn.wants_write() {
                    client.conn.write_tls(&mut client.sock).unwrap();
                }
                client
            });
            driven.drive(|driven| driven.end.is_some());
            assert_eq!((driven.got.as_slice(), driven.end), (&b"firstlast"[..], Some(Ok(()))));
            drop(client.join().unwrap());
        }
    }
}

#[test]
fn the_end_that_the_server_tells_reaches_the_client() {
    let files = TestFiles::new();
    let mut driven = Driven::new(&files, 100);
    let mut client = files.client(driven.address(), &version::TLS13);
    let client = thread::spawn(move || {
        client.write_all(b"x").unwrap();
        let mut got = Vec::new();
        // An end without the alert would be an error here.
        client.read_to_end(&mut got).map(|_| got)
    });
    driven.drive(|driven| !driven.got.is_empty());
    driven.queue.extend_from_slice(b"answer");
    driven.drive(|driven| driven.queue.is_empty());
    driven.net.shut_write(driven.socket.as_mut().unwrap());
    assert_eq!(client.join().unwrap().unwrap(), b"answer");
}

#[test]
fn an_idle_connection_owns_no_buffer() {
    let files = TestFiles::new();
    let mut driven = Driven::new(&files, 65_536);
    let mut client = files.client(driven.address(), &version::TLS13);
    let client = thread::spawn(move || {
        client.write_all(&pattern(100_000)).unwrap();
        client
    });
    driven.drive(|driven| driven.got.len() == 100_000);
    driven.queue.extend_from_slice(&pattern(100_000));
    driven.drive(|driven| driven.queue.is_empty());
    assert_eq!(driven.buffered_bytes(), 0);
    drop(client.join().unwrap());
}

#[test]
fn who_does_not_speak_tls_is_told_and_ended() {
    let files = TestFiles::new();
    for (sent, told) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &b"HTTP/1.1 400 Bad Request\r\n"[..]),
        // A fatal alert (RFC 8446 section 6.2).
        (&[0x16, 3, 1, 0, 5, 9, 0, 0, 1, 9], &[0x15, 3]),
        (&[0; 100], &[0x15, 3]),
        (&[0xff; 1_000], &[0x15, 3]),
    ] {
        let mut driven = Driven::new(&files, 65_536);
        let mut client = TcpStream::connect(driven.address()).unwrap();
        client.write_all(sent).unwrap();
        driven.drive(|driven| driven.end.is_some());
        assert_eq!(driven.end, Some(Err(ErrorKind::InvalidData)));
        let socket = driven.socket.take().unwrap();
        driven.net.close(socket);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(told), "{sent:?}: {answer:?}");
    }
}

#[test]
fn half_a_handshake_keeps_no_more_than_a_record() {
    let files = TestFiles::new();
    let mut driven = Driven::new(&files, 65_536);
    let mut client = TcpStream::connect(driven.address()).unwrap();
    // The beginning of a message of the handshake that says it is 65,535 bytes long, in records of 16 KiB.
    let mut record = vec![0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff, 3, 3];
    record.resize(5 + 16_384, 0);
    client.write_all(&record).unwrap();
    driven.drive(|driven| driven.buffered_bytes() > 0);
    client.write_all(&record).unwrap();
    driven.drive(|driven| driven.end.is_some());
    assert!(driven.buffered_bytes() < 20_000, "{}", driven.buffered_bytes());
}

#[test]
fn a_certificate_that_changes_is_read_again_and_a_broken_one_is_not() {
    let files = TestFiles::new();
    let mut driven = Driven::new(&files, 100);
    let meet = |driven: &mut Driven| {
        let mut client = files.client(driven.address(), &version::TLS13);
        let client = thread::spawn(move || client.write_all(b"x").is_ok());
        driven.drive(|driven| !driven.got.is_empty() || driven.end.is_some());
        let socket = driven.socket.take().unwrap();
        driven.net.close(socket);
        (driven.is_readable, driven.end) = (false, None);
        driven.got.clear();
        client.join().unwrap()
    };
    assert!(meet(&mut driven));
    let old = fs::read(files.chain()).unwrap();
    // They are read beside the loop: some who come in that moment are still shown the one before.
    let meet_in_the_end = |driven: &mut Driven| (0..10_000).any(|_| meet(driven));
    files.renew();
    assert!(meet_in_the_end(&mut driven), "the client trusts the new one alone");
    fs::write(files.key(), "no key").unwrap();
    assert!(meet(&mut driven), "the one before is still shown");
    fs::write(files.chain(), old).unwrap();
    assert!(!meet(&mut driven), "the files are still wrong, and this client trusts the old one alone");
    files.renew();
    driven.net.reload_certificate();
    assert!(meet_in_the_end(&mut driven));
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let files = TestFiles::new();
    let other = TestFiles::new();
    let refused = |chain: &PathBuf, key: &PathBuf| {
        Certificate::load(&Pem::File(chain.clone()), &Pem::File(key.clone())).unwrap_err().to_string()
    };
    let missing = files.folder.join("missing.pem");
    let text = files.folder.join("text.pem");
    fs::write(&text, "text").unwrap();
    let broken = files.folder.join("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").unwrap();
    for (error, setting, expected) in [
        (refused(&missing, &files.key()), "TLS_CERT", "No such file"),
        (
            refused(&text, &files.key()),
            "TLS_CERT",
            "text.pem: there is no certificate in it, nor anything else in PEM",
        ),
        (refused(&broken, &files.key()), "TLS_", "broken.pem"),
        (refused(&files.chain(), &missing), "TLS_KEY", "No such file"),
        (
            refused(&files.chain(), &files.chain()),
            "TLS_KEY",
            "there is no private key in it, but CERTIFICATE",
        ),
        (refused(&files.chain(), &other.key()), "TLS_KEY", "it is not the key of"),
    ] {
        assert!(error.starts_with(setting) && error.contains(expected), "{error}");
    }
}
