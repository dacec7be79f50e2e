//! Chance that can be repeated.

use system_tests::corpus::mixed;
use uuid::{Builder, Uuid};

/// Numbers that follow from a seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(mixed(seed))
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// One of 0 to `end` − 1.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// Whether it happens that happens once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// From 0 to 1, in hundredths.
    pub fn part(&mut self) -> f64 {
        f64::from(u32::try_from(self.below(100)).unwrap()) / 100.0
    }

    pub fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        let at = self.below(all.len().try_into().unwrap());
        all[usize::try_from(at).unwrap()].clone()
    }

    pub fn sync(&mut self) -> Uuid {
        let bits = (u128::from(self.number()) << 64) | u128::from(self.number());
        Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}
