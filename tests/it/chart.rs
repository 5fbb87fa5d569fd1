//! The Helm chart: what it renders is valid for Kubernetes, safe, routed as Twilio calls it, and understood by the program.

mod environment;
mod manifests;
mod monitoring;
mod notes;
mod reference;
pub(crate) mod rendering;
mod replicas;
mod routing;
mod safety;
mod wrong;
