//! Twilio's official client libraries against the simulator. `tests/oracles/*/scenario.*` change profiles in every way,
//! and `bundles.*` use each method for regulatory bundles; they print what they received, and both libraries must have
//! received the same.

use serde_json::{Value, json};

use test_support::{
    ACCOUNT, TOKEN,
    oracle::{Library, command},
    simulator::Simulator,
};

const SEEDED: usize = 2_500;
const DEFAULT_PAGE: usize = 50;
/// The number of policies and types that the simulator has.
const POLICIES: usize = 17;
const END_USER_TYPES: usize = 9;
const DOCUMENT_TYPES: usize = 3;
const REGULATIONS: usize = 6;
const REGULATORY_END_USER_TYPES: usize = 2;
const REGULATORY_DOCUMENT_TYPES: usize = 12;

#[test]
fn python_library_pages_changes_profiles_and_maps_errors() {
    assert_transcript(Library::Python);
}

#[test]
fn node_library_pages_changes_profiles_and_maps_errors() {
    assert_transcript(Library::Node);
}

#[test]
fn python_library_fills_copies_and_lists_regulatory_bundles() {
    assert_bundles(Library::Python);
}

#[test]
fn node_library_fills_copies_and_lists_regulatory_bundles() {
    assert_bundles(Library::Node);
}

fn assert_bundles(library: Library) {
    let seen = transcript(library, "bundles", &[]);
    assert_eq!(seen["regulations"], regulations());
    assert_eq!(seen["document"], json!([["draft", null, null], life()]));
    // Part by part, so that a failure shows the one that differs.
    for (name, expected) in bundle().as_object().unwrap() {
        assert_eq!(&seen["bundle"][name], expected, "{name}");
    }
}

fn assert_transcript(library: Library) {
    let seen = transcript(library, "scenario", &["--profiles", &SEEDED.to_string()]);
    // Part by part, so that a failure shows the one that differs.
    assert_eq!(seen["problems"], problems());
    assert_eq!(seen["customer profile"], scenario());
    assert_eq!(seen["trust product"], scenario());
    assert_eq!(seen["parts"], parts());
    assert_eq!(seen["approved profile"], approved());
    assert_eq!(seen["approved product"], approved());
    assert_eq!(seen["inquiries"], json!([true, true, "draft"]));
    assert_eq!(seen["paging"]["sizes"], json!(vec![DEFAULT_PAGE; SEEDED / DEFAULT_PAGE]));
    assert_eq!(seen["paging"]["before the last"], DEFAULT_PAGE);
    let newest_first: Vec<_> = (1..=SEEDED).rev().map(|number| format!("Seeded {number}")).collect();
    assert_eq!(seen["paging"]["names"], json!([newest_first, newest_first]));
}

