//! The types of end users and supporting documents, with their fields.
//!
//! Source of the names: Twilio's onboarding guides for customer profiles, A2P messaging, CNAM and Voice Integrity. The
//! SIDs are the simulator's own, because Twilio publishes none.

/// A type of end users or of supporting documents.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectType {
    /// The value of `Type`.
    pub machine_name: &'static str,
    /// The name for people.
    pub friendly_name: &'static str,
    /// The fields in the attributes of such an object.
    pub fields: &'static [TypeField],
}

/// A field in the attributes of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct TypeField {
    /// The name of the member of the attributes.
    pub machine_name: &'static str,
    /// The name for people.
    pub friendly_name: &'static str,
    /// Whether a policy that requires such an object also requires the field.
    pub necessity: Necessity,
}

/// Whether a field must have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Necessity {
    /// It must.
    Required,
    /// It can be absent.
    Optional,
    /// It must if another field has a value.
    RequiredIf {
        /// The machine name of the other field.
        field: &'static str,
        /// The value of the other field.
        is: &'static str,
    },
}

pub(super) const fn required(machine_name: &'static str, friendly_name: &'static str) -> TypeField {
    TypeField { machine_name, friendly_name, necessity: Necessity::Required }
}

pub(super) const fn optional(machine_name: &'static str, friendly_name: &'static str) -> TypeField {
    TypeField { machine_name, friendly_name, necessity: Necessity::Optional }
}

const fn if_public(machine_name: &'static str, friendly_name: &'static str) -> TypeField {
    let necessity = Necessity::RequiredIf { field: "company_type", is: "public" };
    TypeField { machine_name, friendly_name, necessity }
}

const FIRST_NAME: TypeField = required("first_name", "First Name");
const LAST_NAME: TypeField = required("last_name", "Last Name");
const EMAIL: TypeField = required("email", "Email");
const PHONE_NUMBER: TypeField = required("phone_number", "Phone Number");

const REPRESENTATIVE: &[TypeField] = &[
    FIRST_NAME,
    LAST_NAME,
    EMAIL,
    PHONE_NUMBER,
    required("business_title", "Business Title"),
    required("job_position", "Job Position"),
];

/// The types of end users.
pub const END_USER_TYPES: &[ObjectType] = &[
    ObjectType {
        machine_name: "customer_profile_business_information",
        friendly_name: "Customer Profile Business Information",
        fields: &[
            required("business_name", "Business Name"),
            required("business_identity", "Business Identity"),
            required("business_type", "Business Type"),
            required("business_industry", "Business Industry"),
            required("business_registration_identifier", "Business Registration Identifier"),
            required("business_registration_number", "Business Registration Number"),
            required("business_regions_of_operation", "Business Regions of Operation"),
            required("website_url", "Website URL"),
            optional("social_media_profile_urls", "Social Media Profile URLs"),
        ],
    },
    ObjectType {
        machine_name: "authorized_representative_1",
        friendly_name: "Authorized Representative 1",
        fields: REPRESENTATIVE,
    },
    ObjectType {
        machine_name: "authorized_representative_2",
        friendly_name: "Authorized Representative 2",
        fields: REPRESENTATIVE,
    },
    ObjectType {
        machine_name: "individual_customer_profile_information",
        friendly_name: "Individual Customer Profile Information",
        fields: &[
            FIRST_NAME,
            LAST_NAME,
            EMAIL,
            PHONE_NUMBER,
            required("birth_date", "Birth Date"),
            required("identification_type", "Identification Type"),
            required("identification_number", "Identification Number"),
        ],
    },
    ObjectType {
        machine_name: "starter_customer_profile_information",
        friendly_name: "Starter Customer Profile Information",
        fields: &[FIRST_NAME, LAST_NAME, EMAIL, PHONE_NUMBER],
    },
    ObjectType {
        machine_name: "us_a2p_messaging_profile_information",
        friendly_name: "US A2P Messaging Profile Information",
        fields: &[
            required("company_type", "Company Type"),
            if_public("stock_exchange", "Stock Exchange"),
            if_public("stock_ticker", "Stock Ticker"),
        ],
    },
    ObjectType {
        machine_name: "sole_proprietor_information",
        friendly_name: "Sole Proprietor Information",
        fields: &[
            required("brand_name", "Brand Name"),
            required("vertical", "Vertical"),
            required("mobile_phone_number", "Mobile Phone Number"),
        ],
    },
    ObjectType {
        machine_name: "cnam_information",
        friendly_name: "CNAM Information",
        fields: &[required("cnam_display_name", "CNAM Display Name")],
    },
    ObjectType {
        machine_name: "voice_integrity_information",
        friendly_name: "Voice Integrity Information",
        fields: &[
            required("use_case", "Use Case"),
            required("business_employee_count", "Business Employee Count"),
            required("average_business_day_call_volume", "Average Business Day Call Volume"),
            optional("notes", "Notes"),
        ],
    },
];

/// The name of the field of a document that refers to addresses: one SID, or a comma-separated list.
pub(super) const ADDRESS_SIDS: &str = "address_sids";

/// The types of supporting documents.
pub const DOCUMENT_TYPES: &[ObjectType] = &[
    ObjectType {
        machine_name: "customer_profile_address",
        friendly_name: "Customer Profile Address",
        fields: &[required(ADDRESS_SIDS, "Address SIDs")],
    },
    ObjectType {
        machine_name: "business_registration",
        friendly_name: "Business Registration",
        fields: &[
            required("business_name", "Business Name"),
            optional("business_registration_number", "Business Registration Number"),
        ],
    },
    ObjectType {
        machine_name: "government_issued_document",
        friendly_name: "Government-Issued Document",
        fields: &[FIRST_NAME, LAST_NAME, optional("birth_date", "Birth Date")],
    },
];

/// Returns the type with this machine name.
#[must_use]
pub fn named(types: &'static [ObjectType], machine_name: &str) -> Option<&'static ObjectType> {
    types.iter().find(|one| one.machine_name == machine_name)
}
