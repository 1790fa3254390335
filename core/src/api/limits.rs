//! Every limit and interval of the core, in one place.

use core::error::Error;
use core::fmt;
use core::ops::RangeInclusive;

/// What an identifier does that is connected already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicatePeer {
    /// The newcomer waits while the incumbent is asked for a sign of life.
    Challenge,
    /// The newcomer is closed.
    Reject,
    /// The incumbent is closed.
    Replace,
}

/// Settings of a [`crate::Switchboard`]; [`Limits::default`] holds the documented defaults.
///
/// Every field is a hard bound: nothing in the core grows past what can be computed from them. [`Limits::check`] says which
/// values are allowed where not every one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that may be admitted at once; at least 1.
    pub connections: u32,
    /// Connections admitted for one [`crate::AddressKey`]; 0 = no limit.
    pub connections_per_address: u32,
    /// Connections at once that have not told yet who they are.
    pub unregistered_connections: u32,
    /// How long such a connection has to register; at least 1.
    pub register_ms: u64,
    /// Connections held back at once, waiting for a place or for their id.
    pub held_connections: u32,
    /// Messages kept for one held connection.
    pub held_messages: u32,
    /// Bytes kept for one held connection.
    pub held_bytes: u32,
    /// How long a connection is held while the server is full.
    pub hold_for_place_ms: u64,
    /// How long the incumbent of a challenged id has for a sign of life.
    pub challenge_ms: u64,
    /// What happens when an id that is connected comes a second time.
    pub duplicate_peer: DuplicatePeer,
    /// The most peers that a newcomer is introduced to at once; 1 to [`Limits::MAX_PEERS`].
    pub introductions: u8,
    /// Acquaintances that one peer can have, at least 1; a peer that has as many is not chosen.
    pub acquaintances: u32,
    /// How often it is looked for others for a peer that lacks links; 0 = never. Clients listen again to whom they were told of
    /// after 331 s.
    pub reintroduce_interval_ms: u64,
    /// Bytes that one message may become when it goes to all acquaintances of its sender.
    pub fan_out_bytes: u32,
    /// Networks and rooms at once, at least 1, those networks included that only a mailbox remembers: these make room for new
    /// ones.
    pub networks: u32,
    /// Bytes of `data` in an `announce`.
    pub announced_data_bytes: u32,
    /// Bytes of a `networkName`; at least 1.
    pub network_name_bytes: u32,
    /// How deep objects and arrays may lie in each other in a message, which is itself the first level; at least 1.
    pub nesting_levels: u32,
    /// Silence after which a peer is pinged; 0 = never.
    pub ping_interval_ms: u64,
    /// Silence after a ping that ends a connection.
    pub pong_timeout_ms: u64,
    /// Silence that ends a connection in any case; 0 = never.
    pub peer_timeout_ms: u64,
    /// Messages per second and peer; 0 = no limit.
    pub message_rate_per_second: u32,
    /// Messages that a peer may send at once before the rate counts; at least 1.
    pub message_burst: u32,
    /// Bytes of messages per second and peer; 0 = no limit.
    pub byte_rate_per_second: u32,
    /// Bytes that a peer may send at once before that rate counts; at least 1, and better the longest message.
    pub byte_burst: u32,
    /// How long a signal waits for an absent peer; 0 = not at all.
    pub message_ttl_ms: u64,
    /// Signals kept for one absent peer.
    pub mailbox_messages: u32,
    /// Bytes kept for one absent peer.
    pub mailbox_bytes: u32,
    /// Bytes kept for all absent peers together.
    pub mailbox_total_bytes: u64,
    /// Absent peers remembered.
    pub mailboxes: u32,
    /// How often expired state is swept; at least 1.
    pub cleanup_interval_ms: u64,
    /// How long anything waits for the store of mail; 0 = there is none.
    pub store_timeout_ms: u64,
    /// Silence after which another node of the cluster is dead, from 1,000 to 60,000; 0 = there is no cluster.
    pub node_timeout_ms: u64,
    /// Bytes that wait for all other nodes together; at least 65,536 for each.
    pub cluster_bytes: u32,
    /// Peers of other nodes that are known.
    pub remote_peers: u32,
}

