//! Which error codes a reviewer could give for a profile, by what it consists of.

use fastrand::Rng;

use super::{evaluation::ProfileContents, profile::ProfileKind};

/// The codes about an end user or a document of each type.
const BY_TYPE: &[(&str, &[u32])] = &[
    ("customer_profile_business_information", &[18601, 18602, 18609]),
    ("customer_profile_address", &[18603]),
    ("authorized_representative_1", &[18604, 18606]),
    ("authorized_representative_2", &[18605]),
    ("individual_customer_profile_information", &[18052, 18054, 18055]),
    ("starter_customer_profile_information", &[18054, 18055]),
    ("us_a2p_messaging_profile_information", &[18051, 18601]),
    ("sole_proprietor_information", &[18051, 18054]),
    ("cnam_information", &[11007, 11008, 11009]),
    ("voice_integrity_information", &[11001, 11003, 11004]),
    ("business_registration", &[18003, 18010, 18011]),
    ("government_issued_document", &[18002, 18003, 18008]),
    ("individual", &[18008, 18052, 18054]),
    ("business", &[18010, 18011, 18023]),
    ("commercial_registrar_excerpt", &[18010, 18011, 18061]),
    ("trade_license", &[18003, 18010, 18011]),
    ("tax_document", &[18002, 18010, 18058]),
    ("utility_bill", &[18016, 18021, 18022]),
    ("rental_receipt", &[18016, 18021, 18022]),
    ("title_deed", &[18016, 18021]),
    ("individual_address", &[18014, 18017, 18018]),
    ("national_id_card", &[18002, 18003, 18008]),
    ("passport", &[18002, 18003, 18008]),
    ("residence_permit", &[18003, 18008, 18009]),
];

/// The codes about a profile without any of these, by its kind.
fn by_kind(kind: ProfileKind) -> &'static [u32] {
    match kind {
        ProfileKind::CustomerProfiles => &[18601, 18602, 18603],
        ProfileKind::TrustProducts => &[18036, 18037, 18051],
        ProfileKind::RegulatoryBundles => &[18002, 18006, 18017, 18050],
    }
}

/// Draws one or two different codes that fit a profile.
pub(super) fn draw_codes(kind: ProfileKind, contents: &ProfileContents, random: &mut Rng) -> Vec<u32> {
    let objects = contents.end_users.iter().chain(&contents.documents);
    let of = |object_type: &str| BY_TYPE.iter().find(|(name, _)| *name == object_type).map(|(_, codes)| *codes);
    let mut codes: Vec<u32> = objects.filter_map(|object| of(&object.object_type)).flatten().copied().collect();
    if codes.is_empty() {
        codes.extend(by_kind(kind));
    }
    codes.sort_unstable();
    codes.dedup();
    random.shuffle(&mut codes);
    codes.truncate(random.usize(1..=2));
    codes.sort_unstable();
    codes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Map;
    use trusthub_events::error_code::is_rejection_code;

    use super::*;
    use crate::model::{
        DOCUMENT_TYPES, END_USER_TYPES, REGULATORY_DOCUMENT_TYPES, REGULATORY_END_USER_TYPES,
        evaluation::AssignedObject,
    };

    const KINDS: [ProfileKind; 3] =
        [ProfileKind::CustomerProfiles, ProfileKind::TrustProducts, ProfileKind::RegulatoryBundles];

    fn drawn(kind: ProfileKind, types: &[&str]) -> BTreeSet<Vec<u32>> {
        let end_users =
            types.iter().map(|name| AssignedObject { object_type: (*name).to_owned(), attributes: Map::new() });
        let contents = ProfileContents { end_users: end_users.collect(), ..ProfileContents::default() };
        (0..200).map(|seed| draw_codes(kind, &contents, &mut Rng::with_seed(seed))).collect()
    }

    #[test]
    fn every_code_is_one_of_a_rejection_and_every_type_has_some() {
        let listed = BY_TYPE.iter().flat_map(|(_, codes)| *codes);
        let all = listed.chain(KINDS.iter().flat_map(|kind| by_kind(*kind)));
        all.for_each(|code| assert!(is_rejection_code(*code), "{code}"));
        let types = [END_USER_TYPES, DOCUMENT_TYPES, REGULATORY_END_USER_TYPES, REGULATORY_DOCUMENT_TYPES];
        for object_type in types.into_iter().flatten() {
            assert!(BY_TYPE.iter().any(|(name, _)| *name == object_type.machine_name), "{}", object_type.machine_name);
        }
    }

    #[test]
    fn codes_are_about_what_the_profile_has() {
        let drawn = drawn(ProfileKind::TrustProducts, &["cnam_information"]);
        let alone = [vec![11007], vec![11008], vec![11009]];
        let pairs = [vec![11007, 11008], vec![11007, 11009], vec![11008, 11009]];
        assert_eq!(drawn, alone.into_iter().chain(pairs).collect());
    }

    #[test]
    fn profile_of_unknown_content_gets_different_codes_too() {
        for kind in KINDS {
            let drawn = drawn(kind, &["something_new"]);
            assert!(drawn.len() > 3, "{drawn:?}");
            assert!(drawn.iter().flatten().all(|code| by_kind(kind).contains(code)), "{drawn:?}");
        }
    }
}
