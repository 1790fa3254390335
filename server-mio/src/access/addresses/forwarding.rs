//! The client behind one or more proxies.

use super::AddressList;
use std::net::{IpAddr, Ipv6Addr};

/// Whose connection this is: `peer`, the other end of the socket, unless that is a trusted proxy, as everybody
/// without an address is, since a Unix socket is nobody's but a proxy's; then the
/// nearest address that is no trusted proxy, as these proxies report it.
///
/// Each proxy appends whom it got the request from, so reading goes from the right, and stops at the first
/// address that is not trusted: what stands left of it could be made up. It also stops where a proxy tells
/// no address (`unknown`, an obfuscated name, RFC 7239 section 6.3); then that proxy counts.
///
/// `x_forwarded_for` and `forwarded` are the values of the headers of that name, in their order. Where both
/// are there `X-Forwarded-For` counts: nearly all proxies write it, and most let a `Forwarded` of the client
/// pass. A proxy that writes `Forwarded` must remove `X-Forwarded-For`.
pub(in crate::access) fn client_address<'a>(
    peer: Option<IpAddr>,
    trusted: &AddressList,
    x_forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
) -> Option<IpAddr> {
    let peer = peer.map(|peer| peer.to_canonical());
    let mut listed = x_forwarded_for.rev().flat_map(elements_from_the_right).peekable();
    if listed.peek().is_some() {
        nearest_untrusted(peer, trusted, listed.map(node))
    } else {
        let elements = forwarded.rev().flat_map(elements_from_the_right);
        nearest_untrusted(peer, trusted, elements.map(|element| node(for_parameter(element)?)))
    }
}

/// `hops` come from the nearest one on.
fn nearest_untrusted(
    peer: Option<IpAddr>,
    trusted: &AddressList,
    hops: impl Iterator<Item = Option<IpAddr>>,
) -> Option<IpAddr> {
    let mut nearest = peer;
    for hop in hops {
        match hop {
            Some(address) if nearest.is_none_or(|nearest| trusted.contains(nearest)) => {
                nearest = Some(address)
            }
            _ => break,
        }
    }
    nearest
}

/// The elements of a comma list (RFC 9110 section 5.6.1), last one first; empty ones do not count.
///
/// Commas and quotes are looked at from the right: so a client that leaves a quoted string open cannot
/// swallow what a proxy appended to it.
fn elements_from_the_right(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    core::iter::from_fn(move || {
        let list = rest?;
        let (left, last) = match last_outside_quotes(list, b',') {
            Some(comma) => (Some(&list[..comma]), &list[comma + 1..]),
            None => (None, list),
        };
        rest = left;
        Some(last.trim())
    })
    .filter(|element| !element.is_empty())
}

fn last_outside_quotes(text: &str, separator: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quoted = false;
    for (at, byte) in bytes.iter().enumerate().rev() {
        if *byte == b'"' {
            let escapes = bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
            quoted ^= escapes % 2 == 0;
        } else if *byte == separator && !quoted {
            return Some(at);
        }
    }
    None
}

/// The value of `for` in one element of `Forwarded` (RFC 7239 section 4).
fn for_parameter(element: &str) -> Option<&str> {
    let mut rest = element;
    loop {
        let pair = match last_outside_quotes(rest, b';') {
            Some(semicolon) => {
                let pair = &rest[semicolon + 1..];
                rest = &rest[..semicolon];
                pair
            }
            None => core::mem::take(&mut rest),
        };
        match pair.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("for") => return Some(value.trim()),
            _ if rest.is_empty() => return None,
            _ => {}
        }
    }
}

