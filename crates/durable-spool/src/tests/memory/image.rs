//! The bytes of a file, with and without its unsynced writes.

use std::collections::BTreeSet;

use super::{MAGIC_TEXT, PAGE, Random, SECTOR};

#[derive(Debug, Default)]
pub(super) struct Image {
    /// The content that readers see.
    pub(super) cache: Vec<u8>,
    /// The content after a power failure.
    pub(super) durable: Vec<u8>,
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
        self.flush(|_| true);
    }

    /// Makes the dirty sectors for which `survives` is true durable, and forgets the others.
    fn flush(&mut self, mut survives: impl FnMut(usize) -> bool) {
        if self.durable.len() != self.cache.len() && survives(0) {
            resize(&mut self.durable, self.cache.len());
        }
        for sector in std::mem::take(&mut self.dirty) {
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(self.cache.len());
            if start < end && survives(sector) {
                if self.durable.len() < end {
                    resize(&mut self.durable, end);
                }
                self.durable[start..end].copy_from_slice(&self.cache[start..end]);
            }
        }
    }

    /// Makes a random part of the unsynced writes durable.
    pub(super) fn tear(&mut self, random: &mut Random) {
        match random.below(4) {
            0 => self.flush(|_| false),
            1 => self.flush(|_| true),
            2 => {
                let mut left = random.below(self.dirty.len() + 1);
                self.flush(|_| {
                    left = left.saturating_sub(1);
                    left > 0
                });
            }
            _ => self.flush(|_| random.one_in(2)),
        }
    }

    /// Flips a bit in a page with records, table names or metadata, or in the header of the store. Pages with the list of
    /// free pages are excluded: damage there may abort the process, which another test covers.
    pub(super) fn flip(&mut self, random: &mut Random) {
        let pages = self.cache.chunks(PAGE).enumerate().filter(|(_, page)| **page != [0; PAGE]);
        let targets = pages.filter(|(number, page)| {
            let text = String::from_utf8_lossy(page);
            *number == 0 || [MAGIC_TEXT, "queue", "numbers"].iter().any(|part| text.contains(part))
        });
        let targets: Vec<usize> = targets.map(|(number, _)| number).collect();
        let offset = targets[random.below(targets.len())] * PAGE + random.below(PAGE);
        let bit = 1 << random.below(8);
        for image in [&mut self.cache, &mut self.durable] {
            if let Some(byte) = image.get_mut(offset) {
                *byte ^= bit;
            }
        }
    }
}

/// Like [`Vec::resize`] with zeros, which is slow without optimization.
fn resize(bytes: &mut Vec<u8>, length: usize) {
    bytes.truncate(length);
    let missing = vec![0; length - bytes.len()];
    if bytes.is_empty() { *bytes = missing } else { bytes.extend_from_slice(&missing) }
}
