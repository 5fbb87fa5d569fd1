//! The export of traces. The names and defaults are those of the OpenTelemetry specification, unless docs/configuration.md says
//! otherwise.

use std::{fs, time::Duration};

use percent_encoding::percent_decode_str;
use reqwest::Certificate;
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    catalogue::{
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_SCHEDULE_DELAY,
        OTEL_EXPORTER_OTLP_CERTIFICATE, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS,
        OTEL_EXPORTER_OTLP_HEADERS_FILE, OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_TIMEOUT,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED, OTEL_SERVICE_NAME,
        OTEL_TRACES_EXPORTER, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, TRACE_CONTEXT, Variable,
    },
    describe::Row,
    plain_http::{is_loopback, unencrypted_authority},
    trace_sampler::{SamplerConfig, sampler},
    validate::Validator,
};
use crate::domain::{PublicUrl, PublicUrlError};

/// The path of traces below the general endpoint.
const TRACES_PATH: &str = "/v1/traces";

/// The most spans of one callback. They are queued together, so no queue is smaller.
pub(crate) const CALLBACK_SPANS: usize = 3;

/// Traces of callbacks.
#[derive(Debug, Clone)]
pub struct TracesConfig {
    /// Whether the trace context of a callback is continued.
    pub trusts_context: bool,
    /// Where spans are sent; `None` if there are no spans.
    pub export: Option<ExportConfig>,
    described: Vec<Row>,
}

/// Where spans are sent, and which.
#[derive(Debug, Clone)]
pub struct ExportConfig {
    /// The URL to which spans are posted.
    pub url: String,
    /// How they are encoded.
    pub encoding: SpanEncoding,
    /// Headers of each request. Their values can be secret.
    pub headers: Vec<(String, SecretString)>,
    /// The certificate authorities that are trusted instead of those of the system: the path of a PEM file.
    pub certificate: Option<String>,
    /// How long the export of a batch may take, with its repetitions.
    pub timeout: Duration,
    /// What the spans say about the process, beside what the program knows.
    pub resource: Vec<(String, String)>,
    /// Which traces are recorded.
    pub sampler: SamplerConfig,
    /// The largest number of spans that wait for their export.
    pub queue: usize,
    /// The largest number of spans in a request; at most `queue`.
    pub batch: usize,
    /// The longest time for which a span waits for others of its batch.
    pub delay: Duration,
}

/// The encoding of spans. Both are OTLP over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanEncoding {
    /// Protocol Buffers.
    Protobuf,
    /// JSON.
    Json,
}

const ENCODINGS: [(&str, SpanEncoding); 2] =
    [("http/protobuf", SpanEncoding::Protobuf), ("http/json", SpanEncoding::Json)];

#[derive(Deserialize)]
pub(super) struct OtelSection {
    sdk_disabled: Option<String>,
    traces_exporter: Option<String>,
    exporter_otlp_endpoint: Option<String>,
    exporter_otlp_traces_endpoint: Option<String>,
    exporter_otlp_protocol: Option<String>,
    exporter_otlp_headers: Option<String>,
    exporter_otlp_headers_file: Option<String>,
    exporter_otlp_certificate: Option<String>,
    exporter_otlp_timeout: Option<String>,
    service_name: Option<String>,
    resource_attributes: Option<String>,
    traces_sampler: Option<String>,
    traces_sampler_arg: Option<String>,
    bsp_max_queue_size: Option<String>,
    bsp_max_export_batch_size: Option<String>,
    bsp_schedule_delay: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct TraceSection {
    context: Option<String>,
}

impl TraceSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<bool> {
        validator.parse_choice(&TRACE_CONTEXT, self.context, &[("trust", true), ("ignore", false)])
    }
}

