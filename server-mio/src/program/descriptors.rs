//! How many sockets the system lets this process have.

use crate::server::Config;

/// What of `config` the system allows; a warning in the log says so if that is less.
#[must_use]
pub(super) fn fitted(mut config: Config) -> Config {
    if let Some(warning) = raise_limit().and_then(|limit| fit(&mut config, limit)) {
        log::warn!("{warning}");
    }
    config
}

/// Raises the limit of descriptors as far as the system allows; says what it is then, if that is known.
fn raise_limit() -> Option<u64> {
    rlimit::increase_nofile_limit(u64::MAX).ok()
}

/// Makes do with so many descriptors: fewer sockets, and if need be fewer connections, than the settings want. Says
/// so, if it comes to that.
fn fit(config: &mut Config, descriptors: u64) -> Option<String> {
    let available =
        usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(OWN_DESCRIPTORS).max(LEAST);
    if available >= config.max_sockets {
        return None;
    }
    let wanted = std::mem::replace(&mut config.max_sockets, available);
    // Some room for those who come, and for those who are told that there is none.
    let room = (available / 5).min(MOST_ROOM);
    let connections = u32::try_from(available - room).unwrap_or(u32::MAX);
    let before = config.limits.connections;
    config.limits.connections = before.min(connections);
    Some(format!(
        "{descriptors} descriptors are allowed, {} would be needed: at most {available} sockets, and {} connections \
         instead of {before} (raise the limit: LimitNOFILE= of systemd, ulimit -n)",
        wanted + OWN_DESCRIPTORS,
        config.limits.connections
    ))
}

/// What is no socket of a client: standard streams, listeners, epoll, and files that are read now and then.
const OWN_DESCRIPTORS: usize = 32;

/// As many handshakes as are expected at once, when there is little for connections.
const MOST_ROOM: usize = 1024;

/// As much as is tried however few there are.
const LEAST: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use peerpigeon_core::Limits;

    fn fitted(descriptors: u64) -> (u32, usize, Option<String>) {
        let mut config = Config::new(Limits::default());
        let warning = fit(&mut config, descriptors);
        (config.limits.connections, config.max_sockets, warning)
    }

    #[test]
    fn enough_descriptors_change_nothing() {
        let sockets = Config::default().max_sockets;
        for descriptors in [sockets as u64 + 32, 1 << 20, u64::MAX] {
            assert_eq!(fitted(descriptors), (1000, sockets, None));
        }
    }

    #[test]
    fn too_few_are_told_and_kept_to() {
        let sockets = Config::default().max_sockets;
        for (descriptors, connections, allowed) in
            [(sockets as u64 + 31, 1000, sockets - 1), (1_024, 794, 992), (40, 7, 8), (0, 4, 5)]
        {
            let (of_connections, of_sockets, warning) = fitted(descriptors);
            assert_eq!((of_connections, of_sockets), (connections, allowed), "{descriptors}");
            let warning = warning.unwrap();
            assert!(warning.starts_with(&format!("{descriptors} descriptors")), "{warning}");
            assert!(warning.contains(&format!("{connections} connections instead of 1000")), "{warning}");
        }
    }

    #[test]
    fn the_limit_can_be_raised_to_what_the_system_allows() {
        let raised = raise_limit().unwrap();
        let (soft, hard) = rlimit::getrlimit(rlimit::Resource::NOFILE).unwrap();
        assert_eq!((soft, raised), (hard, hard));
    }
}
