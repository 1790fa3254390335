//! Names for connections and peers.

use core::fmt;

/// One accepted socket. The driver counts them up and never uses a number again while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Who is behind a connection: 160 bits, 40 hex digits on the wire.
///
/// Compared as bytes, so two spellings of one id are one peer.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// The XOR distance to `other`, big-endian: comparing two of them compares the distances.
    #[must_use]
    pub fn distance(&self, other: &PeerId) -> [u8; 20] {
        core::array::from_fn(|i| self.0[i] ^ other.0[i])
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
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Spelling {
    id: PeerId,
    /// Bit 0 of byte 0 is the first digit; set means upper case.
    upper: [u8; 5],
}

impl Spelling {
    /// Digits of an id on the wire.
    pub const DIGITS: usize = 40;

    /// Reads exactly 40 hex digits in either case; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Spelling> {
        let digits: &[u8; Self::DIGITS] = text.as_bytes().try_into().ok()?;
        let mut spelling = Spelling { id: PeerId::default(), upper: [0; 5] };
        for (i, digit) in digits.iter().enumerate() {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                b'A'..=b'F' => {
                    spelling.upper[i / 8] |= 1 << (i % 8);
                    digit - b'A' + 10
                }
                _ => return None,
            };
            spelling.id.0[i / 2] |= value << (4 * (1 - i % 2));
        }
        Some(spelling)
    }

    /// The id without its case.
    #[must_use]
    pub fn id(&self) -> &PeerId {
        &self.id
    }

    /// The 40 digits as their owner wrote them.
    #[must_use]
    pub fn digits(&self) -> [u8; Self::DIGITS] {
        core::array::from_fn(|i| {
            let value = self.id.0[i / 2] >> (4 * (1 - i % 2)) & 15;
            let letter = if self.upper[i / 8] >> (i % 8) & 1 == 1 { b'A' } else { b'a' };
            if value < 10 { b'0' + value } else { letter + value - 10 }
        })
    }
}

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
    fn anything_but_forty_hex_digits_is_no_id() {
        for text in
            ["", "abc", "g123456789abcdefabcdef0123456789abcdefab", "ä23456789abcdefabcdef0123456789abcdefab"]
        {
            assert_eq!(Spelling::parse(text), None, "{text}");
        }
        assert_eq!(Spelling::parse(&"a".repeat(39)), None);
        assert_eq!(Spelling::parse(&"a".repeat(41)), None);
    }
}