/// Checks the variables of the export only if it is on: they are often set for every program of a machine, and some of their
/// standard values are not known here.
pub(super) fn validate(otel: OtelSection, trace: TraceSection, validator: &mut Validator) -> Option<TracesConfig> {
    let described = otel.describe(&trace, validator);
    let export = if otel.is_on() {
        let (exporter, disabled) = (otel.traces_exporter.clone(), otel.sdk_disabled.clone());
        let (url, export) = (otel.url(validator), otel.export(validator));
        let exporter = validator.parse_choice(&OTEL_TRACES_EXPORTER, exporter, &[("otlp", ()), ("none", ())]);
        let disabled = validator.parse_bool(&OTEL_SDK_DISABLED, disabled);
        let is_valid = exporter.and(disabled).is_some();
        url.zip(export).filter(|_| is_valid).map(|(url, export)| url.map(|url| ExportConfig { url, ..export }))
    } else {
        Some(None)
    };
    let trusts_context = trace.validate(validator);
    Some(TracesConfig { trusts_context: trusts_context?, export: export?, described })
}

impl OtelSection {
    /// Whether there is an endpoint, and neither switch turns the export off.
    fn is_on(&self) -> bool {
        let has_endpoint = self.exporter_otlp_endpoint.is_some() || self.exporter_otlp_traces_endpoint.is_some();
        let is = |given: &Option<String>, off: &str| given.as_ref().is_some_and(|text| text.eq_ignore_ascii_case(off));
        has_endpoint && !is(&self.sdk_disabled, "true") && !is(&self.traces_exporter, "none")
    }

    /// The URL of the endpoint; `Some(None)` without one, and `None` after a problem.
    fn url(&self, validator: &mut Validator) -> Option<Option<String>> {
        let general = self.exporter_otlp_endpoint.as_deref();
        let general = general.map(|text| endpoint(&OTEL_EXPORTER_OTLP_ENDPOINT, text, validator));
        let own = self.exporter_otlp_traces_endpoint.as_deref();
        let own = own.map(|text| endpoint(&OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, text, validator));
        match (own, general) {
            (Some(own), None | Some(Some(_))) => own.map(Some),
            (None, Some(general)) => general.map(|base| Some(format!("{}{TRACES_PATH}", base.trim_end_matches('/')))),
            (None, None) => Some(None),
            (Some(_), Some(None)) => None,
        }
    }

    /// All settings of the export but its URL.
    fn export(self, validator: &mut Validator) -> Option<ExportConfig> {
        let encoding = encoding(self.exporter_otlp_protocol, validator);
        let headers = headers([self.exporter_otlp_headers, self.exporter_otlp_headers_file], validator);
        let certificate = self.exporter_otlp_certificate.map(|path| certificate_file(path, validator));
        let timeout = validator.parse_number(&OTEL_EXPORTER_OTLP_TIMEOUT, self.exporter_otlp_timeout, 1..=60_000);
        let resource = resource(self.service_name, self.resource_attributes, validator);
        let sampler = sampler(self.traces_sampler, self.traces_sampler_arg, validator);
        let queue = validator.parse_number(&OTEL_BSP_MAX_QUEUE_SIZE, self.bsp_max_queue_size, CALLBACK_SPANS..=65_536);
        let batch = validator.parse_number(&OTEL_BSP_MAX_EXPORT_BATCH_SIZE, self.bsp_max_export_batch_size, 1..=8_192);
        let delay = validator.parse_number(&OTEL_BSP_SCHEDULE_DELAY, self.bsp_schedule_delay, 1..=60_000);
        let queue: usize = queue?;
        Some(ExportConfig {
            url: String::new(),
            encoding: encoding?,
            headers: headers?,
            certificate: match certificate {
                Some(path) => Some(path?),
                None => None,
            },
            timeout: Duration::from_millis(timeout?),
            resource: resource?,
            sampler: sampler?,
            queue,
            // The specification requires it, and a queue that is made small must not need a second variable.
            batch: batch?.min(queue),
            delay: Duration::from_millis(delay?),
        })
    }

