//! Regulations of phone numbers and their requirements, which a bundle must meet before a reviewer looks at it.
//!
//! Source of the SIDs and requirements: answers of Twilio's API that its users published. Twilio has some hundreds of
//! regulations and changes them, so a bundle may have one that is not here: it has no requirements.

use super::object_type::{ADDRESS_SIDS, ObjectType, TypeField, named, optional, required};

/// What a regulation applies to.
#[derive(Debug, PartialEq, Eq)]
pub struct Regulation {
    /// The SID: `RN` and 32 hexadecimal digits.
    pub sid: &'static str,
    /// The name for people.
    pub friendly_name: &'static str,
    /// The country of the phone numbers, such as `DE`.
    pub iso_country: &'static str,
    /// The type of the phone numbers: `local`, `mobile`, `national` or `toll-free`.
    pub number_type: &'static str,
    /// The end user that must be assigned. Only one type is accepted: `individual` or `business`.
    pub end_user: RegulatoryRequirement,
    /// The documents that must be assigned.
    pub documents: &'static [RegulatoryRequirement],
}

/// An end user or a document that must be assigned. One document can meet several requirements.
#[derive(Debug, PartialEq, Eq)]
pub struct RegulatoryRequirement {
    /// The name of the requirement.
    pub name: &'static str,
    /// The name for people.
    pub friendly_name: &'static str,
    /// The machine names of the types of which one is enough.
    pub accepted: &'static [&'static str],
    /// The fields that such an object must have for this requirement.
    pub fields: &'static [TypeField],
}

impl RegulatoryRequirement {
    /// Returns an accepted type with the fields of this requirement; `None` if `types` has none with this name.
    #[must_use]
    pub fn object_type(&self, types: &'static [ObjectType], machine_name: &str) -> Option<ObjectType> {
        let object_type = named(types, machine_name).filter(|_| self.accepted.contains(&machine_name))?;
        Some(ObjectType { fields: self.fields, ..*object_type })
    }
}

const FIRST_NAME: TypeField = required("first_name", "First Name");
const LAST_NAME: TypeField = required("last_name", "Last Name");
const EMAIL: TypeField = required("email", "Email");
const BUSINESS_NAME: TypeField = required("business_name", "Business Name");
const BUSINESS_NUMBER: TypeField = required("business_registration_number", "Business Registration Number");

const NAME: &[TypeField] = &[FIRST_NAME, LAST_NAME];
const ADDRESS: &[TypeField] = &[required(ADDRESS_SIDS, "Address SIDs")];

const IDENTITY_DOCUMENTS: &[&str] = &["government_issued_document", "passport"];
const BILLS: &[&str] = &["utility_bill", "tax_document", "rental_receipt"];

const fn individual(fields: &'static [TypeField]) -> RegulatoryRequirement {
    requirement("individual_info", "Individual", &["individual"], fields)
}

const fn business(fields: &'static [TypeField]) -> RegulatoryRequirement {
    requirement("business_info", "Business", &["business"], fields)
}

const fn requirement(
    name: &'static str,
    friendly_name: &'static str,
    accepted: &'static [&'static str],
    fields: &'static [TypeField],
) -> RegulatoryRequirement {
    RegulatoryRequirement { name, friendly_name, accepted, fields }
}

/// The regulations.
pub const REGULATIONS: &[Regulation] = &[
    Regulation {
        sid: "RNfd11dde5d4b7252abf96139766f68034",
        friendly_name: "Germany: Local - Business",
        iso_country: "DE",
        number_type: "local",
        end_user: business(&[
            BUSINESS_NAME,
            BUSINESS_NUMBER,
            required("business_website", "Business Website"),
            FIRST_NAME,
            LAST_NAME,
            EMAIL,
            optional("comments", "Comments"),
        ]),
        documents: &[
            requirement(
                "proof_of_registration_info",
                "Proof of Registration",
                &["commercial_registrar_excerpt", "tax_document"],
                &[BUSINESS_NUMBER],
            ),
            requirement("business_name_info", "Proof of Business Identity", PAPERS_OF_A_BUSINESS, &[BUSINESS_NAME]),
            requirement("proof_of_address_info", "Proof of Address", PAPERS_OF_A_BUSINESS, ADDRESS),
        ],
    },
    Regulation {
        sid: "RN581d4e917a8612eb36f0af24ecc6b592",
        friendly_name: "Indonesia: Toll-Free - Business",
        iso_country: "ID",
        number_type: "toll-free",
        end_user: business(&[BUSINESS_NAME]),
        documents: &[
            requirement(
                "business_address_proof_of_address_info",
                "Business Address",
                &["business_registration", "utility_bill", "tax_document", "rental_receipt", "title_deed"],
                ADDRESS,
            ),
            requirement(
                "name_of_authorized_representative_info",
                "Name of Authorized Representative",
                &["national_id_card", "passport", "residence_permit"],
                NAME,
            ),
            requirement("business_name_info", "Business Name", &["business_registration"], &[BUSINESS_NAME]),
        ],
    },
    Regulation {
        sid: "RN6a355ad38b79bb02b8a50d28cb7b9c4b",
        friendly_name: "Australia: Mobile - Individual",
        iso_country: "AU",
        number_type: "mobile",
        end_user: individual(NAME),
        documents: &[
            requirement("name_info", "Name", IDENTITY_DOCUMENTS, NAME),
            requirement("address_proof_of_address_info", "Address", BILLS, ADDRESS),
        ],
    },
    Regulation {
        sid: "RNbda16e54b024fc1d8a0213f5477dc624",
        friendly_name: "United Kingdom: Mobile - Individual",
        iso_country: "GB",
        number_type: "mobile",
        end_user: individual(&[FIRST_NAME, LAST_NAME, EMAIL, required("phone_number", "Phone Number")]),
        documents: &[
            requirement("proof_of_identity", "Proof of Identity", IDENTITY_DOCUMENTS, NAME),
            requirement("individual_address_info", "Address", &["individual_address"], ADDRESS),
        ],
    },
    Regulation {
        sid: "RNc2b0d6e647462e65bcc1479e7130315d",
        friendly_name: "Ireland: Local - Individual",
        iso_country: "IE",
        number_type: "local",
        end_user: individual(&[FIRST_NAME, LAST_NAME, EMAIL]),
        documents: &[
            requirement("proof_of_identity_info", "Proof of Identity", &["government_issued_document"], NAME),
            requirement("individual_address_info", "Address", BILLS, ADDRESS),
        ],
    },
    Regulation {
        sid: "RN094a796ec7631e296e7900a5a8b02031",
        friendly_name: "Netherlands: Mobile - Individual",
        iso_country: "NL",
        number_type: "mobile",
        end_user: individual(NAME),
        documents: &[],
    },
];

const PAPERS_OF_A_BUSINESS: &[&str] = &["commercial_registrar_excerpt", "trade_license", "tax_document"];

impl Regulation {
    /// Returns the regulation with this SID, if it is one of [`REGULATIONS`].
    #[must_use]
    pub fn find(sid: &str) -> Option<&'static Self> {
        REGULATIONS.iter().find(|regulation| regulation.sid.eq_ignore_ascii_case(sid))
    }

    /// Returns the type of the end user: `individual` or `business`.
    #[must_use]
    pub fn end_user_type(&self) -> &'static str {
        self.end_user.accepted.first().copied().unwrap_or_default()
    }
}
