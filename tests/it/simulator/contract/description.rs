//! `/openapi.json` describes Twilio's API as published, and the simulator as it is.

use std::collections::BTreeSet;

use serde_json::Value;

use test_support::{Request, simulator::Simulator};

use super::{Endpoint, Facts, Subject, keys, simulator};

const METHODS: [&str; 5] = ["DELETE", "GET", "PATCH", "POST", "PUT"];

#[test]
fn description_has_the_published_operations_with_parameters_and_fields() {
    let description = description(&simulator());
    let mut published = BTreeSet::new();
    for facts in Facts::all() {
        for operation in &facts.operations {
            let described = described(&description, &operation.endpoint);
            let parameters = facts.parameters(operation);
            assert_eq!(names(&described), parameters.keys().cloned().collect(), "{operation:?}");
            assert_eq!(required(&described), operation.required.keys().cloned().collect(), "{operation:?}");
            let success = successes(&described);
            assert_eq!(success, [operation.success.to_string()], "{operation:?}");
            let answer = &described["responses"][&success[0]]["content"]["application/json"]["schema"];
            if let Some(fields) = operation.answer.as_ref().and_then(|resource| facts.fields(resource)) {
                assert_eq!(properties(answer), fields.keys().cloned().collect(), "{operation:?}");
            }
            if operation.list_of.is_some() {
                let meta = properties(&answer["properties"]["meta"]);
                assert_eq!(meta, facts.meta.keys().cloned().collect());
            }
            published.insert(operation.endpoint.clone());
        }
    }
    let endpoints = endpoints(&description).into_iter().filter(|endpoint| !is_own(&endpoint.path));
    assert_eq!(endpoints.collect::<BTreeSet<_>>(), published);
}

#[test]
fn every_described_path_exists_and_accepts_no_other_method() {
    let simulator = simulator();
    let description = description(&simulator);
    let described: BTreeSet<_> = endpoints(&description).into_iter().collect();
    for path in keys(&description["paths"]) {
        for method in METHODS {
            let endpoint = Endpoint { method: method.to_owned(), path: path.to_owned() };
            let status = status(&simulator, &endpoint);
            if described.contains(&endpoint) {
                assert!(![404, 405].contains(&status), "{endpoint:?}: {status}");
            } else {
                assert_eq!(status, 405, "{endpoint:?}");
            }
        }
    }
}

#[test]
fn request_that_twilio_does_not_have_is_described_with_its_refusal() {
    let description = description(&simulator());
    let own: Vec<_> = endpoints(&description).into_iter().filter(|endpoint| is_own(&endpoint.path)).collect();
    assert!(own.iter().any(|endpoint| endpoint.path == "/"), "{own:?}");
    for endpoint in own {
        let described = described(&description, &endpoint);
        assert!(described["responses"]["403"]["content"]["application/json"].is_object(), "{endpoint:?}");
    }
}

#[test]
fn description_lists_exactly_the_settings() {
    let simulator = simulator();
    let description = description(&simulator);
    let settings = simulator.get("/simulator/settings");
    let settings = keys(&settings);
    let schema = &description["components"]["schemas"]["Settings"];
    assert_eq!(keys(&schema["properties"]), settings);
    assert_eq!(strings(&schema["required"]), settings);
    let endpoint = Endpoint { method: "POST".to_owned(), path: "/simulator/settings".to_owned() };
    assert_eq!(names(&described(&description, &endpoint)), settings.iter().map(|name| (*name).to_owned()).collect());
}

/// Whether Twilio has no request for this path.
fn is_own(path: &str) -> bool {
    path == "/" || path.starts_with("/simulator/")
}

/// The description with each reference replaced by what it refers to.
fn description(simulator: &Simulator) -> Value {
    let description = simulator.get("/openapi.json");
    resolved(&description, &description)
}

fn resolved(value: &Value, description: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let target = reference.strip_prefix('#').and_then(|pointer| description.pointer(pointer));
                resolved(target.unwrap_or_else(|| panic!("{reference} leads nowhere")), description)
            }
            None => members.iter().map(|(name, member)| (name.clone(), resolved(member, description))).collect(),
        },
        Value::Array(items) => items.iter().map(|item| resolved(item, description)).collect(),
        _ => value.clone(),
    }
}

/// The status of the response, about a new profile.
fn status(simulator: &Simulator, endpoint: &Endpoint) -> u16 {
    let all = Facts::all();
    let facts = all.iter().find(|facts| endpoint.path.starts_with(facts.profiles())).unwrap_or(&all[0]);
    let path = Subject::for_request(simulator, facts, endpoint).at(&endpoint.path);
    simulator.ask(&Request::new(&endpoint.method, &path, &[], "")).status
}

fn endpoints(description: &Value) -> Vec<Endpoint> {
    let is_method = |name: &&str| METHODS.iter().any(|method| method.eq_ignore_ascii_case(name));
    let of = |path: &str| {
        let methods = keys(&description["paths"][path]).into_iter().filter(is_method);
        methods.map(|method| Endpoint { method: method.to_uppercase(), path: path.to_owned() }).collect::<Vec<_>>()
    };
    keys(&description["paths"]).into_iter().flat_map(of).collect()
}

fn described(description: &Value, endpoint: &Endpoint) -> Value {
    let described = &description["paths"][&endpoint.path][endpoint.method.to_lowercase()];
    assert!(described.is_object(), "{endpoint:?} is not described");
    described.clone()
}

/// The names of the parameters in the query or in the form.
fn names(described: &Value) -> BTreeSet<String> {
    let query = described["parameters"].as_array().into_iter().flatten();
    let query = query.map(|parameter| parameter["name"].as_str().unwrap().to_owned());
    let form = form(described)["properties"].as_object().into_iter().flat_map(|properties| properties.keys().cloned());
    query.chain(form).collect()
}

fn required(described: &Value) -> BTreeSet<String> {
    strings(&form(described)["required"]).into_iter().map(str::to_owned).collect()
}

fn form(described: &Value) -> &Value {
    &described["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
}

fn successes(described: &Value) -> Vec<&str> {
    keys(&described["responses"]).into_iter().filter(|status| status.starts_with('2')).collect()
}

fn properties(schema: &Value) -> BTreeSet<String> {
    keys(&schema["properties"]).into_iter().map(str::to_owned).collect()
}

fn strings(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}
