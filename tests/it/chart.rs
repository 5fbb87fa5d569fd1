//! Tests the Helm chart: its manifests are valid for Kubernetes, safe, routed for Twilio, and understood by the program.

mod environment;
mod manifests;
mod monitoring;
mod notes;
mod parent;
mod reference;
pub(crate) mod rendering;
mod replicas;
mod routing;
mod safety;
mod wrong;