    /// The effective values, as they were given.
    fn describe(&self, trace: &TraceSection, validator: &Validator) -> Vec<Row> {
        let shown = |variable: &Variable, given: &Option<String>| {
            (variable.name, validator.value_or_default(variable, given.clone()).unwrap_or_default())
        };
        let shown_url = |variable: &Variable, given: &Option<String>| {
            (variable.name, given.as_deref().map(shown_endpoint).unwrap_or_default())
        };
        let has_headers = self.exporter_otlp_headers.is_some() || self.exporter_otlp_headers_file.is_some();
        vec![
            shown_url(&OTEL_EXPORTER_OTLP_ENDPOINT, &self.exporter_otlp_endpoint),
            shown_url(&OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, &self.exporter_otlp_traces_endpoint),
            shown(&OTEL_EXPORTER_OTLP_PROTOCOL, &self.exporter_otlp_protocol),
            (OTEL_EXPORTER_OTLP_HEADERS.name, if has_headers { "[redacted]".to_owned() } else { String::new() }),
            shown(&OTEL_EXPORTER_OTLP_HEADERS_FILE, &self.exporter_otlp_headers_file),
            shown(&OTEL_EXPORTER_OTLP_CERTIFICATE, &self.exporter_otlp_certificate),
            shown(&OTEL_EXPORTER_OTLP_TIMEOUT, &self.exporter_otlp_timeout),
            shown(&OTEL_SERVICE_NAME, &self.service_name),
            shown(&OTEL_RESOURCE_ATTRIBUTES, &self.resource_attributes),
            shown(&OTEL_TRACES_SAMPLER, &self.traces_sampler),
            shown(&OTEL_TRACES_SAMPLER_ARG, &self.traces_sampler_arg),
            shown(&OTEL_BSP_MAX_QUEUE_SIZE, &self.bsp_max_queue_size),
            shown(&OTEL_BSP_MAX_EXPORT_BATCH_SIZE, &self.bsp_max_export_batch_size),
            shown(&OTEL_BSP_SCHEDULE_DELAY, &self.bsp_schedule_delay),
            shown(&OTEL_TRACES_EXPORTER, &self.traces_exporter),
            shown(&OTEL_SDK_DISABLED, &self.sdk_disabled),
            shown(&TRACE_CONTEXT, &trace.context),
        ]
    }
}

fn endpoint(variable: &Variable, text: &str, validator: &mut Validator) -> Option<String> {
    // It has the same parts as a public URL. A slash at the end of a complete URL is significant.
    let Err(error) = PublicUrl::parse(text) else { return Some(text.to_owned()) };
    validator.report(
        variable,
        match error {
            PublicUrlError::Scheme => {
                "does not start with https:// or http://; write the URL of an OTLP receiver for HTTP, such as \
                 http://otel-collector:4318"
            }
            PublicUrlError::Host => "has no valid host; write it as http://otel-collector:4318",
            PublicUrlError::UserInfo | PublicUrlError::Credentials => {
                "contains a user name or an '@'; write credentials into OTEL_EXPORTER_OTLP_HEADERS"
            }
            PublicUrlError::Port => {
                "has an invalid port; write a number from 1 to 65535 after the host, or omit the port"
            }
            PublicUrlError::Query => "has a query or fragment; remove everything from the '?' or '#' on",
            PublicUrlError::Path => "has a path with a space or an empty segment; write it percent-encoded",
        },
    );
    None
}

/// An endpoint as it may be printed: some vendors have a secret in its path.
fn shown_endpoint(url: &str) -> String {
    let Ok(parsed) = PublicUrl::parse(url) else { return "[redacted]".to_owned() };
    match parsed.prefix() {
        "" | TRACES_PATH => url.to_owned(),
        path => format!("{}/[redacted]", parsed.as_str().strip_suffix(path).unwrap_or_default()),
    }
}

fn encoding(given: Option<String>, validator: &mut Validator) -> Option<SpanEncoding> {
    if given.as_ref().is_some_and(|text| text.eq_ignore_ascii_case("grpc")) {
        let problem = "is grpc, which this program does not speak; write http/protobuf or http/json, and the receiver's port \
                       for HTTP, usually 4318, into the endpoint";
        validator.report(&OTEL_EXPORTER_OTLP_PROTOCOL, problem);
        return None;
    }
    validator.parse_choice(&OTEL_EXPORTER_OTLP_PROTOCOL, given, &ENCODINGS)
}

