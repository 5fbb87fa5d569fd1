//! The Alertmanager configuration in examples/alertmanager: which receiver gets which alert, with a real Alertmanager.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

use test_support::{TIMEOUT, kafka::unique_topic, project_root, prometheus::Daemon, wait_for};

use super::rules::rules;
use crate::chart::rendering::{read, text};

const EXAMPLE: &str = "examples/alertmanager/alertmanager.yml";
/// The folder of the secrets in the example.
const SECRETS: &str = "/etc/alertmanager/secrets/trusthub";

/// Runs amtool in the root of the project and returns its output.
fn amtool(arguments: &[&str]) -> String {
    let mut command = Command::new("amtool");
    let output = command.current_dir(project_root()).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("amtool does not start, see scripts/setup: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout
}

#[test]
fn operations_page_shows_the_alertmanager_example() {
    let page = read(&project_root().join("docs/operations.md"));
    let example = read(&project_root().join(EXAMPLE));
    assert!(page.contains(&format!("```yaml\n{example}```\n")), "docs/operations.md does not show {EXAMPLE}");
}

#[test]
fn alertmanager_example_routes_alerts_by_severity_and_audience() {
    amtool(&["check-config", EXAMPLE]);
    for alert in rules().iter().filter(|rule| rule.is_alert) {
        let severity = text(&alert.body["labels"]["severity"]);
        let audience = alert.body["labels"]["audience"].as_str().unwrap_or_default();
        let receivers = match (severity, audience) {
            ("critical", "") => "on-call",
            ("critical", "business") => "profiles,on-call",
            ("warning", "") => "slack",
            ("warning", "business") => "profiles",
            (_, "") => "none",
            _ => "profiles,none",
        };
        let config = format!("--config.file={EXAMPLE}");
        let verify = format!("--verify.receivers={receivers}");
        let labels =
            [format!("alertname={}", alert.name), format!("severity={severity}"), format!("audience={audience}")];
        amtool(&["config", "routes", "test", &config, &verify, &labels[0], &labels[1], &labels[2]]);
    }
}

#[test]
fn critical_alerts_reach_the_on_call_service_and_all_alerts_reach_slack() {
    let receiver = Receiver::start();
    let alertmanager = Alertmanager::start(&receiver);

    alertmanager.fire("TrusthubDeadLetters", &["severity=warning"]);
    let message = receiver.wait_for_slack("[FIRING] TrusthubDeadLetters");
    assert_eq!(message["channel"], "#trusthub");
    let labels = ["severity=info", "audience=business", "resource=trust-product", "status=in-review"];
    alertmanager.fire("TrusthubProfileStuckInReview", &labels);
    let message = receiver.wait_for_slack("[FIRING] TrusthubProfileStuckInReview, trust-product");
    assert_eq!(
        (&message["channel"], &message["attachments"][0]["color"]),
        (&"#trusthub-profiles".into(), &"warning".into())
    );
    let body = text(&message["attachments"][0]["text"]);
    assert!(body.starts_with("summary of TrusthubProfileStuckInReview (in-review)\n"), "{body}");
    alertmanager.fire("TrusthubSpoolFull", &["severity=critical"]);
    receiver.wait_for_slack("[FIRING] TrusthubSpoolFull");
    let page = receiver.wait_for_page("trigger");
    assert_eq!(page["routing_key"], "pagerduty-key-of-the-test");
    assert_eq!(page["payload"]["severity"], "critical");
    assert_eq!(page["payload"]["summary"], "TrusthubSpoolFull: summary of TrusthubSpoolFull");

    alertmanager.resolve("TrusthubSpoolFull", &["severity=critical"]);
    receiver.wait_for_slack("[RESOLVED] TrusthubSpoolFull");
    assert_eq!(receiver.wait_for_page("resolve")["dedup_key"], page["dedup_key"]);
    let paged = receiver.bodies("/pagerduty");
    assert!(paged.iter().all(|page| !page.to_string().contains("TrusthubDeadLetters")), "{paged:#?}");
}

/// An Alertmanager that runs the example with the addresses of a [`Receiver`] and without its pauses.
struct Alertmanager {
    daemon: Daemon,
    secrets: PathBuf,
}

impl Alertmanager {
    fn start(receiver: &Receiver) -> Self {
        let secrets = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("alertmanager-secrets"));
        fs::create_dir(&secrets).unwrap();
        fs::write(secrets.join("slack-url"), format!("http://{}/slack", receiver.address)).unwrap();
        fs::write(secrets.join("pagerduty-key"), "pagerduty-key-of-the-test").unwrap();
        let pagerduty = format!("global:\n  pagerduty_url: http://{}/pagerduty\n", receiver.address);
        let mut config = read(&project_root().join(EXAMPLE)).replace(SECRETS, secrets.to_str().unwrap());
        config = config.replacen("global:\n", &pagerduty, 1);
        for pause in ["group_wait: 30s", "group_wait: 10s", "group_interval: 5m", "group_interval: 1m"] {
            assert!(config.contains(pause), "{EXAMPLE} has no {pause}");
            config = config.replace(pause, &format!("{}: 1s", pause.split(':').next().unwrap()));
        }
        let daemon = Daemon::start("prometheus-alertmanager", &[("alertmanager.yml", &config)], |address| {
            vec![
                "--config.file=alertmanager.yml".into(),
                "--storage.path=data".into(),
                "--cluster.listen-address=".into(),
                format!("--web.listen-address={address}"),
            ]
        });
        Self { daemon, secrets }
    }

    fn fire(&self, alert: &str, labels: &[&str]) {
        self.add(alert, labels, "--end=2100-01-01T00:00:00Z");
    }

    fn resolve(&self, alert: &str, labels: &[&str]) {
        self.add(alert, labels, "--end=2020-01-02T00:00:00Z");
    }

    fn add(&self, alert: &str, labels: &[&str], end: &str) {
        let url = format!("--alertmanager.url=http://{}", self.daemon.address);
        let name = format!("alertname={alert}");
        let summary = format!("--annotation=summary=summary of {alert}");
        let start = "--start=2020-01-01T00:00:00Z";
        amtool(&[&[&url, "alert", "add", &name][..], labels, &[&summary, start, end]].concat());
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.secrets);
    }
}

/// Stands in for Slack and PagerDuty: records the path and the JSON body of each request.
struct Receiver {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let receiver = Self { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let requests = Arc::clone(&receiver.requests);
        // Ends with the test process.
        thread::spawn(move || {
            // Alertmanager repeats a request that fails.
            for request in listener.incoming().flatten().flat_map(read_request) {
                requests.lock().unwrap().push(request);
            }
        });
        receiver
    }

    fn bodies(&self, path: &str) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(found, _)| found == path).map(|(_, body)| body.clone()).collect()
    }

    fn wait_for_slack(&self, title: &str) -> Value {
        let has_title = |message: &Value| message["attachments"][0]["title"] == title;
        wait_for(title, || self.bodies("/slack").into_iter().find(has_title))
    }

    fn wait_for_page(&self, action: &str) -> Value {
        wait_for(action, || self.bodies("/pagerduty").into_iter().find(|page| page["event_action"] == action))
    }
}

/// Reads the path and the body of a request, and accepts it.
fn read_request(connection: TcpStream) -> io::Result<(String, Value)> {
    connection.set_read_timeout(Some(TIMEOUT))?;
    let mut reader = BufReader::new(&connection);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    loop {
        line.clear();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    (&connection).write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")?;
    Ok((path, serde_json::from_slice(&body)?))
}
