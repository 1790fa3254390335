//! Relaying in a steady state allocates nothing, in the core and in the loop.
#![expect(clippy::unwrap_used, reason = "tests")]

use peerpigeon_core::{Limits, UnixMillis};
use peerpigeon_server::{AllowAll, Config, ListenerKind, MioNet, Server};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

const ID_A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const ID_B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const ID_C: &str = "cccccccccccccccccccccccccccccccccccccccc";

#[test]
fn relaying_allocates_nothing() {
    let mut bench = Bench::new();
    let (a, c, mut b) = (bench.open(ID_A), bench.open(ID_C), bench.open(ID_B));
    let mut senders = [a, c];
    for (name, data_bytes, burst) in [
        ("one message at a time", 250, 1),
        ("sixteen at once", 250, 16),
        ("sixteen large ones at once, from two peers", 2_500, 16),
    ] {
        let bytes = signal(ID_B, data_bytes).repeat(burst);
        bench.relay(&mut senders, &bytes, &mut b);
        let counted = allocation_counter::measure(|| {
            for _ in 0..100 {
                bench.relay(&mut senders, &bytes, &mut b);
            }
        });
        assert_eq!(counted.count_total, 0, "{name}");
    }
}

#[test]
fn relaying_what_comes_in_pieces_allocates_nothing() {
    let mut bench = Bench::new();
    let (a, mut b) = (bench.open(ID_A), bench.open(ID_B));
    let mut senders = [a];
    let message = signal(ID_B, 2_500);
    for measured in [false, true] {
        let counted = allocation_counter::measure(|| {
            for cut in (1..100).chain([1_000, 2_000]) {
                senders[0].write_all(&message[..cut]).unwrap();
                bench.server.turn().unwrap();
                bench.relay(&mut senders, &message[cut..], &mut b);
            }
        });
        assert!(!measured || counted.count_total == 0, "{} allocations", counted.count_total);
    }
}

/// A server that is turned by hand, and a place for what clients read.
struct Bench {
    server: Server<MioNet>,
    address: SocketAddr,
    read: Vec<u8>,
}

impl Bench {
    fn new() -> Bench {
        let net = MioNet::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))]).unwrap();
        let address = net.local_addresses(ListenerKind::Public).unwrap()[0];
        // Nothing but what the clients send may happen meanwhile.
        let limits = Limits {
            message_rate_per_second: 0,
            byte_rate_per_second: 0,
            ping_interval_ms: 0,
            ..Limits::default()
        };
        // A time stamp of today: one that gained a digit meanwhile would lengthen the messages.
        let server =
            Server::new(net, Config::new(limits), Box::new(AllowAll), UnixMillis(1_700_000_000_000)).unwrap();
        Bench { server, address, read: vec![0; 1024 * 1024] }
    }

    /// A peer that is announced.
    fn open(&mut self, id: &str) -> TcpStream {
        let mut client = TcpStream::connect(self.address).unwrap();
        client.set_nodelay(true).unwrap();
        let request = format!(
            "GET /?peerId={id} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.write_all(request.as_bytes()).unwrap();
        client.write_all(&frame(br#"{"type":"announce"}"#)).unwrap();
        let known = self.server.gauges().peers;
        while self.server.gauges().peers == known {
            self.server.turn().unwrap();
        }
        client
    }

    /// Sends what each of some clients has to say, and turns until as many bytes have been written as went in. Every
    /// message is longer when it comes out, so all of them are under way then.
    fn relay(&mut self, from: &mut [TcpStream], bytes: &[u8], to: &mut TcpStream) {
        let relayed = |bench: &Bench| bench.server.peer_counters().relayed_bytes_total();
        let before = relayed(self);
        for client in &mut *from {
            client.write_all(bytes).unwrap();
        }
        while relayed(self) < before + (from.len() * bytes.len()) as u64 {
            self.server.turn().unwrap();
        }
        let expected = usize::try_from(relayed(self) - before).unwrap();
        let mut count = 0;
        while count < expected {
            count += to.read(&mut self.read).unwrap();
        }
    }
}

/// An offer with so many bytes of `data`, as a masked frame.
fn signal(to: &str, data_bytes: usize) -> Vec<u8> {
    let data = "x".repeat(data_bytes);
    frame(format!(r#"{{"type":"offer","targetPeerId":"{to}","data":{{"sdp":"{data}"}}}}"#).as_bytes())
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => bytes.push(0x80 | short),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    let mask = [9, 8, 7, 6];
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
    bytes
}
