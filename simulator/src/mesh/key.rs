//! How pages are told apart: by the first 64 bits of their ids.

use peerpigeon_core::PeerId;

/// The number of one page that lived in a run; never used again.
pub(super) type Number = u32;

/// The first 64 bits of a page's id: 40 random ones, then the page's number. They tell it apart, and give its place
/// in the order of ids and its XOR distance as well as the whole id would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u64);

const NUMBER_BITS: u32 = 24;

/// Pages that can live in one run.
pub(super) const MOST_PAGES: Number = 1 << NUMBER_BITS;

/// The digits of an id that its key stands for.
const DIGITS: usize = 16;

impl Key {
    /// The key of page `number`, which is below [`MOST_PAGES`].
    pub(super) fn new(number: Number, random: u64) -> Key {
        debug_assert!(number < MOST_PAGES, "too many pages for one run");
        Key(random << NUMBER_BITS | u64::from(number % MOST_PAGES))
    }

    pub(super) fn number(self) -> Number {
        Number::try_from(self.0 % u64::from(MOST_PAGES)).unwrap_or_default()
    }

    /// As a place in a list of all pages.
    pub(super) fn index(self) -> usize {
        self.number() as usize
    }

    pub(super) fn distance(self, other: Key) -> u64 {
        self.0 ^ other.0
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// Whether bit `place`, counted from the least one, is set.
    pub(super) fn bit(self, place: u32) -> u64 {
        self.0 >> place & 1
    }

    /// The whole id: what follows the key is made of it.
    pub(super) fn id(self) -> PeerId {
        let rest = u128::from(self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes();
        let mut id = [0; 20];
        id[..8].copy_from_slice(&self.0.to_be_bytes());
        id[8..].copy_from_slice(&rest[..12]);
        PeerId(id)
    }

    /// The key of the page whose id stands at the start of `digits`.
    pub(super) fn in_digits(digits: &str) -> Option<Key> {
        u64::from_str_radix(digits.get(..DIGITS)?, 16).ok().map(Key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_the_id_that_it_makes_and_the_number_in_the_key() {
        for number in [0, 1, 77_777, MOST_PAGES - 1] {
            let key = Key::new(number, 0x0123_4567_89ab_cdef);
            assert_eq!(key.number(), number);
            assert_eq!(Key::in_digits(&key.id().to_string()), Some(key));
        }
        assert_eq!(Key::in_digits("too short"), None);
    }

    #[test]
    fn keys_are_ordered_and_apart_as_their_ids_are() {
        let keys: Vec<Key> = (0..50).map(|n| Key::new(n, u64::from(n) * 0x9E37_79B9_7F4A)).collect();
        for (one, two) in keys.iter().zip(&keys[1..]) {
            assert_eq!(one < two, one.id().to_string() < two.id().to_string());
            let apart = |key: &Key| (keys[0].distance(*key), keys[0].id().distance(&key.id()));
            let ((near, full), (far, whole)) = (apart(one), apart(two));
            assert_eq!(near < far, full < whole);
        }
    }
}
