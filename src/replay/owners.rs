//! Which account owns which profile, as far as Trust Hub has told it to reconciliation.
//!
//! Reconciliation tells the running service the owners. A command that runs alone finds them in Kafka: states of profiles have the
//! details that only Trust Hub provides once it has confirmed the owner, and so have events of reconciliation.

use std::{collections::HashMap, sync::Arc};

use crate::{
    config::KafkaConfig,
    domain::{AccountSid, ProfileSid, ProfileStatusChanged, Timestamp, state::ProfileState},
    kafka::{PublishedContent, PublishedEvent, PublishedStatus, TopicReadError, TopicReader},
    telemetry::Operations,
};

/// The owners of some profiles.
#[derive(Debug, Clone)]
pub(super) struct ConfirmedOwners {
    /// Each profile in question, with its owner if that is known.
    owners: HashMap<ProfileSid, Option<Owner>>,
}

#[derive(Debug, Clone)]
struct Owner {
    account: AccountSid,
    /// A confirmation of another account has to be as late as this.
    since: Timestamp,
}

impl ConfirmedOwners {
    /// Finds the owners of these profiles. Begins with the states of profiles and continues with the later events; without usable
    /// states, reads every event. Reads nothing if there is no profile. Passes the number of events read and their total to
    /// `progress`.
    ///
    /// # Errors
    /// [`TopicReadError`] if the event topic cannot be read.
    pub(super) async fn read(
        kafka: &KafkaConfig,
        operations: &Arc<Operations>,
        profiles: impl Iterator<Item = ProfileSid>,
        progress: impl FnMut(u64, u64),
    ) -> Result<Self, TopicReadError> {
        let unknown = Self::unknown(profiles);
        if unknown.owners.is_empty() {
            return Ok(unknown);
        }
        let mut topic = TopicReader::open(kafka, operations).await?;
        let known = topic.begin_after_states((kafka, operations), unknown.clone(), Self::set_state).await?;
        let mut owners = known.map_or(unknown, |known| known.states);
        let read = topic.read_to_end(|event| owners.apply(&event), progress).await;
        topic.close().await;
        read.map(|()| owners)
    }

    fn unknown(profiles: impl Iterator<Item = ProfileSid>) -> Self {
        Self { owners: profiles.map(|profile| (profile, None)).collect() }
    }

    /// Whether another account than that of the event owns the profile.
    pub(super) fn contradict(&self, event: &ProfileStatusChanged) -> bool {
        let owner = self.owners.get(&event.profile_sid).and_then(Option::as_ref);
        owner.is_some_and(|owner| owner.account != event.account_sid)
    }

    /// Takes over the state of a profile; `None` if it was deleted.
    fn set_state(&mut self, profile: ProfileSid, state: Option<ProfileState>) {
        if let Some(owner) = self.owners.get_mut(&profile) {
            let confirmed = state.filter(|state| state.profile.is_some());
            *owner = confirmed.map(|state| Owner { account: state.account_sid, since: state.updated_at });
        }
    }

    /// Applies the next event. As in the states, the later one of two confirmed owners counts.
    fn apply(&mut self, event: &PublishedEvent) {
        let Some(owner) = self.owners.get_mut(&event.profile) else { return };
        if owner.as_ref().is_some_and(|owner| event.time < owner.since) {
            return;
        }
        match &event.content {
            PublishedContent::Changed(PublishedStatus { details: None, .. }) => {}
            PublishedContent::Changed(_) | PublishedContent::Described(_) => {
                *owner = Some(Owner { account: event.account, since: event.time });
            }
            PublishedContent::Deleted => {
                if owner.as_ref().is_some_and(|owner| owner.account == event.account) {
                    *owner = None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
