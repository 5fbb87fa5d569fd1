//! A real nginx as the ingress of several instances of the program: TLS, a path prefix, limits, keep-alive connections,
//! and a list of instances that follows their readiness, as Kubernetes maintains it.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Child,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    Connection, Request,
    executable::kill,
    kafka::free_port,
    nginx::{make_folder, pid, supervise},
    wait_for,
};

/// Configured like an ingress controller: connections to the instances are kept alive, and a callback that was sent to
/// one instance is never sent to another.
const CONFIGURATION: &str = "\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log info;
events {}
http {
    include own.conf;

    upstream bridge {
        include instances.conf;
        keepalive 16;
    }
    server {
        listen 127.0.0.1:PORT ssl;
        client_max_body_size 128k;
        location /twilio/ {
            proxy_pass http://bridge;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_connect_timeout 5s;
            proxy_read_timeout 20s;
        }
    }
}
";

/// Runs the command line `$@` until its own input ends, at the latest when the test process does.
const SUPERVISOR: &str = r#"
PATH=$PATH:/usr/sbin
"$@" </dev/null >>"$0/error.log" 2>&1 &
read -r _
kill -TERM $!; wait $!; rm -rf "$0"
"#;

/// The interval between readiness probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// An instance of the program: the port for callbacks and the port for probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// The address of the port for callbacks.
    pub public: SocketAddr,
    /// The address of the admin port.
    pub admin: SocketAddr,
}

/// A running ingress. Dropping it ends the process and removes its folder.
pub struct Ingress {
    supervisor: Child,
    folder: PathBuf,
    /// The port on which it listens.
    pub port: u16,
    instances: Arc<Mutex<Vec<Instance>>>,
    routed: Arc<Mutex<Vec<Instance>>>,
    stop: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
}

impl Ingress {
    /// Starts nginx in front of instances that are ready, and waits until it listens.
    pub fn in_front_of(instances: &[Instance]) -> Self {
        let folder = make_folder("ingress");
        let port = free_port();
        fs::write(folder.join("nginx.conf"), CONFIGURATION.replace("PORT", &port.to_string())).unwrap();
        route(&folder, instances);
        let supervisor = supervise(SUPERVISOR, &folder);
        wait_for("nginx listens", || pid(&folder));
        let shared = || Arc::new(Mutex::new(instances.to_vec()));
        let (instances, routed, stop) = (shared(), shared(), Arc::new(AtomicBool::new(false)));
        let watch = {
            let (folder, instances, routed, stop) = (folder.clone(), instances.clone(), routed.clone(), stop.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    follow(&folder, &instances, &routed);
                    thread::sleep(PROBE_INTERVAL);
                }
            })
        };
        Self { supervisor, folder, port, instances, routed, stop, watch: Some(watch) }
    }

    /// The self-signed certificate, in PEM.
    pub fn certificate(&self) -> Vec<u8> {
        fs::read(self.folder.join("certificate.pem")).unwrap()
    }

    /// Replaces an instance by another one.
    pub fn replace(&self, number: usize, instance: Instance) {
        self.instances.lock().unwrap()[number] = instance;
    }

    /// Waits until callbacks are routed to this many instances.
    pub fn wait_until_routed_to(&self, count: usize) {
        wait_for("the instances are routed to", || (self.routed.lock().unwrap().len() == count).then_some(()));
    }
}

/// Routes to the instances that are ready, if there are any.
fn follow(folder: &Path, instances: &Mutex<Vec<Instance>>, routed: &Mutex<Vec<Instance>>) {
    let all = instances.lock().unwrap().clone();
    let ready: Vec<_> = all.into_iter().filter(|instance| is_ready(instance.admin)).collect();
    let has_changed = !ready.is_empty() && *routed.lock().unwrap() != ready;
    if has_changed {
        route(folder, &ready);
        let pid = pid(folder).expect("nginx runs");
        kill("HUP", pid.trim().parse().expect("nginx writes a number"));
        *routed.lock().unwrap() = ready;
    }
}

fn is_ready(admin: SocketAddr) -> bool {
    let Some(mut connection) = Connection::open(admin) else { return false };
    connection.write(Request::get("/readyz").bytes());
    connection.read().is_some_and(|answer| answer.status == 200)
}

fn route(folder: &Path, instances: &[Instance]) {
    let lines: String = instances.iter().map(|instance| format!("server {} max_fails=0;\n", instance.public)).collect();
    fs::write(folder.join("instances.conf"), lines).unwrap();
}

impl Drop for Ingress {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
        if thread::panicking() {
            let log = fs::read(self.folder.join("error.log")).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "log of the ingress:\n{}", String::from_utf8_lossy(&log));
        }
        // Closes its input first, which tells it to exit.
        let _ = self.supervisor.wait();
    }
}
