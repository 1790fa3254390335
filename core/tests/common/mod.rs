//! A driver for tests: the canonical loop, and a record of what came out.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(missing_docs, reason = "names say it")]
#![allow(unreachable_pub, reason = "shared by several test crates")]

use peerpigeon_core::{
    AddressKey, Channel, CloseReason, ConnId, Event, Gone, Grant, Input, Limits, Occasion, Output, PeerId,
    Question, QuestionId, Switchboard, Time, UnixMillis,
};
use serde_json::Value;

pub const BOOT: u64 = 1_700_000_000_000;

pub struct Board {
    pub board: Switchboard,
    pub now: Time,
    /// What was sent, oldest first.
    pub raw: Vec<(u64, String)>,
    pub replies: Vec<(u64, u16, String)>,
    pub pinged: Vec<u64>,
    pub closed: Vec<(u64, CloseReason)>,
    pub events: Vec<Event>,
    /// What the store was asked and has not answered.
    pub asked: Vec<(QuestionId, Question)>,
    /// What was published for other nodes.
    pub published: Vec<(Channel, Vec<u8>)>,
    /// Whether all invariants are checked after each input.
    pub is_watched: bool,
}

impl Board {
    pub fn new(limits: Limits) -> Board {
        Board::keyed(limits, 0)
    }

    /// One whose hash key, and with it the number of its node, is another than that of other boards.
    pub fn keyed(limits: Limits, hash_key: u64) -> Board {
        Board {
            board: Switchboard::new(limits, UnixMillis(BOOT), hash_key).unwrap(),
            now: Time(0),
            raw: Vec::new(),
            replies: Vec::new(),
            pinged: Vec::new(),
            closed: Vec::new(),
            events: Vec::new(),
            asked: Vec::new(),
            published: Vec::new(),
            is_watched: true,
        }
    }

    /// For many inputs: the invariants are checked when it ends, and not after each of them.
    pub fn unwatched(limits: Limits) -> Board {
        // At a time that is no round number, the board itself seldom checks them either.
        let mut board = Board::new(limits);
        (board.is_watched, board.now) = (false, Time(1_000_003));
        board
    }

    pub fn input(&mut self, input: Input<'_>) {
        self.board.handle(self.now, input);
        while let Some(output) = self.board.poll_output() {
            match output {
                Output::Send { conn, text } => {
                    assert!(
                        !self.closed.iter().any(|(closed, _)| *closed == conn.0),
                        "sent after a close: {text}"
                    );
                    self.raw.push((conn.0, text.to_owned()));
                }
                Output::Reply { conn, status, text } => self.replies.push((conn.0, status, text.to_owned())),
                Output::Ping { conn } => self.pinged.push(conn.0),
                Output::Close { conn, why } => self.closed.push((conn.0, why)),
                Output::Ask { id, question } => self.asked.push((id, question.clone())),
                Output::Publish { to, frame } => self.published.push((to, frame.to_vec())),
                Output::Observe(event) => self.events.push(*event),
            }
        }
        if self.is_watched {
            self.board.check_invariants();
        }
    }

