//! A schema registry with Confluent's API: which id a schema has there, and which schema an id has.
//!
//! No callback waits for the registry. The ids are constants of the registry: [`SchemaIds`] learns them in the background, and
//! what is known stays in use while the registry does not answer.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | learn the ids of the schemas | none: asynchronous | none | [`REQUEST_TIMEOUT`](client::REQUEST_TIMEOUT) for each of four schemas |
//! | look up a name, as part of a request | the pool of the runtime | none | none; the request ends without it |
//! | read an id that is known | the caller's | that of the ids, which no one holds while waiting | does not wait |

mod client;
mod error;
mod ids;
mod subjects;
mod writer_schemas;

pub(crate) use client::RegistryClient;
pub(crate) use error::RegistryError;
pub(crate) use ids::SchemaIds;
pub(crate) use writer_schemas::{remember, remembered};
