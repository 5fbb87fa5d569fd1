//! The simulator's responses and its description of itself, compared with Twilio's published description of Trust Hub's
//! API, which `tests/fixtures/trusthub-api.json` restates.

mod description;
mod facts;

use std::collections::BTreeSet;

use serde_json::Value;

use test_support::{
    ACCOUNT, Answer, Request,
    simulator::{POLICY, Simulator},
};

use self::facts::{Endpoint, Facts, Operation, encoded, form, keys};

#[test]
fn every_operation_answers_with_exactly_its_status_code_and_fields() {
    let simulator = simulator();
    for facts in Facts::all() {
        for operation in &facts.operations {
            let parameters = facts.parameters(operation);
            let (alone, others): (Vec<_>, Vec<_>) =
                parameters.keys().partition(|name| operation.alone.as_ref() == Some(name));
            let requests = [others, alone].into_iter().filter(|names| !names.is_empty() || parameters.is_empty());
            for names in requests {
                let answer = ask(&simulator, &facts, operation, &form(names.into_iter()));
                assert_as_published(&facts, operation, &answer);
            }
        }
    }
}

#[test]
fn profile_has_its_fields_in_every_status_and_its_links_resolve() {
    let simulator = simulator();
    for facts in Facts::all() {
        let subject = Subject::new(&simulator, &facts);
        let submit = || simulator.post(&subject.url, "Status=pending-review");
        let review = |action: &str, form: &str| simulator.control(&subject.sid, action, form);
        let states = [
            simulator.get(&subject.url),
            submit(),
            review("reject", "code=18602"),
            submit(),
            review("approve", "valid_for_secs=3600"),
            review("expire", ""),
        ];
        states.iter().for_each(|profile| facts.assert_resource("profile", profile));
        let has = |field: &str| states.iter().map(|profile| !profile[field].is_null()).collect::<Vec<_>>();
        assert_eq!(has("errors"), [false, false, true, false, false, true]);
        assert_eq!(has("valid_until"), [false, false, false, false, true, false]);
        for link in states[0]["links"].as_object().unwrap().values() {
            simulator.get(path(link.as_str().unwrap()));
        }
    }
}

#[test]
fn missing_or_malformed_parameter_is_rejected() {
    let simulator = simulator();
    for facts in Facts::all() {
        for operation in &facts.operations {
            let parameters = facts.parameters(operation);
            for missing in operation.required.keys() {
                let others = parameters.keys().filter(|name| *name != missing);
                let answer = ask(&simulator, &facts, operation, &form(others));
                assert_problem(&answer, 400, 20001, &format!("{operation:?} without {missing}"));
            }
            for (wrong, _) in parameters.iter().filter(|(_, form)| *form != "string") {
                let others = parameters.keys().filter(|name| *name != wrong);
                let answer =
                    ask(&simulator, &facts, operation, &format!("{}&{}=nonsense", form(others), encoded(wrong)));
                let is_status_update = wrong == "Status" && operation.endpoint.method == "POST";
                let code = if is_status_update { 22203 } else { 20001 };
                assert_problem(&answer, 400, code, &format!("{operation:?} with another {wrong}"));
            }
        }
    }
}

/// Panics unless the answer has the status code and the fields that Twilio publishes.
fn assert_as_published(facts: &Facts, operation: &Operation, answer: &Answer) {
    assert_eq!(answer.status, operation.success, "{operation:?}: {}", answer.body);
    match (&operation.answer, &operation.list_of) {
        (Some(resource), _) => facts.assert_resource(resource, &json(answer)),
        (_, Some(resource)) => facts.assert_list(resource, &operation.key, &json(answer)),
        _ => assert_eq!(answer.body, ""),
    }
}

const BUNDLES: &str = "/v2/RegulatoryCompliance/Bundles";

/// A simulator that sends no callbacks.
fn simulator() -> Simulator {
    Simulator::start_with(&["--set", "drop=100"], &[])
}

