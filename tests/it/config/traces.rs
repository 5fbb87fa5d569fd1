//! The export of traces.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use trusthub_bridge::config::{SamplerConfig, SpanEncoding, TracesConfig};

use super::{config, described, file, load, mistakes::only};

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otel.example.com/otlp/");

fn traces(variables: &[(&str, &str)]) -> TracesConfig {
    config(variables).traces
}

#[test]
fn every_variable_of_traces_reaches_its_setting() {
    let headers = file("otlp-headers", b"authorization=Basic%20a%2Cb,x-b = c\n").display().to_string();
    let authorities = file("otlp-authorities", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .display()
        .to_string();
    let all = traces(&[
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS_FILE", &headers),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &authorities),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "200"),
        ("OTEL_SERVICE_NAME", "bridge"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,te%61m=x,team=a%20b,"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10"),
        ("OTEL_BSP_SCHEDULE_DELAY", "30"),
        ("TRACE_CONTEXT", "ignore"),
    ]);
    assert!(!all.trusts_context);
    let export = all.export.unwrap();
    assert_eq!((&*export.url, export.encoding), ("https://otel.example.com/otlp/v1/traces", SpanEncoding::Json));
    let headers: Vec<_> = export.headers.iter().map(|(name, value)| (&**name, value.expose_secret())).collect();
    assert_eq!(headers, [("authorization", "Basic a,b"), ("x-b", "c")]);
    assert_eq!(export.certificate, Some(authorities));
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(export.resource, [pair("service.name", "bridge"), pair("team", "a b")]);
    assert_eq!(export.sampler, SamplerConfig { follows_parent: true, ratio: 0.25 });
    assert_eq!((export.queue, export.batch), (100, 10));
    let millis = Duration::from_millis;
    assert_eq!((export.timeout, export.delay), (millis(200), millis(30)));
}

#[test]
fn defaults_of_traces_are_those_of_opentelemetry() {
    let least = traces(&[]);
    assert!(least.trusts_context && least.export.is_none());
    let export = traces(&[ENDPOINT]).export.unwrap();
    assert_eq!((export.encoding, export.headers.len(), export.certificate), (SpanEncoding::Protobuf, 0, None));
    assert_eq!(export.resource, [("service.name".to_owned(), "trusthub-bridge".to_owned())]);
    assert_eq!(export.sampler, SamplerConfig { follows_parent: true, ratio: 1.0 });
    assert_eq!((export.queue, export.batch), (2048, 512));
    assert_eq!((export.timeout, export.delay), (Duration::from_secs(10), Duration::from_secs(5)));
    let named = traces(&[ENDPOINT, ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other")]).export.unwrap();
    assert_eq!(named.resource, [("service.name".to_owned(), "other".to_owned())]);
    let small = traces(&[ENDPOINT, ("OTEL_BSP_MAX_QUEUE_SIZE", "5")]).export.unwrap();
    assert_eq!((small.queue, small.batch), (5, 5));
}

/// Some vendors have a secret in the path of their endpoint.
#[test]
fn path_of_an_endpoint_is_not_printed() {
    for (url, shown) in [
        ("https://otel.example.com:4318", "https://otel.example.com:4318"),
        ("https://otel.example.com/v1/traces", "https://otel.example.com/v1/traces"),
        ("https://otel.example.com/receiver/secret", "https://otel.example.com/[redacted]"),
    ] {
        let config = traces(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)]);
        assert_eq!(config.export.unwrap().shown_url(), shown);
    }
    // It is checked only while traces are on.
    let off = config(&[(ENDPOINT.0, "unix:/run/secret"), ("OTEL_SDK_DISABLED", "true")]);
    assert_eq!(described(&off, ENDPOINT.0), "[redacted]");
}

/// The other samplers have no argument.
#[test]
fn argument_matters_only_to_samplers_with_a_ratio() {
    let sampler = [ENDPOINT, ("OTEL_TRACES_SAMPLER", "always_on"), ("OTEL_TRACES_SAMPLER_ARG", "x")];
    assert_eq!(traces(&sampler).export.unwrap().sampler, SamplerConfig { follows_parent: false, ratio: 1.0 });
}

#[test]
fn own_endpoint_is_complete_and_either_switch_turns_traces_off() {
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/x/");
    for variables in [&[own][..], &[ENDPOINT, own]] {
        assert_eq!(traces(variables).export.unwrap().url, own.1);
    }
    for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "None")] {
        assert!(traces(&[ENDPOINT, off]).export.is_none(), "{off:?}");
    }
}

