//! What holds for a whole run.

use peerpigeon_core::{DuplicatePeer, Limits};
use serde::{Deserialize, Serialize};

/// Settings of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knobs {
    /// Virtual peers, 1 to [`Knobs::MOST_SLOTS`].
    pub slots: u32,
    /// How their ids lie.
    pub ids: IdPool,
    /// Networks that there are, at least 1; number 0 is `global`.
    pub networks: u8,
    /// What the pages do by themselves.
    pub behaviour: Behaviour,
    /// WebRTC links that a page takes.
    pub capacity: u8,
    /// Pages ask for this many introductions.
    pub max_peers: Option<u8>,
    /// Each slot's delay to the server lies between these, in ms.
    pub delay_ms: (u64, u64),
    /// Slots that share one address; 0 = no limit per address applies.
    pub slots_per_address: u32,
    /// What holds for bytes.
    #[serde(default)]
    pub bytes: ByteKnobs,
    /// How the slots speak to the server, each in one of these ways.
    #[serde(default = "only_a", skip_serializing_if = "is_only_a")]
    pub ways: Vec<Way>,
    /// How the store of mail behaves, where [`Limits::store_timeout_ms`] says that there is one.
    #[serde(default)]
    pub store: StoreKnobs,
    /// The server's settings.
    #[serde(with = "limits_file")]
    pub limits: Limits,
}

impl Knobs {
    /// The most virtual peers of one run.
    pub const MOST_SLOTS: u32 = 1_000_000;

    /// Says which knob is out of its range.
    pub(super) fn check(&self) -> Result<(), String> {
        let fine = |name: &str, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("`{name}` is {value}; allowed is {low} to {high}"))
            }
        };
        fine("slots", self.slots.into(), 1, Self::MOST_SLOTS.into())?;
        fine("ways", self.ways.len().try_into().unwrap_or(u64::MAX), 1, 100)?;
        fine("networks", self.networks.into(), 1, 255)?;
        fine("delay_ms", self.delay_ms.1, self.delay_ms.0, 60_000)?;
        fine("connections", self.limits.connections.into(), 1, u32::MAX.into())?;
        fine("chop_percent", self.bytes.chop_percent.into(), 0, 90)?;
        fine("oddity_percent", self.bytes.oddity_percent.into(), 0, 90)?;
        fine("send_buffer", self.bytes.send_buffer as u64, 1, u64::MAX)?;
        fine("introductions", self.limits.introductions.into(), 1, Limits::MAX_PEERS.into())?;
        fine("delay_ms of the store", self.store.delay_ms.1, self.store.delay_ms.0, 600_000)?;
        fine("fault_percent", self.store.fault_percent.into(), 0, 100)?;
        fine("message_burst", self.limits.message_burst.into(), 1, u32::MAX.into())?;
        fine("cleanup_interval_ms", self.limits.cleanup_interval_ms, 1, u64::MAX)
    }
}

/// Settings of a run at byte level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ByteKnobs {
    /// Percent of what a page sends that arrives in pieces, or comes in several frames.
    pub chop_percent: u8,
    /// The longest pause between two pieces, in ms.
    pub pause_ms: u64,
    /// Percent of the system calls that go odd ways: interrupted, or shorter than asked for.
    pub oddity_percent: u8,
    /// What the kernel takes for one connection that is not read, in bytes.
    pub send_buffer: usize,
    /// `MAX_MESSAGE_SIZE`.
    pub max_message_bytes: usize,
    /// `MAX_QUEUE_SIZE` above one message.
    pub max_queue_bytes: usize,
    /// `MEMORY_BUDGET`.
    pub memory_budget_bytes: usize,
}

impl Default for ByteKnobs {
    fn default() -> ByteKnobs {
        ByteKnobs {
            chop_percent: 0,
            pause_ms: 0,
            oddity_percent: 0,
            send_buffer: 200_000,
            max_message_bytes: 1 << 20,
            max_queue_bytes: 1 << 20,
            memory_budget_bytes: 128 << 20,
        }
    }
}

/// How a store of mail behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreKnobs {
    /// It answers after a time between these, in ms.
    pub delay_ms: (u64, u64),
    /// Percent of the questions that it answers with an error, twice, very late, or never, or loses its connection by.
    pub fault_percent: u8,
}

/// How the ids of the slots lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdPool {
    /// All over the 160 bits.
    Sparse,
    /// The same but for the last bits: all of them in a few distance buckets.
    CommonPrefix,
    /// One per distance bucket: the most uneven tree there is.
    Comb,
    /// Several slots share one id, in different spellings.
    Few,
}

/// How a peer speaks to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Dialect A over a WebSocket.
    A,
    /// Dialect B over a WebSocket.
    B,
    /// Dialect B in HTTP requests.
    Http,
}

/// What older scenarios mean.
fn only_a() -> Vec<Way> {
    vec![Way::A]
}

fn is_only_a(ways: &[Way]) -> bool {
    ways == [Way::A]
}

/// What the pages do by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// They build WebRTC links as the real client does.
    Lively,
    /// They connect, announce and come back, and signal only where a step says so.
    Quiet,
}

/// How [`Limits`] look in a file.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Limits", deny_unknown_fields)]
struct LimitsFile {
    connections: u32,
    connections_per_address: u32,
    unregistered_connections: u32,
    register_ms: u64,
    held_connections: u32,
    held_messages: u32,
    held_bytes: u32,
    hold_for_place_ms: u64,
    challenge_ms: u64,
    #[serde(with = "DuplicatePeerFile")]
    duplicate_peer: DuplicatePeer,
    introductions: u8,
    acquaintances: u32,
    reintroduce_interval_ms: u64,
    fan_out_bytes: u32,
    networks: u32,
    announced_data_bytes: u32,
    network_name_bytes: u32,
    nesting_levels: u32,
    ping_interval_ms: u64,
    pong_timeout_ms: u64,
    peer_timeout_ms: u64,
    message_rate_per_second: u32,
    message_burst: u32,
    byte_rate_per_second: u32,
    byte_burst: u32,
    message_ttl_ms: u64,
    mailbox_messages: u32,
    mailbox_bytes: u32,
    mailbox_total_bytes: u64,
    mailboxes: u32,
    cleanup_interval_ms: u64,
    #[serde(default)]
    store_timeout_ms: u64,
    node_timeout_ms: u64,
    cluster_bytes: u32,
    remote_peers: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DuplicatePeer", rename_all = "snake_case")]
enum DuplicatePeerFile {
    Challenge,
    Reject,
    Replace,
}

/// Limits in a file: what is not named there has its default.
mod limits_file {
    use peerpigeon_core::Limits;
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::{Map, Value};

    use super::LimitsFile;

    #[derive(Serialize, Deserialize)]
    struct Whole(#[serde(with = "LimitsFile")] Limits);

    fn fields(limits: &Limits) -> serde_json::Result<Map<String, Value>> {
        serde_json::from_value(serde_json::to_value(Whole(limits.clone()))?)
    }

    pub(super) fn serialize<S: Serializer>(limits: &Limits, to: S) -> Result<S::Ok, S::Error> {
        let usual = fields(&Limits::default()).map_err(S::Error::custom)?;
        let mut named = fields(limits).map_err(S::Error::custom)?;
        named.retain(|name, value| usual.get(name) != Some(value));
        named.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Limits, D::Error> {
        let mut all = fields(&Limits::default()).map_err(D::Error::custom)?;
        all.extend(Map::deserialize(from)?);
        let whole: Whole = serde_json::from_value(Value::Object(all)).map_err(D::Error::custom)?;
        Ok(whole.0)
    }
}
