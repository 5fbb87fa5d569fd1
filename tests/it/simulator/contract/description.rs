//! `/openapi.json`: it describes Twilio's API as published, and the simulator as it is.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Facts, Place, Subject, keys, simulator};
use crate::support::{Request, simulator::Simulator};

const METHODS: [&str; 5] = ["DELETE", "GET", "PATCH", "POST", "PUT"];

#[test]
fn the_description_has_the_published_operations_with_their_parameters_and_fields() {
    let description = simulator().get("/openapi.json");
    let mut published = BTreeSet::new();
    for facts in Facts::all() {
        for operation in &facts.operations {
            let described = described(&description, &operation.place);
            let parameters = facts.parameters(operation);
            assert_eq!(names(&described), parameters.keys().cloned().collect(), "{operation:?}");
            assert_eq!(required(&described), operation.required.keys().cloned().collect(), "{operation:?}");
            let success = successes(&described);
            assert_eq!(success, [operation.success.to_string()], "{operation:?}");
            let answer = &described["responses"][&success[0]]["content"]["application/json"]["schema"];
            if let Some(fields) = operation.answer.as_ref().and_then(|resource| facts.fields(resource)) {
                assert_eq!(properties(&description, answer), fields.keys().cloned().collect(), "{operation:?}");
            }
            if operation.list_of.is_some() {
                let meta = properties(&description, &answer["properties"]["meta"]);
                assert_eq!(meta, facts.meta.keys().cloned().collect());
            }
            published.insert(operation.place.clone());
        }
    }
    let places = places(&description).into_iter().filter(|place| place.path.starts_with("/v1/"));
    assert_eq!(places.collect::<BTreeSet<_>>(), published);
}

#[test]
fn every_path_of_the_description_is_there_and_takes_no_other_method() {
    let simulator = simulator();
    let description = simulator.get("/openapi.json");
    let described: BTreeSet<_> = places(&description).into_iter().collect();
    for path in keys(&description["paths"]) {
        for method in METHODS {
            let place = Place { method: method.to_owned(), path: path.to_owned() };
            let status = status(&simulator, &place);
            if described.contains(&place) {
                assert!(![404, 405].contains(&status), "{place:?}: {status}");
            } else {
                assert_eq!(status, 405, "{place:?}");
            }
        }
    }
}

#[test]
fn the_description_names_the_settings_that_there_are() {
    let simulator = simulator();
    let description = simulator.get("/openapi.json");
    let settings = simulator.get("/simulator/settings");
    let settings = keys(&settings);
    let schema = &description["components"]["schemas"]["Settings"];
    assert_eq!(keys(&schema["properties"]), settings);
    assert_eq!(strings(&schema["required"]), settings);
    let place = Place { method: "POST".to_owned(), path: "/simulator/settings".to_owned() };
    assert_eq!(names(&described(&description, &place)), settings.iter().map(|name| (*name).to_owned()).collect());
}

/// What it is answered with, about a profile that nothing was done to.
fn status(simulator: &Simulator, place: &Place) -> u16 {
    let all = Facts::all();
    let facts = all.iter().find(|facts| place.path.starts_with(facts.profiles())).unwrap_or(&all[0]);
    let path = Subject::new(simulator, facts).at(&place.path);
    simulator.ask(&Request::new(&place.method, &path, &[], "")).status
}

fn places(description: &Value) -> Vec<Place> {
    let is_method = |name: &&str| METHODS.iter().any(|method| method.eq_ignore_ascii_case(name));
    let of = |path: &str| {
        let methods = keys(&description["paths"][path]).into_iter().filter(is_method);
        methods.map(|method| Place { method: method.to_uppercase(), path: path.to_owned() }).collect::<Vec<_>>()
    };
    keys(&description["paths"]).into_iter().flat_map(of).collect()
}

fn described(description: &Value, place: &Place) -> Value {
    let described = &description["paths"][&place.path][place.method.to_lowercase()];
    assert!(described.is_object(), "{place:?} is not described");
    described.clone()
}

/// Of the parameters in the query or in the form.
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

/// Of the schema that this one refers to.
fn properties(description: &Value, reference: &Value) -> BTreeSet<String> {
    let name = reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    keys(&description["components"]["schemas"][name]["properties"]).into_iter().map(str::to_owned).collect()
}

fn strings(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}
