//! Evaluations of regulatory bundles: what a bundle lacks of what its regulation requires.

use super::{
    evaluation::{AssignedObject, ProfileContents, RequirementResult},
    regulation::{Regulation, RegulatoryRequirement},
    regulatory_type::{REGULATORY_DOCUMENT_TYPES, REGULATORY_END_USER_TYPES},
};

impl ProfileContents {
    /// Compares the bundle with each requirement of the regulation.
    pub(super) fn comply_with(&self, regulation: &Regulation) -> Vec<RequirementResult> {
        let required = &regulation.end_user;
        let end_user_type = required.object_type(REGULATORY_END_USER_TYPES, regulation.end_user_type());
        let end_user = end_user_type.map(|object_type| self.end_user(required.name, &object_type));
        let documents = regulation.documents.iter().filter_map(|required| self.regulatory_document(required));
        end_user.into_iter().chain(documents).collect()
    }

    /// Several documents can have an accepted type, each with the fields of another requirement: the one that meets this
    /// requirement best counts.
    fn regulatory_document(&self, required: &RegulatoryRequirement) -> Option<RequirementResult> {
        let result = |machine_name: &str, document: Option<&AssignedObject>| {
            let object_type = required.object_type(REGULATORY_DOCUMENT_TYPES, machine_name)?;
            Some(self.document_of_type((required.name, required.friendly_name), &object_type, document))
        };
        let newest_first = self.documents.iter().rev();
        let results = newest_first.filter_map(|document| result(&document.object_type, Some(document)));
        let best = results.min_by_key(|result| result.invalid.len());
        best.or_else(|| result(required.accepted.first()?, None))
    }
}
