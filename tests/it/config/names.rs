//! Names of variables that are almost right, that are not used any more, or that belong to other programs.

use trusthub_bridge::config::VARIABLES;

use super::{config, described, load};

#[test]
fn near_spelling_of_a_variable_is_a_warning_and_is_not_read() {
    for (name, meant) in [
        ("PUBLIC_URLS", "PUBLIC_URL"),
        ("TWILIO_AUTHTOKEN", "TWILIO_AUTH_TOKEN"),
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_SASL_MECHANISMS", "KAFKA_SASL_MECHANISM"),
        ("HTTP_BNID", "HTTP_BIND"),
        ("kafka_topic", "KAFKA_TOPIC"),
    ] {
        let loaded = load(&[(name, "not read")]).unwrap();
        assert_eq!(loaded.warnings, [format!("{name} is unknown and ignored; did you mean {meant}?")]);
        assert_eq!(loaded.config.describe(), config(&[]).describe());
    }
}

#[test]
fn near_spelling_of_any_variable_is_named_in_the_error() {
    for variable in VARIABLES {
        let near = format!("{}S", variable.name);
        let expected = format!("warning: {near} is unknown and ignored; did you mean {}?", variable.name);
        for missing in ["PUBLIC_URL", "KAFKA_BOOTSTRAP_SERVERS"] {
            let error = load(&[(missing, ""), (near.as_str(), "not read")]).unwrap_err().to_string();
            let lines: Vec<_> = error.lines().collect();
            assert!(lines[1].starts_with(&format!("{missing}: ")) && lines[2..] == [&expected], "{error}");
            assert!(!error.contains("not read"), "{error}");
        }
    }
}

#[test]
fn former_name_of_a_variable_still_sets_its_value_with_a_warning() {
    let former = ("HTTP_MAX_CONNECTIONS", "7");
    let loaded = load(&[former]).unwrap();
    assert_eq!(loaded.config.http.max_in_flight, 7);
    assert_eq!(described(&loaded.config, "HTTP_MAX_IN_FLIGHT"), "7");
    assert_eq!(loaded.warnings, ["HTTP_MAX_CONNECTIONS is deprecated; set HTTP_MAX_IN_FLIGHT instead"]);

    let loaded = load(&[former, ("HTTP_MAX_IN_FLIGHT", "8")]).unwrap();
    assert_eq!(loaded.config.http.max_in_flight, 8);
    let warning = "HTTP_MAX_CONNECTIONS is ignored because HTTP_MAX_IN_FLIGHT is set; remove HTTP_MAX_CONNECTIONS";
    assert_eq!(loaded.warnings, [warning]);

    let problems = load(&[("HTTP_MAX_CONNECTIONS", "0")]).unwrap_err().to_string();
    assert!(problems.contains("HTTP_MAX_CONNECTIONS: is not a number in range"), "{problems}");
}

#[test]
fn other_names_with_our_prefixes_are_ignored() {
    let injected =
        ["KAFKA_PORT", "KAFKA_SERVICE_HOST", "HTTP_PROXY", "ADMIN_PORT", "KAFKA_KAFKA_TOPIC", "RUST_BACKTRACE"];
    let more: Vec<_> = injected.into_iter().map(|name| (name, "tcp://10.0.0.1:9092")).collect();
    let loaded = load(&more).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.config.describe(), config(&[]).describe());
}
