//! Rolling updates, also one that fails, and evictions: at most one replica is missing at any time.

use std::{
    collections::BTreeMap,
    io::BufReader,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    cluster::wait_for,
    fixture::Fixture,
    release::{PATIENCE, Release, is_ready, name_of},
};

/// `minReadySeconds` of the chart, less the second to which Kubernetes rounds times, and one for the delivery of events.
const LEAST_PAUSE: Duration = Duration::from_secs(5 - 2);

/// What happened to the pods of the replicas, as the API server has told it.
struct Watch {
    kubectl: Child,
    reader: JoinHandle<()>,
    events: Arc<Mutex<Vec<(Instant, Value)>>>,
}

pub(crate) fn play_update(fixture: &Fixture) -> String {
    let release = fixture.release("rolling-update");
    let minimal = fixture.example("minimal");
    release.install(minimal, &["--set", "replicaCount=3"]);
    let watch = Watch::start(&release, 3);
    let change = ["--set", "replicaCount=3", "--set", "image.tag=next", "--wait", PATIENCE];
    release.upgrade(minimal, &change).expect_success();
    let events = watch
        .finish(|pods| pods.len() == 3 && pods.values().all(|pod| is_ready(pod) && image_of(pod).ends_with(":next")));

    let (mut pods, mut missing) = (BTreeMap::new(), 0);
    let (mut stopped, mut ready_again) = (Vec::new(), BTreeMap::new());
    for (moment, event) in &events {
        let was_ready = apply(&mut pods, event);
        let pod = &event["object"];
        let name = name_of(pod).to_owned();
        if was_ready && !pods.get(&name).is_some_and(is_ready) {
            stopped.push((name, *moment));
        } else if pods.get(&name).is_some_and(is_ready) && image_of(pod).ends_with(":next") {
            ready_again.entry(name).or_insert(*moment);
        }
        if !stopped.is_empty() {
            missing = missing.max(3 - pods.values().filter(|pod| is_ready(pod)).count());
        }
    }
    assert_eq!(missing, 1, "replicas that are missing at the same time");
    let order: Vec<_> = stopped.iter().map(|(name, _)| name.rsplit('-').next().unwrap()).collect();
    assert_eq!(order, ["2", "1", "0"], "the order in which replicas are replaced");
    let pauses = stopped.windows(2).map(|pair| pair[1].1.duration_since(ready_again[&pair[0].0]));
    let shortest = pauses.min().unwrap();
    assert!(shortest >= LEAST_PAUSE, "the next replica stopped {shortest:?} after one was ready");
    format!("one replica after the other, from the last to the first, {} s apart or more", shortest.as_secs())
}

pub(crate) fn play_failure(fixture: &Fixture) -> String {
    let release = fixture.release("rolling-failure");
    let minimal = fixture.example("minimal");
    release.install(minimal, &[]);
    let before = release.replicas();
    let change = ["--set", "image.tag=crashes", "--wait", "--timeout=15s"];
    release.upgrade(minimal, &change).expect_failure();
    let broken = release.replicas();
    assert_eq!(broken.iter().map(is_ready).collect::<Vec<_>>(), [true, false]);
    assert_eq!(uid(&broken[0]), uid(&before[0]), "the first replica still serves with the old settings");
    assert!(image_of(&broken[1]).ends_with(":crashes"));

    release.roll_back(0, &["--wait"]);
    let after =
        release.wait_for_replicas("both replicas are ready", |pods| pods.len() == 2 && pods.iter().all(is_ready));
    assert_eq!(uid(&after[0]), uid(&before[0]), "the first replica never stopped");
    assert_eq!(image_of(&after[1]), image_of(&before[1]));
    "one of two replicas was down, and the rollback replaced it".to_owned()
}

pub(crate) fn play_evictions(fixture: &Fixture) -> String {
    let release = fixture.release("evictions");
    release.install(fixture.example("minimal"), &[]);
    wait_for_budget(&release);
    let [first, second] = ["bridge-trusthub-bridge-0", "bridge-trusthub-bridge-1"];
    evict(&release, first).unwrap();
    let refused = evict(&release, second).unwrap_err();
    assert!(refused.contains("disruption budget"), "{refused}");
    release
        .wait_for_replicas("the evicted replica is ready again", |pods| pods.len() == 2 && pods.iter().all(is_ready));
    wait_for_budget(&release);
    evict(&release, second).unwrap();
    "the second replica is evicted only when the first is ready again".to_owned()
}

/// Waits until the budget allows an eviction.
fn wait_for_budget(release: &Release) {
    wait_for("the budget allows an eviction", || {
        (release.get("poddisruptionbudgets")[0]["status"]["disruptionsAllowed"] == 1).then_some(())
    });
}

fn evict(release: &Release, pod: &str) -> Result<(), String> {
    let namespace = &release.namespace;
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}});
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
    // A raw request takes no namespace.
    let ended = release.administrator.kubectl(&["create", "--raw", &path, "-f", "-"], &eviction.to_string());
    if ended.succeeded { Ok(()) } else { Err(ended.diagnostics) }
}

/// Changes the pods as an event says, and returns whether its pod was ready before.
fn apply(pods: &mut BTreeMap<String, Value>, event: &Value) -> bool {
    let name = name_of(&event["object"]).to_owned();
    let before =
        if event["type"] == "DELETED" { pods.remove(&name) } else { pods.insert(name, event["object"].clone()) };
    before.as_ref().is_some_and(is_ready)
}

fn image_of(pod: &Value) -> &str {
    pod["spec"]["containers"][0]["image"].as_str().unwrap()
}

fn uid(pod: &Value) -> &Value {
    &pod["metadata"]["uid"]
}

impl Watch {
    /// Begins with the pods that exist, which are this many.
    fn start(release: &Release, replicas: usize) -> Self {
        let mut kubectl = release.administrator.kubectl_command();
        kubectl.args(["get", "pods", "--watch", "--output-watch-events", "--output=json", "--namespace"]);
        kubectl.arg(&release.namespace).args(["--selector", "app.kubernetes.io/component=bridge"]);
        let mut kubectl = kubectl.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(kubectl.stdout.take().unwrap());
        let events: Arc<Mutex<Vec<_>>> = Arc::default();
        let seen = Arc::clone(&events);
        let reader = thread::spawn(move || {
            // Ends with an error when kubectl is killed.
            for event in serde_json::Deserializer::from_reader(output).into_iter().map_while(Result::ok) {
                seen.lock().unwrap().push((Instant::now(), event));
            }
        });
        let watch = Self { kubectl, reader, events };
        watch.wait_until("all pods are known", |pods| pods.len() == replicas);
        watch
    }

    /// Ends when the pods satisfy a condition, and returns all events.
    fn finish(mut self, is_so: impl Fn(&BTreeMap<String, Value>) -> bool) -> Vec<(Instant, Value)> {
        self.wait_until("the pods have changed", is_so);
        self.kubectl.kill().unwrap();
        self.kubectl.wait().unwrap();
        self.reader.join().unwrap();
        let events = self.events.lock().unwrap();
        events.clone()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&BTreeMap<String, Value>) -> bool) {
        wait_for(what, || {
            let mut pods = BTreeMap::new();
            for (_, event) in self.events.lock().unwrap().iter() {
                apply(&mut pods, event);
            }
            is_so(&pods).then_some(())
        });
    }
}
