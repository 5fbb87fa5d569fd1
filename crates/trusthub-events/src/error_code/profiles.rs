//! Customer profiles and trust products.

use super::entry::{CatalogEntry, CodeFamily};

pub(super) const PROFILES: CodeFamily = CodeFamily {
    title: "Customer profiles and trust products",
    about: "What was found wrong with a customer profile, which Twilio also calls a compliance profile.",
    is_in_rejections: true,
    entries: ENTRIES,
};

const ENTRIES: &[CatalogEntry] = &[
    CatalogEntry {
        code: 18601,
        text: "18601",
        meaning: "business_name_and_website_cannot_be_linked",
        message: "The name of the business and its website cannot be linked.",
        cause: "The website does not open, does not name the business, or names another one.",
        cure: "Name the business on its website, or enter the right name or website, and submit again.",
    },
    CatalogEntry {
        code: 18602,
        text: "18602",
        meaning: "business_registration_number_not_verified",
        message: "The registration number of the business could not be verified.",
        cause: "The number, its type, or the legal name differs from the entry in the public register.",
        cure: "Copy number, type and legal name from the register, such as the IRS letter for an EIN, and submit \
               again.",
    },
    CatalogEntry {
        code: 18603,
        text: "18603",
        meaning: "address_not_verified",
        message: "The address of the business could not be verified.",
        cause: "The address differs from the one in the register, or does not exist.",
        cure: "Enter the address as it is registered, and submit again.",
    },
    CatalogEntry {
        code: 18604,
        text: "18604",
        meaning: "authorized_representative_1_not_verified",
        message: "The first authorized representative could not be verified.",
        cause: "Name, position, phone number or e-mail address could not be confirmed.",
        cure: "Correct the data of the first representative, or name another person, and submit again.",
    },
    CatalogEntry {
        code: 18605,
        text: "18605",
        meaning: "authorized_representative_2_not_verified",
        message: "The second authorized representative could not be verified.",
        cause: "Name, position, phone number or e-mail address could not be confirmed.",
        cure: "Correct the data of the second representative, or name another person, and submit again.",
    },
    CatalogEntry {
        code: 18606,
        text: "18606",
        meaning: "email_domain_differs_from_website_domain",
        message: "The domain of the e-mail address differs from the domain of the website.",
        cause: "The contact has an address of a public mail service or of another company.",
        cure: "Enter an e-mail address at the domain of the website, and submit again.",
    },
    CatalogEntry {
        code: 18607,
        text: "18607",
        meaning: "not_eligible_to_be_copied",
        message: "The profile is not eligible to be copied.",
        cause: "Only certain approved profiles can be copied to another account.",
        cure: "Create a new profile instead of a copy.",
    },
    CatalogEntry {
        code: 18608,
        text: "18608",
        meaning: "already_copied",
        message: "The profile has been copied already.",
        cause: "A copy of this profile exists in the account.",
        cure: "Use the existing copy.",
    },
    CatalogEntry {
        code: 18609,
        text: "18609",
        meaning: "registration_authority_not_eligible",
        message: "The registration authority is not eligible.",
        cause: "The register that was chosen is not accepted for this kind of profile or country.",
        cure: "Choose an accepted registration authority and enter its number, and submit again.",
    },
    CatalogEntry {
        code: 18610,
        text: "18610",
        meaning: "address_deleted",
        message: "The address of the profile was deleted.",
        cause: "The address resource that the supporting document refers to no longer exists.",
        cure: "Create the address again, refer to it in the supporting document, and submit again.",
    },
];
