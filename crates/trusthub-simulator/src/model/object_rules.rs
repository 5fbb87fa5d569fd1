//! The rules for changing end users, supporting documents and addresses.

use trusthub_events::AccountSid;

use super::{
    TrustHubModel,
    error::ModelError,
    objects::{ComplianceObject, NewObject, ObjectEdit, ObjectKind, ObjectPage},
    page::PageStart,
};

/// The limit on objects of all accounts, which take one to two gigabytes of memory then.
const MAX_OBJECTS: usize = 1_000_000;

impl TrustHubModel {
    /// Creates an object.
    ///
    /// # Errors
    /// [`ModelError::Full`] and [`ModelError::State`].
    pub fn create_object(&mut self, new: NewObject) -> Result<ComplianceObject, ModelError> {
        self.check_space_for_objects(1)?;
        let sid = self.new_object_sid(new.kind);
        let object = ComplianceObject::new(sid, self.take_serial(), new, self.now());
        self.store_object(object.clone())?;
        Ok(object)
    }

    /// Checks that this number of objects can be created.
    pub(super) fn check_space_for_objects(&self, more: usize) -> Result<(), ModelError> {
        let is_full = self.objects.len().saturating_add(more) > MAX_OBJECTS;
        if is_full { Err(ModelError::Full("1000000 end users, documents and addresses")) } else { Ok(()) }
    }

    /// Returns an object of this account and kind.
    ///
    /// # Errors
    /// [`ModelError::NotFound`].
    pub fn object(&self, account: &AccountSid, kind: ObjectKind, sid: &str) -> Result<&ComplianceObject, ModelError> {
        self.objects.get(account, sid).filter(|object| object.kind == kind).ok_or(ModelError::NotFound)
    }

    /// Returns a page of at most `size` objects of an account.
    #[must_use]
    pub fn list_objects(&self, account: &AccountSid, kind: ObjectKind, start: PageStart, size: usize) -> ObjectPage {
        self.objects.page(account, kind, start, size)
    }

    /// Changes an object that is not part of something in review.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn edit_object(
        &mut self,
        account: &AccountSid,
        kind: ObjectKind,
        sid: &str,
        edit: ObjectEdit,
    ) -> Result<ComplianceObject, ModelError> {
        let mut object = self.object(account, kind, sid)?.clone();
        self.check_parts_editable(sid)?;
        object.edit(edit, self.now());
        self.store_object(object.clone())?;
        Ok(object)
    }

    /// Deletes an object that is not assigned. An address can be deleted at any time, as at Twilio.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn delete_object(&mut self, account: &AccountSid, kind: ObjectKind, sid: &str) -> Result<(), ModelError> {
        self.object(account, kind, sid)?;
        if self.usage.of(sid).next().is_some() {
            return Err(ModelError::Assigned(kind));
        }
        if let Some(state) = &mut self.state {
            state.append_object_deletion(sid)?;
        }
        self.objects.remove(sid);
        Ok(())
    }

    /// Checks that no profile is in review that this object is assigned to.
    fn check_parts_editable(&self, object: &str) -> Result<(), ModelError> {
        let profiles = self.usage.of(object).filter_map(|sid| self.profiles.get(&sid));
        let locked = profiles.map(|profile| profile.check_editable()).find_map(Result::err);
        locked.map_or(Ok(()), |forbidden| Err(ModelError::PartOf(forbidden)))
    }

    /// Writes the object to the state file, then replaces it in memory.
    fn store_object(&mut self, object: ComplianceObject) -> Result<(), ModelError> {
        if let Some(state) = &mut self.state {
            state.append_object(&object)?;
        }
        self.objects.insert(object);
        Ok(())
    }
}
