//! The one list of all settings.

use super::handed::Pem;
use super::kind::ValueKind;
use super::memory::default_memory_budget;
use super::sources::Sources;
use super::value::{ListenHost, LogFormat, Mode, Prefix, Switch, Value as _};
use super::{SettingsError, secrecy, value};
use crate::access::AddressList;
use crate::access::Origins;
use crate::access::Tokens;
use crate::access::{PublicKey, Secret};
use crate::bus::BusUrls;
use crate::http::{Demo, PublicUrl};
use crate::store::StoreUrl;
use log::LevelFilter;
use peerpigeon_core::DuplicatePeer;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One setting.
pub struct Setting {
    /// Its environment variable; the flag is `--` and the same in lower case with `-` for `_`.
    pub name: &'static str,
    /// Where it stands in the help.
    pub group: Group,
    /// Its value where it is not given; text where it is computed, empty where there is none.
    pub default: &'static str,
    /// What it may be.
    pub kind: ValueKind,
    /// What it does, in a sentence.
    pub help: &'static str,
    show: fn(&Settings) -> String,
    is_same: fn(&Settings, &Settings) -> bool,
    copy: fn(&Settings, &mut Settings),
}

impl Setting {
    /// Its value, without what looks like a secret; where it is one, `(set)` or `(not set)`.
    #[must_use]
    pub fn show(&self, settings: &Settings) -> String {
        secrecy::shown(&(self.show)(settings)).into_owned()
    }

    /// Whether it has the same value in both, secret or not.
    #[must_use]
    pub fn is_same(&self, one: &Settings, other: &Settings) -> bool {
        (self.is_same)(one, other)
    }

    /// Gives it the same value in the second as in the first.
    pub fn copy(&self, from: &Settings, to: &mut Settings) {
        (self.copy)(from, to);
    }
}

/// The parts of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Where the server listens and to whom.
    Listening,
    /// What browsers and monitoring can fetch.
    Pages,
    /// How many may come, and how fast.
    Connections,
    /// What holds among peers.
    Peers,
    /// Sizes and rates of messages.
    Messages,
    /// What is kept for peers that are away.
    Mailbox,
    /// Several processes as one server.
    Cluster,
    /// How the process behaves.
    Process,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Group; 8] = [
        Group::Listening,
        Group::Pages,
        Group::Connections,
        Group::Peers,
        Group::Messages,
        Group::Mailbox,
        Group::Cluster,
        Group::Process,
    ];

    /// What it is called in help, documents and the example file.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Group::Listening => "Listening and access",
            Group::Pages => "Pages",
            Group::Connections => "Connections",
            Group::Peers => "Peers and introductions",
            Group::Messages => "Messages and queues",
            Group::Mailbox => "Mailbox for peers that dropped out moments ago",
            Group::Cluster => "Several processes as one server",
            Group::Process => "Process",
        }
    }
}

/// The row of this name.
///
/// # Panics
///
/// If there is none.
pub(super) fn row(name: &str) -> &'static Setting {
    SETTINGS.iter().find(|row| row.name == name).expect("the name of a setting")
}

/// Makes [`Settings`], [`SETTINGS`] and `Settings::read` of one list. Each entry is
/// `NAME field: type = default, kind, help`; a default that is computed from settings above it is
/// `"how" => expression`.
macro_rules! settings {
    (|$memory:ident| $(
        $group:ident: $name:literal $field:ident: $type:ty = $default:literal $(=> $computed:expr)?, $kind:expr,
            $help:literal;
    )*) => {
        /// The settings in force. Times are milliseconds, sizes bytes.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $(#[doc = $help] pub(crate) $field: $type,)*
        }

        /// Every setting, in the order of the help.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: $name,
            group: Group::$group,
            default: $default,
            kind: $kind,
            help: $help,
            show: |settings| settings.$field.show(),
            is_same: |one, other| one.$field == other.$field,
            copy: |from, to| to.$field = from.$field.clone(),
        },)*];

        impl Settings {
            pub(super) fn read(sources: &Sources, $memory: Option<u64>) -> Result<Settings, SettingsError> {
                $(
                    let fallback = None::<String>$(.or(Some($computed.to_string())))?;
                    let fallback = fallback.as_deref().unwrap_or($default);
                    let $field: $type = value::read(sources, row($name), fallback)?;
                )*
                Ok(Settings { $($field,)* })
            }
        }
    };
}

