//! Tests the Helm chart: its manifests are valid for Kubernetes, safe, routed for Twilio, and understood by the program.

mod environment;
mod malformed;
mod manifests;
mod metadata;
mod monitoring;
mod notes;
mod package;
mod pages;
mod parent;
mod reference;
pub(crate) mod rendering;
mod replicas;
mod reused_drain;
mod routing;
mod safety;
mod strimzi;
mod wrong;
