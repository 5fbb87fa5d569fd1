//! The simulator's responses and its description of itself, compared with Twilio's published description of Trust Hub's
//! API, which `tests/fixtures/trusthub-api.json` restates.

mod description;
mod facts;

use std::collections::BTreeSet;

use serde_json::Value;

use test_support::{Answer, Request, simulator::Simulator};

use self::facts::{Endpoint, Facts, Operation, form, keys};

/// Parameters that the simulator accepts and ignores, because it has no objects that they could select.
const IGNORED: [&str; 3] = ["ObjectType", "ChannelEndpointSid", "ChannelEndpointSids"];

#[test]
fn every_operation_answers_with_exactly_its_status_code_and_fields() {
    let simulator = simulator();
    for facts in Facts::all() {
        for operation in &facts.operations {
            let parameters = facts.parameters(operation);
            let answer = ask(&simulator, &facts, operation, &form(parameters.keys()));
            assert_eq!(answer.status, operation.success, "{operation:?}: {}", answer.body);
            match (&operation.answer, &operation.list_of) {
                (Some(resource), _) => facts.assert_resource(resource, &json(&answer)),
                (_, Some(resource)) => facts.assert_list(resource, &json(&answer)),
                _ => assert_eq!(answer.body, ""),
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
        assert_eq!(has("errors"), [false, false, true, false, false, false]);
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
            let has_form = |(name, form): &(&String, &String)| *form != "string" && !IGNORED.contains(&name.as_str());
            for (wrong, _) in parameters.iter().filter(has_form) {
                let others = parameters.keys().filter(|name| *name != wrong);
                let answer = ask(&simulator, &facts, operation, &format!("{}&{wrong}=nonsense", form(others)));
                assert_problem(&answer, 400, 20001, &format!("{operation:?} with another {wrong}"));
            }
        }
    }
}

#[test]
fn operations_that_are_not_simulated_are_rejected_like_by_twilio() {
    let simulator = simulator();
    for facts in Facts::all() {
        let subject = Subject::new(&simulator, &facts);
        for endpoint in &facts.not_simulated {
            let path = endpoint.path.replace("{Evaluation}", "EL00000000000000000000000000000001");
            let answer = simulator.ask(&Request::new(&endpoint.method, &subject.at(&path), &[], ""));
            let (status, code) = if endpoint.method == "POST" { (405, 20004) } else { (404, 20404) };
            assert_problem(&answer, status, code, &format!("{endpoint:?}"));
        }
    }
}

/// A simulator that sends no callbacks.
fn simulator() -> Simulator {
    Simulator::start_with(&["--set", "drop=100"], &[])
}

/// A profile with one assignment.
struct Subject {
    url: String,
    sid: String,
    assignment: String,
}

impl Subject {
    fn new(simulator: &Simulator, facts: &Facts) -> Self {
        let create = |path: &str, names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            simulator.post(path, &form(names.iter()))["sid"].as_str().unwrap().to_owned()
        };
        let sid = create(facts.profiles(), &["FriendlyName", "Email", "PolicySid", "StatusCallback"]);
        let url = format!("{}/{sid}", facts.profiles());
        let assignment = create(&format!("{url}/EntityAssignments"), &["ObjectSid"]);
        Self { url, sid, assignment }
    }

    /// A path with its SIDs filled in.
    fn at(&self, path: &str) -> String {
        path.replace("{Sid}", &self.sid).replace("{Assignment}", &self.assignment)
    }
}

/// Sends a request for the operation with these parameters, about a new profile.
fn ask(simulator: &Simulator, facts: &Facts, operation: &Operation, parameters: &str) -> Answer {
    let Endpoint { method, path } = &operation.endpoint;
    let path = Subject::new(simulator, facts).at(path);
    simulator.ask(&match method.as_str() {
        "POST" => Request::form(&path, parameters),
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
