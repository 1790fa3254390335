//! The whole server over a scripted network: whatever clients do, it speaks HTTP and RFC 6455, keeps to its limits,
//! goes to sleep, and forgets them.
//!
//! | line | meaning |
//! | --- | --- |
//! | `l` | first line only: the access policy of the program instead of one that allows all |
//! | `c` | another client connects; its number is one more than the last one's |
//! | `uN TARGET` | client `N` sends the upgrade to this target |
//! | `qN TEXT` | it sends a request: the text, a `Host`, and an empty line |
//! | `rN BYTES` | it sends bytes |
//! | `tN TEXT` | it sends a text message |
//! | `kN BYTES` | it sends a masked frame: first byte, then payload |
//! | `eN`, `xN` | it ends its direction; it resets |
//! | `mN BYTES` | from now on it takes so many bytes more |
//! | `mN` | it takes everything |
//! | `sN BYTES` | one read gives so many bytes at most |
//! | `w MS` | time passes |
//! | `j MS` | time jumps |
//! | `a COUNT` | so many accepts fail |
//! | `d` | SIGTERM |
//!
//! A line that ends with `&` happens in the same turn as the next one.

use super::network::{End, ScriptedNet, World};
use super::script::{self, Line};
use peerpigeon_core::{Limits, UnixMillis};
use peerpigeon_server::settings::{Command, Settings};
use peerpigeon_server::{AccessPolicy, AllowAll, Config, ConfiguredPolicy, Server};
use std::cell::RefCell;
use std::rc::Rc;

const MAX_CLIENTS: usize = 12;

/// Plays a script, lets every client go, and time pass until nothing is left.
pub fn run(data: &[u8]) {
    let mut bench = Bench::new(data.starts_with(b"l"));
    for line in script::lines(data) {
        bench.act(&line);
        if bench.is_over {
            return;
        }
    }
    bench.end();
}

struct Bench {
    server: Server<ScriptedNet>,
    world: Rc<RefCell<World>>,
    most_buffered: usize,
    is_over: bool,
}

impl Bench {
    fn new(is_guarded: bool) -> Bench {
        let limits =
            Limits { connections: 4, held_connections: 2, unregistered_connections: 2, ..Limits::default() };
        let config = Config {
            max_message_bytes: 2_000,
            max_queue_bytes: 4_000,
            memory_budget_bytes: 40_000,
            max_handshakes: 4,
            max_sockets: 10,
            ..Config::new(limits)
        };
        let most_buffered = config.memory_budget_bytes + POOL_BYTES;
        let policy: Box<dyn AccessPolicy> =
            if is_guarded { Box::new(configured()) } else { Box::new(AllowAll) };
        let world = Rc::new(RefCell::new(World::default()));
        let net = ScriptedNet(Rc::clone(&world));
        let server =
            Server::new(net, config, policy, UnixMillis(784_111_777_000)).expect("limits that are allowed");
        Bench { server, world, most_buffered, is_over: false }
    }

    fn act(&mut self, line: &Line<'_>) {
        let clients = self.world.borrow().pipes.len();
        let (rest, is_last) = match line.rest.strip_suffix(b"&") {
            Some(rest) => (rest, false),
            None => (line.rest, true),
        };
        match line.action {
            b'c' if clients < MAX_CLIENTS => self.world.borrow_mut().connect(),
            b'w' => return self.pass(script::number(rest, 1_000_000)),
            b'j' => {
                let mut world = self.world.borrow_mut();
                world.now = world.now + script::number(rest, 1_000_000);
            }
            b'a' => self.world.borrow_mut().failing_accepts = script::number(rest, 10),
            b'd' => self.world.borrow_mut().stop(),
            _ if line.who < clients => self.act_as(line.action, line.who, rest),
            _ => {}
        }
        if is_last {
            self.settle();
        }
    }

    fn act_as(&mut self, action: u8, client: usize, rest: &[u8]) {
        let mut world = self.world.borrow_mut();
        match action {
            b'u' => world.send(client, upgrade(&script::text(rest)).as_bytes()),
            b'q' => world.send(client, format!("{}\r\nHost: a\r\n\r\n", script::text(rest)).as_bytes()),
            b'r' => world.send(client, &script::bytes(rest)),
            b't' => world.send(client, &frame(0x81, script::text(rest).as_bytes())),
            b'k' => {
                if let Some((first, payload)) = script::bytes(rest).split_first() {
                    world.send(client, &frame(*first, payload));
                }
            }
            b'e' => world.end(client, End::Orderly),
            b'x' => world.end(client, End::Reset),
            b'm' if rest.is_empty() => world.set_room(client, usize::MAX),
            b'm' => world.set_room(client, usize::try_from(script::number(rest, 100_000)).unwrap_or(0)),
            b's' => {
                world.pipes[client].read_at_most = usize::try_from(script::number(rest, 100_000)).unwrap_or(0)
            }
            _ => {}
        }
    }

