//! The ids of the slots, and the names of the networks.

use peerpigeon_core::Spelling;

use crate::random::Random;
use crate::scenario::{IdPool, Knobs};

/// The id of each slot, in its own spelling.
pub(super) fn ids(seed: u64, knobs: &Knobs) -> Vec<Spelling> {
    let mut base = Random::part(seed, u64::MAX);
    let common: [u8; 20] = core::array::from_fn(|_| byte(&mut base));
    (0..knobs.slots)
        .map(|slot| {
            let shared = match knobs.ids {
                IdPool::Few => slot % (knobs.slots / 3).max(1),
                IdPool::Sparse | IdPool::CommonPrefix | IdPool::Comb => slot,
            };
            let mut own = Random::part(seed, (1 << 40) + u64::from(shared));
            let id = match knobs.ids {
                IdPool::Sparse | IdPool::Few => core::array::from_fn(|_| byte(&mut own)),
                IdPool::CommonPrefix => ends_in(common, slot),
                IdPool::Comb => comb(common, slot),
            };
            spell(id, &mut Random::part(seed, (1 << 41) + u64::from(slot)))
        })
        .collect()
}

fn byte(random: &mut Random) -> u8 {
    u8::try_from(random.below(256)).unwrap_or(0)
}

fn ends_in(mut id: [u8; 20], slot: u32) -> [u8; 20] {
    id[16..].copy_from_slice(&slot.to_be_bytes());
    id
}

/// The common id with one bit turned over; past the 160th slot the last bits differ too.
fn comb(common: [u8; 20], slot: u32) -> [u8; 20] {
    let mut id = ends_in(common, slot / 160);
    let bit = slot % 160;
    id[(bit / 8) as usize] ^= 0x80 >> (bit % 8);
    id
}

/// Mostly lower case, as the real client writes ids; sometimes not.
fn spell(id: [u8; 20], random: &mut Random) -> Spelling {
    let mixed = random.chance(30);
    let mut digits = String::new();
    for byte in id {
        let pair = format!("{byte:02x}");
        let upper = mixed && random.chance(50);
        digits.push_str(&if upper { pair.to_ascii_uppercase() } else { pair });
    }
    Spelling::parse(&digits).unwrap_or_else(|| unreachable!("40 hex digits: {digits}"))
}

/// The name of a network: short enough for every limit that is drawn.
pub(super) fn network_name(number: u8) -> String {
    match number {
        0 => "global".to_owned(),
        1 => "room-1".to_owned(),
        2 => "räum2".to_owned(),
        3 => "a/b?c".to_owned(),
        4 => "🕊".to_owned(),
        _ => format!("n{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Level, Scenario};
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_distinct_but_where_they_are_to_collide() {
        for (pool, distinct) in
            [(IdPool::Sparse, 90), (IdPool::CommonPrefix, 90), (IdPool::Comb, 90), (IdPool::Few, 30)]
        {
            let knobs = Knobs { slots: 90, ids: pool, ..Scenario::draw(1, Level::Messages).knobs };
            let all: BTreeSet<_> = ids(1, &knobs).iter().map(|me| *me.id()).collect();
            assert_eq!(all.len(), distinct, "{pool:?}");
        }
    }
}
