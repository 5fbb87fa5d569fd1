//! The bytes of a file on a disk that forgets.

use std::collections::BTreeSet;

use super::{MAGIC_TEXT, PAGE, Random, SECTOR};

#[derive(Debug, Default)]
pub(super) struct Image {
    /// What readers see.
    pub(super) cache: Vec<u8>,
    /// What survives.
    pub(super) platter: Vec<u8>,
    /// Sectors in which the two may differ.
    dirty: BTreeSet<usize>,
}

impl Image {
    pub(super) fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if self.cache.len() < end {
            resize(&mut self.cache, end);
        }
        self.cache[offset..end].copy_from_slice(data);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }

    pub(super) fn set_len(&mut self, length: usize) {
        self.dirty.extend(length / SECTOR..self.cache.len().div_ceil(SECTOR));
        resize(&mut self.cache, length);
    }

    pub(super) fn sync(&mut self) {
        self.reach_platter(|_| true);
    }

    /// Some of what was written reaches the platter.
    fn reach_platter(&mut self, mut survives: impl FnMut(usize) -> bool) {
        if self.platter.len() != self.cache.len() && survives(0) {
            resize(&mut self.platter, self.cache.len());
        }
        for sector in std::mem::take(&mut self.dirty) {
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(self.cache.len());
            if start < end && survives(sector) {
                if self.platter.len() < end {
                    resize(&mut self.platter, end);
                }
                self.platter[start..end].copy_from_slice(&self.cache[start..end]);
            }
        }
    }

    pub(super) fn tear(&mut self, random: &mut Random) {
        match random.below(4) {
            0 => self.reach_platter(|_| false),
            1 => self.reach_platter(|_| true),
            2 => {
                let mut left = random.below(self.dirty.len() + 1);
                self.reach_platter(|_| {
                    left = left.saturating_sub(1);
                    left > 0
                });
            }
            _ => self.reach_platter(|_| random.one_in(2)),
        }
    }

    /// Flips a bit in a page with records, names or numbers, or in the store's head. Damage in the store's account of
    /// free pages is left out: it may end the process, which a test of its own covers.
    pub(super) fn flip(&mut self, random: &mut Random) {
        let pages = self.cache.chunks(PAGE).enumerate().filter(|(_, page)| **page != [0; PAGE]);
        let targets = pages.filter(|(number, page)| {
            let text = String::from_utf8_lossy(page);
            *number == 0 || [MAGIC_TEXT, "queue", "numbers"].iter().any(|part| text.contains(part))
        });
        let targets: Vec<usize> = targets.map(|(number, _)| number).collect();
        let place = targets[random.below(targets.len())] * PAGE + random.below(PAGE);
        let bit = 1 << random.below(8);
        for image in [&mut self.cache, &mut self.platter] {
            if let Some(byte) = image.get_mut(place) {
                *byte ^= bit;
            }
        }
    }
}

/// As [`Vec::resize`] with zeros, which takes its time without optimisation.
fn resize(bytes: &mut Vec<u8>, length: usize) {
    bytes.truncate(length);
    let missing = vec![0; length - bytes.len()];
    if bytes.is_empty() { *bytes = missing } else { bytes.extend_from_slice(&missing) }
}
