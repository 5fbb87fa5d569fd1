//! A real nginx that ends TLS in front of the program, and a TLS client to talk to it.
//!
//! It listens on sockets in a folder of its own, so nothing on the machine can be in its way, and on one port for
//! clients that know ports only.

use std::{
    fs,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use super::{
    Bridge,
    kafka::{free_port, unique_topic},
    wait_for,
};

/// The settings of `docs/proxies.md` and, so that headers arrive as the client sent them, as few others as can be.
///
/// All paths are below the folder, or relative to it as the working directory.
const CONFIGURATION: &str = "\
daemon off;
master_process off;
pid nginx.pid;
error_log error.log info;
events {}
http {
    include own.conf;
    keepalive_timeout 0;

    proxy_http_version 1.1;
    proxy_set_header Host $http_host;

    server {
        listen unix:kept.sock ssl;
        listen 127.0.0.1:PORT ssl;
        location /twilio/ {
            proxy_pass http://UPSTREAM;
            proxy_request_buffering off;
        }
    }
    server {
        listen unix:stripped.sock ssl;
        location /twilio/ {
            proxy_pass http://UPSTREAM/;
        }
    }
}
";

/// What keeps an nginx in its folder, with its certificate. Every configuration includes it.
const OWN: &str = "\
access_log off;
client_body_temp_path temp-body;
proxy_temp_path temp-proxy;
fastcgi_temp_path temp-fastcgi;
uwsgi_temp_path temp-uwsgi;
scgi_temp_path temp-scgi;

ssl_certificate certificate.pem;
ssl_certificate_key key.pem;
ssl_protocols TLSv1.2 TLSv1.3;
";

/// Runs the command line `$@` until its own input ends, which is when the test process does at the latest. Debian keeps
/// nginx where not everybody's path leads.
const SUPERVISOR: &str = r#"
PATH=$PATH:/usr/sbin
"$@" </dev/null >>"$0/error.log" 2>&1 &
read -r _
kill -KILL $!; wait $!; rm -rf "$0"
"#;

/// What the ingress does with the path prefix `/twilio`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    Kept,
    Stripped,
}

impl Prefix {
    fn socket(self) -> &'static str {
        match self {
            Self::Kept => "kept.sock",
            Self::Stripped => "stripped.sock",
        }
    }
}

/// nginx in front of the program. Dropping it ends the process and removes its folder.
pub(crate) struct Nginx {
    supervisor: Child,
    folder: PathBuf,
}

impl Nginx {
    /// Started and listening.
    pub(crate) fn in_front_of(bridge: &Bridge) -> Self {
        Self::on_port(free_port(), bridge)
    }

    /// Started and listening on this port, too, where it keeps the prefix.
    pub(crate) fn on_port(port: u16, bridge: &Bridge) -> Self {
        let folder = make_folder("nginx");
        let configuration =
            CONFIGURATION.replace("UPSTREAM", &bridge.public.to_string()).replace("PORT", &port.to_string());
        fs::write(folder.join("nginx.conf"), configuration).expect("the folder is writable");
        let mut nginx = Self { supervisor: supervise(SUPERVISOR, &folder), folder };
        wait_for("nginx listens", || {
            let ended = nginx.supervisor.try_wait().expect("the supervisor can be asked");
            assert!(ended.is_none(), "nginx does not start");
            pid(&nginx.folder)
        });
        nginx
    }

    /// The file with its certificate, which vouches for itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// Sends the bytes of one request over TLS of this version, such as `1_3`, and returns the status of the answer.
    pub(crate) fn send(&self, prefix: Prefix, tls: &str, request: &[u8]) -> u16 {
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", &format!("-tls{tls}"), "-unix", prefix.socket()])
            .args(["-servername", "hooks.example.com", "-verify_hostname", "hooks.example.com"])
            .args(["-CAfile", "certificate.pem", "-verify_return_error"])
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl starts; scripts/setup installs it");
        // nginx may have answered and closed before it has read everything.
        let _ = client.stdin.take().expect("stdin is piped").write_all(request);
        let output = client.wait_with_output().expect("openssl ends when nginx closes the connection");
        let answer = String::from_utf8_lossy(&output.stdout);
        let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        status.unwrap_or_else(|| panic!("no answer: {answer}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read(self.folder.join("error.log")).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "log of nginx:\n{}", String::from_utf8_lossy(&log));
        }
        // Closes its input first, which is the order to end.
        let _ = self.supervisor.wait();
    }
}

/// A folder with all that an nginx needs but its configuration.
pub(super) fn make_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic(name));
    fs::create_dir_all(&folder).expect("the folder for temporary files is writable");
    fs::write(folder.join("own.conf"), OWN).expect("the folder is writable");
    make_certificate(&folder);
    folder
}

/// The number of the process, once all sockets are listened on.
pub(super) fn pid(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join("nginx.pid")).ok().filter(|pid| pid.ends_with('\n'))
}

/// A certificate that vouches for itself.
fn make_certificate(folder: &Path) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=hooks.example.com", "-addext", "subjectAltName=DNS:hooks.example.com,IP:127.0.0.1"])
        // rustls takes no authority for a server.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl starts; scripts/setup installs it");
    assert!(output.status.success(), "no certificate: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs nginx in this folder, as the script says.
pub(super) fn supervise(script: &str, folder: &Path) -> Child {
    Command::new("sh")
        .args(["-c", script])
        .arg(folder)
        .args(["nginx", "-e", "error.log", "-c", "nginx.conf", "-p"])
        .arg(folder)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C must not take it along: it has to clean up.
        .process_group(0)
        .spawn()
        .expect("sh starts")
}
