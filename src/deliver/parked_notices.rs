//! Which profiles have a parked notice. A later notice of such a profile is parked as well, so that the earlier one cannot be
//! published after it: a description that Kafka receives after the deletion would bring the profile back.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::outbound::OutboundRecord;

/// The number of parked notices by the SID of their profile. Clones share it. A profile is in it only while it has a parked
/// notice, so the limit of the spool bounds it.
#[derive(Debug, Clone, Default)]
pub(super) struct ParkedNotices(Arc<Mutex<HashMap<String, usize>>>);

impl ParkedNotices {
    /// Whether this is a notice, and an earlier one of its profile is parked.
    pub(super) fn precede(&self, outbound: &OutboundRecord) -> bool {
        let profiles = self.0.lock();
        !profiles.is_empty() && outbound.notice_key().is_some_and(|key| profiles.contains_key(key))
    }

    /// Whether this is a notice that must be parked because an earlier one of its profile is. Counts it, if so.
    pub(super) fn must_follow(&self, outbound: &OutboundRecord) -> bool {
        let must = self.precede(outbound);
        if must {
            self.add(outbound);
        }
        must
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Counts a record, if it is a notice. Call it before the record is parked.
    pub(super) fn add(&self, outbound: &OutboundRecord) {
        if let Some(key) = outbound.notice_key() {
            *self.0.lock().entry(key.to_owned()).or_default() += 1;
        }
    }

    /// No longer counts a record, if it is a notice. Call it after the record has left the spool.
    pub(super) fn remove(&self, outbound: &OutboundRecord) {
        let Some(key) = outbound.notice_key() else { return };
        let mut profiles = self.0.lock();
        if let Some(count) = profiles.get_mut(key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                profiles.remove(key);
            }
        }
    }
}
