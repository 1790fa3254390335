//! What the request target of an upgrade says: which dialect, and who comes.

use crate::Spelling;
use crate::wire::Dialect;

/// Reads the first `peerId` of the query, percent-encoding decoded; the path does not matter, since clients
/// keep whatever path their operator gave them.
pub(crate) fn read_target(target: &str) -> Option<(Dialect, Spelling)> {
    // A fragment never reaches a server (RFC 9112 section 3.2), but nothing stops a client from sending one.
    let target = target.split('#').next().unwrap_or_default();
    let (_, query) = target.split_once('?')?;
    let value = query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        decodes_to(key, b"peerId").then_some(value)
    })?;
    let mut digits = [0; Spelling::DIGITS];
    let mut decoded = percent_decoded(value);
    for digit in &mut digits {
        *digit = decoded.next()?;
    }
    if decoded.next().is_some() {
        return None;
    }
    Some((Dialect::A, Spelling::parse(core::str::from_utf8(&digits).ok()?)?))
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
            let (dialect, spelling) = read_target(&target).unwrap();
            assert_eq!((dialect, spelling.to_string().as_str()), (Dialect::A, ID), "{target}");
        }
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
