//! Names for connections and peers.

use core::cmp::Ordering;
use core::error::Error;
use core::fmt;
use core::str::FromStr;

/// One accepted socket. The driver counts them up and never uses a number again while the process lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Who is behind a connection: 160 bits, 40 hex digits on the wire.
///
/// Compared as bytes, so two spellings of one id are one peer.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PeerId(pub [u8; 20]);

/// As the bytes. Every step of a search among peers compares two ids, so two large numbers are compared instead.
impl Ord for PeerId {
    fn cmp(&self, other: &PeerId) -> Ordering {
        let numbers = |PeerId([a, b, c, d, rest @ ..]): &PeerId| {
            (u32::from_be_bytes([*a, *b, *c, *d]), u128::from_be_bytes(*rest))
        };
        numbers(self).cmp(&numbers(other))
    }
}

impl PartialOrd for PeerId {
    fn partial_cmp(&self, other: &PeerId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PeerId {
    /// The XOR distance to `other`, big-endian: comparing two of them compares the distances.
    #[must_use]
    pub fn distance(&self, other: &PeerId) -> [u8; 20] {
        core::array::from_fn(|i| self.0[i] ^ other.0[i])
    }
}

impl PeerId {
    /// What stands for a peer of dialect PSP in events: the first 20 bytes of its id, read as hex digits where it begins with 40
    /// of them. Two peers can have the same, and nothing is decided by it.
    #[must_use]
    pub fn label(id: &str) -> PeerId {
        if let Some(spelling) = id.get(..Spelling::DIGITS).and_then(Spelling::parse) {
            return spelling.id;
        }
        let mut label = PeerId::default();
        for (byte, of_id) in label.0.iter_mut().zip(id.bytes()) {
            *byte = of_id;
        }
        label
    }
}

/// 40 hex digits in either case.
impl FromStr for PeerId {
    type Err = ParsePeerIdError;

    fn from_str(text: &str) -> Result<PeerId, ParsePeerIdError> {
        text.parse().map(|spelling: Spelling| spelling.id)
    }
}

/// Lower-case hex.
impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A peer id together with the case of each of its digits.
///
/// Clients compare ids as strings (observed), so each gets back the spelling it used itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    id: PeerId,
    /// Bit 0 of byte 0 is the first digit; set means upper case.
    upper: [u8; 5],
}

impl Spelling {
    /// All zeros: stands for a peer that does not matter.
    pub(crate) const NOBODY: Spelling = Spelling { id: PeerId([0; 20]), upper: [0; 5] };

    /// Digits of an id on the wire.
    pub const DIGITS: usize = 40;

    /// Reads exactly 40 hex digits in either case; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Spelling> {
        let digits: &[u8; Self::DIGITS] = text.as_bytes().try_into().ok()?;
        if !digits.iter().fold(true, |all, digit| all & digit.is_ascii_hexdigit()) {
            return None;
        }
        let values = digits.map(|digit| (digit & 15) + 9 * (digit >> 6));
        let mut spelling = Spelling::NOBODY;
        for (byte, [high, low]) in spelling.id.0.iter_mut().zip(values.as_chunks::<2>().0) {
            *byte = high << 4 | low;
        }
        if digits.iter().fold(false, |any, digit| any | digit.is_ascii_uppercase()) {
            for (i, digit) in digits.iter().enumerate() {
                spelling.upper[i / 8] |= u8::from(digit.is_ascii_uppercase()) << (i % 8);
            }
        }
        Some(spelling)
    }

    /// The id without its case.
    #[must_use]
    pub fn id(&self) -> &PeerId {
        &self.id
    }

    /// In 25 bytes: the id, then the case of its digits.
    pub(crate) fn packed(&self) -> [u8; 25] {
        let mut packed = [0; 25];
        packed[..20].copy_from_slice(&self.id.0);
        packed[20..].copy_from_slice(&self.upper);
        packed
    }

