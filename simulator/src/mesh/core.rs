//! The server's own core as introducer: every frame is written, read and decided by what runs in production.

use std::fmt::Write as _;

use peerpigeon_core::{
    ConnId, Event, Gone, Grant, Input, Limits, Occasion, Output, Signal, Switchboard, Time, UnixMillis,
};

use super::introducer::{Cost, End, Introducer, Leaving, Message, Notice, Reason};
use super::key::Key;

/// A switchboard, and what its pages write to it.
pub(super) struct Core {
    board: Switchboard,
    notices: Vec<Notice>,
    /// Connections to be heard from: they were pinged.
    pinged: Vec<ConnId>,
    /// By the numbers of the pages: every frame of the real client tells its `maxPeers`.
    capacities: Vec<u8>,
    /// By the numbers of the pages, which are those of their connections.
    keys: Vec<Key>,
    text: String,
    cost: Cost,
}

impl Core {
    /// With the documented defaults, but room for `peers`.
    pub(super) fn new(peers: u32) -> Core {
        let limits = Limits { connections: peers.saturating_mul(2), ..Limits::default() };
        Core {
            board: Switchboard::new(limits, UnixMillis(1_700_000_000_000), 0)
                .expect("limits that are allowed"),
            notices: Vec::new(),
            pinged: Vec::new(),
            capacities: Vec::new(),
            keys: Vec::new(),
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
                    let to = usize::try_from(conn.0).ok().and_then(|number| self.keys.get(number));
                    self.notices.extend(to.and_then(|to| notice(*to, text)));
                }
                Output::Ping { conn } => self.pinged.push(conn),
                Output::Observe(Event::Introduced { occasion, .. }) => {
                    self.cost.introducing_frames += 2;
                    self.cost.joining_frames += 2 * u64::from(*occasion == Occasion::Announce);
                }
                Output::Ask { .. } | Output::Publish { .. } | Output::Observe(_) => {}
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

    fn say(&mut self, now: Time, peer: Key, text: &str) {
        self.handle(now, Input::Text { conn: conn(peer), text });
    }
}

impl Introducer for Core {
    fn join(&mut self, now: Time, peer: Key, capacity: u8) {
        self.cost.joins += 1;
        let pages = self.keys.len().max(peer.index() + 1);
        self.keys.resize(pages, peer);
        self.keys[peer.index()] = peer;
        self.capacities.resize(pages, capacity);
        self.capacities[peer.index()] = capacity;
        let target = format!("/?peerId={}", peer.id());
        let opened = Input::Opened { conn: conn(peer), target: &target, address: None, grant: &Grant::ANY };
        self.handle(now, opened);
        let text =
            format!(r#"{{"type":"announce","data":{{}},"maxPeers":{capacity},"networkName":"global"}}"#);
        self.say(now, peer, &text);
    }

    fn leave(&mut self, now: Time, peer: Key, leaving: Leaving) {
        let cause = match leaving {
            Leaving::Goodbye => {
                self.say(now, peer, r#"{"type":"goodbye","data":{}}"#);
                Gone::Closed
            }
            Leaving::Lost => Gone::Reset,
        };
        self.handle(now, Input::Closed { conn: conn(peer), cause });
    }

    fn signal(&mut self, now: Time, from: Key, to: Key, message: Message) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let written = write(&mut text, self.capacities[from.index()], to, message);
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

fn conn(peer: Key) -> ConnId {
    ConnId(peer.number().into())
}

/// What the real client writes, but for the length of its data.
fn write(text: &mut String, capacity: u8, to: Key, message: Message) -> std::fmt::Result {
    let (signal, end, meant) = match message {
        Message::Offer { end } => (Signal::Offer, end, 0),
        Message::Answer { end, to } => (Signal::Answer, end, to),
        Message::Candidate => (Signal::IceCandidate, 0, 0),
        Message::Rejected(_) => (Signal::ConnectionRejected, 0, 0),
    };
    let name = signal.name();
    write!(text, r#"{{"type":"{name}","data":"#)?;
    match message {
        Message::Offer { .. } | Message::Answer { .. } => {
            write!(text, r#"{{"type":"{name}","sdp":"{SDP}{end} {meant}"}}"#)?;
        }
        Message::Candidate => {
            text.push_str(r#"{"candidate":"candidate:1 1 udp 2113937151 0.0.0.0 9 typ host"}"#)
        }
        Message::Rejected(reason) => write!(text, r#"{{"reason":"{}"}}"#, reason.name())?,
    }
    write!(text, r#","maxPeers":{capacity},"networkName":"global","targetPeerId":"{}"}}"#, to.id())
}

/// What the two numbers of a description follow: its own end, and for an answer the one that it is for.
const SDP: &str = "v=0 ";

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Reason::Full => "max_peers_reached",
            Reason::Role => "initiator_role_conflict",
        }
    }
}

/// What a frame means to the page `to`.
fn notice(to: Key, text: &str) -> Option<Notice> {
    let kind = string(text, r#""type":""#)?;
    let key = |name| string(text, name).and_then(Key::in_digits);
    match kind {
        "peer-discovered" => Some(Notice::Discovered { to, of: key(r#""peerId":""#)? }),
        "goodbye" => Some(Notice::Goodbye { to, of: key(r#""fromPeerId":""#)? }),
        // Every version of the real client ignores the first; the others ask for nothing.
        "peer-disconnected" | "connected" | "error" => None,
        _ => {
            let message = message(Signal::named(kind)?, text)?;
            Some(Notice::Signal { to, from: key(r#""fromPeerId":""#)?, message })
        }
    }
}

fn message(signal: Signal, text: &str) -> Option<Message> {
    match signal {
        Signal::Offer => ends(text).map(|(end, _)| Message::Offer { end }),
        Signal::Answer => ends(text).map(|(end, to)| Message::Answer { end, to }),
        Signal::IceCandidate => Some(Message::Candidate),
        Signal::ConnectionRejected => {
            let said = string(text, r#""reason":""#)?;
            let reason = [Reason::Full, Reason::Role].into_iter().find(|reason| reason.name() == said);
            reason.map(Message::Rejected)
        }
        Signal::RenegotiationOffer
        | Signal::RenegotiationAnswer
        | Signal::IceRestartOffer
        | Signal::IceRestartAnswer
        | Signal::RecoveryOffer => None,
    }
}

fn ends(text: &str) -> Option<(End, End)> {
    let (end, to) = string(text, r#""sdp":""#)?.strip_prefix(SDP)?.split_once(' ')?;
    Some((end.parse().ok()?, to.parse().ok()?))
}

/// The string behind `key`; the frames of the server hold no escapes before it.
fn string<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let rest = &text[text.find(key)? + key.len()..];
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(core: &mut Core) -> Vec<Notice> {
        let mut notices = Vec::new();
        core.take_notices(&mut notices);
        notices
    }

    #[test]
    fn pages_hear_of_each_other_write_to_each_other_and_are_told_who_said_goodbye() {
        let mut core = Core::new(10);
        let [one, two] = [Key::new(0, 0x12_3456), Key::new(1, 0x65_4321)];
        core.join(Time(0), one, 3);
        assert_eq!(take(&mut core), []);
        core.join(Time(1), two, 3);
        let both = [Notice::Discovered { to: two, of: one }, Notice::Discovered { to: one, of: two }];
        assert_eq!(take(&mut core), both);
        for message in [Message::Offer { end: 7 }, Message::Answer { end: 8, to: 7 }, Message::Candidate] {
            core.signal(Time(2), two, one, message);
            assert_eq!(take(&mut core), [Notice::Signal { to: one, from: two, message }]);
        }
        core.leave(Time(3), two, Leaving::Goodbye);
        assert_eq!(take(&mut core), [Notice::Goodbye { to: one, of: two }]);
        core.signal(Time(4), one, two, Message::Offer { end: 9 });
        assert_eq!(take(&mut core), [Notice::Goodbye { to: one, of: two }]);
        let cost = core.cost();
        assert_eq!((cost.joins, cost.joining_frames, cost.introducing_frames), (2, 2, 2));
    }

    #[test]
    fn a_rejection_keeps_the_reason_that_real_clients_give() {
        for (reason, name) in [(Reason::Full, "max_peers_reached"), (Reason::Role, "initiator_role_conflict")]
        {
            let (mut core, keys) = (Core::new(10), [Key::new(0, 5), Key::new(1, 6)]);
            keys.into_iter().for_each(|key| core.join(Time(0), key, 3));
            let mut text = String::new();
            write(&mut text, 3, keys[1], Message::Rejected(reason)).unwrap();
            assert!(text.contains(&format!(r#""data":{{"reason":"{name}"}}"#)), "{text}");
            core.say(Time(1), keys[0], &text);
            let told = Notice::Signal { to: keys[1], from: keys[0], message: Message::Rejected(reason) };
            assert!(take(&mut core).contains(&told), "{told:?}");
        }
    }
}
