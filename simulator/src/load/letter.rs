//! What peers write to each other: made once, then only the addressee and a number change.

use super::frame::{self, Kind};

/// Hex digits of a peer id.
pub(super) const ID_DIGITS: usize = 40;

/// The id of a peer as it stands on the wire.
pub(super) type Id = [u8; ID_DIGITS];

/// The number of a message, always so many digits: from [`FIRST_NUMBER`] on, so that it needs no leading zeros.
pub(super) const NUMBER_DIGITS: usize = 10;

/// The number of the first message.
pub(super) const FIRST_NUMBER: u64 = 1_000_000_000;

/// Bytes of the shortest `data` that can be written.
pub(super) const MIN_DATA_BYTES: usize = 64;

/// The two messages that are relayed in a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Offer,
    Answer,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Offer => "offer",
            Signal::Answer => "answer",
        }
    }
}

/// A signal with everything but its addressee and its number, as a masked frame.
#[derive(Debug)]
pub(super) struct Letter {
    frame: Vec<u8>,
    /// Where in the frame the payload begins.
    payload: usize,
    /// Where in the frame the addressee stands.
    target: usize,
    /// Where in the frame the number stands.
    number: usize,
}

impl Letter {
    /// `data` as made by [`data`].
    pub(super) fn new(signal: Signal, data: &str) -> Letter {
        let kind = signal.name();
        let before = format!(r#"{{"type":"{kind}","data":"#);
        let between = format!(r#"{data},"maxPeers":3,"targetPeerId":""#);
        let text = format!(r#"{before}{between}{},"networkName":"global"}}"#, "0".repeat(ID_DIGITS) + "\"");
        let mut frame = Vec::new();
        frame::write(&mut frame, Kind::Text, text.as_bytes());
        let payload = frame.len() - text.len();
        let target = payload + before.len() + between.len();
        let number = payload + before.len() + NUMBER_AT;
        Letter { frame, payload, target, number }
    }

    /// Bytes of the whole frame.
    pub(super) fn bytes(&self) -> usize {
        self.frame.len()
    }

    /// Appends the frame.
    pub(super) fn write(&self, out: &mut Vec<u8>, target: &Id, number: u64) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let frame = &mut out[start..];
        let mut id = *target;
        frame::mask(&mut id, self.target - self.payload);
        frame[self.target..self.target + ID_DIGITS].copy_from_slice(&id);
        let mut digits = digits(number);
        frame::mask(&mut digits, self.number - self.payload);
        frame[self.number..self.number + NUMBER_DIGITS].copy_from_slice(&digits);
    }

    /// The number in `frame`, if it is this letter to `target`, byte for byte.
    pub(super) fn number_in(&self, frame: &[u8], target: &Id) -> Option<u64> {
        if frame.len() != self.frame.len() {
            return None;
        }
        let mut id: Id = frame[self.target..self.target + ID_DIGITS].try_into().ok()?;
        frame::mask(&mut id, self.target - self.payload);
        let mut digits: [u8; NUMBER_DIGITS] =
            frame[self.number..self.number + NUMBER_DIGITS].try_into().ok()?;
        frame::mask(&mut digits, self.number - self.payload);
        let between = self.number + NUMBER_DIGITS..self.target;
        let after = self.target + ID_DIGITS..;
        let same = id == *target
            && frame[..self.number] == self.frame[..self.number]
            && frame[between.clone()] == self.frame[between]
            && frame[after.clone()] == self.frame[after];
        if same { read_number(&digits) } else { None }
    }
}

/// A `data` of exactly `bytes` bytes (at least [`MIN_DATA_BYTES`]), like the session description that a
/// browser makes: lines of text, each ended by two escapes.
pub(super) fn data(bytes: usize) -> String {
    let mut data = String::from(BEFORE_NUMBER);
    data.push_str(&FIRST_NUMBER.to_string());
    data.push_str(r#","sdp":""#);
    let end = "\"}";
    let mut lines = LINES.iter().cycle();
    while let Some(line) = lines.next()
        && data.len() + line.len() + end.len() <= bytes
    {
        data.push_str(line);
    }
    while data.len() + end.len() < bytes {
        data.push('x');
    }
    data.push_str(end);
    data
}

const BEFORE_NUMBER: &str = r#"{"n":"#;

/// Where in the data its number stands.
pub(super) const NUMBER_AT: usize = BEFORE_NUMBER.len();

const LINES: [&str; 8] = [
    r"v=0\r\n",
    r"o=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n",
    r"a=group:BUNDLE 0\r\n",
    r"a=extmap-allow-mixed\r\n",
    r"a=candidate:842163049 1 udp 1677729535 192.0.2.7 46154 typ srflx raddr 0.0.0.0 rport 0\r\n",
    r"a=ice-ufrag:EsAw\r\n",
    r"a=fingerprint:sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:3A:5C\r\n",
    r"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
];

fn digits(mut number: u64) -> [u8; NUMBER_DIGITS] {
    let mut digits = [b'0'; NUMBER_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    digits
}

/// What [`NUMBER_DIGITS`] digits say; `None` when there is something else among them.
pub(super) fn read_number(digits: &[u8; NUMBER_DIGITS]) -> Option<u64> {
    let mut number = 0;
    let mut is_number = true;
    for digit in digits {
        let value = digit.wrapping_sub(b'0');
        is_number &= value < 10;
        number = number * 10 + u64::from(value);
    }
    is_number.then_some(number)
}

/// The id of the peer with this number, the same one in every run.
pub(super) fn id_of(peer: u64) -> Id {
    // SplitMix64 (Steele, Lea, Flood 2014): neighbouring numbers land far apart.
    let mut state = peer.wrapping_mul(0xD134_2543_DE82_EF95);
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    };
    let digits = format!("{:016x}{:016x}{:016x}", next(), next(), next());
    let mut id = [0; ID_DIGITS];
    id.copy_from_slice(&digits.as_bytes()[..ID_DIGITS]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn data_is_json_of_exactly_the_bytes_asked_for() {
        for bytes in MIN_DATA_BYTES..400 {
            let data = data(bytes);
            assert_eq!(data.len(), bytes);
            let value: serde_json::Value = serde_json::from_str(&data).unwrap();
            assert_eq!(value["n"], FIRST_NUMBER);
        }
    }

    #[test]
    fn a_letter_carries_its_addressee_and_number_under_the_mask() {
        for signal in [Signal::Offer, Signal::Answer] {
            let letter = Letter::new(signal, &data(250));
            let target = id_of(7);
            let mut out = b"before".to_vec();
            letter.write(&mut out, &target, 1_234_567_890);
            let mut text = out[6 + letter.payload..].to_vec();
            frame::mask(&mut text, 0);
            let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(value["type"], signal.name());
            assert_eq!(value["data"]["n"], 1_234_567_890_u64);
            assert_eq!(value["targetPeerId"].as_str().unwrap().as_bytes(), target);
        }
    }

    #[test]
    fn a_letter_is_recognised_and_one_changed_byte_is_noticed() {
        let letter = Letter::new(Signal::Offer, &data(100));
        let mut out = Vec::new();
        letter.write(&mut out, &id_of(1), 1_000_000_042);
        assert_eq!(letter.number_in(&out, &id_of(1)), Some(1_000_000_042));
        assert_eq!(letter.number_in(&out, &id_of(2)), None);
        for at in 0..out.len() {
            let mut changed = out.clone();
            changed[at] ^= 0x10;
            assert_ne!(letter.number_in(&changed, &id_of(1)), Some(1_000_000_042), "byte {at}");
        }
    }

    #[test]
    fn no_two_peers_have_the_same_id() {
        let ids: BTreeSet<Id> = (0..10_000).map(id_of).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().flatten().all(u8::is_ascii_hexdigit));
    }
}
