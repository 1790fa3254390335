//! What the loop needs to know.

use crate::http::PageRules;
use crate::settings::Settings;
use peerpigeon_core::Limits;

/// Settings of a [`crate::Server`]; [`Config::default`] holds the documented defaults.
///
/// Every field is a hard bound: together with [`Limits`] they give the memory that the process can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Settings of the core.
    pub limits: Limits,
    /// The longest message of a client; one byte more is closed with 1009.
    pub max_message_bytes: usize,
    /// Bytes that may wait to be sent to one connection; above one message, else no message of that length
    /// can be sent.
    pub max_queue_bytes: usize,
    /// Bytes of all queues and all incomplete messages together; above it, the connection that takes most
    /// is ended.
    pub memory_budget_bytes: usize,
    /// From the accept, or the last answer, to the end of the next request's head.
    pub handshake_timeout_ms: u64,
    /// From a close frame, or the last answer, to the client's end of the connection.
    pub closing_timeout_ms: u64,
    /// From the first signal to the end of the process.
    pub shutdown_timeout_ms: u64,
    /// Sockets that are not WebSockets (yet). One more ends the one that has been idle longest, so that
    /// idle ones cannot keep out those who speak.
    pub max_handshakes: usize,
    /// Sockets of all kinds. At the limit nothing is accepted any more, until a tenth of them is gone.
    pub max_sockets: usize,
    /// Which pages are shown to whom.
    pub pages: PageRules,
}

impl Config {
    /// Room for `limits`: everybody admitted, everybody who waits, handshakes, and those being refused.
    #[must_use]
    pub fn new(limits: Limits) -> Config {
        let max_message_bytes = 1024 * 1024;
        // A crowd that comes back, as after a restart, shakes hands all at once: nobody in it may be cut off.
        let max_handshakes = (limits.connections as usize).max(1024);
        let waiting = limits.held_connections.saturating_add(limits.unregistered_connections);
        let known = limits.connections.saturating_add(waiting) as usize;
        Config {
            max_message_bytes,
            max_queue_bytes: max_message_bytes + 1024 * 1024,
            memory_budget_bytes: 128 * 1024 * 1024,
            handshake_timeout_ms: 10_000,
            closing_timeout_ms: 3_000,
            shutdown_timeout_ms: 8_000,
            max_handshakes,
            max_sockets: known + known / 4 + max_handshakes,
            pages: PageRules::default(),
            limits,
        }
    }
}

impl From<&Settings> for Config {
    fn from(settings: &Settings) -> Config {
        Config {
            max_message_bytes: settings.max_message_size,
            max_queue_bytes: settings.max_queue_size,
            memory_budget_bytes: settings.memory_budget,
            handshake_timeout_ms: settings.handshake_timeout,
            shutdown_timeout_ms: settings.shutdown_timeout,
            pages: PageRules {
                tokens: settings.metrics_token.clone(),
                has_admin_door: settings.admin_listen.is_some(),
                demo: settings.demo,
            },
            ..Config::new(settings.limits())
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config::new(Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_there_is_room_for_may_come_at_once() {
        for connections in [1, 1_024, 50_000] {
            let config = Config::new(Limits { connections, ..Limits::default() });
            assert!(config.max_handshakes >= connections as usize);
            assert!(config.max_sockets > config.max_handshakes + connections as usize);
        }
    }
}
