//! How many quarantined stores are kept.

use tracing::{error, info, warn};

use crate::{
    disk::{Disk, QuarantinedStore, SalvageState},
    limits::SpoolLimits,
};

/// Maximum number of quarantined stores that are kept.
const MAX_QUARANTINED: usize = 8;

/// Removes quarantined stores when there are too many or the disk is short of space, completely salvaged ones first.
pub(crate) fn limit_quarantined(disk: &impl Disk, limits: &SpoolLimits) {
    let Ok(mut stores) = disk.list_quarantined() else { return };
    while let Some(index) = next_to_remove(disk, limits, &stores) {
        let QuarantinedStore { name, salvage, .. } = stores.remove(index);
        match (disk.remove_quarantined(&name), salvage) {
            (Err(error), _) => return warn!(file = name, %error, "cannot remove a quarantined store"),
            (Ok(()), SalvageState::Complete) => {
                info!(file = name, "removed a quarantined store that was salvaged completely");
            }
            (Ok(()), SalvageState::Partial | SalvageState::Pending) => error!(
                file = name,
                "removed a quarantined store that was not salvaged completely, because there are too many"
            ),
        }
    }
}

/// The index of the store to remove next. The newest is kept unless it was salvaged completely.
fn next_to_remove(disk: &impl Disk, limits: &SpoolLimits, stores: &[QuarantinedStore]) -> Option<usize> {
    let bytes = stores.iter().fold(0_u64, |sum, store| sum.saturating_add(store.bytes));
    let too_many = stores.len() > MAX_QUARANTINED || bytes > limits.max_bytes.saturating_mul(2);
    let short_of_space = disk.free_bytes().is_ok_and(|free| free < limits.min_free_bytes);
    let newest = stores.len().saturating_sub(1);
    let is_removable = |(index, store): &(usize, &QuarantinedStore)| match store.salvage {
        SalvageState::Complete => too_many || short_of_space,
        SalvageState::Partial => too_many && *index < newest,
        SalvageState::Pending => stores.len() > MAX_QUARANTINED && *index < newest,
    };
    stores.iter().enumerate().filter(is_removable).min_by_key(|(_, store)| store.salvage).map(|(index, _)| index)
}
