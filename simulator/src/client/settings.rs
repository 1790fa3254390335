//! What a client can be told in advance.

use super::Backoff;

/// Settings of a [`super::Client`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// URLs, at least one, the best first; a query is kept. Peers meet only on the same server, so every client
    /// of an application gets the same list in the same order.
    pub servers: Vec<String>,
    /// Waiting times between attempts.
    pub backoff: Backoff,
    /// How long opening a socket may take, in ms.
    pub dial_timeout_ms: u64,
    /// Silence of the server after which its connection counts as dead, in ms; 0 = never. The server pings every
    /// 25 s, so 60 s mean two pings lost.
    pub silence_ms: u64,
    /// How long a connection must last to make up for earlier failures, in ms.
    pub stable_ms: u64,
    /// Failures in a row that open the circuit breaker of a server, so that the next one is tried; at least 1.
    pub breaker_failures: u32,
    /// How long an open breaker keeps a server from being tried, in ms.
    pub breaker_open_ms: u64,
    /// How long to stay on a backup server before the first one is tried again, in ms; 0 = for ever.
    pub return_ms: u64,
}

impl Settings {
    /// The defaults for these servers.
    pub fn new(servers: impl IntoIterator<Item = String>) -> Settings {
        Settings {
            servers: servers.into_iter().collect(),
            backoff: Backoff::default(),
            dial_timeout_ms: 10_000,
            silence_ms: 60_000,
            stable_ms: 5_000,
            breaker_failures: 3,
            breaker_open_ms: 30_000,
            return_ms: 300_000,
        }
    }

    /// How the JavaScript client behaves (observed): it never doubts an open socket, counts a connection as a
    /// success at once, has one server and no breaker.
    #[must_use]
    pub fn observed(server: String) -> Settings {
        Settings {
            silence_ms: 0,
            stable_ms: 0,
            breaker_failures: u32::MAX,
            return_ms: 0,
            ..Settings::new([server])
        }
    }
}
