//! A real Prometheus that scrapes instances of the program and evaluates rules, a real Alertmanager, and a receiver for
//! its notifications.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    TIMEOUT,
    executable::temporary_folder,
    kafka::{free_port, unique_topic},
    wait_for,
};

/// The job of the instances, named as by a ServiceMonitor of the chart.
const JOB: &str = "trusthub-bridge";
/// Their namespace, a label that they have in Kubernetes.
pub const NAMESPACE: &str = "messaging";

/// Runs the command line `$@` until its own input ends, at the latest when the test process does.
const SUPERVISOR: &str = r#"
"$@" </dev/null >>"$0/log" 2>&1 &
read -r _
kill -KILL $!; wait $!; rm -rf "$0"
"#;

/// Alertmanager notifies for each alert separately and immediately, also when it resolves.
const ALERTMANAGER_CONFIG: &str = "\
route:
  receiver: pager
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: pager
    webhook_configs:
      - url: URL
        send_resolved: true
";

/// Prometheus, Alertmanager and the pager. Dropping it ends the processes and removes their folders.
pub struct Monitoring {
    prometheus: Daemon,
    // Held so that it ends with this value.
    _alertmanager: Daemon,
    pager: Pager,
}

impl Monitoring {
    /// Scrapes these admin ports and evaluates the rules in this text, both at this interval.
    ///
    /// `lookback` is how long Prometheus considers a sample current; its default is five minutes.
    pub fn of(instances: &[SocketAddr], rules: &str, interval: &str, lookback: &str) -> Self {
        let pager = Pager::start();
        let pages = ALERTMANAGER_CONFIG.replace("URL", &format!("http://{}/", pager.address));
        let alertmanager = Daemon::start("prometheus-alertmanager", &[("alertmanager.yml", &pages)], |address| {
            let address = format!("--web.listen-address={address}");
            vec![
                "--config.file=alertmanager.yml".into(),
                "--storage.path=data".into(),
                "--cluster.listen-address=".into(),
                address,
            ]
        });
        let configuration = configuration(instances, alertmanager.address, interval);
        let files = [("prometheus.yml", configuration.as_str()), ("rules.yml", rules)];
        let prometheus = Daemon::start("prometheus", &files, |address| {
            let (address, lookback) =
                (format!("--web.listen-address={address}"), format!("--query.lookback-delta={lookback}"));
            vec!["--config.file=prometheus.yml".into(), "--storage.tsdb.path=data".into(), address, lookback]
        });
        Self { prometheus, _alertmanager: alertmanager, pager }
    }

