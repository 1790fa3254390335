//! Under a service manager: its sockets, what it is told, and a restart that nobody is refused at.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use peerpigeon_tests::{
    Crowd, News, Peer, Received, Server, Signal, http, id, process, wait_until, websocket,
};

const BACK_WITHIN: Duration = Duration::from_secs(10);

/// A listener as a service manager has it: with room for a crowd.
fn listener() -> TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(4096).unwrap();
    socket.into()
}

#[test]
fn a_listener_can_be_handed_over() {
    let listener = listener();
    let server = Server::on(&listener, &[("PORT", "1"), ("HOST", "203.0.113.1")]);
    assert_eq!(server.address(), listener.local_addr().unwrap());
    assert!(server.wait_for_log("listening on").contains("handed over by the service manager"));
    let mut peer = Peer::connect(&server, &id::of('a'));
    assert_eq!(peer.settle(), Vec::<Received>::new());
    server.stop();
    // The socket is still there, and so is who connects to it.
    let early = TcpStream::connect(listener.local_addr().unwrap()).expect("the kernel listens");
    let server = Server::on(&listener, &[]);
    drop(early);
    server.stop();
}

#[test]
fn several_sockets_can_be_handed_over_and_the_one_named_admin_is_for_operators() {
    let ipv6 = TcpListener::bind("[::1]:0").unwrap();
    let path = std::env::temp_dir().join(format!("peerpigeon-handed-{}", std::process::id()));
    let unix = UnixListener::bind(&path).unwrap();
    let server = Server::on_two([ipv6.into(), unix.try_clone().unwrap().into()], ["web", "web"], &[]);
    assert!(server.address().is_ipv6());
    let _ = server.wait_for_log(&format!("listening on unix:{}, handed over", path.display()));
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(websocket::upgrade(&id::target(&id::of('a'))).as_bytes()).unwrap();
    successor_answers(&mut client);
    server.stop();
    // It is not the server's to remove.
    drop(UnixStream::connect(&path).unwrap());
    std::fs::remove_file(path).unwrap();

    let (public, admin) = (listener(), listener());
    let address = admin.local_addr().unwrap();
    let sockets = [admin.try_clone().unwrap().into(), public.try_clone().unwrap().into()];
    // Not bound: it would not be possible.
    let server = Server::on_two(sockets, ["admin", "web"], &[("ADMIN_LISTEN", "203.0.113.1:1")]);
    assert_eq!((server.address(), server.admin_address()), (public.local_addr().unwrap(), address));
    assert_eq!(http::get(address, "/metrics").status, 200);
    assert_eq!(http::get(server.address(), "/metrics").status, 404);
    server.signal(Signal::SIGHUP);
    assert!(server.wait_for_log("settings read again").ends_with("changed: nothing"));
    assert_eq!(http::get(server.address(), "/metrics").status, 404);
    server.stop();
}

#[test]
fn whoever_comes_during_the_goodbye_waits_for_the_successor() {
    let listener = listener();
    let mut server = Server::on(&listener, &[]);
    // It does not answer the close frame, so the old process is busy with it for a while.
    let mut slow = Peer::connect(&server, &id::of('a'));
    slow.freeze();
    server.signal(Signal::SIGTERM);
    let _ = server.wait_for_log("shutting down");
    let mut early = TcpStream::connect(server.address()).expect("the kernel listens");
    early.write_all(websocket::upgrade(&id::target(&id::of('b'))).as_bytes()).unwrap();
    assert!(server.wait().success());
    let successor = Server::on(&listener, &[]);
    early.set_read_timeout(Some(BACK_WITHIN)).unwrap();
    successor_answers(&mut early);
    successor.wait_for_peers(0);
}

fn successor_answers(stream: &mut impl Read) {
    let mut room = [0; 12];
    stream.read_exact(&mut room).expect("an answer");
    assert_eq!(&room, b"HTTP/1.1 101");
}

/// Connects every few milliseconds and counts what came of it, each attempt on a thread of its own.
struct Prober {
    /// Goes when it is to stop.
    probing: Sender<()>,
    attempts: Arc<AtomicUsize>,
    thread: thread::JoinHandle<Vec<thread::JoinHandle<Result<Duration, String>>>>,
}

