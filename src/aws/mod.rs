//! AWS credentials, and the tokens with which they log in to Amazon MSK.
//!
//! [`msk_token`] signs a token; it is a pure function. `credentials` gets the credentials from the source that the
//! configuration names: `web_identity` asks AWS STS, and `agent` asks the agent of a container or the instance metadata service.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | request credentials | none, asynchronous | none | 10 s for each request, of which a source needs at most three; 64 KiB |
//! | read the file of a token | `aws-token-file`, one at a time | none | 64 KiB, and no time: the next request waits for it |

mod agent;
mod credentials;
mod error;
mod issuer;
mod presign;
mod token_file;
mod web_identity;

pub(crate) use credentials::CredentialClient;
pub(crate) use error::CredentialError;
pub(crate) use issuer::AwsCredentials;
pub use presign::{TOKEN_LIFETIME, msk_token};
