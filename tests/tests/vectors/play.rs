//! Plays a file of vectors through the core, with time and ids as the core has them.

use std::collections::BTreeMap;

use peerpigeon_core::{AddressKey, ConnId, Gone, Grant, Input, Output, Switchboard, Time, UnixMillis};
use peerpigeon_server::settings::{Command, Settings};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The wall time at which every file begins.
const BOOT: u64 = 1_700_000_000_000;

/// One line of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    #[serde(rename = "note")]
    _note: Option<String>,
    /// In the first line only: what is not as by default.
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// The connection that does what follows.
    #[serde(default)]
    who: String,
    /// The target of a WebSocket upgrade.
    opens: Option<String>,
    /// The client's address, with `opens`; without it no limit per address applies.
    address: Option<u64>,
    /// What the token of a request is bound to.
    #[serde(default)]
    token: Token,
    /// A message; a string is a text that is no JSON object, or is to arrive as it is spelled there.
    pub(crate) sends: Option<Box<RawValue>>,
    /// The body of `POST /signaling`, likewise.
    pub(crate) posts: Option<Box<RawValue>>,
    /// The target of a `GET`.
    polls: Option<String>,
    /// A pong, or another control frame.
    #[serde(default)]
    heard: bool,
    /// Bytes that wait for it since it reads slowly, and that may wait.
    backlog: Option<(usize, usize)>,
    /// It does not read, and the last message did not fit.
    #[serde(default)]
    full: bool,
    ends: Option<End>,
    /// Milliseconds that pass.
    #[serde(default)]
    waits: u64,
    /// The server shuts down within so many milliseconds.
    shuts_down: Option<u64>,
    /// What each connection gets, in order: frames, `"ping"`, `{"close":CODE,"reason":TEXT}`, `{"status":CODE,"body":…}`.
    #[serde(default)]
    pub(crate) gets: BTreeMap<String, Vec<Box<RawValue>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Token {
    peer_id: Option<String>,
    networks: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum End {
    Closed,
    Reset,
}

impl Token {
    fn grant(&self) -> Grant {
        let networks = self.networks.as_ref();
        Grant {
            peer: self.peer_id.as_deref().map(Into::into),
            networks: networks.map(|names| names.iter().map(|name| name.as_str().into()).collect()),
        }
    }
}

/// The server, and what is known of it from outside.
pub(crate) struct Stage {
    board: Switchboard,
    now: Time,
    conns: Vec<String>,
    /// What each connection has got in this step, each as JSON.
    pub(crate) got: BTreeMap<String, Vec<String>>,
}

impl Stage {
    /// A server with the settings of the first line.
    pub(crate) fn new(first: &Step) -> Stage {
        let settings = first.settings.iter().map(|(name, value)| (name.into(), value.into()));
        let limits = match Settings::from(settings, [], None) {
            Ok(Command::Serve(settings)) => settings.limits(),
            other => panic!("{:?}: {other:?}", first.settings),
        };
        Stage {
            board: Switchboard::new(limits, UnixMillis(BOOT), 0).unwrap(),
            now: Time(0),
            conns: Vec::new(),
            got: BTreeMap::new(),
        }
    }

    /// What the clock on the wall shows.
    pub(crate) fn wall(&self) -> u64 {
        BOOT + self.now.0
    }

    /// Does what a line says; what comes of it is in `got`.
    pub(crate) fn act(&mut self, step: &Step) {
        self.got.clear();
        let (conn, grant) = (self.conn(&step.who, step.opens.is_some()), step.token.grant());
        if let Some(target) = &step.opens {
            let address = step.address.map(AddressKey);
            self.input(Input::Opened { conn, target, address, grant: &grant });
        }
        if let Some(text) = &step.sends {
            self.input(Input::Text { conn, text: &text_of(text) });
        }
        if let Some(body) = &step.posts {
            self.input(Input::Posted { conn, body: &text_of(body), address: None, grant: &grant });
        }
        if let Some(target) = &step.polls {
            self.input(Input::Polled { conn, target, grant: &grant });
        }
        if step.heard {
            self.input(Input::Heard { conn });
        }
        if let Some((waiting, capacity)) = step.backlog {
            self.input(Input::Backlog { conn, waiting, capacity });
        }
        if step.full {
            self.input(Input::QueueFull { conn });
        }
        if let Some(end) = &step.ends {
            let cause = match end {
                End::Closed => Gone::Closed,
                End::Reset => Gone::Reset,
            };
            self.input(Input::Closed { conn, cause });
        }
        if let Some(ms) = step.shuts_down {
            self.input(Input::Drain { until: self.now + ms });
        }
        self.pass(step.waits);
    }

    /// The connection of this name; a name is given to a new one when it opens.
    fn conn(&mut self, name: &str, opens: bool) -> ConnId {
        let known = self.conns.iter().rposition(|known| known == name).filter(|_| !opens);
        let index = known.unwrap_or(self.conns.len());
        if index == self.conns.len() {
            self.conns.push(name.to_owned());
        }
        ConnId(index as u64)
    }

    fn input(&mut self, input: Input<'_>) {
        self.board.handle(self.now, input);
        while let Some(output) = self.board.poll_output() {
            let (conn, told) = match output {
                Output::Send { conn, text } => (conn, text.to_owned()),
                Output::Reply { conn, status, text } => {
                    (conn, format!("{{\"status\":{status},\"body\":{text}}}"))
                }
                Output::Ping { conn } => (conn, "\"ping\"".to_owned()),
                Output::Close { conn, why } => {
                    (conn, format!("{{\"close\":{},\"reason\":\"{}\"}}", why.code(), why.text()))
                }
                Output::Ask { .. } | Output::Publish { .. } | Output::Observe(_) => continue,
            };
            let name = usize::try_from(conn.0).ok().and_then(|index| self.conns.get(index));
            let name = name.expect("what is sent goes to a connection").clone();
            self.got.entry(name).or_default().push(told);
        }
        self.board.check_invariants();
    }

    /// Time passes, with a stop at every deadline on the way.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some((due, _)) = self.board.poll_timeout().filter(|(due, _)| *due <= end) {
            self.now = self.now.max(due);
            self.input(Input::Tick);
        }
        self.now = end;
    }
}

fn text_of(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}