    /// The current result of an expression: the series with their values.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        self.result(&format!("/api/v1/query?query={}", encoded(expression)))
    }

    /// The result of an expression from `start` to `end`, every `step` seconds.
    pub fn query_range(&self, expression: &str, start: f64, end: f64, step: f64) -> Result<Vec<Value>, String> {
        self.result(&format!("/api/v1/query_range?query={}&start={start}&end={end}&step={step}", encoded(expression)))
    }

    /// The values of a label among the matching series.
    pub fn label_values(&self, label: &str, matching: &str) -> Vec<String> {
        let answer = self.ask(&format!("/api/v1/label/{label}/values?match[]={}", encoded(matching)));
        let values = answer["data"].as_array().unwrap_or_else(|| panic!("{answer}"));
        values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    /// The alerts of this name that fire now.
    pub fn firing(&self, alert: &str) -> Vec<Value> {
        let mut answer = self.ask("/api/v1/alerts");
        let Value::Array(alerts) = answer["data"]["alerts"].take() else { panic!("{answer}") };
        alerts.into_iter().filter(|found| found["labels"]["alertname"] == alert && found["state"] == "firing").collect()
    }

    /// The notifications about alerts of this name so far, oldest first.
    pub fn pages(&self, alert: &str) -> Vec<Value> {
        let pages = self.pager.pages.lock().unwrap();
        pages.iter().filter(|page| page["labels"]["alertname"] == alert).cloned().collect()
    }

    /// Waits until an expression has a result, and returns it.
    pub fn wait_for_data(&self, expression: &str) -> Vec<Value> {
        wait_for(expression, || Some(self.query(expression).unwrap()).filter(|data| !data.is_empty()))
    }

    /// Waits until every instance is scraped and publishes. Prometheus scrapes nothing in its first seconds, which its
    /// rules, with their shortened times, may take for minutes.
    pub fn wait_until_watching(&self, instances: usize) {
        let down = r#"ALERTS{alertname="TrusthubDown", alertstate="firing"}"#;
        self.wait_for_data(&format!("count(trusthub_kafka_up == 1) == {instances} unless on () {down}"));
    }

    /// Waits until an alert is delivered as firing for the nth time, and returns the notification.
    pub fn wait_for_page(&self, alert: &str, nth: usize) -> Value {
        let firing = || self.pages(alert).into_iter().filter(|page| page["status"] == "firing").nth(nth - 1);
        wait_for(&format!("{alert} is delivered"), firing)
    }

    /// Waits until an alert fires no longer and its resolution is delivered. Windows of an hour take a while to pass,
    /// even shortened.
    pub fn wait_for_end(&self, alert: &str) {
        let deadline = Instant::now() + 2 * TIMEOUT;
        let ended = || self.pages(alert).last().is_some_and(|page| page["status"] == "resolved");
        while !(ended() && self.firing(alert).is_empty()) {
            assert!(Instant::now() < deadline, "{alert} does not resolve: {:?}", self.pages(alert));
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn result(&self, path: &str) -> Result<Vec<Value>, String> {
        let mut answer = self.ask(path);
        match answer["data"]["result"].take() {
            Value::Array(result) => Ok(result),
            _ => Err(answer["error"].to_string()),
        }
    }

    fn ask(&self, path: &str) -> Value {
        let answer = ask(self.prometheus.address, path).expect("Prometheus answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{path}: {error} in {answer}"))
    }
}

/// Seconds since 1970, the unit of Prometheus.
pub fn now() -> f64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

fn configuration(instances: &[SocketAddr], alertmanager: SocketAddr, interval: &str) -> String {
    // JSON is YAML.
    json!({
        "global": { "scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval },
        "rule_files": ["rules.yml"],
        "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": [alertmanager] }] }] },
        "scrape_configs": [{
            "job_name": JOB,
            "static_configs": [{ "targets": instances, "labels": { "namespace": NAMESPACE } }],
        }],
    })
    .to_string()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The body of a response. HTTP/1.0, so that it is not chunked and ends with the connection.
fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    Ok(body.to_owned())
}

/// A process that serves HTTP, with its own folder.
pub struct Daemon {
    supervisor: Child,
    folder: PathBuf,
    /// The address on which it listens.
    pub address: SocketAddr,
}

impl Daemon {
    /// Starts the process in a folder with these files, and waits until it is ready.
    pub fn start(program: &str, files: &[(&str, &str)], arguments: impl FnOnce(SocketAddr) -> Vec<String>) -> Self {
        let folder = temporary_folder().join(unique_topic(program));
        fs::create_dir_all(&folder).unwrap();
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR])
            .arg(&folder)
            .arg(program)
            .args(arguments(address))
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C must not end it with the tests: it has to clean up.
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let daemon = Self { supervisor, folder, address };
        wait_for(&format!("{program} is ready; scripts/setup installs it"), || daemon.is_ready().then_some(()));
        daemon
    }

    fn is_ready(&self) -> bool {
        ask(self.address, "/-/ready").is_ok_and(|answer| answer.contains("Ready") || answer == "OK")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read(self.folder.join("log")).unwrap_or_default();
            let _ = writeln!(io::stderr(), "log of {}:\n{}", self.folder.display(), String::from_utf8_lossy(&log));
        }
        // Closes its input first, which tells it to exit.
        let _ = self.supervisor.wait();
    }
}

/// Receives Alertmanager's notifications.
struct Pager {
    address: SocketAddr,
    pages: Arc<Mutex<Vec<Value>>>,
    ended: Arc<AtomicBool>,
}

impl Pager {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let pager = Self { address, pages: Arc::default(), ended: Arc::default() };
        let (pages, ended) = (Arc::clone(&pager.pages), Arc::clone(&pager.ended));
        thread::spawn(move || {
            for connection in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // Alertmanager retries a failed delivery.
                let delivered = connection.and_then(take_delivery).unwrap_or_default();
                pages.lock().unwrap().extend(delivered);
            }
        });
        pager
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Unblocks the listener.
        let _ = TcpStream::connect(self.address);
    }
}

/// Reads the alerts in one request and answers it.
fn take_delivery(connection: TcpStream) -> io::Result<Vec<Value>> {
    connection.set_read_timeout(Some(TIMEOUT))?;
    let mut reader = BufReader::new(&connection);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let header = line.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut delivery: Value = serde_json::from_slice(&body)?;
    (&connection).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(serde_json::from_value(delivery["alerts"].take())?)
}
