//! What the loop needs to know.

use crate::http::{MAX_HEAD_BYTES, PageRules, PublicUrl};
use crate::program::settings::Settings;
use crate::server::INPUT_BYTES;
use crate::server::slots::MAX_SLOTS;
use peerpigeon_core::{LimitError, Limits};

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
    /// From the accept, or the first byte of a further request, to the end of that request.
    pub handshake_timeout_ms: u64,
    /// From an answer to the first byte of the next request.
    pub keep_alive_timeout_ms: u64,
    /// Bytes of the head of a request; at most 65535, less than the input buffer.
    pub max_head_bytes: usize,
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
    /// Where pages reach the server from outside, if that is known: told to whoever asks for servers of dialect PSP.
    pub public_url: Option<PublicUrl>,
    /// See [`peerpigeon_core::Switchboard::new`]. 0 by default, so that runs can be repeated; the program takes a random one.
    pub hash_key: u64,
}

impl Config {
    /// Room for `limits`: everybody admitted, everybody who waits, handshakes, and those being refused.
    #[must_use]
    pub fn new(limits: Limits) -> Config {
        let max_message_bytes = 1024 * 1024;
        // A crowd that comes back, as after a restart, shakes hands all at once: nobody in it may be cut off.
        let max_handshakes = (limits.connections as usize).max(1024);
        Config {
            max_message_bytes,
            max_queue_bytes: max_message_bytes + 1024 * 1024,
            memory_budget_bytes: 128 * 1024 * 1024,
            handshake_timeout_ms: 10_000,
            keep_alive_timeout_ms: 75_000,
            max_head_bytes: MAX_HEAD_BYTES,
            closing_timeout_ms: 3_000,
            shutdown_timeout_ms: 8_000,
            max_handshakes,
            max_sockets: max_sockets(&limits, max_handshakes),
            pages: PageRules::default(),
            public_url: None,
            hash_key: 0,
            limits,
        }
    }
}

impl Config {
    /// Whether a server can keep to this.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of its range. The settings of the program give none.
    pub fn check(&self) -> Result<(), LimitError> {
        LimitError::check("max_head_bytes", self.max_head_bytes as u64, 0..=INPUT_BYTES as u64 - 1)?;
        LimitError::check("max_handshakes", self.max_handshakes as u64, 1..=u64::MAX)?;
        LimitError::check("max_sockets", self.max_sockets as u64, 1..=MAX_SLOTS as u64)?;
        self.limits.check()
    }
}

/// Everybody admitted, everybody who waits, a quarter of them more that are being ended, and handshakes.
fn max_sockets(limits: &Limits, max_handshakes: usize) -> usize {
    let waiting = limits.held_connections.saturating_add(limits.unregistered_connections);
    let known = limits.connections.saturating_add(waiting) as usize;
    known + known / 4 + max_handshakes
}

impl From<&Settings> for Config {
    fn from(settings: &Settings) -> Config {
        let limits = settings.limits();
        Config {
            max_message_bytes: settings.max_message_size,
            max_queue_bytes: settings.max_queue_size,
            memory_budget_bytes: settings.memory_budget,
            max_head_bytes: settings.max_header_size,
            max_handshakes: settings.max_handshakes,
            max_sockets: max_sockets(&limits, settings.max_handshakes),
            handshake_timeout_ms: settings.handshake_timeout,
            keep_alive_timeout_ms: settings.keep_alive_timeout,
            shutdown_timeout_ms: settings.shutdown_timeout,
            pages: PageRules {
                tokens: settings.metrics_token.clone(),
                has_admin_listener: settings.admin_listen.is_some(),
                demo: settings.demo,
            },
            public_url: settings.public_url.clone(),
            ..Config::new(limits)
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

    #[test]
    fn what_is_out_of_its_range_is_named_and_no_server_is_made() {
        let usual = Config::default();
        assert_eq!(usual.check(), Ok(()));
        let wrong = [
            (
                Config { max_head_bytes: 65_536, ..usual.clone() },
                "max_head_bytes is 65536: allowed is 0 to 65535",
            ),
            (Config { max_handshakes: 0, ..usual.clone() }, "max_handshakes is 0: allowed is 1 or more"),
            (Config { max_sockets: 0, ..usual.clone() }, "max_sockets is 0: allowed is 1 to 16777216"),
            (
                Config { max_sockets: 1 << 25, ..usual.clone() },
                "max_sockets is 33554432: allowed is 1 to 16777216",
            ),
            (
                Config { limits: Limits { connections: 0, ..Limits::default() }, ..usual },
                "connections is 0: allowed is 1 or more",
            ),
        ];
        for (config, said) in wrong {
            assert_eq!(config.check().unwrap_err().to_string(), said);
            let net = crate::MioNet::bind(&[std::net::SocketAddr::from(([127, 0, 0, 1], 0))]).unwrap();
            let error =
                crate::Server::new(net, config, Box::new(crate::AllowAll), peerpigeon_core::UnixMillis(0))
                    .err()
                    .unwrap();
            assert_eq!((error.kind(), error.to_string().as_str()), (std::io::ErrorKind::InvalidInput, said));
        }
    }
}
