//! Two rankings made one by reciprocal rank: what is high in both comes first, whatever their scores mean.

use std::collections::BTreeMap;

/// How little the first ranks stand out. 60 is what the method's authors found good, and what everybody uses.
const K: f64 = 60.0;

/// The items of all rankings, each once, the best first, with its score: the sum of `1 / (60 + rank)` over the rankings
/// that have it, ranks from 1. Of two with one score the smaller key comes first, so that the same rankings always give the
/// same order.
pub fn fuse<T, K: Ord>(rankings: impl IntoIterator<Item = Vec<T>>, key: impl Fn(&T) -> K) -> Vec<(T, f64)> {
    let mut found: BTreeMap<K, (T, f64)> = BTreeMap::new();
    for ranking in rankings {
        for (item, rank) in ranking.into_iter().zip(1_u32..) {
            let score = 1.0 / (self::K + f64::from(rank));
            found.entry(key(&item)).and_modify(|(_, sum)| *sum += score).or_insert((item, score));
        }
    }
    // In the order of their keys until here, and the sort keeps it among equals.
    let mut found: Vec<(T, f64)> = found.into_values().collect();
    found.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fused(rankings: [&str; 2]) -> String {
        let letters = |ranking: &str| ranking.chars().collect::<Vec<_>>();
        fuse(rankings.map(letters), |letter| *letter).into_iter().map(|(letter, _)| letter).collect()
    }

    #[test]
    fn what_is_in_both_comes_before_what_is_first_in_one() {
        assert_eq!(fused(["abc", "xyc"]), "caxby");
        assert_eq!(fused(["ab", ""]), "ab");
        assert_eq!(fused(["", ""]), "");
    }

    #[test]
    fn ties_are_broken_in_the_same_way_whatever_the_order_of_the_rankings() {
        assert_eq!(fused(["ba", "ab"]), "ab");
        assert_eq!(fused(["xy", "ab"]), fused(["ab", "xy"]));
    }

    #[test]
    fn scores_are_sums_of_reciprocal_ranks() {
        let scores: Vec<f64> = fuse([vec!['a', 'b'], vec!['b']], |c| *c).into_iter().map(|(_, score)| score).collect();
        assert_eq!(scores, [1.0 / 62.0 + 1.0 / 61.0, 1.0 / 61.0]);
    }
}
