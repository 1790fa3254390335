//! The pinned generator: the same seed gives the same numbers for ever, on every machine.

/// xoshiro256** (Blackman and Vigna 2018), its state filled by SplitMix64 from one number.
///
/// Written out, since a saved seed must mean the same run after every update of every library.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The generator that `seed` stands for.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        let mut mixer = seed;
        Random { state: core::array::from_fn(|_| split_mix(&mut mixer)) }
    }

    /// An independent generator for part number `part` of what `seed` stands for, so that one part drawing
    /// more does not move the others.
    #[must_use]
    pub fn part(seed: u64, part: u64) -> Random {
        let mut mixer = part;
        Random::new(seed ^ split_mix(&mut mixer))
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number below `bound`, or 0 where `bound` is 0. The bias of the multiplication is below 2⁻³² for all
    /// bounds used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(u64::MAX)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        assert!(!choices.is_empty(), "nothing to pick from");
        &choices[self.index(choices.len())]
    }

    /// An index below `len`, or 0 where `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or(0)
    }

    /// The index of one of `weights`, each as likely as it is heavy; `None` when all are 0.
    pub fn weighted(&mut self, weights: &[u32]) -> Option<usize> {
        let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        let mut left = self.below(total);
        weights.iter().position(|&weight| {
            let weight = u64::from(weight);
            let hit = left < weight;
            left = left.saturating_sub(weight);
            hit
        })
    }

    /// A life time in ms with mean `mean`, exponentially distributed and cut at 20 means.
    ///
    /// Computed in integers by von Neumann's method, so that no machine's floating point logarithm moves a run.
    pub fn exponential(&mut self, mean: u64) -> u64 {
        for whole in 0..20 {
            let first = self.bits();
            let mut last = first;
            let mut falling = 1_u32;
            loop {
                let next = self.bits();
                if next >= last {
                    break;
                }
                last = next;
                falling += 1;
            }
            if falling % 2 == 1 {
                let part = u64::try_from((u128::from(first) * u128::from(mean)) >> 64).unwrap_or(mean);
                return mean.saturating_mul(whole).saturating_add(part);
            }
        }
        mean.saturating_mul(20)
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generators_give_the_numbers_of_their_inventors() {
        let mut random = Random { state: [1, 2, 3, 4] };
        let first: Vec<u64> = (0..4).map(|_| random.bits()).collect();
        assert_eq!(first, [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
        let mut mixer = 1_234_567;
        assert_eq!(split_mix(&mut mixer), 6_457_827_717_110_365_317);
        assert_eq!(split_mix(&mut mixer), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_within_their_bounds_and_reach_both_ends() {
        let mut random = Random::new(7);
        let drawn: Vec<u64> = (0..1000).map(|_| random.between(3, 6)).collect();
        assert_eq!(drawn.iter().min(), Some(&3));
        assert_eq!(drawn.iter().max(), Some(&6));
        assert_eq!(random.below(0), 0);
        assert_eq!(random.weighted(&[0, 0]), None);
        assert!((0..100).all(|_| random.weighted(&[0, 5, 0]) == Some(1)));
    }

    #[test]
    fn life_times_have_the_asked_mean_and_the_exponential_share_above_it() {
        let mut random = Random::new(1);
        let drawn: Vec<u64> = (0..20_000).map(|_| random.exponential(1_000)).collect();
        let mean = drawn.iter().sum::<u64>() / 20_000;
        let above = drawn.iter().filter(|&&life| life > 1_000).count();
        assert!((970..=1_030).contains(&mean), "mean {mean}");
        assert!((7_000..=7_700).contains(&above), "{above} of 20000 above the mean, 1/e is 7358");
    }

    #[test]
    fn parts_of_one_seed_are_independent_of_each_other() {
        assert_ne!(Random::part(1, 0).bits(), Random::part(1, 1).bits());
        assert_eq!(Random::part(1, 5).bits(), Random::part(1, 5).bits());
    }
}
