//! What connections say to the core, in all dialects and over HTTP: whatever it is, the core's promises hold.
//!
//! | line | meaning |
//! | --- | --- |
//! | `l` | first line only: limits so tight that everything is full at once |
//! | `oN TARGET` | connection `N` opens by this target; one that is open is closed first |
//! | `tN TEXT` | it says this |
//! | `pN BODY` | `POST /signaling` comes by connection `N` of its own kind |
//! | `gN TARGET` | `GET` comes by it |
//! | `hN` | a ping or a pong |
//! | `fN` | its queue is full |
//! | `xN` | it is gone |
//! | `w MS` | time passes, and every deadline on the way fires |
//! | `j MS` | time jumps: the driver was not listening |
//! | `d` | drain |

use super::script::{self, Line};
use peerpigeon_core::{
    AddressKey, ConnId, DuplicatePeer, Event, Gone, Grant, Input, Limits, Output, Switchboard, Time,
    UnixMillis,
};
use serde_json::value::RawValue;

/// Plays a script, closes everything, and lets time pass until nothing is left.
pub fn run(data: &[u8]) {
    let is_tight = data.starts_with(b"l");
    let mut world = World::new(if is_tight { tight() } else { Limits::default() });
    for line in script::lines(data) {
        world.act(&line);
    }
    world.end();
}

fn tight() -> Limits {
    Limits {
        connections: 3,
        connections_per_address: 2,
        unregistered_connections: 1,
        register_ms: 50,
        held_connections: 2,
        held_messages: 2,
        held_bytes: 200,
        hold_for_place_ms: 50,
        challenge_ms: 40,
        duplicate_peer: DuplicatePeer::Challenge,
        introductions: 1,
        acquaintances: 1,
        reintroduce_interval_ms: 300,
        fan_out_bytes: 20,
        networks: 2,
        announced_data_bytes: 20,
        network_name_bytes: 8,
        ping_interval_ms: 100,
        pong_timeout_ms: 50,
        peer_timeout_ms: 400,
        message_rate_per_second: 5,
        message_burst: 5,
        byte_rate_per_second: 200,
        byte_burst: 400,
        nesting_levels: 3,
        message_ttl_ms: 300,
        mailbox_messages: 2,
        mailbox_bytes: 200,
        mailbox_total_bytes: 300,
        mailboxes: 2,
        cleanup_interval_ms: 100,
        store_timeout_ms: 0,
        node_timeout_ms: 0,
        cluster_bytes: 65_536,
        remote_peers: 2,
    }
}

/// Where a name stands for: the core never sees a number twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    conn: u64,
    is_open: bool,
    /// A request waits for its answer.
    is_asking: bool,
}

struct World {
    board: Switchboard,
    now: Time,
    /// WebSockets, and connections of HTTP.
    slots: [[Slot; 16]; 2],
    conns: u64,
    opened: usize,
    gone: usize,
}

const WEBSOCKET: usize = 0;
const HTTP: usize = 1;

impl World {
    fn new(limits: Limits) -> World {
        let board =
            Switchboard::new(limits, UnixMillis(1_700_000_000_000), 0).expect("limits that are allowed");
        World { board, now: Time(0), slots: [[Slot::default(); 16]; 2], conns: 0, opened: 0, gone: 0 }
    }

    fn act(&mut self, line: &Line<'_>) {
        let who = line.who;
        let socket = self.slots[WEBSOCKET][who];
        let conn = ConnId(socket.conn);
        // Two connections share an address.
        let address = (who < 8).then_some(AddressKey(who as u64 / 2));
        match line.action {
            b'o' => {
                if socket.is_open {
                    self.close(WEBSOCKET, who);
                }
                let conn = self.fresh(WEBSOCKET, who);
                self.slots[WEBSOCKET][who].is_open = true;
                self.feed(Input::Opened {
                    conn,
                    target: &script::text(line.rest),
                    address,
                    grant: &Grant::ANY,
                });
            }
            b't' if socket.is_open => self.feed(Input::Text { conn, text: &script::text(line.rest) }),
            b'h' if socket.is_open => self.feed(Input::Heard { conn }),
            b'f' if socket.is_open => self.feed(Input::QueueFull { conn }),
            b'x' => self.close(WEBSOCKET, who),
            b'y' => self.close(HTTP, who),
            b'p' | b'g' => self.request(line, address),
            b'w' => self.pass(script::number(line.rest, 1_000_000)),
            b'j' => {
                self.now = self.now + script::number(line.rest, 1_000_000);
                self.feed(Input::Tick);
            }
            b'd' => self.feed(Input::Drain { until: self.now + script::number(line.rest, 100_000) }),
            b'c' => self.feed(Input::ClockSet { wall: UnixMillis(script::number(line.rest, u64::MAX)) }),
            _ => {}
        }
    }

