//! Every limit and interval of the core, in one place.

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
/// Every field is a hard bound: nothing in the core grows past what can be computed from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that may be admitted at once; at least 1.
    pub connections: u32,
    /// Connections admitted for one [`crate::AddressKey`]; 0 = no limit.
    pub connections_per_address: u32,
    /// Connections at once that have not told yet who they are.
    pub unregistered_connections: u32,
    /// How long such a connection has to register.
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
    /// Acquaintances that one peer can have; a peer that has as many is not chosen.
    pub acquaintances: u32,
    /// How often it is looked for others for a peer that lacks links; 0 = never. Clients listen again to whom they were told of
    /// after 331 s.
    pub reintroduce_interval_ms: u64,
    /// Bytes that one message may become when it goes to all acquaintances of its sender.
    pub fan_out_bytes: u32,
    /// Networks and rooms at once, those networks included that only a mailbox remembers: these make room for new ones.
    pub networks: u32,
    /// Bytes of `data` in an `announce`.
    pub announced_data_bytes: u32,
    /// Bytes of a `networkName`.
    pub network_name_bytes: u32,
    /// How deep objects and arrays may lie in each other in a message; the message itself is the first level.
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
    /// Bytes that a peer may send at once before that rate counts; at least one message.
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
}

/// The limits that can change while a switchboard lives, by [`crate::Input::Adjust`]: each of them is looked at
/// whenever it matters, and nothing is built on its old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveLimits {
    /// [`Limits::connections`]. When there are more, nobody is closed; nobody is let in until there are fewer.
    pub connections: u32,
    /// [`Limits::connections_per_address`], likewise.
    pub connections_per_address: u32,
    /// [`Limits::duplicate_peer`]
    pub duplicate_peer: DuplicatePeer,
    /// [`Limits::introductions`]
    pub introductions: u8,
    /// [`Limits::message_rate_per_second`]
    pub message_rate_per_second: u32,
    /// [`Limits::message_burst`]
    pub message_burst: u32,
    /// [`Limits::byte_rate_per_second`]
    pub byte_rate_per_second: u32,
    /// [`Limits::byte_burst`]
    pub byte_burst: u32,
}

impl Limits {
    /// Those that can change.
    #[must_use]
    pub fn live(&self) -> LiveLimits {
        LiveLimits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            duplicate_peer: self.duplicate_peer,
            introductions: self.introductions,
            message_rate_per_second: self.message_rate_per_second,
            message_burst: self.message_burst,
            byte_rate_per_second: self.byte_rate_per_second,
            byte_burst: self.byte_burst,
        }
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
        }
    }
}
