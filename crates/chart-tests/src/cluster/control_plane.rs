//! Starts the programs of the cluster in the order in which they need each other.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::{
    client::{Client, Helm},
    files::{configuration, make_folder, printed_by},
    server::{Server, free_port},
    wait::{TIMEOUT, wait_for},
};

/// The user without limits.
const ADMINISTRATOR: &str = "administrator";

/// A cluster. Dropping it ends all of its programs and removes their folders.
pub(crate) struct ControlPlane {
    // The order in which they end.
    _kwok: Server,
    _scheduler: Server,
    _controller_manager: Server,
    api_server: Server,
    _etcd: Server,
    programs: PathBuf,
}

impl ControlPlane {
    /// Starts a cluster with these users beside the administrator, who have no permissions yet, and waits until its nodes
    /// are ready. The nodes, and the other objects of `tests/kubernetes/environment.yaml`, exist then, and so do the
    /// definitions of the Gateway API, of the prometheus-operator and of Strimzi.
    pub(crate) fn start(users: &[&str]) -> Self {
        let folder = printed_by("scripts/kubernetes", &[]);
        let programs = folder.join("bin");
        let (etcd, address) = start_etcd(&programs);
        let api_server = start_api_server(&programs, &address, users);
        let start = |name: &str, arguments: &[&str]| {
            let own = make_folder(name);
            // Its own home, because kwok reads a configuration from there.
            let home = format!("HOME={}", own.display());
            let configuration = home_of(api_server.folder(), ADMINISTRATOR).join("kubeconfig");
            let mut command = Command::new("env");
            command.arg(home).arg(programs.join(name)).arg("--kubeconfig").arg(configuration).args(arguments);
            Server::start(&command, own)
        };
        let file = |name: &str| api_server.folder().join(name).display().to_string();
        let controller_manager = start(
            "kube-controller-manager",
            &[
                "--leader-elect=false",
                "--secure-port=0",
                // kwok reports the state of a node every few minutes. A node that is thought lost takes its pods with it.
                "--node-monitor-grace-period=24h",
                &format!("--service-account-private-key-file={}", file("service-accounts.pem")),
                &format!("--root-ca-file={}", file("certificates/apiserver.crt")),
            ],
        );
        let scheduler = start("kube-scheduler", &["--leader-elect=false", "--secure-port=0"]);
        let stages = configuration("stages.yaml").display().to_string();
        let kwok = start("kwok", &["--manage-all-nodes=true", "--cidr=10.0.0.1/16", "--config", &stages]);
        let cluster = Self {
            _kwok: kwok,
            _scheduler: scheduler,
            _controller_manager: controller_manager,
            api_server,
            _etcd: etcd,
            programs,
        };
        cluster.furnish(&folder);
        cluster
    }

    /// The user without limits.
    pub(crate) fn administrator(&self) -> Client {
        self.user(ADMINISTRATOR)
    }

    /// One of the users with which the cluster was started.
    pub(crate) fn user(&self, name: &str) -> Client {
        client_of(&self.programs, self.api_server.folder(), name)
    }

    /// The requests so far of the users that `tests/kubernetes/audit.yaml` names.
    pub(crate) fn audited(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.api_server.folder().join("audit.log")).expect("the API server writes it");
        // The last line may not be complete.
        log.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Creates what every test expects.
    fn furnish(&self, folder: &Path) {
        let administrator = self.administrator();
        let create = |arguments: &[&str]| {
            administrator.kubectl(&[&["create", "-f"], arguments].concat(), "").expect_success();
        };
        let path = |path: &Path| path.display().to_string();
        create(&[&path(&folder.join("definitions"))]);
        create(&[&path(&configuration("strimzi")), "--validate=strict"]);
        create(&[&path(&configuration("environment.yaml")), "--validate=strict"]);
        let limit = format!("--timeout={}s", TIMEOUT.as_secs());
        administrator.kubectl(&["wait", "--for=condition=Established", "crd", "--all", &limit], "").expect_success();
        administrator.kubectl(&["wait", "--for=condition=Ready", "node", "--all", &limit], "").expect_success();
    }
}

