//! The server's own core as introducer: every frame is written, read and decided by what runs in production.

use std::fmt::Write as _;

use peerpigeon_core::{
    ConnId, Event, Gone, Grant, Input, Limits, Occasion, Output, PeerId, Signal, Switchboard, Time,
    UnixMillis,
};

use super::introducer::{Cost, Introducer, Leaving, Notice, Number, number_in};

/// A switchboard, and what its pages write to it.
pub(super) struct Core {
    board: Switchboard,
    notices: Vec<Notice>,
    /// Connections to be heard from: they were pinged.
    pinged: Vec<ConnId>,
    text: String,
    cost: Cost,
}

impl Core {
    /// With the documented defaults, but room for `peers`.
    pub(super) fn new(peers: u32) -> Core {
        let limits = Limits { connections: peers.saturating_mul(2), ..Limits::default() };
        Core {
            board: Switchboard::new(limits, UnixMillis(1_700_000_000_000), 0),
            notices: Vec::new(),
            pinged: Vec::new(),
            text: String::new(),
            cost: Cost::default(),
        }
    }

    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.cost.inputs += 1;
        self.board.handle(now, input);
        while let Some(output) = self.board.poll_output() {
            match output {
                Output::Send { conn, text } => {
                    self.cost.frames += 1;
                    self.notices.extend(notice(number(conn), text));
                }
                Output::Ping { conn } => self.pinged.push(conn),
                Output::Observe(Event::Introduced { occasion, .. }) => {
                    self.cost.introducing_frames += 2;
                    self.cost.joining_frames += 2 * u64::from(*occasion == Occasion::Announce);
                }
                Output::Observe(_) => {}
                Output::Reply { .. } | Output::Close { .. } => {
                    debug_assert!(false, "a page that behaves got {output:?}");
                }
            }
        }
        while let Some(conn) = self.pinged.pop() {
            // Answered at once: browsers do that by themselves.
            self.handle(now, Input::Heard { conn });
        }
    }

    fn say(&mut self, now: Time, peer: Number, text: &str) {
        self.handle(now, Input::Text { conn: conn(peer), text });
    }
}

impl Introducer for Core {
    fn join(&mut self, now: Time, peer: Number, id: &PeerId, capacity: u8) {
        self.cost.joins += 1;
        let target = format!("/?peerId={id}");
        let opened = Input::Opened { conn: conn(peer), target: &target, address: None, grant: &Grant::ANY };
        self.handle(now, opened);
        let text =
            format!(r#"{{"type":"announce","data":{{}},"maxPeers":{capacity},"networkName":"global"}}"#);
        self.say(now, peer, &text);
    }

    fn leave(&mut self, now: Time, peer: Number, leaving: Leaving) {
        let cause = match leaving {
            Leaving::Goodbye => {
                self.say(now, peer, r#"{"type":"goodbye","data":{}}"#);
                Gone::Closed
            }
            Leaving::Lost => Gone::Reset,
        };
        self.handle(now, Input::Closed { conn: conn(peer), cause });
    }

    fn signal(&mut self, now: Time, from: Number, (_, to): (Number, &PeerId), signal: Signal) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        // What the real client writes, but for the length of its data.
        let written = write!(
            text,
            r#"{{"type":"{}","data":{},"maxPeers":3,"networkName":"global","targetPeerId":"{to}"}}"#,
            signal.name(),
            data(signal)
        );
        debug_assert!(written.is_ok(), "writing to a string never fails");
        self.say(now, from, &text);
        self.text = text;
    }

    fn timeout(&self) -> Option<Time> {
        self.board.poll_timeout().map(|(due, _)| due)
    }

    fn tick(&mut self, now: Time) {
        self.handle(now, Input::Tick);
    }

    fn take_notices(&mut self, into: &mut Vec<Notice>) {
        into.append(&mut self.notices);
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}

fn conn(peer: Number) -> ConnId {
    ConnId(peer.into())
}

fn number(conn: ConnId) -> Number {
    Number::try_from(conn.0).unwrap_or(Number::MAX)
}

/// Short, for there are many.
fn data(signal: Signal) -> &'static str {
    match signal {
        Signal::Offer => r#"{"type":"offer","sdp":"v=0\r\n"}"#,
        Signal::Answer => r#"{"type":"answer","sdp":"v=0\r\n"}"#,
        Signal::IceCandidate => r#"{"candidate":"candidate:1 1 udp 2113937151 0.0.0.0 9 typ host"}"#,
        Signal::ConnectionRejected
        | Signal::RenegotiationOffer
        | Signal::RenegotiationAnswer
        | Signal::IceRestartOffer
        | Signal::IceRestartAnswer
        | Signal::RecoveryOffer => r#"{"reason":"max_connections_reached"}"#,
    }
}

/// What a frame means to the page `to`.
fn notice(to: Number, text: &str) -> Option<Notice> {
    let kind = string(text, r#""type":""#)?;
    let number = |key| string(text, key).and_then(number_in);
    match kind {
        "peer-discovered" => Some(Notice::Discovered { to, of: number(r#""peerId":""#)? }),
        "goodbye" => Some(Notice::Unreachable { to, target: number(r#""fromPeerId":""#)? }),
        // Every version of the real client ignores the first; the others ask for nothing.
        "peer-disconnected" | "connected" | "error" => None,
        _ => {
            let (from, signal) = (number(r#""fromPeerId":""#)?, Signal::named(kind)?);
            Some(Notice::Signal { to, from, signal })
        }
    }
}

/// The string behind `key`; the frames of the server hold no escapes before it.
fn string<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let rest = &text[text.find(key)? + key.len()..];
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::super::introducer::id_of;
    use super::*;

    fn take(core: &mut Core) -> Vec<Notice> {
        let mut notices = Vec::new();
        core.take_notices(&mut notices);
        notices
    }

    #[test]
    fn pages_hear_of_each_other_write_to_each_other_and_are_told_who_said_goodbye() {
        let mut core = Core::new(10);
        let ids = [id_of(0, [1, 2]), id_of(1, [3, 4])];
        core.join(Time(0), 0, &ids[0], 3);
        assert_eq!(take(&mut core), []);
        core.join(Time(1), 1, &ids[1], 3);
        let both = [Notice::Discovered { to: 1, of: 0 }, Notice::Discovered { to: 0, of: 1 }];
        assert_eq!(take(&mut core), both);
        core.signal(Time(2), 1, (0, &ids[0]), Signal::Offer);
        assert_eq!(take(&mut core), [Notice::Signal { to: 0, from: 1, signal: Signal::Offer }]);
        core.leave(Time(3), 1, Leaving::Goodbye);
        assert_eq!(take(&mut core), [Notice::Unreachable { to: 0, target: 1 }]);
        core.signal(Time(4), 0, (1, &ids[1]), Signal::Offer);
        assert_eq!(take(&mut core), [Notice::Unreachable { to: 0, target: 1 }]);
        let cost = core.cost();
        assert_eq!((cost.joins, cost.joining_frames, cost.introducing_frames), (2, 2, 2));
    }
}
