//! The most memory that the process can take, computed from its settings alone.
//!
//! Not in here is what the kernel keeps for sockets: a few KB for one that is idle, and what `net.ipv4.tcp_mem` allows for all.

use crate::access::PerAddress;
#[cfg(feature = "cluster")]
use crate::bus::redis::RedisBus;
use crate::net::{MioSocket, TLS_BUFFER_BYTES};
use crate::program::settings::{Settings, Switch};
use crate::server::Config;
use crate::server::{CONNECTION_BYTES, INPUT_BYTES, MAX_POOL_BYTES};
#[cfg(feature = "postgres")]
use crate::store::postgres::PostgresStore;
use core::fmt;
use peerpigeon_core::Share;

/// What can be taken, by what takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WorstCase(Vec<Share>);

impl WorstCase {
    /// Of a server with these settings.
    #[must_use]
    pub(super) fn of(settings: &Settings) -> WorstCase {
        let config = Config::from(settings);
        let sockets = config.max_sockets as u64;
        let mut shares = vec![
            Share { what: "the process itself", bytes: PROCESS_BYTES },
            Share { what: "queues and incomplete messages", bytes: config.memory_budget_bytes as u64 },
            Share { what: "buffers kept for the next queues", bytes: MAX_POOL_BYTES as u64 },
            Share { what: "messages on their way", bytes: on_their_way(&config) },
            Share { what: "sockets", bytes: sockets * socket_bytes() },
            Share { what: "rates of addresses", bytes: PerAddress::ADDRESSES as u64 * 127 },
        ];
        if settings.proxy_protocol == Switch::On {
            shares.push(Share { what: "connections of proxies", bytes: ARRIVALS_BYTES });
        }
        if settings.tls_cert.is_some() {
            shares.push(Share {
                what: "TLS",
                bytes: TLS_BUFFER_BYTES as u64 + sockets * (TLS_STATE_BYTES + TLS_PLACES_BYTES),
            });
        }
        #[cfg(feature = "postgres")]
        if settings.mail_store.is_some() {
            let bytes = PostgresStore::<()>::worst_case_bytes(&config.limits);
            shares.push(Share { what: "questions to the mail store", bytes });
        }
        #[cfg(feature = "cluster")]
        if settings.cluster.is_some() {
            shares.push(Share { what: "the bus between nodes", bytes: RedisBus::<()>::WORST_CASE_BYTES });
        }
        shares.extend(config.limits.worst_case());
        WorstCase(shares)
    }

    /// All of it.
    #[must_use]
    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().fold(0, |sum, share| sum.saturating_add(share.bytes))
    }
}

/// The table that `--check` shows, each line a comment.
impl fmt::Display for WorstCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# memory at worst: {} bytes", self.bytes())?;
        for Share { what, bytes } in &self.0 {
            writeln!(f, "# {bytes:>12}  {what}")?;
        }
        Ok(())
    }
}

/// What one read and one message add before the budget is looked at: the read, the message that grows (the old
/// buffer and one of twice its size), what it becomes in the queues, whose capacity can be twice that, and one queue
/// that grows.
fn on_their_way(config: &Config) -> u64 {
    let output = config.limits.worst_case().last().map_or(0, |share| share.bytes);
    (2 * INPUT_BYTES + 3 * config.max_message_bytes + 3 * config.max_queue_bytes) as u64 + output
}

/// Its slot in a table that grows by doubling, its deadline, and its places in the lists of a turn.
fn socket_bytes() -> u64 {
    (2 * (CONNECTION_BYTES + size_of::<MioSocket>()) + 3 * 16 + 8 + 4 * 2 * 8) as u64
}

/// Of a server that nobody has come to, with its code and its buffers (measured: `tests/tests/abuse/budget.rs`).
const PROCESS_BYTES: u64 = 4 * 1024 * 1024;

/// Of a library's state of one connection in the middle of its handshake (measured: `tests/tls.rs`).
const TLS_STATE_BYTES: u64 = 8 * 1024;

/// Of its places in the tables that say what is incomplete, and of whom: in four B-trees, 144 bytes each at worst.
const TLS_PLACES_BYTES: u64 = 4 * 144;

/// 1024 of them, each with what it has sent of its header.
const ARRIVALS_BYTES: u64 = 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::settings::Command;

    fn with(environment: &[(&str, &str)], memory: Option<u64>) -> WorstCase {
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        match Settings::from(environment, [], memory) {
            Ok(Command::Serve(settings)) => WorstCase::of(&settings),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_defaults_fit_a_machine_of_256_mib() {
        let memory = 256 * 1024 * 1024;
        let worst = with(&[], Some(memory));
        assert!(worst.bytes() < memory * 9 / 10, "{worst}");
    }

    #[test]
    fn the_settings_of_the_loop_count_as_well() {
        let usual = with(&[], None).bytes();
        for (name, value) in [
            ("MEMORY_BUDGET", "100000000"),
            ("MAX_HANDSHAKES", "5000"),
            ("MAX_CONNECTIONS", "2000"),
            ("MAILBOX_TOTAL_BYTES", "100000000"),
            #[cfg(feature = "postgres")]
            ("MAIL_STORE", "postgres://pigeon@localhost"),
            #[cfg(feature = "cluster")]
            ("CLUSTER", "redis://localhost"),
        ] {
            assert!(with(&[(name, value)], None).bytes() > usual, "{name}");
        }
    }

    #[test]
    fn the_sum_is_that_of_the_lines() {
        let worst = with(&[], None);
        let text = worst.to_string();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(format!("# memory at worst: {} bytes", worst.bytes()).as_str()));
        let numbers = lines.map(|line| line[1..].trim().split(' ').next().unwrap().parse::<u64>().unwrap());
        assert_eq!(numbers.sum::<u64>(), worst.bytes());
    }
}
