//! Which traces are recorded.

use super::{
    catalogue::{OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG},
    validate::Validator,
};

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplerConfig {
    /// Whether a trace that is continued is recorded exactly if the caller records it.
    pub follows_parent: bool,
    /// The share of the other traces, from 0 to 1.
    pub ratio: f64,
}

#[derive(Debug, Clone, Copy)]
enum RootSampler {
    Always,
    Never,
    Ratio,
}

const SAMPLERS: [(&str, (bool, RootSampler)); 6] = [
    ("parentbased_always_on", (true, RootSampler::Always)),
    ("parentbased_always_off", (true, RootSampler::Never)),
    ("parentbased_traceidratio", (true, RootSampler::Ratio)),
    ("always_on", (false, RootSampler::Always)),
    ("always_off", (false, RootSampler::Never)),
    ("traceidratio", (false, RootSampler::Ratio)),
];

/// Parses the name of a sampler and its argument.
pub(super) fn sampler(
    given: Option<String>,
    argument: Option<String>,
    validator: &mut Validator,
) -> Option<SamplerConfig> {
    let chosen = validator.parse_choice(&OTEL_TRACES_SAMPLER, given, &SAMPLERS);
    let share = match chosen {
        Some((_, RootSampler::Always)) => Some(1.0),
        Some((_, RootSampler::Never)) => Some(0.0),
        Some((_, RootSampler::Ratio)) | None => argument.map_or(Some(1.0), |text| ratio(&text, validator)),
    };
    let ((follows_parent, _), ratio) = chosen.zip(share)?;
    Some(SamplerConfig { follows_parent, ratio })
}

/// Parses the argument of the samplers with a ratio. The others ignore it, as the specification demands.
fn ratio(text: &str, validator: &mut Validator) -> Option<f64> {
    let ratio = text.parse().ok().filter(|ratio: &f64| (0.0..=1.0).contains(ratio));
    if ratio.is_none() {
        let problem = "is not a share of traces; write a number from 0 to 1, such as 0.1";
        validator.report(&OTEL_TRACES_SAMPLER_ARG, problem);
    }
    ratio
}
