//! Appending groups of records within the limits.

use std::time::{Instant, SystemTime};

use crate::{
    disk::Disk, entry::SpoolTable, error::AppendError, frame, record_group::RecordGroup, store_error::StoreError,
    supervisor::StoreSupervisor,
};

impl<D: Disk> StoreSupervisor<D> {
    /// Stores the groups with one sync. Each group is stored completely or not at all.
    pub(crate) fn append(&mut self, groups: &[RecordGroup]) -> Vec<Result<(), AppendError>> {
        let results = match self.attempt(|_| Ok(())) {
            Ok(()) => {
                let admitted = self.admit(groups);
                self.store_admitted(groups, admitted)
            }
            Err(error) => vec![Err(append_error(&error)); groups.len()],
        };
        self.update_status();
        results
    }

    /// Decides which groups fit within the limits.
    fn admit(&mut self, groups: &[RecordGroup]) -> Vec<Result<(), AppendError>> {
        let mut available = self.available();
        groups
            .iter()
            .map(|group| {
                let size = group.records.iter().map(|record| frame::framed_len(record)).sum();
                if size > available || group.records.iter().any(|record| record.len() > frame::MAX_RECORD_LEN) {
                    self.remember_rejected(size);
                    return Err(AppendError::Full);
                }
                available -= size;
                Ok(())
            })
            .collect()
    }

    fn store_admitted(
        &mut self,
        groups: &[RecordGroup],
        mut results: Vec<Result<(), AppendError>>,
    ) -> Vec<Result<(), AppendError>> {
        let admitted = groups.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(group, _)| group);
        let records: Vec<(SpoolTable, &[u8])> = admitted.flat_map(RecordGroup::rows).collect();
        if records.is_empty() {
            return results;
        }
        let started = Instant::now();
        let stored = self.store_records(&records);
        self.status.observer().group_synced(started.elapsed());
        if let Err(error) = stored {
            if error.is_out_of_space() {
                self.remember_rejected(records.iter().map(|(_, record)| frame::framed_len(record)).sum());
            }
            let failed = results.iter_mut().filter(|result| result.is_ok());
            failed.for_each(|result| *result = Err(append_error(&error)));
        }
        results
    }

    fn store_records(&mut self, records: &[(SpoolTable, &[u8])]) -> Result<(), StoreError> {
        let count = frame::to_u64(records.len());
        let end = self.contents.next.saturating_add(count);
        self.tombstones.reserve(&self.disk, end).map_err(StoreError::Io)?;
        let (floor, now) = (self.contents.next, SystemTime::now());
        let stored = self.change(|store| store.append(records, now, floor));
        if stored.is_err() {
            // The records may be in the file, so later ones must not use their positions.
            self.contents.next = self.contents.next.max(end);
        }
        stored
    }
}

fn append_error(error: &StoreError) -> AppendError {
    if error.is_out_of_space() { AppendError::Full } else { AppendError::Failed }
}
