//! What comes by the bus: frames of any kind, and events of a node that keeps to the handshake and to nothing else.
//!
//! A script. `o` opens a connection of the peer that the line names, `s` says something by it, `x` loses it; `e` is an event of the
//! other node, `f` a whole frame of anybody; `t` lets milliseconds pass, `b` takes the bus away and brings it back.

use peerpigeon_core::{
    Channel, ConnId, Gone, Grant, Input, Limits, NodeId, Output, Switchboard, Time, UnixMillis,
};
use serde_json::Value;

use super::script::{Line, bytes, lines, number, text};

/// The other node.
const OTHER: NodeId = NodeId(7);

struct World {
    board: Switchboard,
    now: Time,
    /// By peer, its connection, if it is open.
    conns: [Option<u64>; 16],
    last_conn: u64,
    /// The epoch of this node's link to the other, once it has said so.
    epoch: u32,
    /// Bytes of the stream of the other node so far.
    offset: u64,
    /// Where this node's own stream has come to.
    acknowledged: u64,
}

/// Whatever comes by the bus, the invariants hold, what peers are told is JSON and goes to somebody who is there, and once all
/// have gone and the other node is dead nothing is left of it.
///
/// # Panics
///
/// When that is not so.
pub fn run(script: &[u8]) {
    let limits = Limits {
        node_timeout_ms: 1_000,
        cluster_bytes: 65_536,
        remote_peers: 4,
        networks: 3,
        announced_data_bytes: 20,
        network_name_bytes: 8,
        ..Limits::default()
    };
    let board = Switchboard::new(limits, UnixMillis(1_700_000_000_000), 0).expect("limits that are allowed");
    let mut world =
        World { board, now: Time(1), conns: [None; 16], last_conn: 0, epoch: 0, offset: 0, acknowledged: 0 };
    world.give(Input::Bus { is_up: true });
    world.open_link();
    for line in lines(script).take(64) {
        world.act(&line);
        world.board.check_invariants();
    }
    world.end();
}

impl World {
    fn act(&mut self, line: &Line<'_>) {
        match line.action {
            b'o' if self.conns[line.who].is_none() => {
                self.last_conn += 1;
                self.conns[line.who] = Some(self.last_conn);
                let target = format!("/?peerId={:040x}", line.who);
                let conn = ConnId(self.last_conn);
                self.give(Input::Opened { conn, target: &target, address: None, grant: &Grant::ANY });
            }
            b's' => {
                if let Some(conn) = self.conns[line.who] {
                    self.give(Input::Text { conn: ConnId(conn), text: &text(line.rest) });
                }
            }
            b'x' => {
                if let Some(conn) = self.conns[line.who].take() {
                    self.give(Input::Closed { conn: ConnId(conn), cause: Gone::Reset });
                }
            }
            b'e' => self.tell(&bytes(line.rest)),
            b'f' => self.give(Input::Frame { frame: &bytes(line.rest) }),
            b't' => self.pass(number(line.rest, 100_000)),
            b'b' => {
                self.give(Input::Bus { is_up: false });
                self.pass(number(line.rest, 100_000));
                self.give(Input::Bus { is_up: true });
            }
            _ => {}
        }
    }

    /// The first bytes of a frame to this node.
    fn head(&self, kind: u8) -> Vec<u8> {
        let mut frame = vec![1, kind];
        frame.extend(OTHER.0.to_le_bytes());
        frame.extend(self.board.node_id().0.to_le_bytes());
        frame.extend(1_u32.to_le_bytes());
        frame.extend(self.epoch.to_le_bytes());
        frame
    }

    fn open_link(&mut self) {
        for _ in 0..2 {
            let open = self.head(3);
            self.give(Input::Frame { frame: &open });
            self.give(Input::Flush);
        }
    }

    /// The other node tells something.
    fn tell(&mut self, event: &[u8]) {
        let length = u32::try_from(event.len()).expect("a short line");
        let mut frame = self.head(4);
        frame.extend(self.offset.to_le_bytes());
        frame.extend(self.acknowledged.to_le_bytes());
        frame.push(0);
        frame.extend(length.to_le_bytes());
        frame.extend(event);
        self.offset += 4 + u64::from(length);
        self.give(Input::Frame { frame: &frame });
        self.give(Input::Flush);
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some((due, _)) = self.board.poll_timeout().filter(|(due, _)| *due <= end) {
            assert!(due > self.now, "a deadline in the past");
            self.now = due;
            self.give(Input::Tick);
            self.give(Input::Flush);
        }
        self.now = end;
        self.give(Input::Tick);
        self.give(Input::Flush);
    }

    fn give(&mut self, input: Input<'_>) {
        self.board.handle(self.now, input);
        let (mut own, mut pinged) = (Vec::new(), Vec::new());
        while let Some(output) = self.board.poll_output() {
            match output {
                Output::Send { conn, text } => {
                    assert!(self.conns.contains(&Some(conn.0)), "sent to nobody: {text}");
                    serde_json::from_str::<Value>(text).expect("JSON");
                }
                Output::Close { conn, .. } => {
                    self.conns.iter_mut().filter(|open| **open == Some(conn.0)).for_each(|open| *open = None);
                }
                Output::Ping { conn } => pinged.push(conn),
                Output::Publish { to: Channel::All, frame } => own.push(frame.to_vec()),
                Output::Publish { to: Channel::Node(node), frame } => {
                    assert!(frame.len() <= Limits::FRAME_BYTES);
                    if node == OTHER && frame.len() >= 26 {
                        let epoch: [u8; 4] = frame[18..22].try_into().expect("four bytes");
                        let epoch = u32::from_le_bytes(epoch);
                        if epoch != self.epoch {
                            (self.epoch, self.offset, self.acknowledged) = (epoch, 0, 0);
                        }
                        if frame[1] == 4 && frame.len() > 43 {
                            self.acknowledged += (frame.len() - 43) as u64;
                        }
                    }
                }
                Output::Reply { .. } | Output::Ask { .. } | Output::Observe(_) => {}
            }
        }
        for conn in pinged {
            self.give(Input::Heard { conn });
        }
        // What is published for all comes back.
        for frame in own {
            self.give(Input::Frame { frame: &frame });
        }
    }

    fn end(&mut self) {
        for conn in self.conns.into_iter().flatten() {
            self.give(Input::Closed { conn: ConnId(conn), cause: Gone::Closed });
        }
        self.pass(700_000);
        let census = self.board.census();
        assert_eq!((census.connections, census.remote_peers, census.nodes), (0, 0, 0), "{census:?}");
        assert_eq!((census.mails, census.networks, census.acquaintances), (0, 0, 0), "{census:?}");
        self.board.check_invariants();
    }
}
