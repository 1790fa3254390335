//! What changes when the settings are read again while the server runs.

use crate::program::settings::{SETTINGS, Setting, Settings};

/// What is built once: these hold until the next start, whatever is read meanwhile.
const AT_START: [&str; 37] = [
    "PORT",
    "HOST",
    "SOCKET_MODE",
    "TLS_CERT",
    "TLS_KEY",
    "TRUSTED_PROXIES",
    "PROXY_PROTOCOL",
    "ADMIN_LISTEN",
    "HANDSHAKE_TIMEOUT",
    "KEEP_ALIVE_TIMEOUT",
    "MAX_ACQUAINTANCES",
    "MAX_NETWORKS",
    "MAX_NETWORK_NAME",
    "MAX_ANNOUNCED_DATA",
    "REINTRODUCE_INTERVAL",
    "PING_INTERVAL",
    "PONG_TIMEOUT",
    "PEER_TIMEOUT",
    "MAX_JSON_DEPTH",
    "MAX_FAN_OUT",
    "MESSAGE_TTL",
    "MAILBOX_MESSAGES",
    "MAILBOX_BYTES",
    "MAILBOX_TOTAL_BYTES",
    "MAIL_STORE",
    "MAIL_STORE_CA",
    "MAIL_STORE_TIMEOUT",
    "CLUSTER",
    "CLUSTER_PREFIX",
    "CLUSTER_CA",
    "CLUSTER_KEY",
    "CLUSTER_NODE_TIMEOUT",
    "CLUSTER_BUFFER",
    "CLUSTER_PEERS",
    "CONFIG_FILE",
    "CLEANUP_INTERVAL",
    "LOG_FORMAT",
];

/// The difference between two readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// What is different from now on, each as `NAME from OLD to NEW`; secrets without their values.
    pub now: Vec<String>,
    /// The names of what waits for a restart.
    pub at_start: Vec<&'static str>,
}

impl Changes {
    /// Between what is in force and what was read. In the latter, what has to wait is put back.
    #[must_use]
    pub(super) fn settle(in_force: &Settings, read: &mut Settings) -> Changes {
        let mut changes = Changes::default();
        for row in SETTINGS {
            if row.is_same(in_force, read) {
                continue;
            }
            let (before, after) = (row.show(in_force), row.show(read));
            if row.waits_for_start() {
                row.copy(in_force, read);
                changes.at_start.push(row.name);
            } else if before == after {
                changes.now.push(row.name.to_owned());
            } else {
                changes.now.push(format!("{} from {before} to {after}", row.name));
            }
        }
        changes
    }
}

impl Setting {
    /// Whether another value holds from the next start on, and not from a reload on.
    #[must_use]
    pub fn waits_for_start(&self) -> bool {
        AT_START.contains(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::settings::{Command, SettingsError, ValueKind};

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let environment = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let Command::Serve(settings) = Settings::from(environment, [], None)? else {
            panic!("no subcommand")
        };
        Ok(*settings)
    }

    fn settings(variables: &[(&str, &str)]) -> Settings {
        read(variables).unwrap()
    }

    #[test]
    fn only_settings_wait_for_a_start() {
        assert!(AT_START.iter().all(|name| SETTINGS.iter().any(|row| row.name == *name)));
        let in_order: Vec<_> =
            SETTINGS.iter().map(|row| row.name).filter(|name| AT_START.contains(name)).collect();
        assert_eq!(in_order, AT_START);
    }

    #[test]
    fn what_the_core_builds_on_waits_for_a_start_and_nothing_else_of_it_does() {
        let before = settings(&[]).limits();
        for row in SETTINGS {
            let ValueKind::Number { least, most, .. } = row.kind else { continue };
            let other = [least, most, most / 2, least + 1];
            let changed = other.map(|value| read(&[(row.name, &value.to_string())]));
            let Some(after) =
                changed.into_iter().flatten().map(|s| s.limits()).find(|after| *after != before)
            else {
                continue;
            };
            let is_live = before.clone().with(after.live().unwrap()) == after;
            assert_eq!(is_live, !AT_START.contains(&row.name), "{}", row.name);
        }
    }

    #[test]
    #[cfg(feature = "postgres")]
    fn another_mail_store_waits_for_a_start_and_its_password_is_not_told() {
        let in_force = settings(&[("MAIL_STORE", "postgres://pigeon:old@localhost/mail")]);
        let mut read = settings(&[
            ("MAIL_STORE", "postgres://pigeon:new@localhost/mail"),
            ("MAIL_STORE_TIMEOUT", "500"),
        ]);
        let changes = Changes::settle(&in_force, &mut read);
        assert_eq!(changes, Changes { now: Vec::new(), at_start: vec!["MAIL_STORE", "MAIL_STORE_TIMEOUT"] });
        assert_eq!(read.limits(), in_force.limits());
        assert_eq!(read.limits().store_timeout_ms, 1_000);
        assert_eq!(settings(&[("MAIL_STORE_TIMEOUT", "500")]).limits().store_timeout_ms, 0, "there is none");
    }

    #[test]
    fn what_can_change_does_and_the_rest_stays_as_it_was() {
        let in_force = settings(&[("PORT", "4000"), ("AUTH_TOKEN", "old")]);
        let mut read = settings(&[
            ("PORT", "5000"),
            ("MESSAGE_TTL", "0"),
            ("AUTH_TOKEN", "new"),
            ("MAX_CONNECTIONS", "7"),
            ("METRICS_TOKEN", "s3cret"),
        ]);
        let changes = Changes::settle(&in_force, &mut read);
        assert_eq!(changes.at_start, ["PORT", "MESSAGE_TTL"]);
        assert_eq!(
            changes.now,
            ["AUTH_TOKEN", "METRICS_TOKEN from (not set) to (set)", "MAX_CONNECTIONS from 1000 to 7"]
        );
        assert_eq!((read.port, read.message_ttl, read.max_connections), (4_000, 300_000, 7));
        assert_eq!(Changes::settle(&read.clone(), &mut read), Changes::default());
    }
}