/// The transcript that a program of the library prints about a new simulator, which sends no callbacks.
fn transcript(library: Library, program: &str, arguments: &[&str]) -> Value {
    let simulator = Simulator::start_with(&[&["--set", "drop=100"], arguments].concat(), &[]);
    let mut program = command(library, program);
    // The simulator is on this machine, so a proxy from the environment must not be used.
    program.env("NO_PROXY", "127.0.0.1").args([&simulator.url(), ACCOUNT, TOKEN]);
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn problem(status: u16, code: u32, message: &str) -> Value {
    json!({"status": status, "code": code, "message": message})
}

fn problems() -> Value {
    let unknown = format!("The requested resource /CustomerProfiles/BU{} was not found", "f".repeat(32));
    json!({
        "unauthenticated": problem(401, 20003, "Authenticate"),
        "unknown": problem(404, 20404, &unknown),
        "no e-mail": problem(400, 20001, "Missing required parameter Email in the post body"),
        "too many": problem(429, 20429, "Too Many Requests"),
    })
}

/// A profile after its first change; `None` stands for no errors.
fn changed(name: &str, status: &str, errors: Option<Value>) -> Value {
    json!({
        "name": name,
        "email": "other@example.com",
        "status": status,
        "errors": errors,
        "callback": null,
        "valid": status == "twilio-approved",
        "dated": true,
    })
}

fn scenario() -> Value {
    let draft = json!({
        "name": "Shop",
        "email": "shop@example.com",
        "status": "draft",
        "errors": null,
        "callback": "https://hooks.example.com/",
        "valid": false,
        "dated": true,
    });
    let incomplete = json!([{"code": 22214}, {"code": 22216}, {"code": 18036}]);
    let not_verified = json!([{"code": 18602}]);
    let locked = problem(400, 60711, "Not allowed: it is in-review");
    let statuses = "draft, pending-review, in-review, twilio-rejected, twilio-approved";
    json!({
        "created": draft,
        "fetched": draft,
        "listed": [draft],
        "updated": changed("Shop 2", "draft", None),
        "wrong status": [
            problem(400, 22203, &format!("Status: write one of {statuses}")),
            problem(400, 20001, "Status: write draft or pending-review; only a reviewer sets the other statuses"),
        ],
        "submitted incomplete": changed("Shop 2", "twilio-rejected", Some(incomplete)),
        "sub-lists": sub_lists(),
        "submitted": changed("Shop 2", "in-review", None),
        "locked": [locked, locked],
        "rejected": changed("Shop 2", "twilio-rejected", Some(not_verified.clone())),
        "edited": changed("Shop 3", "twilio-rejected", Some(not_verified)),
        "resubmitted": changed("Shop 3", "in-review", None),
        "approved": changed("Shop 3", "twilio-approved", None),
        "deleted": true,
        "gone": 20404,
    })
}

fn sub_lists() -> Value {
    json!({
        "assigned": ["BU", "RD", "IT"],
        "of a type": ["RD"],
        "fetched": [true, true],
        "unassigned": true,
        "left": ["BU", "IT"],
        "gone": 20404,
        "evaluations": 0,
        "channel endpoints": 0,
    })
}

/// Listed, fetched, changed and deleted, and then gone.
fn life() -> Value {
    json!([true, true, true, true, 20404])
}

fn parts() -> Value {
    json!({
        "address": life(),
        "end user": life(),
        "document": life(),
        "end user of numbers": life(),
        "bundle": life(),
        "types": [vec![true; POLICIES], vec![true; END_USER_TYPES], vec![true; DOCUMENT_TYPES]],
        "attributes": problem(400, 22207, r#"Attributes: write a JSON object, such as {"first_name":"Ada"}"#),
    })
}

fn approved() -> Value {
    json!({
        "evaluation": ["noncompliant", "noncompliant", 1],
        "endpoint": [true, true, true, 20404],
        "copy": ["draft", "Shop", 18608],
        "approved": problem(400, 60711, "User cannot perform this status update"),
    })
}

fn regulations() -> Value {
    json!({
        "all": vec![true; REGULATIONS],
        "german": ["Germany: Local - Business", "DE", "local", "business"],
        "constraint": ["String", true],
        "types": [vec![true; REGULATORY_END_USER_TYPES], vec![true; REGULATORY_DOCUMENT_TYPES]],
    })
}

fn bundle() -> Value {
    json!({
        "incomplete": "twilio-rejected",
        "filled": {
            "fetched": true,
            "listed": ["RD", "IT"],
            "unassigned": [true, 20404],
            "evaluations": ["noncompliant", "compliant", "compliant"],
            "kept": 2,
        },
        "submitted": "in-review",
        "provisional": ["provisionally-approved", true],
        "lists": [
            ["Second", "First"],
            ["German"],
            ["First", "German"],
            ["German"],
            ["German"],
            ["German"],
            ["German"],
            [],
            ["German"],
            ["German", "Second", "First"],
            ["German", "First", "Second"],
        ],
        "copies": {
            "copy": ["draft", "Copy", true],
            "early": 60711,
            "replaced": ["twilio-approved", null, true, 2],
        },
        "test": "twilio-rejected",
        "deleted": [true, 20404],
    })
}