    /// Runs until the loop would sleep, or is over.
    fn settle(&mut self) {
        if self.is_over {
            return;
        }
        self.is_over |= self.server.run().is_ok();
        self.world.borrow_mut().turns = 0;
        let buffered = self.server.buffered_bytes();
        assert!(buffered <= self.most_buffered, "{buffered} bytes");
    }

    /// Lets time pass, and the loop wake up whenever it asked for.
    fn pass(&mut self, millis: u64) {
        let end = self.world.borrow().now + millis;
        self.settle();
        for _ in 0..20_000 {
            let sleeps_until = self.world.borrow().sleeps_until;
            let Some(until) = sleeps_until.filter(|until| *until <= end && !self.is_over) else {
                self.world.borrow_mut().now = end;
                return self.settle();
            };
            self.world.borrow_mut().now = until;
            self.settle();
        }
        panic!("deadlines without end");
    }

    fn end(&mut self) {
        let clients = self.world.borrow().pipes.len();
        for client in 0..clients {
            let mut world = self.world.borrow_mut();
            world.set_room(client, usize::MAX);
            world.pipes[client].read_at_most = 0;
            world.end(client, End::Orderly);
        }
        self.pass(1_000_000);
        if self.is_over {
            return;
        }
        assert_eq!(self.server.sockets(), 0, "everybody has gone");
        assert_eq!(self.server.gauges(), Default::default());
        assert_eq!(self.server.buffered_bytes(), 0);
        let world = self.world.borrow();
        for pipe in &world.pipes {
            assert!(pipe.is_closed);
            check_written(&pipe.outbound);
        }
    }
}

/// What the buffers that are kept for the next queues may take beside the budget.
const POOL_BYTES: usize = 8 * 1024 * 1024;

/// The program's own access policy, with something to say about proxies, origins and tokens.
fn configured() -> ConfiguredPolicy {
    thread_local! {
        static SETTINGS: Box<Settings> = settings();
    }
    SETTINGS.with(|settings| ConfiguredPolicy::new(settings))
}

fn settings() -> Box<Settings> {
    let environment = [
        ("TRUSTED_PROXIES", "10.0.0.1"),
        ("CORS_ORIGIN", "https://a.example,https://*.b.example"),
        ("AUTH_TOKEN", "t"),
        ("MAX_CONNECTIONS_PER_IP", "3"),
        ("HTTP_RATE", "5"),
        ("HTTP_WINDOW", "1000"),
    ];
    let environment = environment.map(|(name, value)| (name.into(), value.into()));
    match Settings::from(environment, [], None) {
        Ok(Command::Serve(settings)) => settings,
        other => panic!("{other:?}"),
    }
}

fn upgrade(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// One frame with the mask of zeros, its length in the shortest form.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => bytes.extend([&[0xfe], &length.to_be_bytes()[..]].concat()),
        Err(_) => bytes.extend([&[0xff], &(payload.len() as u64).to_be_bytes()[..]].concat()),
    }
    bytes.extend([0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Answers, then perhaps frames, nothing behind a close frame; only the last of all may be cut.
fn check_written(mut bytes: &[u8]) {
    while bytes.starts_with(b"HTTP/1.1 ") {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return };
        let Ok(head) = std::str::from_utf8(&bytes[..end]) else { panic!("a head that is no text") };
        bytes = &bytes[end + 4..];
        if head.starts_with("HTTP/1.1 101 ") {
            return check_frames(bytes);
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap_or_else(|_| panic!("{head}")));
        // The answer to HEAD has a length and no body.
        if !bytes.starts_with(b"HTTP/1.1 ") {
            bytes = bytes.get(length..).unwrap_or_default();
        }
    }
    assert!(b"HTTP/1.1 ".starts_with(bytes), "no answer: {bytes:?}");
}

fn ascii(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn check_frames(mut bytes: &[u8]) {
    while let [first, second, rest @ ..] = bytes {
        assert!(first & 0x70 == 0 && first & 0x80 != 0 && second & 0x80 == 0, "{bytes:?}");
        let (length, payload) = match (second, rest) {
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest)
            }
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
            (126 | 127, _) => return,
            (length, rest) => (u64::from(*length), rest),
        };
        let Some((payload, rest)) =
            usize::try_from(length).ok().and_then(|length| payload.split_at_checked(length))
        else {
            return;
        };
        match first & 0x0f {
            1 => assert!(payload.starts_with(b"{") && std::str::from_utf8(payload).is_ok()),
            8 => {
                assert!(rest.is_empty(), "{} behind the close frame {}", ascii(rest), ascii(payload));
                assert!(payload.len() != 1, "half a close code: {payload:?}");
            }
            9 | 10 => assert!(payload.len() <= 125),
            opcode => panic!("opcode {opcode}"),
        }
        bytes = rest;
    }
}
