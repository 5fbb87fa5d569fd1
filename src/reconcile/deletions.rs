//! Finds profiles that have a state, and that Trust Hub does not have any more.
//!
//! A list that misses a profile proves nothing: it may have failed, and the profile may be new or of another kind. So a profile
//! is deleted only if the lists were read to their ends, no account listed it, and Trust Hub answers that it does not exist. If
//! Trust Hub has never confirmed the profile, every kind is asked for it, because its callback may have named a wrong one.

use std::{collections::HashSet, mem};

use futures_util::future::join_all;
use trusthub_client::{AccountClient, Collection, Error};

use super::{
    candidate::RepairCandidate,
    client_error::describe,
    finding::{Action, Finding},
    notices::{DueNotice, publish_notices},
    numbers::{NumberInSid, profile_with_number},
    repair::Backend,
    run_error::RunError,
    view::View,
};
use crate::{
    domain::{RecordPosition, Resource, Timestamp},
    normalize::deletion,
};

/// How many profiles are fetched and deleted concurrently.
const BATCH: usize = 64;

/// Up to this many profiles of an account are deleted however few it has.
const ALWAYS_DELETED: usize = 10;

/// The lists of an account that a run has read to their ends.
pub(super) struct CompleteLists {
    pub(super) client: AccountClient,
    pub(super) complete: Vec<Collection>,
}

/// The profiles of an account that have a state, but that no list has.
pub(super) struct Unlisted {
    candidates: Vec<DeletionCandidate>,
    /// The number of the account's profiles that have a state.
    known: usize,
}

struct DeletionCandidate {
    /// The profile of the kind that its state has.
    candidate: RepairCandidate,
    /// Whether Trust Hub has told the kind.
    is_confirmed: bool,
}

impl Unlisted {
    /// `listed` has every profile that any account listed.
    pub(super) fn find(view: &View, lists: &CompleteLists, listed: &HashSet<NumberInSid>) -> Self {
        let CompleteLists { client, complete } = lists;
        let (mut candidates, mut known) = (Vec::new(), 0_usize);
        for (number, history) in view.owned_by(client.sid()) {
            let Some(collection) = collection_of(history.belief.resource) else { continue };
            known = known.saturating_add(1);
            let is_confirmed = history.is_confirmed();
            let is_comparable =
                if is_confirmed { complete.contains(&collection) } else { complete.len() == Collection::ALL.len() };
            if is_comparable
                && !listed.contains(&number)
                && let Some(profile) = profile_with_number(number)
            {
                let (client, account) = (client.clone(), *client.sid());
                let candidate = RepairCandidate { client, account, collection, profile };
                candidates.push(DeletionCandidate { candidate, is_confirmed });
            }
        }
        Self { candidates, known }
    }

    /// Whether these are most of the account's profiles, which a wrong configuration explains better than deletions do.
    pub(super) fn are_too_many(&self) -> bool {
        self.candidates.len() > ALWAYS_DELETED && self.candidates.len().saturating_mul(2) > self.known
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.candidates.len()).unwrap_or(u64::MAX)
    }
}

/// The list with the profiles of a kind; `None` if there is none.
fn collection_of(resource: Resource) -> Option<Collection> {
    Collection::ALL.into_iter().find(|collection| collection.resource() == resource)
}

/// Asks Trust Hub for these profiles, and publishes the deletion of those that do not exist. Passes the finding for each to
/// `report`.
pub(super) async fn delete<B: Backend>(
    backend: &mut B,
    unlisted: Unlisted,
    dry_run: bool,
    report: &mut (dyn FnMut(Finding) + Send),
) -> Result<(), RunError> {
    let mut candidates = unlisted.candidates;
    while !candidates.is_empty() {
        let rest = candidates.split_off(candidates.len().min(BATCH));
        let batch = mem::replace(&mut candidates, rest);
        let asked = join_all(batch.into_iter().map(|candidate| ask(backend, candidate))).await;
        if !dry_run {
            backend.read_to_end().await?;
        }
        let mut due = Vec::new();
        for asked in asked {
            let Some(notice) = due_notice(backend, asked, report) else { continue };
            if dry_run {
                report(notice.finding);
            } else {
                due.push(notice);
            }
        }
        publish_notices(backend, due, report).await?;
    }
    Ok(())
}

/// What Trust Hub answered about a profile.
struct Asked {
    candidate: RepairCandidate,
    /// The position of the last record of the profile before Trust Hub was asked.
    last: Option<RecordPosition>,
    asked_at: Timestamp,
    /// Whether the profile exists.
    answer: Result<bool, Error>,
}

