//! A real Kubernetes API server with etcd, the controllers, the scheduler, and nodes that kwok simulates.
//!
//! Every program is built from its source by `scripts/kubernetes`, listens on loopback only, and ends with this process.
//! No container runs: kwok writes the status of pods as a kubelet would, following `tests/kubernetes/stages.yaml`.

mod client;
mod control_plane;
mod files;
mod server;
mod wait;

pub(crate) use self::{
    client::{Client, Ended, Helm},
    control_plane::ControlPlane,
    files::project_root,
    wait::{TIMEOUT, wait_for},
};
