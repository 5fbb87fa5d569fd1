//! The random SIDs of the simulator, and the order of creation.

use trusthub_events::ProfileSid;

use super::{TrustHubModel, objects::ObjectKind};

impl TrustHubModel {
    pub(super) fn new_object_sid(&mut self, kind: ObjectKind) -> String {
        loop {
            let sid = self.new_sid(kind.prefix());
            if !self.objects.contains(&sid) {
                return sid;
            }
        }
    }

    pub(super) fn new_profile_sid(&mut self) -> ProfileSid {
        loop {
            let text = self.new_sid("BU");
            match ProfileSid::parse(&text) {
                Ok(sid) if !self.profiles.contains_key(&sid) => return sid,
                _ => {}
            }
        }
    }

    /// Returns the next position in the order of creation.
    pub(super) fn take_serial(&mut self) -> u64 {
        let serial = self.next_serial;
        self.next_serial = serial.saturating_add(1);
        serial
    }

    /// Returns a random SID for something that is not stored.
    pub fn random_sid(&mut self, prefix: &str) -> String {
        self.new_sid(prefix)
    }

    pub(super) fn new_sid(&mut self, prefix: &str) -> String {
        format!("{prefix}{:032x}", self.random.u128(..))
    }
}
