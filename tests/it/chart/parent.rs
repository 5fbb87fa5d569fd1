//! Tests the chart as a dependency of another chart, and what an upgrade that reuses values renders.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use test_support::kafka::unique_topic;

use super::rendering::{chart, example, helm, objects, template};

/// A chart that depends on this one under its `enabled`.
const PARENT: &str = "apiVersion: v2
name: parent
version: 1.0.0
dependencies:
  - name: trusthub-bridge
    version: '*'
    condition: trusthub-bridge.enabled
";

/// A folder with the parent and a copy of the chart.
struct ParentChart(PathBuf);

impl ParentChart {
    fn new() -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("parent"));
        fs::create_dir_all(folder.join("charts")).unwrap();
        fs::write(folder.join("Chart.yaml"), PARENT).unwrap();
        let copied = Command::new("cp").arg("-r").arg(chart()).arg(folder.join("charts")).status().unwrap();
        assert!(copied.success());
        Self(folder)
    }

    /// The objects that the parent renders with the minimal values of this chart and these of its own.
    fn render(&self, own: &Value) -> Vec<Value> {
        let minimal = fs::read_to_string(&example("minimal").values).unwrap();
        let mut child = objects(&minimal, &[]).unwrap().remove(0);
        child.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let values = json!({ "trusthub-bridge": child, "global": { "imageRegistry": "registry.example" } });
        let folder = self.0.to_str().unwrap();
        let output =
            helm(&["template", "bridge", folder, "--namespace", "hooks", "--values", "-"], &values.to_string());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        objects(&String::from_utf8(output.stdout).unwrap(), &[]).unwrap()
    }
}

impl Drop for ParentChart {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn optional_dependency_renders_the_chart_if_it_is_enabled() {
    let parent = ParentChart::new();
    let kinds = |objects: &[Value]| objects.iter().map(|object| object["kind"].clone()).collect::<Vec<_>>();
    let rendered = parent.render(&json!({ "enabled": true }));
    assert_eq!(kinds(&rendered), kinds(&example("minimal").objects));
    let replicas = rendered.iter().find(|object| object["kind"] == "StatefulSet").unwrap();
    let image = &replicas["spec"]["template"]["spec"]["containers"][0]["image"];
    assert!(image.as_str().unwrap().starts_with("registry.example/trusthub-bridge:"), "{image}");
    assert_eq!(parent.render(&json!({ "enabled": false })), [Value::Null; 0]);
}

#[test]
fn parent_can_leave_users_and_groups_to_the_cluster() {
    let numbers = json!({ "runAsUser": null, "runAsGroup": null, "fsGroup": null });
    let rendered = ParentChart::new().render(&json!({ "enabled": true, "podSecurityContext": numbers }));
    let replicas = rendered.iter().find(|object| object["kind"] == "StatefulSet").unwrap();
    let context = replicas["spec"]["template"]["spec"]["securityContext"].as_object().unwrap();
    let keys: Vec<_> = context.keys().map(String::as_str).collect();
    assert_eq!(keys, ["fsGroupChangePolicy", "runAsNonRoot", "seccompProfile"]);
}

#[test]
fn reset_ordinals_render_no_drain_beside_the_reused_values() {
    let reused = example("drain");
    assert!(!reused.of_kind("Job").is_empty());
    let rendered = template(&["--values", &reused.values, "--set-json", "drain.ordinals=[]"], &Value::Null).unwrap();
    let rendered = objects(&rendered, &[]).unwrap();
    assert!(rendered.iter().all(|object| object["kind"] != "Job"));
    assert_eq!(rendered.len(), reused.objects.len() - reused.of_kind("Job").len());
}
