//! The formats, and what errors call them.

use clap::ValueEnum;

/// The format of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli::explain) enum Format {
    /// A raw HTTP request: request line, headers, empty line, body
    Http,
    /// The output of curl -v; pass the body with --body or --body-file
    CurlVerbose,
    /// A curl command, such as one that a browser copies
    CurlCommand,
    /// An HTTP archive (HAR) with one signed request
    Har,
    /// An event of Amazon API Gateway, payload version 1.0
    ApiGatewayV1,
    /// An event of Amazon API Gateway, payload version 2.0, or of a Lambda function URL
    ApiGatewayV2,
    /// An event of an AWS application load balancer
    LoadBalancer,
    /// A dead letter with the reason signature_failed: its value, or the JSON line of kcat -J, `spool export` or `dev --once`
    DeadLetter,
}

impl Format {
    /// The format as errors call it.
    pub(in crate::cli::explain) fn name(self) -> &'static str {
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
