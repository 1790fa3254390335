//! Every setting of the server: what it is called, what it may be, and what it is.
//!
//! The table in `settings/table.rs` is the only list of them; [`Settings`], parsing, [`help`],
//! `effective` and [`markdown_table`] all come from it.

mod error;
mod file;
mod handed;
mod kind;
mod memory;
mod render;
mod secrecy;
mod sources;
mod table;
mod token_arguments;
mod value;

pub use error::SettingsError;
pub use handed::Pem;
pub use kind::ValueKind;
pub use memory::memory_of_this_machine;
pub use render::{help, markdown_table};
pub use sources::Command;
pub use table::{Group, SETTINGS, Setting, Settings};

pub(crate) use handed::pem;
pub(crate) use render::effective;
pub(crate) use token_arguments::TokenArguments;
pub(crate) use value::{ListenHost, LogFormat, Switch};

use crate::net::{self, Certificate};
use crate::server::INPUT_BYTES;
use crate::store::Encryption;
use peerpigeon_core::Limits;
use sources::{Action, Sources};
use std::ffi::OsString;

/// What a relayed message may be longer than the one that came in: the server adds sender, network and
/// time, and the frame has a header.
const ENVELOPE_BYTES: usize = 1_024;

impl Settings {
    /// Reads the environment and the arguments of the command line, program name left out.
    ///
    /// A flag wins over `PEERPIGEON_NAME`, which wins over `NAME`; what has lost is not looked at. `memory` is
    /// what the machine or the container has, in bytes, if that is known; see [`memory_of_this_machine`].
    ///
    /// # Errors
    ///
    /// The first thing that is not as it must be, as one line.
    pub fn from(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        arguments: impl IntoIterator<Item = OsString>,
        memory: Option<u64>,
    ) -> Result<Command, SettingsError> {
        let (action, flags) = sources::command_line(arguments)?;
        let settings = || Settings::of(environment, flags, memory);
        match action {
            Action::Help => Ok(Command::Help),
            Action::Version => Ok(Command::Version),
            Action::Check => settings().map(|(settings, sources)| Command::Check(settings, sources)),
            Action::Healthcheck => settings().map(|(settings, _)| Command::Healthcheck(settings)),
            Action::Token(order) => {
                let (settings, sources) = settings()?;
                if settings.auth_jwt_secret.is_none() {
                    return Err(SettingsError::SecretMissing { name: sources.spelled("AUTH_JWT_SECRET") });
                }
                order.check(&settings)?;
                Ok(Command::Token(settings, order))
            }
            Action::Serve => settings().map(|(settings, _)| Command::Serve(settings)),
        }
    }

    /// Reads the same once more, for a server that runs: what can have changed is the file that
    /// `CONFIG_FILE` names.
    ///
    /// # Errors
    ///
    /// As [`Settings::from`].
    pub fn again(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        arguments: impl IntoIterator<Item = OsString>,
        memory: Option<u64>,
    ) -> Result<Settings, SettingsError> {
        let (_, flags) = sources::command_line(arguments)?;
        Settings::of(environment, flags, memory).map(|(settings, _)| *settings)
    }

    fn of(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: Vec<sources::Flag>,
        memory: Option<u64>,
    ) -> Result<(Box<Settings>, Sources), SettingsError> {
        let sources = Sources::new(environment, flags)?;
        let settings = Settings::read(&sources, memory)?;
        settings.check_together(&sources)?;
        Ok((Box::new(settings), sources))
    }

