//! From a key to a slot: hash tables that hold nothing but slots.
//!
//! The key of a slot is in what the slot holds, so it is not kept a second time. Peers choose their ids, and could
//! choose many that fall into one place of a table whose hash function they know; so that function depends on a
//! secret of the driver.

use hashbrown::HashTable;

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
pub(crate) struct Index(HashTable<u32>);

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The slot with that hash whose content `is_it`.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.0.find(hash, |slot| is_it(*slot)).copied()
    }

    /// Adds a slot whose key is not there yet; `rehash` tells the hash of a slot.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32, rehash: impl Fn(u32) -> u64) {
        self.0.insert_unique(hash, slot, |slot| rehash(*slot));
    }

    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let entry = self.0.find_entry(hash, |found| *found == slot);
        debug_assert!(entry.is_ok(), "slot {slot} is not in the index");
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
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(GOLDEN);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