/// Reads `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`, quoted or not.
/// A port may be obfuscated (RFC 7239 section 6); it is not looked at.
fn node(text: &str) -> Option<IpAddr> {
    let text = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?.trim(),
        None => text,
    };
    let address = if let Some(rest) = text.strip_prefix('[') {
        let (inner, behind) = rest.split_once(']')?;
        let plain = behind.is_empty() || behind.starts_with(':');
        IpAddr::V6(inner.parse::<Ipv6Addr>().ok().filter(|_| plain)?)
    } else if let Ok(address) = text.parse::<IpAddr>() {
        address
    } else {
        IpAddr::V4(text.split_once(':')?.0.parse().ok()?)
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUSTED: &str = "127.0.0.0/8,::1,10.0.0.0/8,fd00::/8";

    fn client(peer: &str, x_forwarded_for: &[&str], forwarded: &[&str]) -> String {
        let trusted = AddressList::parse(TRUSTED).unwrap();
        let (x_forwarded_for, forwarded) = (x_forwarded_for.iter().copied(), forwarded.iter().copied());
        let peer = Some(peer.parse().unwrap());
        client_address(peer, &trusted, x_forwarded_for, forwarded).unwrap().to_string()
    }

    #[test]
    fn without_a_trusted_proxy_the_headers_are_ignored() {
        let forged = (&["1.1.1.1"], &["for=1.1.1.1"]);
        assert_eq!(client("192.0.2.1", forged.0, forged.1), "192.0.2.1");
        assert_eq!(client("2001:db8::1", forged.0, forged.1), "2001:db8::1");
        assert_eq!(client("::ffff:192.0.2.1", forged.0, forged.1), "192.0.2.1");
        let nobody = AddressList::default();
        let peer = Some("127.0.0.1".parse().unwrap());
        assert_eq!(client_address(peer, &nobody, ["1.1.1.1"].into_iter(), [].into_iter()), peer);
    }

    #[test]
    fn whoever_comes_by_a_unix_socket_is_a_proxy() {
        let nobody = AddressList::default();
        let client = |headers: &[&'static str]| {
            let client = client_address(None, &nobody, headers.iter().copied(), [].into_iter());
            client.map(|client| client.to_string())
        };
        assert_eq!(client(&[]), None);
        assert_eq!(client(&["unknown"]), None);
        assert_eq!(client(&["1.1.1.1, 192.0.2.1"]).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn the_nearest_address_that_is_no_trusted_proxy_counts() {
        for (x_forwarded_for, expected) in [
            (vec![], "127.0.0.1"),
            (vec![""], "127.0.0.1"),
            (vec![" , ,"], "127.0.0.1"),
            (vec!["192.0.2.1"], "192.0.2.1"),
            (vec!["1.1.1.1, 192.0.2.1"], "192.0.2.1"),
            (vec!["1.1.1.1,192.0.2.1,10.1.1.1"], "192.0.2.1"),
            (vec!["127.0.0.1, 192.0.2.1, 10.1.1.1, ::1"], "192.0.2.1"),
            (vec!["1.1.1.1, 192.0.2.1", "10.1.1.1"], "192.0.2.1"),
            (vec!["1.1.1.1", "192.0.2.1"], "192.0.2.1"),
            (vec!["1.1.1.1", ""], "1.1.1.1"),
            (vec!["192.0.2.1,, ,"], "192.0.2.1"),
            (vec!["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
            (vec!["::ffff:192.0.2.1, ::ffff:10.1.1.1"], "192.0.2.1"),
            // A proxy that does not know ends the reading: it counts itself.
            (vec!["192.0.2.1, unknown, 10.1.1.1"], "10.1.1.1"),
            (vec!["192.0.2.1, unknown"], "127.0.0.1"),
            (vec!["192.0.2.1, rubbish, 10.1.1.1"], "10.1.1.1"),
        ] {
            assert_eq!(client("127.0.0.1", &x_forwarded_for, &[]), expected, "{x_forwarded_for:?}");
        }
        assert_eq!(client("::ffff:10.9.9.9", &["192.0.2.1"], &[]), "192.0.2.1");
    }

    #[test]
    fn addresses_come_with_ports_brackets_and_quotes() {
        for (node, expected) in [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("192.0.2.1:_obfuscated", "192.0.2.1"),
            ("\"192.0.2.1:4711\"", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("\"[2001:DB8::1]:4711\"", "2001:db8::1"),
            ("\"[2001:db8::1]\"", "2001:db8::1"),
            ("[::ffff:192.0.2.1]:1", "192.0.2.1"),
        ] {
            assert_eq!(client("127.0.0.1", &[node], &[]), expected, "{node}");
            assert_eq!(client("127.0.0.1", &[], &[&format!("for={node}")]), expected, "{node}");
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for node in [
            "unknown",
            "Unknown",
            "_hidden",
            "\"_hidden:80\"",
            "localhost",
            "192.0.2",
            "192.0.2.1.1",
            "192.0.2.256:80",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]x",
            "[192.0.2.1]",
            "[]",
            "\"",
            "\"192.0.2.1",
            "192.0.2.1\"",
            ":80",
            "fe80::1%eth0",
            "ä",
        ] {
            assert_eq!(client("127.0.0.1", &[node], &[]), "127.0.0.1", "{node}");
            assert_eq!(client("127.0.0.1", &[], &[&format!("for={node}")]), "127.0.0.1", "{node}");
        }
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_says() {
        for (forwarded, expected) in [
            (vec!["for=192.0.2.1"], "192.0.2.1"),
            (vec!["For = 192.0.2.1"], "192.0.2.1"),
            (vec!["for=192.0.2.1;proto=http;by=203.0.113.43"], "192.0.2.1"),
            (vec!["proto=http; by=203.0.113.43; FOR=\"192.0.2.1\""], "192.0.2.1"),
            (vec!["for=1.1.1.1, for=192.0.2.1;proto=https, for=10.1.1.1"], "192.0.2.1"),
            (vec!["for=1.1.1.1, for=192.0.2.1", "for=10.1.1.1"], "192.0.2.1"),
            (vec!["host=\"a,for=9.9.9.9\";for=192.0.2.1"], "192.0.2.1"),
            (vec!["for=192.0.2.1;host=\"a;for=9.9.9.9\""], "192.0.2.1"),
            (vec!["for=192.0.2.1;host=\"a\\\", for=9.9.9.9\""], "192.0.2.1"),
            (vec!["for=192.0.2.1;host=\"a\\\\\""], "192.0.2.1"),
            (vec!["proto=https"], "127.0.0.1"),
            (vec!["for"], "127.0.0.1"),
            (vec![";"], "127.0.0.1"),
            (vec!["192.0.2.1"], "127.0.0.1"),
            (vec!["fort=192.0.2.1"], "127.0.0.1"),
        ] {
            assert_eq!(client("127.0.0.1", &[], &forwarded), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn a_client_cannot_hide_what_a_proxy_appends() {
        for from_the_client in [
            "for=\"",
            "for=\"1.1.1.1",
            "for=\"1.1.1.1\\",
            "for=1.1.1.1;x=\"a",
            "for=\"a\\\"",
            "\"\"\"",
            ",,,",
            ";;;",
            "for=127.0.0.1",
        ] {
            for appended in ["for=192.0.2.1", "for=\"192.0.2.1:80\";proto=https", "proto=http;for=192.0.2.1"]
            {
                let forwarded = format!("{from_the_client}, {appended}");
                assert_eq!(client("127.0.0.1", &[], &[&forwarded]), "192.0.2.1", "{forwarded}");
                assert_eq!(client("127.0.0.1", &[], &[from_the_client, appended]), "192.0.2.1");
            }
        }
    }

    #[test]
    fn where_both_headers_are_there_x_forwarded_for_counts() {
        assert_eq!(client("127.0.0.1", &["192.0.2.1"], &["for=1.1.1.1"]), "192.0.2.1");
        assert_eq!(client("127.0.0.1", &["unknown"], &["for=1.1.1.1"]), "127.0.0.1");
        assert_eq!(client("127.0.0.1", &[" "], &["for=192.0.2.1"]), "192.0.2.1");
    }
}
