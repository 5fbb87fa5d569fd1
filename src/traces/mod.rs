//! Traces of callbacks: spans that are exported to an OTLP receiver over HTTP.
//!
//! A callback has a span of the kind *server*, and below it one for the verification of its signature and one of the kind
//! *producer* for its record. The record carries the context of the latter in its headers, also through the spool, so that the
//! spans of consumers continue the trace, and so does the span of the drain. [`names`] has the names of all attributes.
//!
//! # Invariants
//!
//! - **Nothing waits for the export.** Finished spans are put into a queue with a limit, in one step for all of a callback, under
//!   a lock that is held for no I/O. What does not fit is dropped and counted. A single task exports.
//! - **Without an endpoint there are no spans**, and a callback costs one branch for each of the calls here.
//! - **Unauthenticated callers decide nothing.** The context of a request is continued only when the signature is valid. Rejected
//!   callbacks have spans only within the limit of their log lines.
//! - **No content.** A span has no body, no query, no header, no reason of Twilio's and no credentials. The SID of a profile and
//!   the id of an event are in it as they are in the log.
//!
//! # Failures
//!
//! | What fails | What follows |
//! |---|---|
//! | the receiver does not answer | the batch is repeated until `OTEL_EXPORTER_OTLP_TIMEOUT` has passed, and then dropped |
//! | the receiver asks for a pause | the same; if the pause is longer, nothing is sent until it has passed, for five minutes at most |
//! | the receiver rejects a batch | it is dropped |
//! | spans arrive faster than they are exported | those that do not fit into the queue are dropped |
//! | the service stops | the queue is exported for at most two seconds, and the rest is dropped |
//!
//! Everything that is dropped is counted by its reason. The log says when exports begin to fail, and when they succeed again.
//!
//! # Calls that can block
//!
//! None. A name lookup is made by the runtime's pool, and the wait for it is part of that for the response.

mod callback;
mod exporter;
mod metrics;
mod names;
mod otlp;
mod queue;
mod receiver;
mod recorder;
mod sampler;
mod span;
mod tracer;

pub(crate) use self::{
    callback::{CallbackTrace, FinishedCallback},
    exporter::SpanExporter,
    metrics::TraceMetrics,
    receiver::ReceiverError,
    recorder::RequestLine,
    span::SpanStart,
    tracer::{Tracer, TracerParts},
};
