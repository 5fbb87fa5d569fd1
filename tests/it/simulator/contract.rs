//! The simulator's answers and its own description against what Twilio publishes about Trust Hub's API, which
//! `tests/fixtures/trusthub-api.json` restates.

mod description;
mod facts;

use std::collections::BTreeSet;

use serde_json::Value;

use self::facts::{Facts, Operation, Place, form, keys};
use crate::support::{Answer, Request, simulator::Simulator};

/// What the simulator takes and does not look at, since it has nothing that they could choose.
const NOT_READ: [&str; 3] = ["ObjectType", "ChannelEndpointSid", "ChannelEndpointSids"];

#[test]
fn every_operation_answers_with_its_status_code_and_with_its_fields_and_no_other() {
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
fn a_profile_has_its_fields_at_every_station_of_its_life_and_its_links_resolve() {
    let simulator = simulator();
    for facts in Facts::all() {
        let subject = Subject::new(&simulator, &facts);
        let submit = || simulator.post(&subject.url, "Status=pending-review");
        let review = |act: &str, form: &str| simulator.control(&subject.sid, act, form);
        let life = [
            simulator.get(&subject.url),
            submit(),
            review("reject", "code=18602"),
            submit(),
            review("approve", "valid_for_secs=3600"),
            review("expire", ""),
        ];
        life.iter().for_each(|profile| facts.assert_resource("profile", profile));
        let has = |field: &str| life.iter().map(|profile| !profile[field].is_null()).collect::<Vec<_>>();
        assert_eq!(has("errors"), [false, false, true, false, false, false]);
        assert_eq!(has("valid_until"), [false, false, false, false, true, false]);
        for link in life[0]["links"].as_object().unwrap().values() {
            simulator.get(path(link.as_str().unwrap()));
        }
    }
}

#[test]
fn a_parameter_that_is_missing_or_of_another_form_is_refused() {
    let simulator = simulator();
    for facts in Facts::all() {
        for operation in &facts.operations {
            let parameters = facts.parameters(operation);
            for missing in operation.required.keys() {
                let others = parameters.keys().filter(|name| *name != missing);
                let answer = ask(&simulator, &facts, operation, &form(others));
                assert_problem(&answer, 400, 20001, &format!("{operation:?} without {missing}"));
            }
            let has_form = |(name, form): &(&String, &String)| *form != "string" && !NOT_READ.contains(&name.as_str());
            for (wrong, _) in parameters.iter().filter(has_form) {
                let others = parameters.keys().filter(|name| *name != wrong);
                let answer = ask(&simulator, &facts, operation, &format!("{}&{wrong}=nonsense", form(others)));
                assert_problem(&answer, 400, 20001, &format!("{operation:?} with another {wrong}"));
            }
        }
    }
}

#[test]
fn what_is_not_simulated_is_refused_as_twilio_would() {
    let simulator = simulator();
    for facts in Facts::all() {
        let subject = Subject::new(&simulator, &facts);
        for place in &facts.not_simulated {
            let path = place.path.replace("{Evaluation}", "EL00000000000000000000000000000001");
            let answer = simulator.ask(&Request::new(&place.method, &subject.at(&path), &[], ""));
            let (status, code) = if place.method == "POST" { (405, 20004) } else { (404, 20404) };
            assert_problem(&answer, status, code, &format!("{place:?}"));
        }
    }
}

/// One that announces nothing.
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

    /// A path with its SIDs.
    fn at(&self, path: &str) -> String {
        path.replace("{Sid}", &self.sid).replace("{Assignment}", &self.assignment)
    }
}

/// Asks for it with these parameters, about a profile that nothing was done to.
fn ask(simulator: &Simulator, facts: &Facts, operation: &Operation, parameters: &str) -> Answer {
    let Place { method, path } = &operation.place;
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

/// Of a URL.
fn path(url: &str) -> &str {
    &url[url.find("/v1/").unwrap()..]
}