    /// The settings of the core; what is no setting has the core's own default.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            connections_per_address: self.max_connections_per_ip,
            duplicate_peer: self.duplicate_peer,
            introductions: self.introductions,
            reintroduce_interval_ms: self.reintroduce_interval,
            ping_interval_ms: self.ping_interval,
            pong_timeout_ms: self.pong_timeout,
            peer_timeout_ms: self.peer_timeout,
            message_rate_per_second: self.message_rate,
            message_burst: self.message_burst,
            byte_rate_per_second: self.byte_rate,
            byte_burst: self.byte_burst,
            fan_out_bytes: self.max_fan_out,
            acquaintances: self.max_acquaintances,
            networks: self.max_networks,
            network_name_bytes: self.max_network_name,
            announced_data_bytes: self.max_announced_data,
            nesting_levels: self.max_json_depth,
            message_ttl_ms: self.message_ttl,
            mailbox_messages: self.mailbox_messages,
            mailbox_bytes: self.mailbox_bytes,
            mailbox_total_bytes: self.mailbox_total_bytes,
            cleanup_interval_ms: self.cleanup_interval,
            node_timeout_ms: if self.cluster.is_some() { self.cluster_node_timeout } else { 0 },
            cluster_bytes: self.cluster_buffer,
            remote_peers: self.cluster_peers,
            store_timeout_ms: if self.mail_store.is_some() { self.mail_store_timeout } else { 0 },
            ..Limits::default()
        }
    }

    /// The certificate, read from its files; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Which file is wrong, and what is wrong with it.
    pub fn certificate(&self) -> Result<Option<Certificate>, SettingsError> {
        match (&self.tls_cert, &self.tls_key) {
            #[cfg(feature = "tls")]
            (Some(chain), Some(key)) => Ok(Some(Certificate::load(chain, key)?)),
            _ => Ok(None),
        }
    }

    /// What no setting can be judged by alone.
    fn check_together(&self, sources: &Sources) -> Result<(), SettingsError> {
        let conflict = |first: &str, second: &str, rule: String| {
            let spelled = |name| format!("{}={}", sources.spelled(name), table::row(name).show(self));
            Err(SettingsError::Conflict { first: spelled(first), second: spelled(second), rule })
        };
        // Pings are spread by 20 %; a browser that is idle sends nothing but its pongs.
        let first_ping_by = self.ping_interval.saturating_mul(12) / 10;
        if self.peer_timeout != 0 && self.peer_timeout <= first_ping_by {
            let rule = format!(
                "PEER_TIMEOUT must be 0 or above {first_ping_by}, 1.2 times PING_INTERVAL, \
                 or idle peers are closed before they are pinged"
            );
            return conflict("PEER_TIMEOUT", "PING_INTERVAL", rule);
        }
        let one_message = self.max_message_size + ENVELOPE_BYTES;
        if self.max_queue_size < one_message {
            let rule = format!("MAX_QUEUE_SIZE must be {one_message} at least, to hold one message");
            return conflict("MAX_QUEUE_SIZE", "MAX_MESSAGE_SIZE", rule);
        }
        if self.byte_rate > 0 && (self.byte_burst as usize) < self.max_message_size {
            let rule = "BYTE_BURST must be MAX_MESSAGE_SIZE at least, or no such message passes".to_owned();
            return conflict("BYTE_BURST", "MAX_MESSAGE_SIZE", rule);
        }
        // The buffer of a message that comes in pieces grows by doubling.
        let growing = 2 * self.max_message_size + INPUT_BYTES;
        if self.memory_budget < growing {
            let rule = format!("MEMORY_BUDGET must be {growing} at least, to take one message in");
            return conflict("MEMORY_BUDGET", "MAX_MESSAGE_SIZE", rule);
        }
        if self.memory_budget < self.max_queue_size {
            let rule = "MEMORY_BUDGET must be MAX_QUEUE_SIZE at least".to_owned();
            return conflict("MEMORY_BUDGET", "MAX_QUEUE_SIZE", rule);
        }
        match (&self.tls_cert, &self.tls_key) {
            (None, None) => {}
            (Some(_), None) => {
                return Err(SettingsError::Alone { given: sources.spelled("TLS_CERT"), missing: "TLS_KEY" });
            }
            (None, Some(_)) => {
                return Err(SettingsError::Alone { given: sources.spelled("TLS_KEY"), missing: "TLS_CERT" });
            }
            (Some(_), Some(_)) if !cfg!(feature = "tls") => {
                return Err(SettingsError::NotBuilt { name: sources.spelled("TLS_CERT") });
            }
            // What is wrong with the files is told where they are read.
            (Some(_), Some(_)) => self.certificate().map(|_| ())?,
        }
        let has_proxy = !self.trusted_proxies.is_empty() || matches!(self.host, ListenHost::Unix(_));
        if self.proxy_protocol == Switch::On && !has_proxy {
            let given = sources.spelled("PROXY_PROTOCOL");
            return Err(SettingsError::Alone { given, missing: "TRUSTED_PROXIES" });
        }
        if self.mailbox_total_bytes < u64::from(self.mailbox_bytes) {
            let rule = "MAILBOX_TOTAL_BYTES must be MAILBOX_BYTES at least".to_owned();
            return conflict("MAILBOX_TOTAL_BYTES", "MAILBOX_BYTES", rule);
        }
        self.check_cluster(sources)?;
        self.check_mail_store(sources)
    }

    fn check_cluster(&self, sources: &Sources) -> Result<(), SettingsError> {
        let given = |name| sources.spelled(name);
        let Some(urls) = &self.cluster else {
            let alone = |name| Err(SettingsError::Alone { given: given(name), missing: "CLUSTER" });
            return match (&self.cluster_ca, &self.cluster_key) {
                (Some(_), _) => alone("CLUSTER_CA"),
                (None, Some(_)) => alone("CLUSTER_KEY"),
                (None, None) => Ok(()),
            };
        };
        if !cfg!(feature = "cluster") {
            return Err(SettingsError::NotBuilt { name: given("CLUSTER") });
        }
        if urls.have_tls() && !cfg!(feature = "tls") {
            return Err(SettingsError::NotBuilt { name: format!("{} with TLS", given("CLUSTER")) });
        }
        match &self.cluster_ca {
            None if urls.have_tls() => {
                let name = format!("{} with rediss://", given("CLUSTER"));
                Err(SettingsError::Alone { given: name, missing: "CLUSTER_CA" })
            }
            Some(_) if !urls.have_tls() => {
                let detail = "only goes with rediss:// in CLUSTER; nobody would look at it".to_owned();
                Err(SettingsError::BadFile { name: given("CLUSTER_CA"), detail })
            }
            Some(authorities) => net::check_authorities(authorities)
                .map_err(|detail| SettingsError::BadFile { name: given("CLUSTER_CA"), detail }),
            None => Ok(()),
        }
    }

    fn check_mail_store(&self, sources: &Sources) -> Result<(), SettingsError> {
        let given = |name| sources.spelled(name);
        match (&self.mail_store, &self.mail_store_ca) {
            (None, None) => Ok(()),
            (None, Some(_)) => {
                Err(SettingsError::Alone { given: given("MAIL_STORE_CA"), missing: "MAIL_STORE" })
            }
            (Some(_), _) if !cfg!(feature = "postgres") => {
                Err(SettingsError::NotBuilt { name: given("MAIL_STORE") })
            }
            (Some(url), _) if url.encryption != Encryption::Disable && !cfg!(feature = "tls") => {
                Err(SettingsError::NotBuilt { name: format!("{} with TLS", given("MAIL_STORE")) })
            }
            (Some(url), None) if url.encryption == Encryption::VerifyFull => {
                let name = format!("{} with sslmode=verify-full", given("MAIL_STORE"));
                Err(SettingsError::Alone { given: name, missing: "MAIL_STORE_CA" })
            }
            (Some(url), Some(_)) if url.encryption != Encryption::VerifyFull => {
                let detail =
                    "only goes with sslmode=verify-full in MAIL_STORE; nobody would look at it".to_owned();
                Err(SettingsError::BadFile { name: given("MAIL_STORE_CA"), detail })
            }
            (Some(_), Some(authorities)) => net::check_authorities(authorities)
                .map_err(|detail| SettingsError::BadFile { name: given("MAIL_STORE_CA"), detail }),
            (Some(_), None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