fn headers([text, path]: [Option<String>; 2], validator: &mut Validator) -> Option<Vec<(String, SecretString)>> {
    let variables = [&OTEL_EXPORTER_OTLP_HEADERS, &OTEL_EXPORTER_OTLP_HEADERS_FILE];
    if text.is_none() && path.is_none() {
        return Some(Vec::new());
    }
    let secret = validator.read_secret(variables, [text, path], "name=value,name=value")?;
    let problem = "is not a header; write name=value, separated by commas, with the value percent-encoded";
    let pairs = pairs(&secret.text).and_then(|pairs| {
        let invalid = pairs.iter().position(|(name, value)| !is_header_name(name) || !is_header_value(value));
        invalid.map_or(Ok(pairs), Err)
    });
    match pairs {
        Ok(pairs) => Some(pairs.into_iter().map(|(name, value)| (name, value.into())).collect()),
        Err(index) => {
            validator.report(secret.source, format!("item {} {problem}", index + 1));
            None
        }
    }
}

/// Returns the path of a PEM file with a certificate.
fn certificate_file(path: String, validator: &mut Validator) -> Option<String> {
    let path = validator.check_readable(&OTEL_EXPORTER_OTLP_CERTIFICATE, path)?;
    let certificates = fs::read(&path).ok().and_then(|pem| Certificate::from_pem_bundle(&pem).ok());
    if certificates.is_some_and(|certificates| !certificates.is_empty()) {
        return Some(path);
    }
    let instead = "write the path of a PEM file with at least one block BEGIN CERTIFICATE";
    validator.report(&OTEL_EXPORTER_OTLP_CERTIFICATE, format!("names a file without a certificate; {instead}"));
    None
}

fn is_header_value(value: &str) -> bool {
    value.bytes().all(|b| b == b'\t' || b == b' ' || b.is_ascii_graphic())
}

fn is_header_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn resource(
    service_name: Option<String>,
    attributes: Option<String>,
    validator: &mut Validator,
) -> Option<Vec<(String, String)>> {
    let mut pairs = match pairs(attributes.as_deref().unwrap_or_default()) {
        Ok(pairs) => pairs,
        Err(index) => {
            let problem = "is not an attribute; write key=value, separated by commas, with the value percent-encoded";
            validator.report(&OTEL_RESOURCE_ATTRIBUTES, format!("item {} {problem}", index + 1));
            return None;
        }
    };
    // The variable wins over the attribute.
    let named = service_name.or_else(|| {
        let is_absent = pairs.iter().all(|(key, _)| key != "service.name");
        is_absent.then(|| validator.value_or_default(&OTEL_SERVICE_NAME, None)).flatten()
    });
    if let Some(name) = named {
        pairs.retain(|(key, _)| key != "service.name");
        pairs.insert(0, ("service.name".to_owned(), name));
    }
    Some(pairs)
}

/// Parses `key=value,key=value`, percent-encoded. Of several values of a key, the last one counts.
///
/// # Errors
/// The index of the first item that is not a pair.
fn pairs(text: &str) -> Result<Vec<(String, String)>, usize> {
    let items = text.split(',').map(str::trim).enumerate().filter(|(_, item)| !item.is_empty());
    let decoded = |index, text: &str| {
        let text = percent_decode_str(text.trim()).decode_utf8().map_err(|_| index)?;
        Ok::<String, usize>(text.into_owned())
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (index, item) in items {
        let (key, value) = item.split_once('=').ok_or(index)?;
        let (key, value) = (decoded(index, key)?, decoded(index, value)?);
        match pairs.iter_mut().find(|(known, _)| *known == key) {
            _ if key.is_empty() => return Err(index),
            Some((_, former)) => *former = value,
            None => pairs.push((key, value)),
        }
    }
    Ok(pairs)
}

impl ExportConfig {
    /// The URL to which spans are posted, without a path that may be secret.
    pub fn shown_url(&self) -> String {
        shown_endpoint(&self.url)
    }
}

impl TracesConfig {
    /// Warns about headers that the network can read.
    pub(super) fn warning(&self) -> Option<String> {
        let export = self.export.as_ref().filter(|export| !export.headers.is_empty())?;
        let authority = unencrypted_authority(&export.url)?;
        (!is_loopback(authority)).then(|| {
            let name = OTEL_EXPORTER_OTLP_HEADERS.name;
            format!("the endpoint for traces is not https; the network can read {name}, so use https")
        })
    }

    pub(super) fn describe(&self) -> Vec<Row> {
        self.described.clone()
    }
}
