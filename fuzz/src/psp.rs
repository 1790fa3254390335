//! What a client of PSP says, as one text: its receiver reads in it what the server has read.
//!
//! The first byte tells who says it: `g` for a peer that names no room, as clients in Go do; anything else for one that names its
//! room. Two others of the same room listen.

use peerpigeon_core::{ConnId, Gone, Grant, Input, Limits, Output, Switchboard, Time, UnixMillis};
use serde_json::Value;
use serde_json::value::RawValue;

/// What peers may tell each other.
const RELAYED: [&str; 12] = [
    "connect_request",
    "connect_accept",
    "connect_reject",
    "offer",
    "answer",
    "ice_candidate",
    "ice_end",
    "renegotiate",
    "bye",
    "error",
    "ack",
    "ext",
];

/// Each with the value of its `session_id`. All are in the room of the network's name.
const PEERS: [(&str, &str); 3] = [("a", "\"n\""), ("b", "\"n\""), ("g", "null")];

/// Lets three peers join, lets one of them say this, and closes everything.
pub fn run(data: &[u8]) {
    let Some((first, text)) = data.split_first() else { return };
    let sender = if *first == b'g' { 2 } else { 0 };
    let text = String::from_utf8_lossy(text);
    let mut world = World::new();
    for (n, (id, room)) in PEERS.iter().enumerate() {
        let announce = format!(
            r#"{{"psp_version":"1.0","type":"announce","network":"n","from":"{id}","session_id":{room},"message_id":"m","timestamp":1}}"#
        );
        let told = world.feed(Input::Text { conn: conn(n), text: &announce });
        let ack = told.iter().find(|(to, frame)| *to == n && frame.contains(r#""type":"ack""#));
        let (_, ack) = ack.unwrap_or_else(|| panic!("{id} got no ack: {told:?}"));
        world.server = from(&serde_json::from_str(ack).expect("JSON")).to_owned();
    }
    for (to, frame) in world.feed(Input::Text { conn: conn(sender), text: &text }) {
        check(&text, sender, to, &frame, &world.server);
    }
    world.end();
}

/// Whether a frame that was sent to `to` after `sender` said `text` says what it may.
fn check(text: &str, sender: usize, to: usize, frame: &str, server: &str) {
    // Half a surrogate pair and numbers without end are JSON that this parser has no value for.
    let Ok(said) = serde_json::from_str::<Value>(frame) else {
        return assert!(to != sender, "the server wrote what not everybody can read: {frame}");
    };
    if from(&said) == server {
        return;
    }
    assert!(to != sender, "{text}: an echo: {frame}");
    assert_eq!(from(&said), PEERS[sender].0, "{text}: {frame}");
    assert_eq!((&said["network"], &said["to"]), (&"n".into(), &PEERS[to].0.into()), "{frame}");
    // Blanks around it do not count.
    assert_eq!(said["session_id"].as_str().map(str::trim), Some("n"), "{frame}");
    assert!(said["type"].as_str().is_some_and(|kind| RELAYED.contains(&kind)), "{frame}");
    let mut sent: Value = serde_json::from_str(text).expect("what was relayed was JSON");
    if sent["session_id"].as_str().is_some_and(|room| !room.trim().is_empty()) {
        return assert_eq!(frame, text, "other bytes than were sent");
    }
    sent["session_id"] = "n".into();
    assert_eq!(said, sent, "more than the room was written in");
}

fn from(envelope: &Value) -> &str {
    envelope["from"].as_str().unwrap_or_else(|| panic!("from nobody: {envelope}"))
}

fn conn(n: usize) -> ConnId {
    ConnId(n as u64 + 1)
}

struct World {
    board: Switchboard,
    now: Time,
    server: String,
}

impl World {
    fn new() -> World {
        let board = Switchboard::new(Limits::default(), UnixMillis(1_700_000_000_000), 0)
            .expect("limits that are allowed");
        let mut world = World { board, now: Time(0), server: String::new() };
        for n in 0..PEERS.len() {
            let target = "/ws?networkId=n&room=n";
            world.feed(Input::Opened { conn: conn(n), target, address: None, grant: &Grant::ANY });
        }
        world
    }

    /// What is sent, and to whom.
    fn feed(&mut self, input: Input<'_>) -> Vec<(usize, String)> {
        let mut told = Vec::new();
        self.board.handle(self.now, input);
        while let Some(output) = self.board.poll_output() {
            match output {
                Output::Send { conn, text } => {
                    let raw: Result<&RawValue, _> = serde_json::from_str(text);
                    assert!(raw.is_ok() && text.trim_start().starts_with('{'), "no JSON object: {text}");
                    told.push((usize::try_from(conn.0).expect("few") - 1, text.to_owned()));
                }
                Output::Ask { .. }
                | Output::Publish { .. }
                | Output::Observe(_)
                | Output::Ping { .. }
                | Output::Close { .. }
                | Output::Reply { .. } => {}
            }
        }
        if !cfg!(debug_assertions) {
            self.board.check_invariants();
        }
        told
    }

    /// Closes everything, and lets time pass until nothing is left.
    fn end(&mut self) {
        for n in 0..PEERS.len() {
            self.feed(Input::Closed { conn: conn(n), cause: Gone::Closed });
        }
        self.now = self.now + 1_000_000;
        for _ in 0..10_000 {
            self.feed(Input::Tick);
            match self.board.poll_timeout() {
                Some((due, _)) => self.now = due,
                None => break,
            }
        }
        assert_eq!(self.board.census(), Default::default(), "everybody has left");
    }
}