/// A limit that is not allowed: which, what it was, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError {
    field: &'static str,
    value: u64,
    allowed: RangeInclusive<u64>,
}

impl LimitError {
    /// Checks one field of a struct of limits.
    ///
    /// # Errors
    ///
    /// When `value` is not allowed.
    pub fn check(field: &'static str, value: u64, allowed: RangeInclusive<u64>) -> Result<(), LimitError> {
        if allowed.contains(&value) { Ok(()) } else { Err(LimitError { field, value, allowed }) }
    }

    /// The name of the field.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitError { field, value, allowed } = self;
        match *allowed.end() {
            u64::MAX => write!(f, "{field} is {value}: allowed is {} or more", allowed.start()),
            most => write!(f, "{field} is {value}: allowed is {} to {most}", allowed.start()),
        }
    }
}

impl Error for LimitError {}

/// The limits that can change while a switchboard lives, by [`crate::Input::Adjust`]: each of them is looked at whenever it
/// matters, and nothing is built on its old value. Made by [`Limits::live`].
///
/// When there are more connections than from now on may be, nobody is closed; nobody is let in until there are fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveLimits {
    connections: u32,
    connections_per_address: u32,
    duplicate_peer: DuplicatePeer,
    introductions: u8,
    message_rate_per_second: u32,
    message_burst: u32,
    byte_rate_per_second: u32,
    byte_burst: u32,
}

impl Limits {
    /// Whether a switchboard can keep to these limits.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of its range.
    pub fn check(&self) -> Result<(), LimitError> {
        LimitError::check("introductions", self.introductions.into(), 1..=Self::MAX_PEERS.into())?;
        if self.node_timeout_ms > 0 {
            LimitError::check("node_timeout_ms", self.node_timeout_ms, 1_000..=60_000)?;
            LimitError::check("cluster_bytes", self.cluster_bytes.into(), 65_536..=u32::MAX.into())?;
        }
        // Without any of these nobody could ever come, speak or be told of.
        let positive = [
            ("connections", self.connections.into()),
            ("register_ms", self.register_ms),
            ("acquaintances", self.acquaintances.into()),
            ("networks", self.networks.into()),
            ("network_name_bytes", self.network_name_bytes.into()),
            ("nesting_levels", self.nesting_levels.into()),
            ("message_burst", self.message_burst.into()),
            ("byte_burst", self.byte_burst.into()),
            ("cleanup_interval_ms", self.cleanup_interval_ms),
        ];
        positive.into_iter().try_for_each(|(field, value)| LimitError::check(field, value, 1..=u64::MAX))
    }