const DAY: u64 = 86_400_000;
const KIB: u64 = 1_024;
const MIB: u64 = 1_024 * KIB;
const GIB: u64 = 1_024 * MIB;

settings! { |memory|
    Listening: "PORT" port: u16 = "3000", ValueKind::number(1, 65_535).or_zero("any free one, which is printed"),
        "TCP port to listen on.";
    Listening: "HOST" host: ListenHost = "localhost", ValueKind::Host,
        "Address to listen on: `localhost` is IPv4 and IPv6 loopback, `0.0.0.0` all of IPv4, `::` everything.";
    Listening: "SOCKET_MODE" socket_mode: Mode = "660", ValueKind::Mode,
        "Who may connect to a Unix socket that is the `HOST`.";
    Listening: "CORS_ORIGIN" cors_origin: Origins = "*", ValueKind::Origins,
        "Origins of web pages that may connect, as a comma list; `https://*.example.com` matches subdomains.";
    Listening: "AUTH_TOKEN" auth_token: Option<Tokens> = "", ValueKind::Tokens,
        "Token that clients must bring as `?token=` or `Authorization: Bearer`; a comma list while replacing one.";
    Listening: "AUTH_JWT_SECRET" auth_jwt_secret: Option<Secret> = "", ValueKind::Secret,
        "Secret that JSON Web Tokens are signed with (`HS256`); clients bring them as they do `AUTH_TOKEN`.";
    Listening: "AUTH_JWT_PUBLIC_KEY" auth_jwt_public_key: Option<PublicKey> = "", ValueKind::PublicKey,
        "Key that JSON Web Tokens are signed for (`EdDSA`).";
    Listening: "TLS_CERT" tls_cert: Option<Pem> = "", ValueKind::File,
        "Certificate for TLS, with those above it; read again when it changes.";
    Listening: "TLS_KEY" tls_key: Option<Pem> = "", ValueKind::File,
        "Private key of `TLS_CERT`.";
    Listening: "TRUSTED_PROXIES" trusted_proxies: AddressList = "none", ValueKind::Addresses,
        "Addresses of proxies whose `X-Forwarded-For` or `Forwarded` tells the client's address.";
    Listening: "PROXY_PROTOCOL" proxy_protocol: Switch = "off", ValueKind::Word(&["on", "off"]),
        "Whether the `TRUSTED_PROXIES`, and whoever comes by a Unix socket, speak the PROXY protocol (1 or 2).";

    Pages: "ADMIN_LISTEN" admin_listen: Option<SocketAddr> = "", ValueKind::Endpoint,
        "Address and port of their own for `/metrics`, `/stats` and `/status`, which the public one then lacks.";
    Pages: "METRICS_TOKEN" metrics_token: Option<Tokens> = "", ValueKind::Tokens,
        "Token that `/metrics`, `/stats` and `/status` ask for; a comma list while replacing one.";
    Pages: "PUBLIC_URL" public_url: Option<PublicUrl> = "", ValueKind::Url,
        "Where pages reach the server from outside, such as `wss://signal.example.org/ws`; `/api/v1/relays` tells it.";
    Pages: "DEMO" demo: Demo = "loopback", ValueKind::Word(&["loopback", "on", "off"]),
        "Who may see the page `/demo`: who sits at this machine, everybody, or nobody.";

    Connections: "MAX_CONNECTIONS" max_connections: u32 = "1000", ValueKind::number(1, 1_000_000),
        "Connections at once.";
    Connections: "MAX_CONNECTIONS_PER_IP" max_connections_per_ip: u32 = "256",
        ValueKind::number(1, 1_000_000).or_zero("no limit"),
        "Connections at once from one address (IPv6: from one /64).";
    Connections: "CONNECTION_RATE_PER_IP" connection_rate_per_ip: u32 = "50",
        ValueKind::number(1, 1_000_000).or_zero("no limit"),
        "Connection attempts per second from one address; twice as many at once.";
    Connections: "HTTP_RATE" http_rate: u32 = "1000", ValueKind::number(1, 1_000_000_000).or_zero("no limit"),
        "Plain HTTP requests from one address in `HTTP_WINDOW`.";
    Connections: "HTTP_WINDOW" http_window: u64 = "900000", ValueKind::millis(100, DAY),
        "Window that `HTTP_RATE` is about.";
    Connections: "LIMIT_EXEMPT" limit_exempt: AddressList = "127.0.0.0/8,::1", ValueKind::Addresses,
        "Addresses without limits per address; a proxy on the same host would share one.";
    Connections: "HANDSHAKE_TIMEOUT" handshake_timeout: u64 = "10000", ValueKind::millis(10, 600_000),
        "How long a client may take for its request.";
    Connections: "KEEP_ALIVE_TIMEOUT" keep_alive_timeout: u64 = "75000", ValueKind::millis(10, DAY),
        "How long an HTTP connection may wait for its next request: longer than any proxy before the server keeps one.";
    Connections: "MAX_HANDSHAKES" max_handshakes: usize = "MAX_CONNECTIONS, 1024 at least"
        => max_connections.max(1_024), ValueKind::number(1, 1_000_000),
        "Sockets at once that are no WebSockets (yet); one more ends the one that has been silent for longest.";
    Connections: "MAX_HEADER_SIZE" max_header_size: usize = "16384", ValueKind::bytes(KIB, 32 * KIB),
        "Size of the head of a request.";

    Peers: "INTRODUCTIONS" introductions: u8 = "16", ValueKind::number(1, 50),
        "The most peers that a newcomer is introduced to at once.";
    Peers: "MAX_ACQUAINTANCES" max_acquaintances: u32 = "256", ValueKind::number(50, 10_000),
        "Peers that one peer can have been introduced to; one that has as many is passed over.";
    Peers: "MAX_NETWORKS" max_networks: u32 = "4000", ValueKind::number(1, 10_000_000),
        "Networks at once, those included that only a mailbox remembers.";
    Peers: "MAX_NETWORK_NAME" max_network_name: u32 = "128", ValueKind::bytes(16, 64 * KIB),
        "Length of the name of a network.";
    Peers: "MAX_ANNOUNCED_DATA" max_announced_data: u32 = "4096", ValueKind::bytes(64, MIB),
        "What a peer may announce of itself.";
    Peers: "REINTRODUCE_INTERVAL" reintroduce_interval: u64 = "340000", ValueKind::millis(100, DAY).or_zero("never"),
        "How often it is looked for others for a peer that lacks links; clients listen again to whom they were told of after 5.5 minutes.";
    Peers: "DUPLICATE_PEER" duplicate_peer: DuplicatePeer = "challenge",
        ValueKind::Word(&["challenge", "reject", "replace"]),
        "When an id connects a second time: ask the first connection for a sign of life, or close one of them.";
    Peers: "PING_INTERVAL" ping_interval: u64 = "25000", ValueKind::millis(10, DAY).or_zero("never"),
        "Silence after which a peer is pinged; proxies drop silent connections after 55 to 60 s.";
    Peers: "PONG_TIMEOUT" pong_timeout: u64 = "20000", ValueKind::millis(10, DAY),
        "Silence after a ping that ends a connection.";
    Peers: "PEER_TIMEOUT" peer_timeout: u64 = "300000", ValueKind::millis(10, 7 * DAY).or_zero("never"),
        "Silence that ends a connection in any case.";

    Messages: "MAX_MESSAGE_SIZE" max_message_size: usize = "1048576", ValueKind::bytes(KIB, 256 * MIB),
        "Size of the largest message that passes.";
    Messages: "MAX_QUEUE_SIZE" max_queue_size: usize = "MAX_MESSAGE_SIZE + 1048576"
        => max_message_size + 1_048_576, ValueKind::bytes(2 * KIB, GIB),
        "What may wait for one peer that reads slowly.";
    Messages: "MEMORY_BUDGET" memory_budget: usize = "a quarter of the memory, 32 MiB at least"
        => default_memory_budget(memory), ValueKind::bytes(MIB, 1_024 * GIB),
        "What may wait for all peers together.";
    Messages: "MESSAGE_RATE" message_rate: u32 = "200", ValueKind::number(1, 1_000_000).or_zero("no limit"),
        "Messages per second from one peer.";
    Messages: "MESSAGE_BURST" message_burst: u32 = "2000", ValueKind::number(1, 1_000_000),
        "Messages that a peer may send at once before `MESSAGE_RATE` counts.";
    Messages: "MAX_JSON_DEPTH" max_json_depth: u32 = "128", ValueKind::number(8, 1_000_000),
        "How deep objects and arrays may lie in each other in a message, which is itself the first level.";

    Messages: "BYTE_RATE" byte_rate: u32 = "1048576", ValueKind::bytes(KIB, GIB).or_zero("no limit"),
        "Bytes of messages per second from one peer.";
    Messages: "BYTE_BURST" byte_burst: u32 = "MAX_MESSAGE_SIZE + 4194304"
        => max_message_size + 4_194_304, ValueKind::bytes(KIB, GIB),
        "Bytes of messages that a peer may send at once before `BYTE_RATE` counts.";
    Messages: "MAX_FAN_OUT" max_fan_out: u32 = "1048576", ValueKind::bytes(KIB, GIB),
        "What one message may become that goes to all acquaintances of its sender.";

    Mailbox: "MESSAGE_TTL" message_ttl: u64 = "300000", ValueKind::millis(10, DAY).or_zero("no mailbox"),
        "How long a message waits for a peer.";
    Mailbox: "MAILBOX_MESSAGES" mailbox_messages: u32 = "64", ValueKind::number(1, 100_000),
        "Messages kept for one peer; the oldest of whoever wrote most goes first.";
    Mailbox: "MAILBOX_BYTES" mailbox_bytes: u32 = "65536", ValueKind::bytes(KIB, GIB),
        "Size of all that is kept for one peer.";
    Mailbox: "MAILBOX_TOTAL_BYTES" mailbox_total_bytes: u64 = "16777216", ValueKind::bytes(KIB, 1_024 * GIB),
        "Size of all that is kept.";
    Mailbox: "MAIL_STORE" mail_store: Option<StoreUrl> = "", ValueKind::Store,
        "PostgreSQL database that keeps what waits for peers, across restarts and for several servers.";
    Mailbox: "MAIL_STORE_CA" mail_store_ca: Option<Pem> = "", ValueKind::File,
        "Certificates of those who may have signed that of the database; for `sslmode=verify-full`.";
    Mailbox: "MAIL_STORE_TIMEOUT" mail_store_timeout: u64 = "1000", ValueKind::millis(10, 60_000),
        "How long anything waits for the database.";

    Cluster: "CLUSTER" cluster: Option<BusUrls> = "", ValueKind::Bus,
        "Redis or Valkey by which several processes act as one server.";
    Cluster: "CLUSTER_PREFIX" cluster_prefix: Prefix = "peerpigeon", ValueKind::Prefix,
        "What the names of the channels begin with: who has another one is in another cluster.";
    Cluster: "CLUSTER_CA" cluster_ca: Option<Pem> = "", ValueKind::File,
        "Certificates of those who may have signed that of the Redis; for `rediss://`.";
    Cluster: "CLUSTER_KEY" cluster_key: Option<Secret> = "", ValueKind::Secret,
        "Secret that all nodes share; without it, whoever can publish can speak for every peer.";
    Cluster: "CLUSTER_NODE_TIMEOUT" cluster_node_timeout: u64 = "3000", ValueKind::millis(1_000, 60_000),
        "Silence after which another node is dead and its peers are gone.";
    Cluster: "CLUSTER_BUFFER" cluster_buffer: u32 = "67108864", ValueKind::bytes(1_048_576, GIB),
        "Size of all that waits for other nodes.";
    Cluster: "CLUSTER_PEERS" cluster_peers: u32 = "1000000", ValueKind::number(1, 16_000_000),
        "Peers of other nodes that are known.";

    Process: "CONFIG_FILE" config_file: Option<PathBuf> = "", ValueKind::Path,
        "File of lines NAME=value, read at the start and at SIGHUP; variables and flags win over it.";
    Process: "CLEANUP_INTERVAL" cleanup_interval: u64 = "60000", ValueKind::millis(10, DAY),
        "How often expired state is swept.";
    Process: "SHUTDOWN_TIMEOUT" shutdown_timeout: u64 = "8000", ValueKind::millis(1, 600_000).or_zero("at once"),
        "How long saying goodbye to everybody may take after SIGTERM or SIGINT.";
    Process: "LOG_LEVEL" log_level: LevelFilter = "info",
        ValueKind::Word(&["off", "error", "warn", "info", "debug", "trace"]),
        "What is logged, to standard error; peers' comings and goings at `debug`.";
    Process: "LOG_FORMAT" log_format: LogFormat = "text", ValueKind::Word(&["text", "json"]),
        "Lines to read, or one JSON object per line.";
}