/// Starts etcd, and returns it with its address. The API server waits for it.
fn start_etcd(programs: &Path) -> (Server, String) {
    let folder = make_folder("etcd");
    let [clients, peers] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
    let mut command = Command::new(programs.join("etcd"));
    command.arg("--data-dir").arg(folder.join("data"));
    // A lost cluster is no loss here.
    command.args(["--unsafe-no-fsync", "--log-level=warn", &format!("--initial-cluster=default={peers}")]);
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    (Server::start(&command, folder), clients)
}

/// Starts the API server, and waits until it is ready. Its folder has the kubeconfig of each user.
fn start_api_server(programs: &Path, etcd: &str, users: &[&str]) -> Server {
    let folder = make_folder("kube-apiserver");
    let port = free_port();
    make_key(&folder.join("service-accounts.pem"));
    write_users(&folder, port, users);
    let file = |name: &str| folder.join(name).display().to_string();
    let mut command = Command::new(programs.join("kube-apiserver"));
    for (flag, value) in [
        ("etcd-servers", etcd.to_owned()),
        ("bind-address", "127.0.0.1".to_owned()),
        ("advertise-address", "127.0.0.1".to_owned()),
        ("endpoint-reconciler-type", "none".to_owned()),
        ("secure-port", port.to_string()),
        // It writes a certificate for 127.0.0.1 there.
        ("cert-dir", file("certificates")),
        ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
        ("service-account-key-file", file("service-accounts.pem")),
        ("service-account-signing-key-file", file("service-accounts.pem")),
        // Both families, for Services that ask for them.
        ("service-cluster-ip-range", "10.96.0.0/16,fd00:96::/112".to_owned()),
        ("authorization-mode", "RBAC".to_owned()),
        ("token-auth-file", file("tokens.csv")),
        ("audit-policy-file", configuration("audit.yaml").display().to_string()),
        ("audit-log-path", file("audit.log")),
    ] {
        command.arg(format!("--{flag}={value}"));
    }
    let server = Server::start(&command, folder.clone());
    let administrator = client_of(programs, &folder, ADMINISTRATOR);
    wait_for("the API server is ready", || {
        administrator.kubectl(&["get", "--raw", "/readyz"], "").succeeded.then_some(())
    });
    server
}

/// Writes the file by which the API server knows its users, and the kubeconfig of each.
fn write_users(folder: &Path, port: u16, users: &[&str]) {
    let write = |path: &Path, text: &str| fs::write(path, text).expect("the folder is writable");
    let mut known = String::new();
    for (user, groups) in [(ADMINISTRATOR, "system:masters")].into_iter().chain(users.iter().map(|user| (*user, ""))) {
        let token = make_token();
        known.push_str(&format!("{token},{user},{user},{groups}\n"));
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority": folder.join("certificates/apiserver.crt"),
            }}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "current-context": "tests",
        });
        let home = home_of(folder, user);
        fs::create_dir_all(&home).expect("the folder is writable");
        // JSON is YAML.
        write(&home.join("kubeconfig"), &kubeconfig.to_string());
    }
    write(&folder.join("tokens.csv"), &known);
}

/// A random token.
fn make_token() -> String {
    let mut bytes = [0; 16];
    File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes)).unwrap();
    bytes.map(|byte| format!("{byte:02x}")).concat()
}

/// The folder of a user in that of the API server.
fn home_of(api_server: &Path, user: &str) -> PathBuf {
    api_server.join("users").join(user)
}

fn client_of(programs: &Path, api_server: &Path, user: &str) -> Client {
    Client { kubectl: programs.join("kubectl"), home: home_of(api_server, user), helm: Helm::Three }
}

/// Creates the key with which the tokens of service accounts are signed.
fn make_key(file: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]).arg(file);
    let output = openssl.output().expect("openssl starts; scripts/setup installs it");
    assert!(output.status.success(), "no key: {}", String::from_utf8_lossy(&output.stderr));
}