/// A machine can have them for all of its programs.
#[test]
fn values_of_traces_that_are_not_known_stop_no_start_while_traces_are_off() {
    let unknown = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://localhost:14250"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent"),
    ];
    for off in [
        &[("OTEL_TRACES_EXPORTER", "console")][..],
        &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
        &[ENDPOINT, ("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "console")],
    ] {
        assert!(traces(&[&unknown, off].concat()).export.is_none(), "{off:?}");
    }
}

#[test]
fn sampler_has_its_ratio_only_if_it_samples_by_ratio() {
    for (name, follows_parent, ratio) in [
        ("always_on", false, 1.0),
        ("always_off", false, 0.0),
        ("traceidratio", false, 0.5),
        ("parentbased_always_on", true, 1.0),
        ("parentbased_always_off", true, 0.0),
        ("parentbased_traceidratio", true, 0.5),
    ] {
        let sampler = [ENDPOINT, ("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", "0.5")];
        assert_eq!(traces(&sampler).export.unwrap().sampler, SamplerConfig { follows_parent, ratio }, "{name}");
    }
}

#[test]
fn mistakes_in_variables_of_traces_are_reported() {
    for (variable, value, instead) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "such as http://otel-collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "has no valid host"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:p@c", "write credentials into OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:0", "write a number from 1 to 65535"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/?a", "remove everything from the '?'"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/a b", "write it percent-encoded"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "write http/protobuf or http/json, and the receiver's port"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,secret", "item 2 is not a header; write name=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c", "item 1 is not a header"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%0a", "item 1 is not a header"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%C3%BC", "item 1 is not a header"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/dev/null", "names a file without a certificate; write the path"),
        ("OTEL_TRACES_EXPORTER", "console", "write otlp or none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "60001", "from 1 to 60000"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%ff", "item 1 is not an attribute; write key=value"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "write parentbased_always_on"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.1", "write a number from 0 to 1"),
        ("OTEL_TRACES_SAMPLER_ARG", "NaN", "write a number from 0 to 1"),
        ("TRACE_CONTEXT", "baggage", "write trust or ignore"),
    ] {
        let endpoint = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://otel.example.com/v1/traces");
        let sampler = ("OTEL_TRACES_SAMPLER", "traceidratio");
        let line = only(&[&[endpoint, sampler][..], &[(variable, value)]].concat());
        assert!(line.starts_with(&format!("{variable}: ")) && line.contains(instead), "{variable}={value} → {line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn headers_that_the_network_can_read_are_a_warning() {
    let warnings = |url, headers: &[_]| {
        load(&[&[("OTEL_EXPORTER_OTLP_ENDPOINT", url)], headers].concat()).unwrap().warnings.concat()
    };
    let headers = [("OTEL_EXPORTER_OTLP_HEADERS", "authorization=x")];
    let expected =
        "the endpoint for traces is not https; the network can read OTEL_EXPORTER_OTLP_HEADERS, so use https";
    assert_eq!(warnings("http://collector:4318", &headers), expected);
    for (url, headers) in
        [("http://collector:4318", &[][..]), ("https://collector:4318", &headers), ("http://127.0.0.1:1", &headers)]
    {
        assert_eq!(warnings(url, headers), "", "{url}");
    }
}
