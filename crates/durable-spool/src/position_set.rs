//! A set of positions, stored as ranges.

use std::collections::BTreeMap;

/// A set of positions. Adjacent ranges are merged, so that consecutive positions take no extra memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PositionSet(BTreeMap<u64, u64>);

impl PositionSet {
    /// The positions from `first` through `last`.
    pub(crate) fn from_range(first: u64, last: u64) -> Self {
        let mut ranges = Self::default();
        ranges.insert(first, last);
        ranges
    }

    /// Adds all positions from `first` through `last`.
    pub(crate) fn insert(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        // Walk backward from the last range that begins early enough to touch.
        while let Some((&start, &end)) = self.0.range(..=last.saturating_add(1)).next_back() {
            if end < first.saturating_sub(1) {
                break;
            }
            self.0.remove(&start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.0.insert(first, last);
    }

    pub(crate) fn contains(&self, position: u64) -> bool {
        self.0.range(..=position).next_back().is_some_and(|(_, last)| *last >= position)
    }

    /// The positions from `first` through `last` that are not in this set.
    pub(crate) fn missing_between(&self, first: u64, last: u64) -> PositionSet {
        let mut missing = PositionSet::default();
        let mut next = first;
        let before = self.0.range(..first).next_back();
        for (&start, &end) in before.into_iter().chain(self.0.range(first..=last.max(first))) {
            if start > next {
                missing.insert(next, start.saturating_sub(1).min(last));
            }
            next = next.max(end.saturating_add(1));
        }
        if next > first || !self.contains(first) {
            missing.insert(next, last);
        }
        missing
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges in ascending order, each as its first and last position.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn position_set_agrees_with_a_plain_set(inserted: Vec<(u8, u8)>, first: u8, last: u8) {
            let (mut ranges, mut set) = (PositionSet::default(), BTreeSet::new());
            for (first, last) in inserted {
                ranges.insert(first.into(), last.into());
                set.extend(u64::from(first)..=u64::from(last));
            }
            for position in 0..=300 {
                prop_assert_eq!(ranges.contains(position), set.contains(&position));
            }
            let missing: Vec<u64> = ranges.missing_between(first.into(), last.into()).iter().flat_map(|(a, b)| a..=b).collect();
            let expected: Vec<u64> = (u64::from(first)..=u64::from(last)).filter(|position| !set.contains(position)).collect();
            prop_assert_eq!(missing, expected);
            let bounds: Vec<(u64, u64)> = ranges.iter().collect();
            prop_assert!(bounds.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?} are not merged", bounds);
        }
    }
}