    fn request(&mut self, line: &Line<'_>, address: Option<AddressKey>) {
        if self.slots[HTTP][line.who].is_asking {
            // Nothing is read from it before it is answered.
            return;
        }
        let conn = self.fresh(HTTP, line.who);
        self.slots[HTTP][line.who].is_asking = true;
        let text = script::text(line.rest);
        if line.action == b'p' {
            self.feed(Input::Posted { conn, body: &text, address, grant: &Grant::ANY });
            assert!(!self.slots[HTTP][line.who].is_asking, "a post was not answered");
        } else {
            self.feed(Input::Polled { conn, target: &text, grant: &Grant::ANY });
        }
    }

    fn fresh(&mut self, kind: usize, who: usize) -> ConnId {
        self.conns += 1;
        self.slots[kind][who].conn = self.conns;
        ConnId(self.conns)
    }

    fn close(&mut self, kind: usize, who: usize) {
        let slot = &mut self.slots[kind][who];
        if std::mem::take(&mut slot.is_open) | std::mem::take(&mut slot.is_asking) {
            let conn = ConnId(slot.conn);
            let cause = [Gone::Closed, Gone::Reset, Gone::ProtocolError, Gone::TooBig][who % 4];
            self.feed(Input::Closed { conn, cause });
        }
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        // Pings of sixteen peers in a thousand seconds, and then some.
        for _ in 0..20_000 {
            let Some((due, _)) = self.board.poll_timeout().filter(|(due, _)| *due <= end) else {
                self.now = end;
                return self.feed(Input::Tick);
            };
            self.now = due;
            self.feed(Input::Tick);
        }
        panic!("deadlines without end");
    }

    fn feed(&mut self, input: Input<'_>) {
        self.board.handle(self.now, input);
        while let Some(output) = self.board.poll_output() {
            match output {
                Output::Send { conn, text } => {
                    assert!(
                        find(&mut self.slots[WEBSOCKET], conn).is_some_and(|slot| slot.is_open),
                        "{conn:?}: {text}"
                    );
                    check_json(text);
                }
                Output::Ping { conn } => {
                    assert!(
                        find(&mut self.slots[WEBSOCKET], conn).is_some_and(|slot| slot.is_open),
                        "{conn:?}"
                    );
                }
                Output::Close { conn, .. } => {
                    let slot = find(&mut self.slots[WEBSOCKET], conn).filter(|slot| slot.is_open);
                    slot.unwrap_or_else(|| panic!("{conn:?} is closed, and was not open")).is_open = false;
                }
                Output::Reply { conn, status, text } => {
                    let slot = find(&mut self.slots[HTTP], conn).filter(|slot| slot.is_asking);
                    slot.unwrap_or_else(|| panic!("{conn:?} has not asked: {text}")).is_asking = false;
                    assert!(matches!(status, 200 | 400 | 404 | 409 | 429 | 503), "{status}");
                    check_json(text);
                }
                Output::Observe(Event::Opened { .. }) => self.opened += 1,
                Output::Observe(Event::Gone { .. }) => self.gone += 1,
                Output::Ask { .. } | Output::Publish { .. } | Output::Observe(_) => {}
            }
        }
        // With debug assertions the core has done so itself.
        if !cfg!(debug_assertions) {
            self.board.check_invariants();
        }
        assert_eq!(self.opened - self.gone, self.board.census().connections);
        assert!(self.board.poll_timeout().is_none_or(|(due, _)| due > self.now));
    }

    fn end(&mut self) {
        for who in 0..16 {
            self.close(WEBSOCKET, who);
            self.close(HTTP, who);
        }
        // Longer than a peer without a connection, then its mailbox, then the sweep last.
        self.pass(1_000_000);
        let census = self.board.census();
        assert_eq!(census, Default::default(), "everybody has left");
    }
}

fn find(slots: &mut [Slot; 16], conn: ConnId) -> Option<&mut Slot> {
    slots.iter_mut().find(|slot| slot.conn == conn.0)
}

fn check_json(text: &str) {
    let raw: Result<&RawValue, _> = serde_json::from_str(text);
    assert!(raw.is_ok() && text.starts_with('{'), "no JSON object: {text}");
}
