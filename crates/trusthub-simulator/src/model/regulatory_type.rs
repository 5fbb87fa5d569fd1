//! The types of end users and supporting documents that regulations of phone numbers refer to.
//!
//! Source of the names: the regulations of Twilio's API. Which of the fields are required depends on the regulation.

use super::object_type::{ADDRESS_SIDS, ObjectType, TypeField, optional};

const ADDRESS: TypeField = optional(ADDRESS_SIDS, "Address SIDs");
const BUSINESS_NAME: TypeField = optional("business_name", "Business Name");
const BUSINESS_NUMBER: TypeField = optional("business_registration_number", "Business Registration Number");
const FIRST_NAME: TypeField = optional("first_name", "First Name");
const LAST_NAME: TypeField = optional("last_name", "Last Name");
const BIRTH_DATE: TypeField = optional("birth_date", "Birth Date");

const OF_A_BUSINESS: &[TypeField] = &[BUSINESS_NAME, BUSINESS_NUMBER, ADDRESS];
const OF_A_PERSON: &[TypeField] = &[FIRST_NAME, LAST_NAME, BIRTH_DATE, ADDRESS];

/// The types of end users of regulatory bundles.
pub const REGULATORY_END_USER_TYPES: &[ObjectType] = &[
    ObjectType {
        machine_name: "individual",
        friendly_name: "Individual",
        fields: &[
            FIRST_NAME,
            LAST_NAME,
            optional("email", "Email"),
            optional("phone_number", "Phone Number"),
            BIRTH_DATE,
        ],
    },
    ObjectType {
        machine_name: "business",
        friendly_name: "Business",
        fields: &[
            BUSINESS_NAME,
            BUSINESS_NUMBER,
            optional("business_website", "Business Website"),
            FIRST_NAME,
            LAST_NAME,
            optional("email", "Email"),
            optional("comments", "Comments"),
        ],
    },
];

/// The types of supporting documents of regulatory bundles.
pub const REGULATORY_DOCUMENT_TYPES: &[ObjectType] = &[
    document("business_registration", "Business Registration", OF_A_BUSINESS),
    document("commercial_registrar_excerpt", "Excerpt from the commercial register", OF_A_BUSINESS),
    document("trade_license", "Trade License", OF_A_BUSINESS),
    document("tax_document", "Tax Notice", OF_A_BUSINESS),
    document("utility_bill", "Utility Bill", &[ADDRESS]),
    document("rental_receipt", "Rent Receipt", &[ADDRESS]),
    document("title_deed", "Title Deed", &[ADDRESS]),
    document("individual_address", "Address of the Individual", &[ADDRESS]),
    document("government_issued_document", "Government-Issued Document", OF_A_PERSON),
    document("national_id_card", "National ID", OF_A_PERSON),
    document("passport", "Passport", OF_A_PERSON),
    document("residence_permit", "Residence Permit", OF_A_PERSON),
];

const fn document(machine_name: &'static str, friendly_name: &'static str, fields: &'static [TypeField]) -> ObjectType {
    ObjectType { machine_name, friendly_name, fields }
}
