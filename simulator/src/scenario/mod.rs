//! A run as plain data: knobs, and a list of steps that name peers by fixed slots.
//!
//! A step that does not fit the moment (signalling without a connection, say) does nothing, so any sub-list of
//! the steps is a valid scenario too: that is what shrinking lives on.

mod draw;
mod knobs;

use std::fs;
use std::io;
use std::path::Path;

use peerpigeon_core::Signal;
use serde::{Deserialize, Serialize};

pub use knobs::{Behaviour, ByteKnobs, IdPool, Knobs, StoreKnobs, Way};

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Whether messages go straight into the switchboard, or bytes through the whole server.
    #[serde(default)]
    pub level: Level,
    /// What is random within the run (ids, delays, back-off) is drawn from this.
    pub seed: u64,
    /// What holds for the whole run.
    pub knobs: Knobs,
    /// The chaos. After the last one the run calms down by itself: no fault, everybody back, then everybody gone.
    pub steps: Vec<Step>,
}

/// How much of the server a run goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Messages straight into the switchboard: hundreds of thousands of peers.
    #[default]
    Messages,
    /// Bytes through the loop, HTTP, the WebSocket codec and the switchboard.
    Bytes,
}

impl Level {
    /// As `simulate --level` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Messages => "message",
            Level::Bytes => "bytes",
        }
    }
}

/// The number of a virtual peer.
pub type Slot = u32;

/// One thing that the run does.
#[allow(missing_docs, reason = "fields whose name and type say it all")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// A peer opens its page: it connects, announces, and stays connected.
    Connect { slot: Slot },
    /// A peer announces itself, perhaps in another network.
    Announce {
        slot: Slot,
        /// Number of the network.
        network: u8,
        /// As in the message.
        max_peers: Option<u8>,
    },
    /// A peer sends a signal to another.
    Signal {
        from: Slot,
        to: Slot,
        /// What: the `type` on the wire.
        #[serde(with = "signal_name")]
        kind: Signal,
        /// How its data looks.
        data: Shape,
        /// About how many bytes of data.
        size: u32,
    },
    /// A peer says goodbye and stays connected.
    Goodbye { slot: Slot },
    /// A page is closed as browsers do it: goodbye three times, `cleanup-all`, close.
    Unload { slot: Slot },
    /// A peer asks for a pong.
    Ping { slot: Slot },
    /// A peer has the mail between itself and another forgotten.
    Cleanup {
        slot: Slot,
        /// Who else.
        other: Slot,
    },
    /// A peer has all its mail forgotten.
    CleanupAll { slot: Slot },
    /// A page dies without a word: its socket stays open for the server.
    Vanish { slot: Slot },
    /// The server learns that a connection ended; the page comes back by itself.
    Close {
        slot: Slot,
        /// How it ended.
        how: Ending,
    },
    /// A page stops reading and answering; what is sent to it waits.
    Freeze { slot: Slot },
    /// A frozen page goes on.
    Thaw { slot: Slot },
    /// A page loses its socket without the server seeing it, and connects again at once under the same id.
    Duplicate { slot: Slot },
    /// The server learns at last that the lost sockets of a slot have ended.
    Bury { slot: Slot },
    /// The queue of a connection is full, since its peer does not read.
    Choke { slot: Slot },
    /// A peer sends something that is wrong.
    Malformed { slot: Slot, what: Flaw },
    /// Somebody connects with a target that names no peer.
    Stray {
        /// In whose place.
        slot: Slot,
        /// With which target.
        target: String,
    },
    /// A peer sends many messages at once.
    Flood {
        slot: Slot,
        /// How many.
        count: u32,
    },
    /// Every `every`th page loses its network: sockets die unseen, and attempts to connect fail.
    Blackout {
        /// 1 is everybody, 2 every other one.
        every: u32,
    },
    /// The network is back.
    Restore,
    /// What a page sends arrives late; with bytes only, as are the following.
    Stall {
        slot: Slot,
        /// By how much.
        ms: u64,
    },
    /// A connection is reset in the middle of a frame.
    Cut { slot: Slot },
    /// One direction of a connection is dead, and nobody is told.
    HalfOpen {
        slot: Slot,
        /// The direction to the server, or the one from it.
        upward: bool,
    },
    /// A page reads slowly.
    Slow {
        slot: Slot,
        /// How slowly.
        bytes_per_second: u64,
    },
    /// A page sends a frame that is wrong.
    Frame { slot: Slot, what: FrameFlaw },
    /// Somebody who is no WebSocket client connects.
    Http {
        /// In whose place.
        slot: Slot,
        /// What it sends.
        what: Request,
    },
    /// The server gets no descriptors for new connections.
    NoDescriptors {
        /// For how long.
        ms: u64,
    },
    /// Time passes.
    Advance {
        /// How much.
        ms: u64,
    },
    /// Time passes without the driver looking at the clock; it is late for everything.
    LateTick {
        /// How much.
        ms: u64,
    },
    /// The clock on the wall is set, or the machine has slept; what time is measured with goes on.
    SetClock {
        /// How much more it shows than before.
        by_ms: i64,
    },
    /// The server is told to shut down.
    Drain {
        /// How long it has.
        ms: u64,
    },
    /// The server dies and comes back at once, empty.
    Restart,
    /// Everybody opens their pages.
    EverybodyComes {
        /// Spread over so much time.
        over_ms: u64,
    },
    /// Everybody goes.
    EverybodyLeaves { how: Leaving },
    /// Pages live and die: each one that is there stays for an exponentially distributed time and comes back after
    /// another.
    Churn {
        /// For how long.
        ms: u64,
        /// The mean time that a page stays, and that it stays away.
        life_ms: u64,
    },
}

