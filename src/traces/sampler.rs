//! Decides which traces are recorded.

use crate::{
    config::SamplerConfig,
    domain::{TraceId, TraceParent},
};

/// Decides which traces are recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampler {
    follows_parent: bool,
    /// Traces whose last 56 bits are at least this are recorded.
    threshold: u64,
}

/// The number of random bits in a trace id that W3C Trace Context promises.
const RANDOM_BITS: u32 = 56;

impl Sampler {
    pub(super) fn new(config: SamplerConfig) -> Self {
        let all = 1_u64 << RANDOM_BITS;
        // A share of a whole number below 2^56: the product is exact enough, and the cast saturates.
        let threshold = ((1.0 - config.ratio) * all as f64) as u64;
        Self { follows_parent: config.follows_parent, threshold }
    }

    /// Whether the trace is recorded that continues that of `parent`, or starts without one.
    pub(super) fn records(&self, trace: TraceId, parent: Option<TraceParent>) -> bool {
        match parent {
            Some(parent) if self.follows_parent => parent.is_sampled(),
            _ => {
                let random = trace.bits() & ((1 << RANDOM_BITS) - 1);
                u64::try_from(random).is_ok_and(|random| random >= self.threshold)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SpanId;

    fn sampler(follows_parent: bool, ratio: f64) -> Sampler {
        Sampler::new(SamplerConfig { follows_parent, ratio })
    }

    #[test]
    fn ratio_is_the_share_of_traces_that_are_recorded() {
        let share = |ratio| {
            let sampler = sampler(true, ratio);
            let ids = (0..256_u128).map(|n| TraceId::new((1 << 127) | (n << (RANDOM_BITS - 8))).unwrap());
            ids.filter(|trace| sampler.records(*trace, None)).count()
        };
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(share), [0, 64, 128, 256]);
        let last = TraceId::new((1 << 127) | ((1 << RANDOM_BITS) - 1)).unwrap();
        assert!(!sampler(true, 0.0).records(last, None), "none is none");
    }

    #[test]
    fn only_a_sampler_that_follows_its_parent_does_as_the_caller() {
        let (trace, span) = (TraceId::new(1).unwrap(), SpanId::new(1).unwrap());
        for is_sampled in [false, true] {
            let parent = Some(TraceParent::new(trace, span, is_sampled, true));
            for ratio in [0.0, 1.0] {
                assert_eq!(sampler(true, ratio).records(trace, parent), is_sampled);
                assert_eq!(sampler(false, ratio).records(trace, parent), ratio > 0.0);
            }
        }
    }
}
