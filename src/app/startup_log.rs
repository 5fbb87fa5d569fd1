//! What the log says when the service starts: which version runs, and what it uses.

use crate::{
    config::{CertificateExpiry, Config, ExportConfig},
    domain::{Label as _, PublicUrl, Resource, Timestamp, callback_route},
};

/// Logs the version, the features, the topics and the callback URLs. Nothing of it is secret.
pub(crate) fn log_start(config: &Config) {
    let Config { twilio, callbacks, kafka, spool, reconcile, traces, .. } = config;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        signature_mode = callbacks.signature_mode.as_str(),
        auth_tokens = twilio.auth_tokens.len(),
        shared_keys = twilio.shared_keys.len(),
        listed_accounts = twilio.accounts.as_ref().map(|accounts| accounts.list.len()),
        dedup_window_secs = callbacks.dedup_window.as_secs(),
        reconcile_interval_secs = reconcile.interval.map(|interval| interval.as_secs()),
        profile_states = kafka.profiles_topic.is_some(),
        traces = traces.export.as_ref().map(ExportConfig::shown_url),
        spool = %spool.folder.display(),
        "starting"
    );
    tracing::info!(
        brokers = kafka.bootstrap_servers,
        events = kafka.topic,
        dead_letters = kafka.dead_letter_topic,
        profiles = kafka.profiles_topic,
        creates_topics = kafka.create_topics,
        schema_registry = kafka.values.registry.as_ref().map(|registry| &*registry.url),
        "using these topics"
    );
    log_certificates(kafka.credentials.security().expiry());
    config.public_urls.iter().for_each(log_callback_urls);
}

/// Says when certificates expire, if there are any.
fn log_certificates(expiry: CertificateExpiry) {
    if expiry != CertificateExpiry::default() {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let (certificate_expires, ca_expires) = (text(expiry.certificate), text(expiry.authority));
        tracing::info!(certificate_expires, ca_expires, "the certificates for Kafka");
    }
}

fn log_callback_urls(url: &PublicUrl) {
    let of = |resource| callback_route(resource).map(|route| format!("{url}{route}"));
    tracing::info!(
        customer_profiles = of(Resource::CustomerProfile),
        trust_products = of(Resource::TrustProduct),
        regulatory_bundles = of(Resource::RegulatoryBundle),
        compliance_registrations = of(Resource::ComplianceRegistration),
        "expecting callbacks at these URLs, which Twilio must have as status callback URLs"
    );
}
