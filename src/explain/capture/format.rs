//! The formats of captures.

/// The format of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A raw HTTP request.
    Http,
    /// The output of `curl -v`.
    CurlVerbose,
    /// A curl command.
    CurlCommand,
    /// An HTTP archive.
    Har,
    /// An event of Amazon API Gateway, payload version 1.0.
    ApiGatewayV1,
    /// An event of Amazon API Gateway, payload version 2.0.
    ApiGatewayV2,
    /// An event of an AWS application load balancer.
    LoadBalancer,
    /// A dead letter of this service.
    DeadLetter,
}

impl Format {
    /// All formats.
    pub(crate) const ALL: &'static [Self] = &[
        Self::Http,
        Self::CurlVerbose,
        Self::CurlCommand,
        Self::Har,
        Self::ApiGatewayV1,
        Self::ApiGatewayV2,
        Self::LoadBalancer,
        Self::DeadLetter,
    ];

    /// The format as errors call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "raw HTTP request",
            Self::CurlVerbose => "output of curl -v",
            Self::CurlCommand => "curl command",
            Self::Har => "HAR",
            Self::ApiGatewayV1 => "API Gateway event 1.0",
            Self::ApiGatewayV2 => "API Gateway event 2.0",
            Self::LoadBalancer => "load balancer event",
            Self::DeadLetter => "dead letter",
        }
    }
}