    /// What was [packed](Spelling::packed); the case of a digit that has none is ignored.
    pub(crate) fn unpack(packed: [u8; 25]) -> Spelling {
        let mut spelling = Spelling::NOBODY;
        spelling.id.0.copy_from_slice(&packed[..20]);
        let digits = spelling.digits();
        for (i, digit) in digits.iter().enumerate() {
            let is_upper = digit.is_ascii_alphabetic() && packed[20 + i / 8] >> (i % 8) & 1 > 0;
            spelling.upper[i / 8] |= u8::from(is_upper) << (i % 8);
        }
        spelling
    }

    /// The 40 digits as their owner wrote them.
    #[must_use]
    pub fn digits(&self) -> [u8; Self::DIGITS] {
        let mut digits = [0; Self::DIGITS];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.id.0) {
            *pair = PAIRS[usize::from(byte)];
        }
        if self.upper != [0; 5] {
            for (i, digit) in digits.iter_mut().enumerate() {
                // Digits 0 to 9 never have this bit set in `upper`.
                *digit &= !((self.upper[i / 8] >> (i % 8) & 1) << 5);
            }
        }
        digits
    }
}

/// A text that is no peer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsePeerIdError(());

impl fmt::Display for ParsePeerIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a peer id has exactly 40 hex digits")
    }
}

impl Error for ParsePeerIdError {}

impl FromStr for Spelling {
    type Err = ParsePeerIdError;

    fn from_str(text: &str) -> Result<Spelling, ParsePeerIdError> {
        Spelling::parse(text).ok_or(ParsePeerIdError(()))
    }
}

/// The two digits of each byte.
static PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
    }
}

impl fmt::Debug for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_id_comes_back_in_the_spelling_of_its_owner() {
        for text in [
            "0123456789abcdefABCDEF0123456789abcdefAB",
            "ffffffffffffffffffffffffffffffffffffffff",
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        ] {
            let spelling = Spelling::parse(text).unwrap();
            assert_eq!(spelling.to_string(), text);
            assert_eq!((text.parse(), text.parse()), (Ok(spelling), Ok(*spelling.id())));
            assert_eq!(spelling.id().to_string(), text.to_ascii_lowercase());
        }
    }

    #[test]
    fn the_case_of_an_id_does_not_matter_when_comparing() {
        let lower = Spelling::parse("abcdefabcdefabcdefabcdefabcdefabcdefabcd").unwrap();
        let upper = Spelling::parse("ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD").unwrap();
        assert_eq!(lower.id(), upper.id());
        assert_ne!(lower, upper);
    }

    #[test]
    fn ids_are_in_the_order_of_their_bytes() {
        for at in 0..20 {
            let (mut low, mut high) = ([7; 20], [7; 20]);
            (low[at], high[at]) = (1, 200);
            low[at + 1..].fill(255);
            high[at + 1..].fill(0);
            assert!(PeerId(low) < PeerId(high), "byte {at}");
            assert_eq!(PeerId(high).cmp(&PeerId(low)), high.cmp(&low));
            assert_eq!(PeerId(low).partial_cmp(&PeerId(low)), Some(Ordering::Equal));
        }
    }

    #[test]
    fn the_distance_of_two_ids_has_the_bits_in_which_they_differ() {
        let (one, two) = (PeerId([0b1100; 20]), PeerId([0b1010; 20]));
        assert_eq!((one.distance(&two), one.distance(&one)), ([0b0110; 20], [0; 20]));
    }

    #[test]
    fn anything_but_forty_hex_digits_is_no_id() {
        for text in
            ["", "abc", "g123456789abcdefabcdef0123456789abcdefab", "ä23456789abcdefabcdef0123456789abcdefab"]
        {
            assert_eq!(Spelling::parse(text), None, "{text}");
            assert_eq!(
                text.parse::<PeerId>().unwrap_err().to_string(),
                "a peer id has exactly 40 hex digits"
            );
        }
        assert_eq!(Spelling::parse(&"a".repeat(39)), None);
        assert_eq!(Spelling::parse(&"a".repeat(41)), None);
    }
}