/// A profile with one assignment, and an object of each kind.
struct Subject {
    url: String,
    sid: String,
    /// The name of each placeholder in a path, and the SID for it.
    sids: Vec<(&'static str, String)>,
}

impl Subject {
    fn new(simulator: &Simulator, facts: &Facts) -> Self {
        let create = |path: &str, form: &str| simulator.post(path, form)["sid"].as_str().unwrap().to_owned();
        let profile = format!("FriendlyName=Shop&Email=a&PolicySid={POLICY}");
        let sid = create(facts.profiles(), &profile);
        let url = format!("{}/{sid}", facts.profiles());
        let part = "FriendlyName=Part&Type=customer_profile_address";
        let address = "CustomerName=Shop&Street=1&City=C&Region=R&PostalCode=1&IsoCountry=US";
        let assigned = create("/v1/SupportingDocuments", part);
        let endpoint = "ChannelEndpointType=phone-number&ChannelEndpointSid=PN00000000000000000000000000000009";
        let new_bundle = format!("FriendlyName=A&Email=a&RegulationSid={POLICY}");
        let bundle_sid = create(BUNDLES, &new_bundle);
        let bundle = format!("{BUNDLES}/{bundle_sid}");
        // What is missing for this policy is a decision, and each decision causes an e-mail.
        let incomplete = "FriendlyName=Part&Email=a&PolicySid=RNdfbf3fae0e1107f8aded0e7cead80bf5";
        let incomplete = create("/v1/CustomerProfiles", incomplete);
        simulator.post(&format!("/v1/CustomerProfiles/{incomplete}"), "Status=pending-review");
        let email =
            simulator.get(&format!("/simulator/emails?profile_sid={incomplete}"))["emails"][0]["id"].to_string();
        let sids = vec![
            ("Email", email),
            ("Sid", sid.clone()),
            ("AccountSid", ACCOUNT.to_owned()),
            ("Assignment", create(&format!("{url}/EntityAssignments"), &format!("ObjectSid={assigned}"))),
            ("Evaluation", create(&format!("{url}/Evaluations"), &format!("PolicySid={POLICY}"))),
            ("Endpoint", create(&format!("{url}/ChannelEndpointAssignments"), endpoint)),
            ("Policy", "RNdfbf3fae0e1107f8aded0e7cead80bf5".to_owned()),
            ("EndUserType", "authorized_representative_1".to_owned()),
            ("DocumentType", "customer_profile_address".to_owned()),
            ("EndUser", create("/v1/EndUsers", part)),
            ("Document", create("/v1/SupportingDocuments", part)),
            ("Address", create(&format!("/2010-04-01/Accounts/{ACCOUNT}/Addresses.json"), address)),
            ("Item", create(&format!("{bundle}/ItemAssignments"), &format!("ObjectSid={assigned}"))),
            ("BundleEvaluation", create(&format!("{bundle}/Evaluations"), "")),
            ("Bundle", bundle_sid),
            ("OtherBundle", create(BUNDLES, &new_bundle)),
            ("Regulation", "RNfd11dde5d4b7252abf96139766f68034".to_owned()),
            ("RegulatoryEndUserType", "individual".to_owned()),
            ("RegulatoryDocumentType", "passport".to_owned()),
            ("Customer", create("/v1/CustomerProfiles", &profile)),
            ("Registration", sid.clone()),
            ("Primary", create("/simulator/primary-profiles", "type=business&status=twilio-approved")),
        ];
        Self { url, sid, sids }
    }

    /// A subject that is ready for a request to this path: only an approved profile has a provisional copy, and only the
    /// items of approved bundles are replaced.
    fn for_request(simulator: &Simulator, facts: &Facts, Endpoint { method, path }: &Endpoint) -> Self {
        let subject = Self::new(simulator, facts);
        if path.ends_with("/ProvisionalCopy") {
            simulator.post(&subject.url, "Status=pending-review");
            simulator.control(&subject.sid, "approve", "");
            if method == "GET" {
                simulator.post(&format!("{}/ProvisionalCopy", subject.url), "");
            }
        }
        if path.ends_with("/ReplaceItems") {
            for sid in ["{Bundle}", "{OtherBundle}"].map(|name| subject.at(name)) {
                simulator.post(&format!("{BUNDLES}/{sid}"), "Status=pending-review");
                simulator.control(&sid, "approve", "");
            }
        }
        subject
    }

    /// A path or a form with its SIDs filled in.
    fn at(&self, text: &str) -> String {
        let fill = |text: String, (name, sid): &(&str, String)| text.replace(&format!("{{{name}}}"), sid);
        self.sids.iter().fold(text.to_owned(), fill)
    }
}

/// Sends a request for the operation with these parameters, about a new profile.
fn ask(simulator: &Simulator, facts: &Facts, operation: &Operation, parameters: &str) -> Answer {
    let Endpoint { method, path } = &operation.endpoint;
    let subject = Subject::for_request(simulator, facts, &operation.endpoint);
    let (path, parameters) = (subject.at(path), subject.at(parameters));
    simulator.ask(&match method.as_str() {
        "POST" => Request::form(&path, &parameters),
        _ => Request::new(method, &format!("{path}?{parameters}"), &[], ""),
    })
}

fn assert_problem(answer: &Answer, status: u16, code: u32, what: &str) {
    let problem = json(answer);
    assert_eq!((answer.status, &problem["status"]), (status, &status.into()), "{what}: {problem}");
    assert_eq!(problem["code"], code, "{what}: {problem}");
    assert_eq!(keys(&problem), BTreeSet::from(["code", "message", "more_info", "status"]));
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// The path of a URL.
fn path(url: &str) -> &str {
    &url[url.find("/v1/").unwrap()..]
}
