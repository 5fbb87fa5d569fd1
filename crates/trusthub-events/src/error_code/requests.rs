//! Errors of requests.

use super::entry::{CatalogEntry, CodeFamily};

pub(super) const REQUESTS: CodeFamily = CodeFamily {
    title: "Errors of requests",
    about: "Trust Hub's API answers these to a request. A rejection never has them, so they are not a label of a \
            metric, and the service does not look for them in the text of a failure reason.",
    is_in_rejections: false,
    entries: ENTRIES,
};

const ENTRIES: &[CatalogEntry] = &[
    CatalogEntry {
        code: 20003,
        text: "20003",
        meaning: "not_permitted",
        message: "The request is not permitted.",
        cause: "The credentials are wrong, or the primary profile of the account is not approved.",
        cure: "Check the account SID and token, and get the primary profile approved first.",
    },
    CatalogEntry {
        code: 22203,
        text: "22203",
        meaning: "status_not_parsable",
        message: "The status in the request is not a status.",
        cause: "The parameter Status is misspelled.",
        cure: "Write draft or pending-review.",
    },
    CatalogEntry {
        code: 22204,
        text: "22204",
        meaning: "status_and_properties_together",
        message: "The request changes the status and other properties.",
        cause: "Trust Hub takes either the status or other properties in one request.",
        cure: "Send two requests: the properties first, then the status.",
    },
    CatalogEntry {
        code: 22205,
        text: "22205",
        meaning: "object_sid_invalid",
        message: "The SID of the object is invalid.",
        cause: "There is no such object in this account, or it is assigned already.",
        cure: "Check the SID and the account that it belongs to.",
    },
    CatalogEntry {
        code: 22206,
        text: "22206",
        meaning: "object_type_invalid",
        message: "An object of this type cannot be assigned.",
        cause: "The policy does not ask for an object of this type.",
        cure: "Assign end users (IT), supporting documents (RD) or profiles (BU).",
    },
    CatalogEntry {
        code: 22207,
        text: "22207",
        meaning: "attributes_not_json",
        message: "The attributes are not JSON.",
        cause: "The parameter Attributes has to be one JSON object, as text.",
        cure: "Encode the attributes as JSON.",
    },
    CatalogEntry {
        code: 60711,
        text: "60711",
        meaning: "not_editable_in_this_status",
        message: "The profile cannot be edited in its present status.",
        cause: "It is in review, where it is locked.",
        cure: "Wait until the review has ended: an approved or rejected profile can be edited.",
    },
    CatalogEntry {
        code: 70002,
        text: "70002",
        meaning: "state_immutable",
        message: "The object cannot be changed in its present state.",
        cause: "It belongs to a profile that is in review.",
        cure: "Wait until the review has ended.",
    },
];