    /// Those that can change.
    ///
    /// # Errors
    ///
    /// As [`Limits::check`].
    pub fn live(&self) -> Result<LiveLimits, LimitError> {
        self.check()?;
        Ok(LiveLimits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            duplicate_peer: self.duplicate_peer,
            introductions: self.introductions,
            message_rate_per_second: self.message_rate_per_second,
            message_burst: self.message_burst,
            byte_rate_per_second: self.byte_rate_per_second,
            byte_burst: self.byte_burst,
        })
    }

    /// The same limits with these.
    #[must_use]
    pub fn with(self, live: LiveLimits) -> Limits {
        Limits {
            connections: live.connections,
            connections_per_address: live.connections_per_address,
            duplicate_peer: live.duplicate_peer,
            introductions: live.introductions,
            message_rate_per_second: live.message_rate_per_second,
            message_burst: live.message_burst,
            byte_rate_per_second: live.byte_rate_per_second,
            byte_burst: live.byte_burst,
            ..self
        }
    }

    /// The largest `maxPeers` that counts.
    pub const MAX_PEERS: u8 = 50;

    /// The most messages that one HTTP request can carry.
    pub const BATCH_MESSAGES: usize = 100;

    /// The most questions to the store of mail that are open at once.
    pub const STORE_QUESTIONS: usize = 16_384;

    /// The longest frame that is published on the bus between nodes.
    pub const FRAME_BYTES: usize = 65_536;

    /// The longest that an HTTP request can wait for a message.
    pub const POLL_MS: u64 = 25_000;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 1000,
            connections_per_address: 256,
            unregistered_connections: 256,
            register_ms: 10_000,
            held_connections: 256,
            held_messages: 64,
            held_bytes: 65_536,
            hold_for_place_ms: 3_000,
            challenge_ms: 2_000,
            duplicate_peer: DuplicatePeer::Challenge,
            introductions: 16,
            acquaintances: 256,
            reintroduce_interval_ms: 340_000,
            fan_out_bytes: 1024 * 1024,
            networks: 4_000,
            announced_data_bytes: 4_096,
            network_name_bytes: 128,
            nesting_levels: 128,
            ping_interval_ms: 25_000,
            pong_timeout_ms: 20_000,
            peer_timeout_ms: 300_000,
            message_rate_per_second: 200,
            message_burst: 2_000,
            byte_rate_per_second: 1024 * 1024,
            byte_burst: 5 * 1024 * 1024,
            message_ttl_ms: 300_000,
            mailbox_messages: 64,
            mailbox_bytes: 65_536,
            mailbox_total_bytes: 16 * 1024 * 1024,
            mailboxes: 10_000,
            cleanup_interval_ms: 60_000,
            store_timeout_ms: 0,
            node_timeout_ms: 0,
            cluster_bytes: 64 * 1024 * 1024,
            remote_peers: 1_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// A change, and what is said about it.
    type Wrong = (fn(&mut Limits), &'static str);

    #[test]
    fn a_limit_out_of_its_range_is_named_with_what_it_was_and_what_is_allowed() {
        let wrong: [Wrong; 11] = [
            (|l| l.introductions = 200, "introductions is 200: allowed is 1 to 50"),
            (|l| l.introductions = 0, "introductions is 0: allowed is 1 to 50"),
            (|l| l.connections = 0, "connections is 0: allowed is 1 or more"),
            (|l| l.register_ms = 0, "register_ms is 0: allowed is 1 or more"),
            (|l| l.acquaintances = 0, "acquaintances is 0: allowed is 1 or more"),
            (|l| l.networks = 0, "networks is 0: allowed is 1 or more"),
            (|l| l.network_name_bytes = 0, "network_name_bytes is 0: allowed is 1 or more"),
            (|l| l.nesting_levels = 0, "nesting_levels is 0: allowed is 1 or more"),
            (|l| l.message_burst = 0, "message_burst is 0: allowed is 1 or more"),
            (|l| l.byte_burst = 0, "byte_burst is 0: allowed is 1 or more"),
            (|l| l.cleanup_interval_ms = 0, "cleanup_interval_ms is 0: allowed is 1 or more"),
        ];
        assert_eq!(Limits::default().check(), Ok(()));
        for (change, said) in wrong {
            let mut limits = Limits::default();
            change(&mut limits);
            let error = limits.check().unwrap_err();
            assert_eq!(error.to_string(), said);
            assert!(said.starts_with(error.field()));
            assert_eq!(limits.live(), Err(error.clone()));
            assert_eq!(crate::Switchboard::new(limits, crate::UnixMillis(0), 0).err(), Some(error));
        }
    }

    #[test]
    fn what_can_change_is_read_back_as_it_was_set_and_nothing_else_changes() {
        let changed = Limits {
            connections: 11,
            connections_per_address: 12,
            duplicate_peer: DuplicatePeer::Replace,
            introductions: 13,
            message_rate_per_second: 14,
            message_burst: 15,
            byte_rate_per_second: 16,
            byte_burst: 17,
            ..Limits::default()
        };
        let live = changed.live().unwrap();
        let other = Limits { networks: 5, ..changed.clone() };
        assert_eq!(Limits::default().with(live), changed);
        assert_eq!(other.live(), Ok(live));
        assert_eq!(changed.with(Limits::default().live().unwrap()), Limits::default());
    }
}
