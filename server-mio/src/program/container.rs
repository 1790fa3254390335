//! Whether the process runs in a container, where listening on loopback is a common mistake: a published
//! port leads to the container's other address.

use crate::program::settings::ListenHost;
use std::path::Path;

/// What to tell the operator of a server that listens on `host`, given what [`detect`] found.
#[must_use]
pub(super) fn loopback_warning(host: &ListenHost, sign: Option<&str>) -> Option<String> {
    let sign = sign.filter(|_| host.is_loopback())?;
    Some(format!(
        "listening on loopback only, and this looks like a container ({sign}): \
         nobody outside of it can connect; set HOST=0.0.0.0, or HOST=:: for IPv6"
    ))
}

/// What shows that this process is in a container; `None` if nothing does.
#[must_use]
pub(super) fn detect() -> Option<&'static str> {
    sign(|path| Path::new(path).exists(), |name| std::env::var_os(name).is_some())
}

fn sign(is_there: impl Fn(&str) -> bool, is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    let file = FILES.into_iter().find(|file| is_there(file));
    file.or_else(|| Some(VARIABLE).filter(|variable| is_set(variable)))
}

/// Made by Docker; by Podman and CRI-O.
const FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
/// Kubernetes sets it in each container of a pod.
const VARIABLE: &str = "KUBERNETES_SERVICE_HOST";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_known_by_any_of_its_signs() {
        for expected in ["/.dockerenv", "/run/.containerenv"] {
            assert_eq!(sign(|path| path == expected, |_| false), Some(expected));
        }
        let variable = "KUBERNETES_SERVICE_HOST";
        assert_eq!(sign(|_| false, |name| name == variable), Some(variable));
        assert_eq!(sign(|_| false, |_| false), None);
    }

    #[test]
    fn only_loopback_in_a_container_is_warned_about() {
        let address = |text: &str| ListenHost::Address(text.parse().unwrap());
        for (host, sign, expected) in [
            (ListenHost::Localhost, Some("/.dockerenv"), true),
            (address("127.0.0.2"), Some("/.dockerenv"), true),
            (address("::1"), Some("/.dockerenv"), true),
            (address("::ffff:127.0.0.1"), Some("/.dockerenv"), true),
            (address("0.0.0.0"), Some("/.dockerenv"), false),
            (address("::"), Some("/.dockerenv"), false),
            (address("172.17.0.2"), Some("/.dockerenv"), false),
            (ListenHost::Localhost, None, false),
        ] {
            let warning = loopback_warning(&host, sign);
            assert_eq!(warning.is_some(), expected, "{host:?} {sign:?}");
            assert!(
                warning.is_none_or(|text| text.contains("(/.dockerenv)") && text.contains("HOST=0.0.0.0"))
            );
        }
    }
}
