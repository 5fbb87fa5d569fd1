//! The configuration of the commands on dead letters.

use super::{
    KafkaConfig, TwilioConfig, environment::Environment, kafka::KafkaSections, traces::TraceSection, twilio,
    validate::Validator,
};
use crate::domain::PublicUrl;

/// What is needed to read dead letters, to decide about them as the service would today, and to publish events.
#[derive(Debug, Clone)]
pub struct DeadLettersConfig {
    /// The cluster with both topics.
    pub kafka: KafkaConfig,
    /// The base URLs that Twilio calls; at least one.
    pub public_urls: Vec<PublicUrl>,
    /// The accounts and their tokens.
    pub twilio: TwilioConfig,
    /// Whether the event of a letter continues the trace that its request names.
    pub trusts_context: bool,
    /// One sentence for each variable whose name is almost that of a known one, and for each that has no effect or is insecure.
    pub warnings: Vec<String>,
}

pub(super) fn read(environment: &Environment, validator: &mut Validator) -> Option<DeadLettersConfig> {
    let kafka = KafkaSections::from(environment, validator).and_then(|sections| sections.validate(validator));
    let public_urls = environment.section::<twilio::PublicSection>("PUBLIC_", validator)?.validate(validator);
    let twilio = environment.section::<twilio::TwilioSection>("TWILIO_", validator)?.validate(validator);
    let trusts_context = environment.section::<TraceSection>("TRACE_", validator)?.validate(validator);
    twilio::check_candidates(public_urls.as_deref(), twilio.as_ref(), validator);
    Some(DeadLettersConfig {
        kafka: kafka?,
        public_urls: public_urls?,
        twilio: twilio?,
        trusts_context: trusts_context?,
        warnings: Vec::new(),
    })
}