    /// Lets time pass, stopping at every deadline on the way.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some((due, _)) = self.board.poll_timeout().filter(|(due, _)| *due <= end) {
            assert!(due > self.now);
            self.now = due;
            self.input(Input::Tick);
        }
        self.now = end;
        self.input(Input::Tick);
    }

    pub fn open(&mut self, conn: u64, id: &str) {
        self.open_from(conn, id, None);
    }

    pub fn open_from(&mut self, conn: u64, id: &str, address: Option<u64>) {
        let address = address.map(AddressKey);
        let target = format!("/?peerId={id}");
        self.input(Input::Opened { conn: ConnId(conn), target: &target, address, grant: &Grant::ANY });
    }

    pub fn open_with(&mut self, conn: u64, id: &str, grant: &Grant) {
        let target = format!("/?peerId={id}");
        self.input(Input::Opened { conn: ConnId(conn), target: &target, address: None, grant });
    }

    pub fn text(&mut self, conn: u64, text: &str) {
        self.input(Input::Text { conn: ConnId(conn), text });
    }

    /// Posts `body` and returns status and body of the answer.
    pub fn post(&mut self, conn: u64, body: &str) -> (u16, Value) {
        self.post_with(conn, body, &Grant::ANY)
    }

    pub fn post_with(&mut self, conn: u64, body: &str, grant: &Grant) -> (u16, Value) {
        self.input(Input::Posted { conn: ConnId(conn), body, address: None, grant });
        let (to, status, text) = self.replies.pop().unwrap();
        assert_eq!(to, conn);
        (status, serde_json::from_str(&text).unwrap())
    }

    pub fn poll(&mut self, conn: u64, id: &str, wait: u32) {
        self.poll_with(conn, id, wait, &Grant::ANY);
    }

    pub fn poll_with(&mut self, conn: u64, id: &str, wait: u32, grant: &Grant) {
        let target = format!("/signaling?peerId={id}&wait={wait}");
        self.input(Input::Polled { conn: ConnId(conn), target: &target, grant });
    }

    /// The types of the messages in the only answer, which went to `conn`.
    pub fn polled(&mut self, conn: u64) -> Vec<String> {
        assert_eq!(self.replies.len(), 1, "{:?}", self.replies);
        let (to, status, text) = self.replies.remove(0);
        assert_eq!((to, status), (conn, 200), "{text}");
        let reply: Value = serde_json::from_str(&text).unwrap();
        let messages = reply["messages"].as_array().unwrap();
        messages.iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect()
    }

    pub fn heard(&mut self, conn: u64) {
        self.input(Input::Heard { conn: ConnId(conn) });
    }

    pub fn lose(&mut self, conn: u64) {
        self.input(Input::Closed { conn: ConnId(conn), cause: Gone::Reset });
    }

    /// Connects and announces in `network`.
    pub fn join(&mut self, conn: u64, id: &str, network: &str) {
        self.open(conn, id);
        self.announce(conn, network);
    }

    pub fn announce(&mut self, conn: u64, network: &str) {
        self.text(conn, &format!(r#"{{"type":"announce","data":{{}},"networkName":"{network}"}}"#));
    }

    pub fn signal(&mut self, conn: u64, kind: &str, target: &str, data: &str, network: &str) {
        let text = format!(
            r#"{{"type":"{kind}","data":{data},"targetPeerId":"{target}","networkName":"{network}"}}"#
        );
        self.text(conn, &text);
    }

    /// What was sent to `conn` since the last call for it.
    pub fn take(&mut self, conn: u64) -> Vec<Value> {
        let taken = self.raw.extract_if(.., |(to, _)| *to == conn);
        taken.map(|(_, text)| serde_json::from_str(&text).unwrap()).collect()
    }

    /// The types of what was sent to `conn` since the last call for it.
    pub fn types(&mut self, conn: u64) -> Vec<String> {
        self.take(conn).iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The code of the only message that was sent to `conn`, an error.
    pub fn only_error(&mut self, conn: u64) -> String {
        let messages = self.take(conn);
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(messages[0]["type"], "error", "{messages:?}");
        messages[0]["data"]["code"].as_str().unwrap().to_owned()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.board.check_invariants();
        }
    }
}

/// The id whose digits are all `digit`.
pub fn id(digit: char) -> String {
    digit.to_string().repeat(40)
}

/// Who was introduced to whom.
pub struct Introductions(pub Vec<(PeerId, PeerId, Occasion)>);

impl Introductions {
    /// Those who were introduced to the peer with this [`peer_id`].
    pub fn with(&self, peer: u64) -> impl Iterator<Item = PeerId> {
        let me = peer_id(peer);
        let other = move |(a, b): (PeerId, PeerId)| if a == me { Some(b) } else { (b == me).then_some(a) };
        self.0.iter().filter_map(move |(a, b, _)| other((*a, *b)))
    }
}

impl Board {
    /// Takes what was introduced since the last time.
    pub fn introductions(&mut self) -> Introductions {
        let mut pairs = Vec::new();
        self.events.retain(|event| {
            if let Event::Introduced { newcomer, other, occasion } = event {
                pairs.push((*newcomer, *other, *occasion));
                return false;
            }
            true
        });
        Introductions(pairs)
    }
}

/// An id with this number in its first 64 bits, so that a larger one dials.
pub fn peer_id(number: u64) -> PeerId {
    let mut id = PeerId([0; 20]);
    id.0[..8].copy_from_slice(&number.to_be_bytes());
    id
}

/// `dialler` dials `other`, who answers.
pub fn link(board: &mut Board, dialler: u64, other: u64) {
    board.signal(dialler, "offer", &peer_id(other).to_string(), "{}", "global");
    board.signal(other, "answer", &peer_id(dialler).to_string(), "{}", "global");
}