/// How a connection ends where the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A close frame, or the end of the stream.
    Closed,
    /// A reset.
    Reset,
    /// The peer broke the WebSocket protocol.
    ProtocolError,
    /// The peer sent too much.
    TooBig,
}

/// How everybody goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaving {
    /// As browsers do it.
    Unload,
    /// Without a word; the server sees nothing.
    Vanish,
    /// With a reset.
    Reset,
}

/// How the data of a signal looks: all of it must arrive byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// An object with a string.
    Plain,
    /// No `data` at all.
    None,
    /// Escapes that can be written in more than one way, and characters beyond the basic plane.
    Escapes,
    /// Numbers that no machine type holds.
    Numbers,
    /// Blanks wherever JSON allows them.
    Blanks,
    /// The same key twice, keys out of order, and the protocol's own field names.
    Keys,
    /// Arrays within arrays.
    Deep,
}

/// A message that is wrong, or at the edge of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each name says it, and `world::flaws` holds the text of each")]
pub enum Flaw {
    Empty,
    NotJson,
    Truncated,
    TrailingText,
    NotObject,
    NoType,
    TypeNotText,
    UnknownType,
    ServerType,
    NoTarget,
    NullTarget,
    TargetNotText,
    ShortTarget,
    NotHexTarget,
    SelfTarget,
    NetworkNotText,
    NullNetwork,
    EmptyNetwork,
    LongNetwork,
    OtherNetwork,
    EscapedNetwork,
    MaxPeersText,
    MaxPeersHuge,
    MaxPeersNegative,
    MaxPeersFraction,
    DataTooLong,
    DataNotObject,
    DataOtherPeer,
    NoData,
    ForgedSender,
    DuplicateKeys,
    DeepNesting,
    UpperCaseTarget,
    UnknownTarget,
    LoneSurrogate,
}

/// A frame that is wrong, or at the edge of it (RFC 6455 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each name says it, and `host::bytes::frames` holds the bytes of each")]
pub enum FrameFlaw {
    Unmasked,
    ReservedBit,
    UnknownOpcode,
    FragmentedPing,
    LongPing,
    LengthNotMinimal,
    NothingToContinue,
    MessageInMessage,
    NotUtf8,
    ShortClose,
    ReservedCloseCode,
    Binary,
    ManyPings,
    EmptyFragments,
}

/// What somebody sends who is no WebSocket client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each name says it, and `world::requests` holds the bytes of each")]
pub enum Request {
    Nothing,
    HalfHead,
    Health,
    Pipelined,
    Rubbish,
    DoubleSlash,
    LongHead,
    BodyWithoutEnd,
    WrongVersion,
    NoKey,
    FrameBeforeUpgrade,
}

impl Scenario {
    /// Reads one from JSON.
    ///
    /// # Errors
    ///
    /// Says where the text is no scenario.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        let scenario: Scenario = serde_json::from_str(text).map_err(|error| error.to_string())?;
        scenario.knobs.check()?;
        Ok(scenario)
    }

    /// Reads one from a file.
    ///
    /// # Errors
    ///
    /// Names the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Scenario, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Scenario::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Writes it to a file, one step a line.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.to_json())
    }

    /// Its JSON, one step a line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let bare = Scenario { steps: Vec::new(), ..self.clone() };
        let head = serde_json::to_string_pretty(&bare).unwrap_or_default();
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|step| format!("    {}", serde_json::to_string(step).unwrap_or_default()))
            .collect();
        let list = if steps.is_empty() { "[]".to_owned() } else { format!("[\n{}\n  ]", steps.join(",\n")) };
        let head = head.strip_suffix("\"steps\": []\n}").unwrap_or(&head);
        format!("{head}\"steps\": {list}\n}}\n")
    }
}

/// A signal by its `type` on the wire.
mod signal_name {
    use peerpigeon_core::Signal;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(signal: &Signal, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(signal.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Signal, D::Error> {
        let name = String::deserialize(from)?;
        let found = Signal::ALL.into_iter().find(|signal| signal.name() == name);
        found.ok_or_else(|| D::Error::custom(format!("no signal is called `{name}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_survives_its_file_form() {
        for seed in 0..50 {
            let level = if seed % 2 == 0 { Level::Messages } else { Level::Bytes };
            let scenario = Scenario::draw(seed, level);
            let text = scenario.to_json();
            assert_eq!(Scenario::parse(&text).as_ref(), Ok(&scenario), "{text}");
            assert!(text.lines().count() > scenario.steps.len());
        }
        let empty = Scenario { steps: Vec::new(), ..Scenario::draw(1, Level::Messages) };
        assert_eq!(Scenario::parse(&empty.to_json()), Ok(empty));
    }

    #[test]
    fn a_bad_scenario_says_what_is_wrong() {
        let text = Scenario::draw(1, Level::Messages).to_json();
        let error = Scenario::parse(&text.replacen("\"steps\"", "\"stepz\"", 1)).unwrap_err();
        assert!(error.contains("stepz"), "{error}");
        let error = Scenario::parse(&text.replacen("\"slots\": ", "\"slots\": 9999999", 1)).unwrap_err();
        assert!(error.contains("slots"), "{error}");
    }
}