async fn ask<B: Backend>(backend: &B, DeletionCandidate { candidate, is_confirmed }: DeletionCandidate) -> Asked {
    let last = backend.view().of(&candidate.account, &candidate.profile).map(|known| known.last);
    let asked_at = backend.time();
    let collections =
        Collection::ALL.into_iter().filter(|collection| !is_confirmed || *collection == candidate.collection);
    let mut answer = Ok(false);
    for collection in collections {
        answer = match backend.fetch(&RepairCandidate { collection, ..candidate.clone() }).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound) => Ok(false),
            Err(error) => Err(error),
        };
        if !matches!(answer, Ok(false)) {
            break;
        }
    }
    Asked { candidate, last, asked_at, answer }
}

/// The deletion of a profile that does not exist, unless another record about it was written meanwhile.
fn due_notice<B: Backend>(
    backend: &B,
    Asked { candidate, last, asked_at, answer }: Asked,
    report: &mut (dyn FnMut(Finding) + Send),
) -> Option<DueNotice> {
    let known = backend.view().of(&candidate.account, &candidate.profile)?;
    let believed = Some(known.belief.status);
    match answer {
        Ok(false) => {}
        Ok(true) => return None,
        Err(error) => {
            report(Finding::of_candidate(&candidate, believed, Action::Failed(describe(&error))));
            return None;
        }
    }
    if Some(known.last) != last {
        return None;
    }
    // Every record that the topic had before the request is older than the answer, even if the clock of its writer was ahead.
    let time = asked_at.max(known.belief.time);
    let resource = candidate.collection.resource();
    let notice = deletion((&candidate.account, &candidate.profile, resource), time, known.last);
    Some(DueNotice { notice, finding: Finding::of_candidate(&candidate, believed, Action::Deleted(None)) })
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{account, at, client_of, profile, published, published_notice, sid},
        *,
    };
    use crate::{domain::Status, kafka::PublishedEvent, normalize::description};

    /// Profiles of the account, of which the first ones are confirmed by Trust Hub.
    fn view(profiles: u32, confirmed: u32, resource: Resource) -> View {
        let mut view = View::of_states();
        for number in 1..=profiles {
            let offset = i64::from(number) * 2;
            let event = published(number, offset, &number.to_string(), at(10), Status::InReview);
            view.apply(&PublishedEvent { resource, ..event });
            if number <= confirmed {
                let listed =
                    trusthub_client::Profile { sid: sid(number), resource, ..profile(Status::InReview, at(5)) };
                let position = RecordPosition { partition: 0, offset: offset + 1 };
                let described = published_notice(&description(&listed, at(20), None));
                view.apply(&PublishedEvent { position, ..described });
            }
        }
        view
    }

    fn unlisted(view: &View, complete: &[Collection], listed: &[u32]) -> Unlisted {
        let lists = CompleteLists { client: client_of(account()), complete: complete.to_vec() };
        let listed = listed.iter().map(|number| NumberInSid::from(*number)).collect();
        Unlisted::find(view, &lists, &listed)
    }

    fn count(view: &View, complete: &[Collection]) -> u64 {
        unlisted(view, complete, &[]).count()
    }

    #[test]
    fn only_profiles_that_no_list_has_are_candidates() {
        let view = view(3, 3, Resource::CustomerProfile);
        let candidates = unlisted(&view, &Collection::ALL, &[1, 3]).candidates;
        let profiles: Vec<_> = candidates.iter().map(|candidate| &candidate.candidate.profile).collect();
        assert_eq!(profiles, [&sid(2)]);
    }

    #[test]
    fn list_of_a_confirmed_kind_must_be_complete_otherwise_every_list() {
        let confirmed = view(1, 1, Resource::TrustProduct);
        let announced = view(1, 0, Resource::TrustProduct);
        let all = Collection::ALL;
        assert_eq!((count(&confirmed, &all), count(&announced, &all)), (1, 1));
        let one = [Collection::TrustProducts];
        assert_eq!((count(&confirmed, &one), count(&announced, &one)), (1, 0));
        let others = [Collection::CustomerProfiles];
        assert_eq!((count(&confirmed, &others), count(&announced, &others)), (0, 0));
    }

    #[test]
    fn kinds_without_a_list_and_profiles_of_other_accounts_are_kept() {
        for resource in [Resource::ComplianceRegistration, Resource::Unknown] {
            assert_eq!(count(&view(1, 0, resource), &Collection::ALL), 0);
        }
        let other = crate::domain::AccountSid::parse(&format!("AC{}", "f".repeat(32))).unwrap();
        let lists = CompleteLists { client: client_of(other), complete: Collection::ALL.to_vec() };
        assert_eq!(Unlisted::find(&view(1, 1, Resource::CustomerProfile), &lists, &HashSet::new()).count(), 0);
    }

    #[test]
    fn more_than_ten_that_are_more_than_half_are_too_many() {
        let is_too_many = |profiles: u32, listed: u32| {
            let listed: Vec<_> = (1..=listed).collect();
            unlisted(&view(profiles, profiles, Resource::CustomerProfile), &Collection::ALL, &listed).are_too_many()
        };
        assert!(!is_too_many(10, 0) && is_too_many(11, 0));
        assert!(is_too_many(21, 10) && !is_too_many(22, 11));
    }
}
