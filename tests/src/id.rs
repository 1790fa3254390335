//! Peer ids for tests.

/// The id whose 40 digits are all `digit`.
///
/// # Panics
///
/// When that is no hex digit.
#[must_use]
pub fn of(digit: char) -> String {
    assert!(digit.is_ascii_hexdigit(), "{digit} is no hex digit");
    String::from(digit).repeat(40)
}

/// An id that looks random and is the same in every run: number `n` of a fixed series.
#[must_use]
pub fn number(n: usize) -> String {
    let mut random = Random(n as u64);
    let digits = format!("{:016x}{:016x}{:016x}", random.next(), random.next(), random.next());
    digits[..40].to_owned()
}

/// The upgrade target of dialect A for this peer.
#[must_use]
pub fn target(id: &str) -> String {
    format!("/?peerId={id}")
}

/// A small generator of numbers (SplitMix64): the same seed, the same series, on every machine.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next of 2^64 numbers.
    #[expect(clippy::should_implement_trait, reason = "a series without end needs no Option")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("smaller than a usize")
    }
}
