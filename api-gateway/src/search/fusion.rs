//! Two rankings made one by reciprocal rank: what is high in both comes first, whatever their scores mean.
//!
//! Rankings are looked at in stages, each twice as deep as the one before, and a deeper stage only adds hits at the
//! end: so an early page costs little, and all pages are parts of one order.

use std::collections::{BTreeMap, BTreeSet};

/// How little the first ranks stand out. 60 is what the method's authors found good, and what everybody uses.
const RANK_OFFSET: f64 = 60.0;

/// How deep the first stage looks: a hit that is in the middle of both rankings belongs on the first page.
const FIRST_DEPTH: u32 = 100;
/// How deep the last stage looks: whole documents are fetched for both rankings.
pub const LAST_DEPTH: u32 = 2_000;

fn stages() -> impl Iterator<Item = u32> {
    std::iter::successors(Some(FIRST_DEPTH), |depth| (*depth < LAST_DEPTH).then(|| (depth * 2).min(LAST_DEPTH)))
}

/// How deep the rankings must be known for the first `hits` of the fused order.
pub fn depth_of(hits: u32) -> u32 {
    stages().find(|depth| *depth >= hits).unwrap_or(LAST_DEPTH)
}

/// The items of all rankings, each once, the best first, with its score: the sum of `1 / (60 + rank)` over the rankings
/// that have it, ranks from 1. An item of a later stage scores no higher than those before it. Of two with one score
/// the smaller comes first, so that the same rankings always give the same order.
pub fn fuse<Item: Ord>(rankings: [&[Item]; 2]) -> Vec<(&Item, f64)> {
    let mut order: Vec<(&Item, f64)> = Vec::new();
    let mut placed: BTreeSet<&Item> = BTreeSet::new();
    let longest = rankings.iter().map(|ranking| ranking.len()).max().unwrap_or_default();
    for depth in stages().filter_map(|depth| usize::try_from(depth).ok()) {
        let least = order.last().map_or(f64::INFINITY, |(_, score)| *score);
        for (item, score) in fuse_stage(rankings.map(|ranking| ranking.get(..depth).unwrap_or(ranking))) {
            if placed.insert(item) {
                order.push((item, score.min(least)));
            }
        }
        if depth >= longest {
            break;
        }
    }
    order
}

fn fuse_stage<Item: Ord>(rankings: [&[Item]; 2]) -> Vec<(&Item, f64)> {
    let mut found: BTreeMap<&Item, f64> = BTreeMap::new();
    for ranking in rankings {
        for (item, rank) in ranking.iter().zip(1_u32..) {
            *found.entry(item).or_default() += 1.0 / (RANK_OFFSET + f64::from(rank));
        }
    }
    // In the order of the items until here, and the sort keeps it among equals.
    let mut found: Vec<(&Item, f64)> = found.into_iter().collect();
    found.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fused(rankings: [&str; 2]) -> String {
        let [one, other] = rankings.map(|ranking| ranking.chars().collect::<Vec<_>>());
        fuse([&one, &other]).into_iter().map(|(letter, _)| *letter).collect()
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
        let scores: Vec<f64> = fuse([&['a', 'b'], &['b']]).into_iter().map(|(_, score)| score).collect();
        assert_eq!(scores, [1.0 / 62.0 + 1.0 / 61.0, 1.0 / 61.0]);
    }

    #[test]
    fn a_page_needs_the_depth_of_its_stage() {
        let depths = [1, 100, 101, 1_600, 1_601, 2_000, 11_000].map(depth_of);
        assert_eq!(depths, [100, 100, 200, 1_600, 2_000, 2_000, 2_000]);
    }

    /// 1 500 hits, a third of them in both rankings, and most of those at very different ranks.
    #[test]
    fn what_an_early_page_shows_is_the_beginning_of_the_whole_order() {
        let one: Vec<u32> = (0..1_000).collect();
        let other: Vec<u32> = (0..1_000_u32).map(|n| n * 7 % 1_000 + 500).collect();
        let known: BTreeMap<u32, Vec<(u32, f64)>> = stages()
            .map(|depth| {
                let length = usize::try_from(depth).unwrap();
                let [one, other] = [&one, &other].map(|ranking| ranking.get(..length).unwrap_or(ranking));
                (depth, fuse([one, other]).into_iter().map(|(item, score)| (*item, score)).collect())
            })
            .collect();
        let whole = &known[&LAST_DEPTH];
        assert_eq!(whole.len(), 1_500);
        assert!(whole.is_sorted_by(|(_, one), (_, next)| one >= next), "scores never grow");
        for hits in 1..LAST_DEPTH {
            let length = usize::try_from(hits).unwrap().min(whole.len());
            assert_eq!(known[&depth_of(hits)].get(..length), whole.get(..length), "the first {hits}");
        }
    }
}
