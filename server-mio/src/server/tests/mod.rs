//! The loop over a scripted network: real codec, real core, virtual time.

mod access;
mod http;
mod limits;
mod reconfigure;
mod scripted_net;
mod shutdown;
mod signaling;
mod store;
mod websocket;

use crate::access::AllowAll;
use crate::server::Server;
use crate::server::config::Config;
use crate::store::MailStore;
use peerpigeon_core::{Limits, Time, UnixMillis};
use scripted_net::{End, Pipe, ScriptedNet, World};
use std::cell::{Ref, RefCell};
use std::io;
use std::rc::Rc;

/// A server and its clients.
struct Bench {
    server: Server<ScriptedNet>,
    world: Rc<RefCell<World>>,
}

const BOOT: UnixMillis = UnixMillis(784_111_777_000);
const ID_A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const ID_B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

impl Bench {
    fn new() -> Bench {
        Bench::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Bench {
        Bench::made(change, |net, config| Server::new(net, config, Box::new(AllowAll), BOOT))
    }

    fn with_store(change: impl FnOnce(&mut Config), store: Box<dyn MailStore<ScriptedNet>>) -> Bench {
        Bench::made(change, |net, config| Server::with_store(net, config, Box::new(AllowAll), BOOT, store))
    }

    fn made(
        change: impl FnOnce(&mut Config),
        make: impl FnOnce(ScriptedNet, Config) -> io::Result<Server<ScriptedNet>>,
    ) -> Bench {
        // No pings and no re-introductions unless a test wants them: they would keep the loop from sleeping.
        let limits = Limits { ping_interval_ms: 0, reintroduce_interval_ms: 0, ..Limits::default() };
        let mut config = Config::new(limits);
        change(&mut config);
        let world = Rc::new(RefCell::new(World::default()));
        let net = ScriptedNet(Rc::clone(&world));
        let server = make(net, config).unwrap();
        Bench { server, world }
    }

    /// Turns until the loop would sleep.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.turn();
            if self.world.borrow().slept_until.is_some() {
                return;
            }
        }
        panic!("the loop never sleeps");
    }

    fn turn(&mut self) {
        self.server.turn().unwrap();
    }

    /// Lets time pass, and the loop wake up whenever it asked for.
    fn pass(&mut self, millis: u64) {
        let end = self.world.borrow().now + millis;
        self.settle();
        while let Some(Some(until)) = self.slept_until()
            && until <= end
        {
            self.world.borrow_mut().now = until;
            self.settle();
        }
        self.world.borrow_mut().now = end;
        self.settle();
    }

    fn slept_until(&self) -> Option<Option<Time>> {
        self.world.borrow().slept_until
    }

    fn pipe(&self, client: usize) -> Ref<'_, Pipe> {
        Ref::map(self.world.borrow(), |world| &world.pipes[client])
    }

    fn connect(&mut self) -> usize {
        self.world.borrow_mut().connect()
    }

    fn send(&mut self, client: usize, bytes: &[u8]) {
        self.world.borrow_mut().send(client, bytes);
    }

    /// Sends and lets the server answer everything.
    fn ask(&mut self, client: usize, bytes: &[u8]) -> String {
        self.send(client, bytes);
        self.settle();
        self.take_text(client)
    }

    /// What the server has written since the last time.
    fn take(&mut self, client: usize) -> Vec<u8> {
        std::mem::take(&mut self.world.borrow_mut().pipes[client].outbound)
    }

    fn take_text(&mut self, client: usize) -> String {
        String::from_utf8_lossy(&self.take(client)).into_owned()
    }

    /// The frames that the server has written since the last time.
    fn take_frames(&mut self, client: usize) -> Vec<(u8, Vec<u8>)> {
        frames_in(&self.take(client))
    }

    /// The text messages among them.
    fn take_messages(&mut self, client: usize) -> Vec<String> {
        let frames = self.take_frames(client);
        let texts = frames.into_iter().filter(|(opcode, _)| *opcode == 1);
        texts.map(|(_, payload)| String::from_utf8(payload).unwrap()).collect()
    }

    /// A WebSocket that has got its `connected`.
    fn open(&mut self, id: &str) -> usize {
        let client = self.connect();
        let answer = self.ask(client, handshake(id).as_bytes());
        assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains(r#""type":"connected""#), "{answer}");
        client
    }

    /// Two peers that are announced and know each other.
    fn open_two(&mut self) -> (usize, usize) {
        let (a, b) = (self.open(ID_A), self.open(ID_B));
        for client in [a, b] {
            self.send(client, &text_frame(r#"{"type":"announce"}"#));
        }
        self.settle();
        assert!(self.take_text(a).contains("peer-discovered"));
        assert!(self.take_text(b).contains("peer-discovered"));
        (a, b)
    }

    fn end(&mut self, client: usize, end: End) {
        self.world.borrow_mut().end(client, end);
    }

    fn set_room(&mut self, client: usize, room: usize) {
        self.world.borrow_mut().set_room(client, room);
    }
}

fn handshake(id: &str) -> String {
    format!(
        "GET /?peerId={id} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// One masked frame.
fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..=65_535 => {
            bytes.extend([&[0x80 | 126], &u16::try_from(len).unwrap().to_be_bytes()[..]].concat())
        }
        len => bytes.extend([&[0x80 | 127], &(len as u64).to_be_bytes()[..]].concat()),
    }
    let mask = [1, 2, 3, 4];
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
    bytes
}

fn text_frame(text: &str) -> Vec<u8> {
    client_frame(1, text.as_bytes())
}

/// A signal for the other of two peers, with this `data`.
fn signal(to: &str, data: &str) -> Vec<u8> {
    text_frame(&format!(r#"{{"type":"ice-candidate","targetPeerId":"{to}","data":{data}}}"#))
}

/// Splits what a server wrote into frames; a handshake's answer before them is skipped.
fn frames_in(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    if bytes.starts_with(b"HTTP") {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        bytes = &bytes[end + 4..];
    }
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        assert!(first & 0xf0 == 0x80 && second & 0x80 == 0, "whole frames without a mask");
        let (len, rest) = match second {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (usize::from_be_bytes(rest[..8].try_into().unwrap()), &rest[8..]),
            len => (usize::from(*len), rest),
        };
        assert!(rest.len() >= len, "a frame is cut");
        frames.push((first & 0x0f, rest[..len].to_vec()));
        bytes = &rest[len..];
    }
    frames
}

/// Code and reason of a close frame.
fn close_of(frames: &[(u8, Vec<u8>)]) -> Option<(u16, String)> {
    let (8, payload) = frames.last()? else { return None };
    let code = u16::from_be_bytes([payload[0], payload[1]]);
    Some((code, String::from_utf8(payload[2..].to_vec()).unwrap()))
}
