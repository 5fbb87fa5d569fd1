//! The format of values, and the schema registry.

use secrecy::ExposeSecret as _;
use trusthub_bridge::config::{EventMode, ValueFormat};

use super::{config, file, load, mistakes::only};

const URL: (&str, &str) = ("SCHEMA_REGISTRY_URL", "https://registry.example.com/apis/ccompat/v7/");
const AVRO: (&str, &str) = ("KAFKA_VALUE_FORMAT", "avro");
const USER: (&str, &str) = ("SCHEMA_REGISTRY_USERNAME", "bridge");

#[test]
fn every_variable_of_the_format_reaches_its_setting() {
    let least = config(&[]).kafka.values;
    assert_eq!((least.format, least.mode, least.registry.is_none()), (ValueFormat::Json, EventMode::Binary, true));

    let password = file("registry-password", b"secret\n").display().to_string();
    let values = config(&[
        AVRO,
        ("CE_MODE", "BINARY"),
        URL,
        USER,
        ("SCHEMA_REGISTRY_PASSWORD_FILE", &password),
        ("SCHEMA_REGISTRY_AUTO_REGISTER", "false"),
    ]);
    let values = values.kafka.values;
    assert_eq!((values.format, values.mode), (ValueFormat::Avro, EventMode::Binary));
    let registry = values.registry.unwrap();
    assert_eq!(
        (registry.url.as_str(), registry.auto_register),
        ("https://registry.example.com/apis/ccompat/v7", false)
    );
    let user = registry.user.unwrap();
    assert_eq!((user.name.as_str(), user.password.current().expose_secret()), ("bridge", "secret"));

    let structured = config(&[("CE_MODE", "structured"), URL]).kafka.values;
    assert_eq!((structured.mode, structured.registry.unwrap().user.is_none()), (EventMode::Structured, true));
}

#[test]
fn contradictions_of_the_format_are_reported() {
    let password = ("SCHEMA_REGISTRY_PASSWORD", "secret");
    for (more, name, instead) in [
        (&[AVRO][..], "SCHEMA_REGISTRY_URL", "write the URL of the schema registry, or KAFKA_VALUE_FORMAT=json"),
        (&[AVRO, URL, ("CE_MODE", "structured")], "CE_MODE", "whose values are the data alone; write binary"),
        (&[("KAFKA_VALUE_FORMAT", "protobuf")], "KAFKA_VALUE_FORMAT", "write json or avro"),
        (&[("CE_MODE", "batched")], "CE_MODE", "write binary or structured"),
        (&[USER], "SCHEMA_REGISTRY_USERNAME", "set that as well, or remove this"),
        (&[password], "SCHEMA_REGISTRY_PASSWORD", "set that as well, or remove this"),
        (&[("SCHEMA_REGISTRY_AUTO_REGISTER", "false")], "SCHEMA_REGISTRY_AUTO_REGISTER", "set that as well"),
        (&[URL, USER], "SCHEMA_REGISTRY_PASSWORD", "or its path into SCHEMA_REGISTRY_PASSWORD_FILE"),
        (&[URL, password], "SCHEMA_REGISTRY_USERNAME", "write the user to whom the password belongs"),
        (
            &[("SCHEMA_REGISTRY_URL", "registry:8081")],
            "SCHEMA_REGISTRY_URL",
            "write it as https://registry.example.com",
        ),
        (&[("SCHEMA_REGISTRY_URL", "http://")], "SCHEMA_REGISTRY_URL", "has no valid host"),
        (&[("SCHEMA_REGISTRY_URL", "http://u:p@r")], "SCHEMA_REGISTRY_URL", "set SCHEMA_REGISTRY_USERNAME"),
        (&[("SCHEMA_REGISTRY_URL", "http://r:0")], "SCHEMA_REGISTRY_URL", "write a number from 1 to 65535"),
        (&[("SCHEMA_REGISTRY_URL", "http://r/?a")], "SCHEMA_REGISTRY_URL", "remove everything from the '?'"),
        (&[("SCHEMA_REGISTRY_URL", "http://r/a b")], "SCHEMA_REGISTRY_URL", "has a path that is not a plain prefix"),
    ] {
        let line = only(more);
        assert!(line.starts_with(&format!("{name}: ")) && line.contains(instead), "{more:?} → {line}");
    }
}

#[test]
fn password_for_a_registry_that_the_network_can_read_is_a_warning() {
    let warnings = |url, user: &[_]| load(&[&[("SCHEMA_REGISTRY_URL", url)], user].concat()).unwrap().warnings.concat();
    let login = [USER, ("SCHEMA_REGISTRY_PASSWORD", "secret")];
    let said = warnings("http://registry:8081", &login);
    assert_eq!(said, "SCHEMA_REGISTRY_URL is not https; the network can read SCHEMA_REGISTRY_PASSWORD, so use https");
    for (url, user) in [("http://registry:8081", &[][..]), ("https://registry", &login), ("http://127.0.0.1:1", &login)]
    {
        assert_eq!(warnings(url, user), "", "{url}");
    }
}
