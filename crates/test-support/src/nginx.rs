//! A real nginx that terminates TLS in front of the program, and a TLS client to talk to it.
//!
//! It listens on Unix sockets in a separate folder, so nothing else on the machine can conflict, and on one port for
//! clients that support only ports.

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
    executable::temporary_folder,
    kafka::{free_port, unique_topic},
    wait_for,
};

/// The settings of `docs/proxies.md` and as few others as possible, so that headers arrive as the client sent them.
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
    merge_slashes off;

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
    server {
        listen unix:none.sock ssl;
        merge_slashes on;
        location /callbacks/ {
            proxy_pass http://UPSTREAM;
        }
    }
}
";

/// Keeps an nginx within its folder and names its certificate. Every configuration includes it.
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

/// Runs the command line `$@` until its own input ends, at the latest when the test process does. Debian installs nginx
/// outside the path of ordinary users.
const SUPERVISOR: &str = r#"
PATH=$PATH:/usr/sbin
"$@" </dev/null >>"$0/error.log" 2>&1 &
read -r _
kill -KILL $!; wait $!; rm -rf "$0"
"#;

/// How the ingress treats the path prefix `/twilio`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// The program receives it.
    Kept,
    /// nginx removes it.
    Stripped,
    /// There is none: nginx routes `/callbacks/`.
    Absent,
}

impl Prefix {
    fn socket(self) -> &'static str {
        match self {
            Self::Kept => "kept.sock",
            Self::Stripped => "stripped.sock",
            Self::Absent => "none.sock",
        }
    }
}

/// nginx in front of the program. Dropping it ends the process and removes its folder.
pub struct Nginx {
    supervisor: Child,
    folder: PathBuf,
}

impl Nginx {
    /// Starts nginx and waits until it listens.
    pub fn in_front_of(bridge: &Bridge) -> Self {
        Self::on_port(free_port(), bridge)
    }

    /// The same, also on this port, where nginx keeps the prefix.
    pub fn on_port(port: u16, bridge: &Bridge) -> Self {
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

    /// The file with its self-signed certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// Sends the bytes of one request over TLS of this version, such as `1_3`, and returns the status of the response.
    pub fn send(&self, prefix: Prefix, tls: &str, request: &[u8]) -> u16 {
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
        // nginx may have answered and closed the connection before reading the whole request.
        let _ = client.stdin.take().expect("stdin is piped").write_all(request);
        let output = client.wait_with_output().expect("openssl ends when nginx closes the connection");
        let answer = String::from_utf8_lossy(&output.stdout);
        let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        status.unwrap_or_else(|| panic!("no response: {answer}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read(self.folder.join("error.log")).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "log of nginx:\n{}", String::from_utf8_lossy(&log));
        }
        // Closes its input first, which tells it to exit.
        let _ = self.supervisor.wait();
    }
}

/// Creates a folder with everything that an nginx needs except its configuration.
pub(super) fn make_folder(name: &str) -> PathBuf {
    let folder = temporary_folder().join(unique_topic(name));
    fs::create_dir_all(&folder).expect("the folder for temporary files is writable");
    fs::write(folder.join("own.conf"), OWN).expect("the folder is writable");
    make_certificate(&folder);
    folder
}

/// The process id, once nginx listens on all sockets.
pub(super) fn pid(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join("nginx.pid")).ok().filter(|pid| pid.ends_with('\n'))
}

/// Creates a self-signed certificate.
fn make_certificate(folder: &Path) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=hooks.example.com", "-addext", "subjectAltName=DNS:hooks.example.com,IP:127.0.0.1"])
        // rustls rejects a CA certificate as a server certificate.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl starts; scripts/setup installs it");
    assert!(output.status.success(), "no certificate: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs nginx in this folder, through the script.
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
        // Ctrl-C must not end it with the tests: it has to clean up.
        .process_group(0)
        .spawn()
        .expect("sh starts")
}
