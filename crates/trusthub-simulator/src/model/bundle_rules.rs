//! The rules for regulatory bundles that profiles of other kinds do not have: copies, and replacing items by those of a
//! copy.

use trusthub_events::{AccountSid, ProfileSid, Status};

use super::{
    NewProfile, TrustHubModel,
    bundle::BundleDetails,
    bundle_list::BundleOrder,
    error::ModelError,
    objects::NewObject,
    page::{Page, ProfileFilter, ProfilePage, sorted_page},
    profile::{EntityAssignment, ForbiddenInStatus, ProfileKind, SimulatedProfile},
};

/// The limit on copies of a bundle.
const MAX_COPIES: usize = 50;

impl TrustHubModel {
    /// Creates a bundle as a draft.
    ///
    /// # Errors
    /// [`ModelError::Full`] and [`ModelError::State`].
    pub fn create_bundle(&mut self, new: NewProfile, details: BundleDetails) -> Result<SimulatedProfile, ModelError> {
        let bundle = SimulatedProfile { bundle: Some(Box::new(details)), ..self.draft(new)? };
        self.store(bundle.clone())?;
        Ok(bundle)
    }

    /// Returns a page of at most `size` bundles in this order, after skipping some. Its tokens are empty: the number of
    /// the page determines its start.
    #[must_use]
    pub fn sorted_bundles(
        &self,
        account: &AccountSid,
        filter: &ProfileFilter,
        order: BundleOrder,
        skip: usize,
        size: usize,
    ) -> ProfilePage {
        let serials = self.lists.get(&(*account, ProfileKind::RegulatoryBundles));
        let bundles = serials.into_iter().flat_map(|serials| serials.values()).filter_map(|sid| self.profiles.get(sid));
        let bundles: Vec<_> = bundles.filter(|bundle| filter.matches(bundle)).collect();
        let has_more = bundles.len().saturating_sub(skip) > size;
        let page = sorted_page(bundles, skip, size, |one, other| order.compare(one, other));
        Page {
            entries: page.into_iter().cloned().collect(),
            previous: (skip > 0).then(String::new),
            next: has_more.then(String::new),
        }
    }

    /// Creates a draft with copies of the end users and documents of a bundle, which can be changed while the bundle is
    /// in review or approved. Without a name, the copy has that of the bundle.
    ///
    /// # Errors
    /// [`ModelError::NotFound`], [`ModelError::Full`] and [`ModelError::State`].
    pub fn copy_bundle(&mut self, sid: &ProfileSid, name: Option<String>) -> Result<SimulatedProfile, ModelError> {
        let original = self.get(sid)?.clone();
        let details = original.bundle.as_deref().cloned().unwrap_or_default();
        let copies: Vec<_> = details.copies.iter().filter(|copy| self.profiles.contains_key(copy)).cloned().collect();
        if copies.len() >= MAX_COPIES {
            return Err(ModelError::Full("50 copies of the bundle"));
        }
        self.check_space_for_objects(original.assignments.len())?;
        let new = NewProfile {
            kind: original.kind,
            account: original.account,
            policy: original.policy.clone(),
            friendly_name: name.unwrap_or_else(|| original.friendly_name.clone()),
            email: original.email.clone(),
            status_callback: original.status_callback.clone(),
        };
        let copy = self.create_bundle(new, BundleDetails { copies: Vec::new(), ..details.clone() })?.sid;
        for assignment in &original.assignments {
            let object = self.copy_of_object(&original, &assignment.object)?;
            self.assign(&copy, object)?;
        }
        let copies = copies.into_iter().chain([copy]).collect();
        self.change(sid, |bundle, _| {
            bundle.bundle = Some(Box::new(BundleDetails { copies, ..details }));
            Ok(Vec::new())
        })?;
        self.get(&copy).cloned()
    }

    /// Returns the SID of a copy of an end user or a document. An assigned profile has no copy, so it is the profile's.
    fn copy_of_object(&mut self, bundle: &SimulatedProfile, sid: &str) -> Result<String, ModelError> {
        let Some(object) = self.objects.get(&bundle.account, sid) else { return Ok(sid.to_owned()) };
        let new = NewObject {
            kind: object.kind,
            account: object.account,
            friendly_name: object.friendly_name.clone(),
            object_type: object.object_type.clone(),
            attributes: object.attributes(),
            mime_type: object.mime_type.clone(),
        };
        Ok(self.create_object(new)?.sid)
    }

    /// Returns the copies of a bundle, the newest first.
    pub fn copies_of(&self, bundle: &SimulatedProfile) -> Vec<&SimulatedProfile> {
        let copies = bundle.bundle.iter().flat_map(|details| details.copies.iter().rev());
        copies.filter_map(|sid| self.profiles.get(sid)).collect()
    }

    /// Replaces the items of an approved bundle by those of another approved one, and its end date by that of the other
    /// one. Both must be of the same account.
    ///
    /// # Errors
    /// [`ModelError::NotFound`], [`ModelError::UnknownObject`] if there is no such other bundle,
    /// [`ModelError::Forbidden`] if one of the two is not approved, and [`ModelError::State`].
    pub fn replace_items(&mut self, sid: &ProfileSid, from: &ProfileSid) -> Result<SimulatedProfile, ModelError> {
        let bundle = self.get(sid)?;
        let source = self.get(from).map_err(|_| ModelError::UnknownObject)?;
        if from == sid || source.kind != bundle.kind || source.account != bundle.account {
            return Err(ModelError::UnknownObject);
        }
        if let Some(other) = [bundle.status, source.status].into_iter().find(|one| *one != Status::TwilioApproved) {
            return Err(ForbiddenInStatus { status: other }.into());
        }
        let (objects, valid_until) = (source.assignments.clone(), source.valid_until);
        let created = self.now();
        let items = objects.into_iter().map(|item| EntityAssignment { sid: self.new_sid("BV"), created, ..item });
        let items = items.collect();
        let update = self.change(sid, |bundle, now| {
            bundle.assignments = items;
            bundle.valid_until = valid_until;
            bundle.updated = now;
            Ok(Vec::new())
        })?;
        Ok(update.profile)
    }
}