impl Prober {
    fn start(address: SocketAddr) -> Prober {
        let attempts = Arc::<AtomicUsize>::default();
        let (probing, stop) = mpsc::channel();
        let thread = thread::spawn({
            let count = Arc::clone(&attempts);
            move || {
                let mut attempts = Vec::new();
                while stop.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout) {
                    let id = id::number(1_000_000 + attempts.len());
                    attempts.push(thread::spawn(move || Prober::attempt(address, &id)));
                    count.store(attempts.len(), Ordering::Relaxed);
                }
                attempts
            }
        });
        Prober { probing, attempts, thread }
    }

    /// How long it took to get an answer to an upgrade.
    fn attempt(address: SocketAddr, id: &str) -> Result<Duration, String> {
        let start = Instant::now();
        let told = |error: std::io::Error| format!("{error} after {:?}", start.elapsed());
        let mut stream = TcpStream::connect(address).map_err(told)?;
        stream.set_read_timeout(Some(BACK_WITHIN)).unwrap();
        stream.write_all(websocket::upgrade(&id::target(id)).as_bytes()).map_err(told)?;
        let mut room = [0; 12];
        stream.read_exact(&mut room).map_err(told)?;
        if &room == b"HTTP/1.1 101" { Ok(start.elapsed()) } else { Err(format!("answered {room:?}")) }
    }

    /// All that was tried, and how long the longest took.
    fn stop(self) -> (usize, Duration) {
        drop(self.probing);
        let attempts = self.thread.join().unwrap();
        let results: Vec<_> = attempts.into_iter().map(|attempt| attempt.join().unwrap()).collect();
        let failed: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        assert!(failed.is_empty(), "{} of {} attempts failed: {failed:?}", failed.len(), results.len());
        (results.len(), results.into_iter().flatten().max().unwrap_or_default())
    }
}

#[test]
fn a_restart_under_load_refuses_nobody() {
    const PEERS: usize = 2_000;
    let settings = [("MAX_CONNECTIONS", "6000")];
    let listener = listener();
    let mut server = Server::on(&listener, &settings);
    let address = server.address();
    let mut crowd = Crowd::new();
    crowd.connect(&server, PEERS);
    for member in 0..PEERS {
        crowd.announce(member, "net");
    }
    crowd.settle_all(|_, _| {});
    server.wait_for_peers(PEERS as u64);

    let prober = Prober::start(address);
    wait_until("somebody comes", || prober.attempts.load(Ordering::Relaxed) > 10);
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    // The service manager starts the next one as soon as the last one has ended.
    let manager = thread::spawn(move || {
        assert!(server.wait().success());
        (Server::on(&listener, &settings), start.elapsed())
    });
    // Everybody comes back at once when told, without the second that clients wait: the hardest case.
    let told = RefCell::new(Vec::new());
    let hear = |member, news| match news {
        News::Closed(Some((1001, _))) => told.borrow_mut().push(member),
        News::Closed(other) => panic!("{member} was closed with {other:?}"),
        News::Lost => panic!("{member} was not told"),
        News::Text(_) => {}
    };
    crowd.turn_until("everybody is told", hear, || told.borrow().len() == PEERS);
    let mut back = Crowd::new();
    let mut returning: Vec<_> = told
        .into_inner()
        .into_iter()
        .map(|member| {
            let mut stream = TcpStream::connect(address).expect("nobody is refused");
            stream.set_read_timeout(Some(BACK_WITHIN)).unwrap();
            stream.write_all(websocket::upgrade(&id::target(crowd.id(member))).as_bytes()).unwrap();
            stream
        })
        .collect();
    returning.iter_mut().for_each(successor_answers);
    let all_back = start.elapsed();
    let (server, successor_serves) = manager.join().unwrap();
    let (attempts, longest) = prober.stop();
    back.connect(&server, 1);
    println!(
        "{PEERS} peers restarted: the successor served after {successor_serves:?}, all were back after \
         {all_back:?}; of {attempts} who came meanwhile none was refused, and the longest waited {longest:?}"
    );
}

#[test]
fn the_service_manager_is_told_how_it_goes() {
    let path = std::env::temp_dir().join(format!("peerpigeon-manager-{}", std::process::id()));
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(BACK_WITHIN)).unwrap();
    let settings = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "100000")];
    let mut server = Server::with(&settings);
    let hears = |beginning: &str| {
        let mut room = [0; 200];
        loop {
            let count = manager.recv(&mut room).unwrap_or_else(|error| panic!("{error}: no {beginning}"));
            let text = String::from_utf8_lossy(&room[..count]).into_owned();
            if text.starts_with(beginning) {
                return text;
            }
            assert!(text.starts_with("WATCHDOG=1\n"), "{text} instead of {beginning}");
        }
    };
    hears("READY=1\n");
    let _peer = Peer::announced(&server, &id::of('a'), "net");
    for _ in 0..5 {
        hears("WATCHDOG=1\n");
    }
    assert_eq!(hears("WATCHDOG=1\n"), "WATCHDOG=1\nSTATUS=1 peers in 1 networks");
    server.signal(Signal::SIGHUP);
    hears("RELOADING=1");
    hears("READY=1\n");

    // A process that hangs gives no sign.
    server.signal(Signal::SIGSTOP);
    wait_until("a server that stands still", || process::is_stopped(server.pid()));
    manager.set_nonblocking(true).unwrap();
    while manager.recv(&mut [0; 200]).is_ok() {}
    manager.set_nonblocking(false).unwrap();
    let patience = manager.read_timeout().unwrap();
    manager.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert_eq!(manager.recv(&mut [0; 200]).unwrap_err().kind(), ErrorKind::WouldBlock);
    manager.set_read_timeout(patience).unwrap();
    server.signal(Signal::SIGCONT);
    hears("WATCHDOG=1\n");

    server.signal(Signal::SIGTERM);
    hears("STOPPING=1\n");
    assert!(server.wait().success());
    std::fs::remove_file(path).unwrap();
}
