//! The published facts about Trust Hub's API, for one kind of profile.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use test_support::simulator::POLICY;

const FIXTURE: &str = include_str!("../../../fixtures/trusthub-api.json");

/// The example value of each parameter. A name in braces stands for a SID of the subject.
const EXAMPLES: &[(&str, &str)] = &[
    ("FriendlyName", "Shop"),
    ("Email", "shop@example.com"),
    ("PolicySid", POLICY),
    ("StatusCallback", "https://hooks.example.com/"),
    ("Status", "draft"),
    ("PageSize", "20"),
    ("Page", "0"),
    ("ObjectSid", "{Document}"),
    ("ObjectType", "customer_profile_address"),
    ("ChannelEndpointType", "phone-number"),
    ("ChannelEndpointSid", "PN00000000000000000000000000000004"),
    ("ChannelEndpointSids", "PN00000000000000000000000000000004"),
    ("Type", "customer_profile_address"),
    ("Attributes", "%7B%22address_sids%22%3A%22%22%7D"),
    ("CustomerName", "Shop"),
    ("Street", "1+Main+Street"),
    ("City", "Springfield"),
    ("Region", "IL"),
    ("PostalCode", "62701"),
    ("IsoCountry", "US"),
    ("PrimaryProfileSid", "{Primary}"),
    ("TollfreePhoneNumber", "%2B18005550100"),
    ("NotificationEmail", "shop@example.com"),
    ("EndUserType", "Business"),
    ("PhoneNumberType", "local"),
    ("RegulationSid", POLICY),
    ("NumberType", "local"),
    ("IsTest", "false"),
    ("BundleSids", "{Bundle}"),
    ("HasValidUntilDate", "true"),
    ("SortBy", "valid-until"),
    ("SortDirection", "ASC"),
    ("ValidUntilDate", "2026-11-20T11:04:00Z"),
    ("ValidUntilDate<", "2026-11-20"),
    ("ValidUntilDate>", "2026-11-20T11:04:00Z"),
    ("FromBundleSid", "{OtherBundle}"),
    ("IncludeConstraints", "true"),
];

/// Names, each with the form of its value.
pub(super) type Forms = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
pub(super) struct Facts {
    statuses: Vec<String>,
    resources: BTreeMap<String, Forms>,
    /// The last path segment of each link.
    links: Forms,
    pub(super) meta: Forms,
    pub(super) paging: Forms,
    pub(super) operations: Vec<Operation>,
}

/// An operation of the API.
#[derive(Debug, Deserialize)]
pub(super) struct Operation {
    #[serde(flatten)]
    pub(super) endpoint: Endpoint,
    #[serde(default)]
    pub(super) required: Forms,
    #[serde(default)]
    optional: Forms,
    pub(super) success: u16,
    pub(super) answer: Option<String>,
    #[serde(rename = "list of")]
    pub(super) list_of: Option<String>,
    #[serde(default = "results")]
    pub(super) key: String,
    /// A parameter that a request must not combine with others.
    pub(super) alone: Option<String>,
}

fn results() -> String {
    "results".to_owned()
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Endpoint {
    pub(super) method: String,
    pub(super) path: String,
}

impl Facts {
    /// The facts about customer profiles, and those about trust products.
    pub(super) fn all() -> Vec<Self> {
        let raw: Value = serde_json::from_str(FIXTURE).unwrap();
        raw["names"].as_array().unwrap().iter().map(|names| Self::named(names.as_object().unwrap())).collect()
    }

    fn named(names: &serde_json::Map<String, Value>) -> Self {
        let mut text = FIXTURE.to_owned();
        for (placeholder, name) in names {
            text = text.replace(&format!("{{{placeholder}}}"), name.as_str().unwrap());
        }
        serde_json::from_str(&text).unwrap()
    }

    /// The path at which profiles are created and listed.
    pub(super) fn profiles(&self) -> &str {
        &self.operations[0].endpoint.path
    }

    /// The form of each field of a resource; `None` for a resource that the simulator does not have.
    pub(super) fn fields(&self, resource: &str) -> Option<&Forms> {
        self.resources.get(resource)
    }

    /// All parameters of an operation.
    pub(super) fn parameters(&self, operation: &Operation) -> Forms {
        let paging = operation.list_of.iter().flat_map(|_| &self.paging);
        let all = operation.required.iter().chain(&operation.optional).chain(paging);
        all.map(|(name, form)| (name.clone(), form.clone())).collect()
    }

    /// Panics unless the value is a resource as published, field by field.
    pub(super) fn assert_resource(&self, resource: &str, value: &Value) {
        let fields = self.fields(resource).unwrap_or_else(|| panic!("there are no facts about {resource}: {value}"));
        self.assert_forms(fields, value, true);
    }

    /// Panics unless the value is a list of such resources as published.
    pub(super) fn assert_list(&self, resource: &str, key: &str, value: &Value) {
        assert_eq!(keys(value), BTreeSet::from(["meta", key]));
        assert_eq!(value["meta"]["key"], key);
        self.assert_forms(&self.meta, &value["meta"], false);
        value[key].as_array().unwrap().iter().for_each(|one| self.assert_resource(resource, one));
    }

    fn assert_forms(&self, forms: &Forms, value: &Value, nullable: bool) {
        assert_eq!(keys(value), forms.keys().map(String::as_str).collect());
        for (name, form) in forms {
            let (form, optional) = form.strip_suffix('?').map_or((form.as_str(), nullable), |form| (form, true));
            let fits = (optional && value[name].is_null()) || self.fits(form, &value[name]);
            assert!(fits, "{name} is not a {form}: {value}");
        }
    }

    fn fits(&self, form: &str, value: &Value) -> bool {
        let text = value.as_str();
        match form {
            "string" => text.is_some(),
            "integer" => value.is_u64(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "boolean" => value.is_boolean(),
            "status" => text.is_some_and(|text| self.statuses.iter().any(|status| status == text)),
            "uri" => text.is_some_and(is_uri),
            "uri-map" => self.are_links(value),
            "date-time" => text.is_some_and(is_date_time),
            _ => text.is_some_and(|text| is_sid(form.strip_prefix("sid ").expect("a known form"), text)),
        }
    }

    fn are_links(&self, value: &Value) -> bool {
        let leads_to = |(name, end): (&String, &String)| {
            value[name].as_str().is_some_and(|url| is_uri(url) && url.ends_with(&format!("/{end}")))
        };
        keys(value) == self.links.keys().map(String::as_str).collect() && self.links.iter().all(leads_to)
    }
}

/// `name=value` for each of these parameters that has an example.
pub(super) fn form<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let examples = names.filter_map(|name| EXAMPLES.iter().find(|(example, _)| example == name));
    examples.map(|(name, value)| format!("{}={value}", encoded(name))).collect::<Vec<_>>().join("&")
}

/// The name of a parameter, as a query or a form has it.
pub(super) fn encoded(name: &str) -> String {
    name.replace('<', "%3C").replace('>', "%3E")
}

/// The member names of an object.
pub(super) fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}")).keys().map(String::as_str).collect()
}

fn is_uri(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn is_date_time(text: &str) -> bool {
    text.replace(|c: char| c.is_ascii_digit(), "0") == "0000-00-00T00:00:00Z"
}

fn is_sid(prefix: &str, text: &str) -> bool {
    let (letters, digits) = text.split_at(2);
    let is_prefix = if prefix == "*" { letters.chars().all(|c| c.is_ascii_alphabetic()) } else { letters == prefix };
    is_prefix && digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit())
}
