//! From a key to a slot: hash tables that hold nothing but slots.
//!
//! The key of a slot is in what the slot holds, so it is not kept a second time. Peers choose their ids, and could
//! choose many that fall into one place of a table whose hash function they know; so that function depends on a
//! secret of the driver.

use hashbrown::HashTable;

use crate::peers::PeerSlot;
use crate::{ConnId, PeerId};

/// A family of hash functions of which nobody outside knows the member in use. Two ids that somebody chose without
/// knowing it collide with a probability of 2^-32, whatever they are (multilinear hashing: Lemire and Kaser,
/// "Strongly universal string hashing is fast", 2014).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashing {
    factors: [u64; 5],
    addend: u64,
}

impl Hashing {
    /// The member that belongs to `key`.
    pub(crate) fn new(key: u64) -> Hashing {
        let mut state = key;
        Hashing { factors: [(); 5].map(|()| split_mix(&mut state)), addend: split_mix(&mut state) }
    }

    pub(crate) fn peer(&self, id: &PeerId) -> u64 {
        let words = id.0.as_chunks::<4>().0.iter().map(|word| u64::from(u32::from_le_bytes(*word)));
        let sum = words
            .zip(self.factors)
            .fold(self.addend, |sum, (word, factor)| sum.wrapping_add(word.wrapping_mul(factor)));
        spread(sum >> 32)
    }

    /// Connection ids are the driver's and count up.
    pub(crate) fn conn(conn: ConnId) -> u64 {
        spread(conn.0.wrapping_mul(GOLDEN) >> 32)
    }
}

/// Slots by the hash of a key.
#[derive(Debug, Default)]
pub(crate) struct Index(HashTable<PeerSlot>);

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The slot with that hash whose content `is_it`.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(PeerSlot) -> bool) -> Option<PeerSlot> {
        self.0.find(hash, |slot| is_it(*slot)).copied()
    }

    /// Adds a slot whose key is not there yet; `rehash` tells the hash of a slot.
    pub(crate) fn insert(&mut self, hash: u64, slot: PeerSlot, rehash: impl Fn(PeerSlot) -> u64) {
        self.0.insert_unique(hash, slot, |slot| rehash(*slot));
    }

    pub(crate) fn remove(&mut self, hash: u64, slot: PeerSlot) {
        let entry = self.0.find_entry(hash, |found| *found == slot);
        debug_assert!(entry.is_ok(), "{slot:?} is not in the index");
        if let Ok(entry) = entry {
            entry.remove();
        }
    }
}

/// 2^64 divided by the golden ratio (Knuth, multiplicative hashing).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// 32 bits, for a table that looks at the lowest and the highest bits of 64.
fn spread(bits: u64) -> u64 {
    bits << 32 | bits
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(GOLDEN);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    /// How many different values the lowest twelve and the highest seven bits have: what a table looks at.
    fn places_and_tags(hashes: impl Iterator<Item = u64>) -> (usize, usize) {
        let hashes: Vec<u64> = hashes.collect();
        let count = |part: fn(&u64) -> u64| hashes.iter().map(part).collect::<BTreeSet<_>>().len();
        (count(|hash| hash & 0xFFF), count(|hash| hash >> 57))
    }

    #[test]
    fn the_generator_is_that_of_its_authors() {
        let mut state = 1_234_567;
        let numbers = [(); 3].map(|()| split_mix(&mut state));
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn connections_that_count_up_are_spread_over_the_table() {
        let (places, tags) = places_and_tags((0..4096).map(|conn| Hashing::conn(ConnId(conn))));
        assert!(places > 2_400 && tags == 128, "{places} of 4096 places, {tags} of 128 tags");
    }

    #[test]
    fn ids_whose_owners_do_not_know_the_key_are_spread_over_the_table_by_every_word() {
        for (key, word) in (0..4).flat_map(|key| (0..5).map(move |word| (key, word))) {
            let hashing = Hashing::new(key);
            let id = |number: u32| {
                let mut id = [0xA5; 20];
                id[4 * word..4 * word + 4].copy_from_slice(&number.to_le_bytes());
                PeerId(id)
            };
            let mut state = 0;
            let numbers = (0..4096).map(|_| (split_mix(&mut state) >> 32) as u32);
            let (places, tags) = places_and_tags(numbers.map(|number| hashing.peer(&id(number))));
            assert!(places > 2_400 && tags == 128, "key {key}: {places} of 4096 places, {tags} of 128 tags");
        }
    }

    #[test]
    fn another_key_is_another_function() {
        let hashes: BTreeSet<u64> = (0..1_000).map(|key| Hashing::new(key).peer(&PeerId([7; 20]))).collect();
        assert!(hashes.len() > 990);
    }
}
