//! The arguments of `explain`.

use std::path::PathBuf;

use clap::builder::PossibleValue;

use crate::{cli::sign::Method, explain::Format};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A file with the captured request; if omitted, or -, it is read from stdin
    #[arg(conflicts_with = "url")]
    pub(super) file: Option<PathBuf>,
    /// The format of the capture, if it is not detected
    #[arg(long, value_enum, conflicts_with = "url")]
    pub(super) format: Option<Format>,
    /// The URL configured at Twilio, with its query, instead of a capture
    #[arg(long)]
    pub(super) url: Option<String>,
    /// The HTTP method
    #[arg(long, value_enum, default_value_t = Method::Post, ignore_case = true, requires = "url")]
    pub(super) method: Method,
    /// A header as received; repeat the option for each header, and include X-Twilio-Signature
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", requires = "url")]
    pub(super) headers: Vec<String>,
    /// The body as received; it replaces that of a capture
    #[arg(long)]
    pub(super) body: Option<String>,
    /// A file that contains the body as received, or - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    pub(super) body_file: Option<PathBuf>,
    /// An auth token, the current one first; may be repeated. Other users can see command-line arguments, so prefer
    /// TWILIO_AUTH_TOKEN, TWILIO_AUTH_TOKEN_FILE or TWILIO_ACCOUNTS_FILE
    #[arg(long = "token", value_name = "TOKEN")]
    pub(super) tokens: Vec<String>,
    /// A SharedKey, as in TWILIO_SHARED_KEYS, which is safer; may be repeated
    #[arg(long = "shared-key", value_name = "ID=SECRET")]
    pub(super) shared_keys: Vec<String>,
    /// The PUBLIC_URL of the service; if neither this nor the variable is set, the part of --url before /callbacks/
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,
}

impl clap::ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Http => ("http", "A raw HTTP request: request line, headers, empty line, body"),
            Self::CurlVerbose => ("curl-verbose", "The output of curl -v; pass the body with --body or --body-file"),
            Self::CurlCommand => ("curl-command", "A curl command, such as one that a browser copies"),
            Self::Har => ("har", "An HTTP archive (HAR) with one signed request"),
            Self::ApiGatewayV1 => ("api-gateway-v1", "An event of Amazon API Gateway, payload version 1.0"),
            Self::ApiGatewayV2 => {
                ("api-gateway-v2", "An event of Amazon API Gateway, payload version 2.0, or of a Lambda function URL")
            }
            Self::LoadBalancer => ("load-balancer", "An event of an AWS application load balancer"),
            Self::DeadLetter => (
                "dead-letter",
                "A dead letter with the reason signature_failed: its value, or the JSON line of kcat -J, `spool export` or \
                 `dev --once`",
            ),
        };
        Some(PossibleValue::new(name).help(help))
    }
}
