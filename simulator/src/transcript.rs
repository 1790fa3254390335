//! One number for everything that happened in a run.

use std::fmt;

/// FNV-1a with 64 bits (Fowler, Noll and Vo), written out so that a pinned hash stays comparable for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transcript(u64);

impl Transcript {
    /// The hash of nothing.
    pub const EMPTY: Transcript = Transcript(0xcbf2_9ce4_8422_2325);

    /// Takes in `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Takes in one number.
    pub fn number(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    /// The hash so far.
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }
}

impl Default for Transcript {
    fn default() -> Transcript {
        Transcript::EMPTY
    }
}

/// Takes in formatted text without building it.
impl fmt::Write for Transcript {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// 16 hex digits.
impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_its_inventors() {
        let hash = |text: &str| {
            let mut transcript = Transcript::EMPTY;
            transcript.bytes(text.as_bytes());
            transcript.to_string()
        };
        assert_eq!(hash(""), "cbf29ce484222325");
        assert_eq!(hash("a"), "af63dc4c8601ec8c");
        assert_eq!(hash("foobar"), "85944171f73967e8");
    }
}
