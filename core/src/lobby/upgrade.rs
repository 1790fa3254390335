//! What the request target of an upgrade says: which dialect, and who comes.

use crate::{Limits, Spelling};

/// Who comes, as far as the upgrade says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimedPeer {
    /// Dialect A names its peer here, with any path: clients keep the path that their operator gave them.
    Named(Spelling),
    /// Dialect B has a path of its own, and names its peer in its first message.
    Unnamed,
}

/// The path of dialect B.
const PATH_B: &str = "/signaling";

/// Reads path and query; of several `peerId` the first counts, percent-encoding is decoded. `None`: nobody
/// that could be a peer.
pub(crate) fn read_target(target: &str) -> Option<ClaimedPeer> {
    // A fragment never reaches a server (RFC 9112 section 3.2), but nothing stops a client from sending one.
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    match pairs.find(|(key, _)| decodes_to(key, b"peerId")) {
        Some((_, value)) => peer_id(value).map(ClaimedPeer::Named),
        None => (path == PATH_B).then_some(ClaimedPeer::Unnamed),
    }
}

/// A request for what was sent to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) peer: Spelling,
    /// How long it may take until there is something.
    pub(crate) wait_ms: u64,
}

/// Reads `peerId` and `wait`, in seconds; what is not a number of seconds counts as 0, too many as the most
/// that is possible.
pub(crate) fn read_poll(target: &str) -> Option<Poll> {
    let ClaimedPeer::Named(peer) = read_target(target)? else { return None };
    let (_, query) = target.split_once('?')?;
    let wait = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("wait="))
        .and_then(|wait| wait.parse::<u64>().ok());
    let wait_ms = wait.unwrap_or(0).saturating_mul(1000).min(Limits::POLL_MS);
    Some(Poll { peer, wait_ms })
}

fn peer_id(value: &str) -> Option<Spelling> {
    let mut digits = [0; Spelling::DIGITS];
    let mut decoded = percent_decoded(value);
    for digit in &mut digits {
        *digit = decoded.next()?;
    }
    if decoded.next().is_some() {
        return None;
    }
    Spelling::parse(core::str::from_utf8(&digits).ok()?)
}

fn decodes_to(text: &str, expected: &[u8]) -> bool {
    percent_decoded(text).eq(expected.iter().copied())
}

/// `%XY` as one byte and `+` as a blank; a `%` that introduces nothing stands for itself (WHATWG URL,
/// application/x-www-form-urlencoded parsing).
fn percent_decoded(text: &str) -> impl Iterator<Item = u8> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut rest = text.as_bytes();
    core::iter::from_fn(move || {
        let (first, tail) = rest.split_first()?;
        if let (b'%', [high, low, after @ ..]) = (first, tail)
            && let (Some(high), Some(low)) = (hex(high), hex(low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        rest = tail;
        Some(if *first == b'+' { b' ' } else { *first })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    const ID: &str = "0123456789abcdefABCDEF0123456789abcdefAB";

    #[test]
    fn the_first_peer_id_of_any_path_counts() {
        let other = "f".repeat(40);
        for target in [
            format!("/?peerId={ID}"),
            format!("/ws?token=a%26b&peerId={ID}"),
            format!("/any/prefix?peerId={ID}&peerId={other}"),
            format!("?peerId={ID}#x"),
            format!("//?peerId={ID}"),
            format!("http://example.com/?peerId={ID}"),
            format!("/?peer%49d=%30{}", &ID[1..]),
            format!("/signaling?peerId={ID}"),
        ] {
            let Some(ClaimedPeer::Named(spelling)) = read_target(&target) else { panic!("{target}") };
            assert_eq!(spelling.to_string(), ID, "{target}");
        }
    }

    #[test]
    fn the_path_of_the_older_guide_needs_no_peer_id() {
        assert_eq!(read_target("/signaling"), Some(ClaimedPeer::Unnamed));
        assert_eq!(read_target("/signaling?token=x"), Some(ClaimedPeer::Unnamed));
        assert_eq!(read_target("/signaling?peerId=x"), None);
        assert_eq!(read_target("/signaling/more"), None);
    }

    #[test]
    fn whatever_else_names_nobody() {
        for target in [
            String::new(),
            "/".into(),
            "/?".into(),
            "/?peerId".into(),
            "/?peerId=".into(),
            "/?peerId=xyz".into(),
            format!("/?peerid={ID}"),
            format!("/?peerId={ID}0"),
            format!("/?peerId={}", &ID[1..]),
            format!("/?peerId=%zz{}", &ID[3..]),
            format!("/?peerId= {}", &ID[1..]),
            format!("/?peerId=x&peerId={ID}"),
            format!("/{ID}"),
        ] {
            assert_eq!(read_target(&target), None, "{target}");
        }
    }

    use alloc::string::String;
}
