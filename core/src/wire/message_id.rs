//! Ids of messages: numbers that say nothing about how many others there are.

use core::fmt;

use crate::UnixMillis;
use crate::peers::index::split_mix;

/// Number of a message; never used again while the process lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MessageId(pub(crate) u64);

/// How numbers of messages are spelled for peers.
///
/// A plain number would tell everybody how much the server has to do. It is encrypted, so no two are spelled alike, and
/// the start of the process stands before it: no later process uses one again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Naming {
    start: UnixMillis,
    key: [u32; 4],
}

impl Naming {
    /// `secret` is what peers cannot guess.
    pub(crate) fn new(start: UnixMillis, secret: u64) -> Naming {
        // Other numbers than the hash functions of the indexes are made of.
        let mut state = !secret;
        Naming { start, key: [(); 4].map(|()| halves(split_mix(&mut state)).0) }
    }

    pub(crate) fn name(&self, id: MessageId) -> Name {
        Name { start: self.start, number: self.number(id) }
    }

    pub(crate) fn signal(&self, name: SignalName) -> Name {
        match name {
            SignalName::Ours(id) => self.name(id),
            SignalName::Others(name) => name,
        }
    }

    /// The part of the name that differs between two messages of one process.
    pub(crate) fn number(&self, id: MessageId) -> u64 {
        encrypt(self.key, id.0)
    }
}

/// A message as peers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    start: UnixMillis,
    number: u64,
}

impl Name {
    /// In two numbers.
    pub(crate) fn parts(self) -> (u64, u64) {
        (self.start.0, self.number)
    }

    /// What was in [two numbers](Name::parts).
    pub(crate) fn from_parts(start: u64, number: u64) -> Name {
        Name { start: UnixMillis(start), number }
    }

    /// The name of a message of any process, as it was written.
    pub(crate) fn parse(text: &str) -> Option<Name> {
        let (start, number) = text.split_once('-')?;
        let [start, number] = [start, number].map(|digits| u64::from_str_radix(digits, 16).ok());
        Some(Name { start: UnixMillis(start?), number: number? })
    }
}

/// What a signal is called: after its number here, or as another process has named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalName {
    Ours(MessageId),
    Others(Name),
}

impl From<MessageId> for SignalName {
    fn from(id: MessageId) -> SignalName {
        SignalName::Ours(id)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:016x}", self.start.0, self.number)
    }
}

/// Speck64/128: a block of 64 bits under a key of 128 (Beaulieu and others, "The Simon and Speck families of lightweight
/// block ciphers", 2013, section 4). The keys of the rounds are made on the way, since few messages need them.
fn encrypt([mut round_key, mut first, mut second, mut third]: [u32; 4], block: u64) -> u64 {
    const ROUNDS: u32 = 27;
    let round = |x: u32, y: u32, key: u32| {
        let x = x.rotate_right(8).wrapping_add(y) ^ key;
        (x, y.rotate_left(3) ^ x)
    };
    let (mut x, mut y) = halves(block);
    for number in 0..ROUNDS {
        (x, y) = round(x, y, round_key);
        let (next, next_key) = round(first, round_key, number);
        (first, second, third, round_key) = (second, third, next, next_key);
    }
    u64::from(x) << 32 | u64::from(y)
}

#[expect(clippy::cast_possible_truncation, reason = "each takes its half")]
fn halves(whole: u64) -> (u32, u32) {
    ((whole >> 32) as u32, whole as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    #[test]
    fn the_cipher_is_the_published_one() {
        // The test vector of the paper, appendix C.
        let key = [0x0302_0100, 0x0b0a_0908, 0x1312_1110, 0x1b1a_1918];
        assert_eq!(encrypt(key, 0x3b72_6574_7475_432d), 0x8c6f_a548_454e_028b);
    }

    #[test]
    fn no_two_messages_are_spelled_alike_and_all_are_of_one_length() {
        let naming = Naming::new(UnixMillis(0x1234), 7);
        let names: BTreeSet<_> =
            (0..10_000).map(|number| naming.name(MessageId(number)).to_string()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| name.starts_with("1234-") && name.len() == 5 + 16));
    }

    #[test]
    fn the_numbers_of_two_messages_do_not_show_how_many_came_between() {
        let number = |secret: u64, id: u64| Naming::new(UnixMillis(0), secret).name(MessageId(id)).number;
        for id in 0..1_000 {
            let distances: BTreeSet<u64> =
                (0..4).map(|secret| number(secret, id + 1).wrapping_sub(number(secret, id))).collect();
            assert_eq!(distances.len(), 4, "{id}");
            assert!(
                distances.iter().all(|distance| (1 << 32..u64::MAX - (1 << 32)).contains(distance)),
                "{id}"
            );
        }
    }
}
