//! Type-checks the dashboard with Grafana's own types: an unknown property or an invalid value does not compile.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use test_support::{
    kafka::unique_topic,
    oracle::{harness, libraries},
};

const DASHBOARD: &str = include_str!("../../../helm/trusthub-bridge/files/dashboard.json");
const OPTIONS: &str = r#"{
    "compilerOptions": {
        "strict": true, "noEmit": true, "skipLibCheck": true, "types": [],
        "target": "es2022", "module": "nodenext", "moduleResolution": "nodenext"
    },
    "files": ["dashboard.ts"]
}"#;

/// A folder that is removed with this value.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The compiler errors for a constant of the dashboard type with this content; empty if it is valid.
fn type_errors(dashboard: &str) -> String {
    let folder = Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("grafana")));
    fs::create_dir(&folder.0).unwrap();
    let modules = libraries().join("node/node_modules");
    let types = fs::read_to_string(harness("node/dashboard.ts")).unwrap();
    fs::write(folder.0.join("dashboard.ts"), types + dashboard).unwrap();
    fs::write(folder.0.join("tsconfig.json"), OPTIONS).unwrap();
    symlink(&modules, folder.0.join("node_modules")).unwrap();
    let compiler = modules.join("typescript/bin/tsc");
    let output = Command::new("node").arg(compiler).arg("--project").arg(&folder.0).output().unwrap();
    let errors = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), errors.is_empty(), "{errors}{}", String::from_utf8_lossy(&output.stderr));
    errors
}

#[test]
fn dashboard_has_the_type_of_grafana() {
    assert_eq!(type_errors(DASHBOARD), "");
}

#[test]
fn unknown_properties_and_values_are_found() {
    for (right, wrong, error) in [
        (r#""displayMode": "table""#, r#""displayMode": "tabel""#, r#"'"tabel"' is not assignable"#),
        (r#""rowHeight""#, r#""rowHigh""#, r#"'"rowHigh"' does not exist"#),
    ] {
        let errors = type_errors(&DASHBOARD.replace(right, wrong));
        assert!(errors.contains(error), "{errors}");
    }
}
