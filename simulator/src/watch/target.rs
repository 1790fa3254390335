//! Reading the target of an upgrade slowly and obviously: the simulator's own reading of the protocol.

use peerpigeon_core::Spelling;

/// The peer id in the query of a request target: the first `peerId` counts, percent-encoding is decoded.
pub(crate) fn peer_id(target: &str) -> Option<Spelling> {
    let (_, query) = target.split_once('?')?;
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(key, _)| decode(key) == b"peerId")?;
    Spelling::parse(core::str::from_utf8(&decode(value)).ok()?)
}

/// Whether there is a `peerId` in the query, whatever it says.
pub(crate) fn names_peer(target: &str) -> bool {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| decode(pair.split('=').next().unwrap_or_default()) == b"peerId")
}

/// How long a request is to wait for something, in ms: 0 where it does not say, at most 25 s.
pub(crate) fn wait_ms(target: &str) -> u64 {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let seconds = query.split('&').find_map(|pair| pair.strip_prefix("wait=")?.parse::<u64>().ok());
    1_000 * seconds.unwrap_or(0).min(25)
}

fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|hex| core::str::from_utf8(hex).ok());
        match (bytes[i], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                i += 3;
            }
            (b'+', _) => {
                decoded.push(b' ');
                i += 1;
            }
            (byte, _) => {
                decoded.push(byte);
                i += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_peer_id_counts_and_is_decoded() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        for target in [
            format!("/?peerId={id}"),
            format!("/any/prefix?token=x&peerId={id}&peerId=other"),
            format!("/?peerId=%30{}", &id[1..]),
        ] {
            assert_eq!(peer_id(&target).map(|me| me.to_string()).as_deref(), Some(id), "{target}");
        }
        for target in ["/".to_owned(), format!("/?peerid={id}"), format!("/?peerId=x&peerId={id}")] {
            assert_eq!(peer_id(&target), None, "{target}");
        }
    }
}
