//! What one can do to a server, each as a function that returns when it has been done.

use peerpigeon_tests::websocket::{self, append_frame, frame, opcode};
use peerpigeon_tests::{PATIENCE, Peer, Received, Server, Signal, http, id, wait_at_most, wait_until};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Ids of attackers begin with this number of [`id::number`]; those of healthy peers with 0.
const FIRST: usize = 2_000_000;

/// Bytes of a flood; what is refused counts, too.
const FLOOD_BYTES: usize = 400_000_000;

/// Connections of a flood.
const FLOODING: usize = 20;

/// An attack: its name, and how to do it.
pub(crate) type Attack = (&'static str, fn(&Server));

/// All that leave a server as it was.
pub(crate) const ALL: [Attack; 10] = [
    ("200 half-open handshakes", half_open_handshakes),
    ("5,000 connects and aborts", connects_and_aborts),
    ("200 resets in mid-frame", resets_in_mid_frame),
    ("50 peers that never read", deaf_peers),
    ("a flood of small frames", flood_of_small_frames),
    ("a flood of fragments", flood_of_fragments),
    ("a flood of pings", flood_of_pings),
    ("a flood of the largest messages", flood_of_large_messages),
    ("a flood of malformed JSON", flood_of_malformed_json),
    ("more connections than any cap", connections_over_every_cap),
];

/// Byte after byte of a handshake that never ends, until the server ends each of them.
fn half_open_handshakes(server: &Server) {
    let request = format!("{}X: ", websocket::upgrade("/?peerId=").trim_end());
    let mut sockets: Vec<TcpStream> = (0..200).map(|_| nonblocking(server)).collect();
    let mut sent = 0;
    while !sockets.is_empty() {
        let byte = request.as_bytes().get(sent).copied().unwrap_or(b'x');
        sockets.retain_mut(|socket| {
            let _ = socket.write(&[byte]);
            is_alive(socket)
        });
        sent += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Nothing, half a request, or a whole one; then a reset.
fn connects_and_aborts(server: &Server) {
    let whole = websocket::upgrade(&id::target(&id::number(FIRST)));
    for i in 0..5_000 {
        let mut socket = http::connect(server.address());
        let sent = [0, whole.len() / 2, whole.len()][i % 3];
        let _ = socket.write_all(&whole.as_bytes()[..sent]);
        abort(socket);
    }
}

fn resets_in_mid_frame(server: &Server) {
    let message = frame(opcode::TEXT, &[b'x'; 50_000]);
    for i in 0..200 {
        let mut peer = Peer::announced(server, &id::number(FIRST + i), "attack");
        peer.send_bytes(&message[..1 + i * 250]);
        abort(peer.stream().try_clone().expect("descriptors enough"));
    }
}

/// Others send to them until each is closed: twelve senders, three peers that do not read for each. In a network of four
/// everybody knows everybody, and so the sender is told who is gone.
fn deaf_peers(server: &Server) {
    std::thread::scope(|scope| {
        for sender in 0..12 {
            scope.spawn(move || send_to_deaf(server, FIRST + 100 * sender, &format!("attack {sender}")));
        }
    });
}

fn send_to_deaf(server: &Server, first: usize, network: &str) {
    let mut sender = Peer::announced(server, &id::number(first), network);
    let mut deaf: Vec<Peer> = Vec::new();
    for i in 1..=3 {
        let mut peer = Peer::connect(server, &id::number(first + i));
        // Little room for what it does not read.
        nix::sys::socket::setsockopt(peer.stream(), nix::sys::socket::sockopt::RcvBuf, &4_096)
            .expect("a socket");
        peer.announce(network);
        let _ = peer.settle();
        deaf.push(peer);
    }
    let _ = sender.settle();
    let filler = format!("\"{}\"", "x".repeat(60_000));
    let mut targets: Vec<&Peer> = deaf.iter().collect();
    // What is beyond its share of their queues is refused. They answer no ping, and are closed for that.
    let mut told = String::new();
    while !told.contains("rate-limited") {
        for target in &targets {
            sender.signal("ice-candidate", target.id(), network, &filler);
        }
        told = texts(&mut sender).concat();
    }
    wait_at_most(2 * PATIENCE, "those who do not read are gone", || {
        let texts = texts(&mut sender);
        let gone = texts.iter().filter(|text| text.starts_with(r#"{"type":"peer-disconnected""#));
        gone.for_each(|text| targets.retain(|target| !text.contains(target.id())));
        targets.is_empty()
    });
}

fn texts(sender: &mut Peer) -> Vec<String> {
    let text = |received| match received {
        Received::Text(text) => text,
        ended @ (Received::Closed(_) | Received::Lost) => panic!("the sender is ended: {ended:?}"),
    };
    sender.settle().into_iter().map(text).collect()
}

fn flood_of_small_frames(server: &Server) {
    flood(server, &frame(opcode::TEXT, b"{}"));
}

fn flood_of_fragments(server: &Server) {
    let mut fragment = Vec::new();
    append_frame(&mut fragment, opcode::CONTINUATION, b"");
    flood_after(server, &frame_without_end(b"{"), &fragment);
}

fn flood_of_pings(server: &Server) {
    flood(server, &frame(opcode::PING, &[b'x'; 125]));
}

fn flood_of_large_messages(server: &Server) {
    let text = format!(r#"{{"type":"ping","data":"{}"}}"#, "x".repeat(60_000));
    flood(server, &frame(opcode::TEXT, text.as_bytes()));
}

fn flood_of_malformed_json(server: &Server) {
    flood(server, &frame(opcode::TEXT, br#"{"type":"announce","data":{"a":[1,2,{"b":}]}}"#));
}

fn frame_without_end(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, opcode::TEXT, payload);
    bytes
}

/// The same frame again and again by all connections; one that is closed comes back.
fn flood(server: &Server, frame: &[u8]) {
    flood_after(server, b"", frame);
}

fn flood_after(server: &Server, prelude: &[u8], frame: &[u8]) {
    let chunk = frame.repeat(1 + 64 * 1024 / frame.len());
    let mut floods: Vec<Flood> = (0..FLOODING).map(|i| Flood::new(server, FIRST + i, prelude)).collect();
    let mut room = vec![0; 256 * 1024];
    let mut bytes = 0;
    while bytes < FLOOD_BYTES {
        for (i, flood) in floods.iter_mut().enumerate() {
            match flood.go_on(&chunk, &mut room) {
                Some(count) => bytes += count,
                None => *flood = Flood::new(server, FIRST + i, prelude),
            }
        }
    }
}

struct Flood {
    socket: TcpStream,
    /// Bytes of the chunk that are sent.
    sent: usize,
}

impl Flood {
    fn new(server: &Server, number: usize, prelude: &[u8]) -> Flood {
        let mut peer = Peer::upgrade(server.address(), &id::target(&id::number(number)));
        peer.send_bytes(prelude);
        let socket = peer.stream().try_clone().expect("descriptors enough");
        socket.set_nonblocking(true).expect("a socket");
        Flood { socket, sent: 0 }
    }

    /// Writes some and reads what there is; `None` when it is over.
    fn go_on(&mut self, chunk: &[u8], room: &mut [u8]) -> Option<usize> {
        let written = match self.socket.write(&chunk[self.sent..]) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return None,
        };
        self.sent = (self.sent + written) % chunk.len();
        match self.socket.read(room) {
            Ok(0) => None,
            Ok(_) => Some(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Some(written),
            Err(_) => None,
        }
    }
}

/// Peers, unregistered ones, and silent sockets: more of each than there may be.
fn connections_over_every_cap(server: &Server) {
    let free = crate::MAX_CONNECTIONS - crate::HEALTHY;
    let seated: Vec<Peer> = (0..free).map(|i| Peer::connect(server, &id::number(FIRST + i))).collect();
    let silent: Vec<TcpStream> = (0..2_500).map(|_| http::connect(server.address())).collect();
    let unregistered: Vec<Peer> = (0..300).map(|_| Peer::upgrade(server.address(), "/signaling")).collect();
    let mut waiting: Vec<Peer> = (free..free + 300)
        .map(|i| Peer::upgrade(server.address(), &id::target(&id::number(FIRST + i))))
        .collect();
    // A place is waited for; whoever finds that full, too, is told at once.
    for peer in &mut waiting {
        let full = (1013, "Maximum connections reached".to_owned());
        assert_eq!(peer.receive(), Received::Closed(Some(full)));
    }
    assert_eq!(server.gauge("/health", "activeConnections"), crate::MAX_CONNECTIONS as u64);
    drop((seated, silent, unregistered));
    wait_until("a place", || server.gauge("/health", "connections") == crate::HEALTHY as u64);
    drop(Peer::connect(server, &id::number(FIRST)));
}

/// Longer than what the core takes for a clock that has jumped (a second).
pub(crate) const STOPPED: Duration = Duration::from_millis(1_500);

/// The one attack that nobody can fail to notice.
pub(crate) fn stop_and_continue(server: &Server) {
    server.signal(Signal::SIGSTOP);
    std::thread::sleep(STOPPED);
    server.signal(Signal::SIGCONT);
}

fn nonblocking(server: &Server) -> TcpStream {
    let socket = http::connect(server.address());
    socket.set_nonblocking(true).expect("a socket");
    socket
}

/// Reads what there is; false at the end.
fn is_alive(socket: &mut TcpStream) -> bool {
    loop {
        match socket.read(&mut [0; 1024]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// Ends a connection by a reset.
pub(crate) fn abort(socket: TcpStream) {
    let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::Linger, &at_once).expect("a socket");
}
