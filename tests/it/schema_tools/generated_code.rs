//! The code that quicktype generates from the schema.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use test_support::{
    kafka::{class_path, unique_topic},
    oracle::{harness, libraries},
};

use super::{SCHEMA, all_values, run, schema};

/// A folder with generated code, which is removed with this value.
struct GeneratedCode(PathBuf);

impl GeneratedCode {
    /// Generates code for this language with these options into this file.
    fn new(schema: &str, language: &str, options: &[&str], file: &str) -> Self {
        let code = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic(language)));
        fs::create_dir(&code.0).unwrap();
        fs::write(code.0.join("schema.json"), schema).unwrap();
        let mut node = code.command("node");
        node.arg(libraries().join("node/node_modules/quicktype/dist/index.js"));
        node.args(["--src-lang", "schema", "--src", "schema.json", "--top-level", "ProfileStatusChanged"]);
        code.succeed(node.args(["--telemetry", "disable", "--lang", language, "--out", file]).args(options), "");
        code
    }

    /// Adds the program that uses the code.
    fn with(self, program: &str) -> Self {
        fs::copy(harness("schemas").join(program), self.0.join(program)).unwrap();
        self
    }

    /// A command in the folder of the code.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // As in scripts/helm: the folder of Go's own archive need not be on the PATH.
        let path = format!("{}:/usr/local/go/bin", env::var("PATH").unwrap());
        command.current_dir(&self.0).env("PATH", path);
        command
    }

    /// Returns what a command prints that has to succeed.
    fn succeed(&self, command: &mut Command, input: &str) -> String {
        let output = run(command, input);
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{command:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
    }

    /// Asserts that the program reads all values and writes the same again, except fields that it does not know.
    fn assert_reads_and_writes(&self, reader: &mut Command) {
        let values = all_values();
        let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
        let written = self.succeed(reader, &lines);
        let written = written.lines().map(|line| without_unknown(serde_json::from_str(line).unwrap()));
        assert_eq!(written.collect::<Vec<_>>(), values.into_iter().map(without_unknown).collect::<Vec<_>>());
    }
}

impl Drop for GeneratedCode {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The value without what the schema does not have, and without `profile` if it is null, which some languages write.
fn without_unknown(mut value: Value) -> Value {
    let schema = schema();
    let known = |schema: &Value, name: &str| schema["properties"].get(name).is_some();
    let object = value.as_object_mut().unwrap();
    object.retain(|name, value| known(&schema, name) && !(name == "profile" && value.is_null()));
    for error in value["errors"].as_array_mut().unwrap() {
        error.as_object_mut().unwrap().retain(|name, _| known(&schema["$defs"]["RejectionReason"], name));
    }
    value
}

fn java(schema: &str) -> GeneratedCode {
    let code =
        GeneratedCode::new(schema, "java", &["--package", "events"], "ProfileStatusChanged.java").with("Reader.java");
    let files = fs::read_dir(&code.0).unwrap().map(|entry| entry.unwrap().path());
    let sources: Vec<_> = files.filter(|file| file.extension().is_some_and(|extension| extension == "java")).collect();
    let mut javac = code.command("javac");
    code.succeed(javac.args(["-encoding", "UTF-8", "-d", "classes", "-cp", class_path()]).args(sources), "");
    code
}

fn java_reader(code: &GeneratedCode) -> Command {
    let mut java = code.command("java");
    java.args(["-XX:TieredStopAtLevel=1", "-cp", &format!("classes:{}", class_path()), "events.Reader"]);
    java
}

#[test]
fn generated_java_compiles_and_reads_every_record() {
    let code = java(SCHEMA);
    code.assert_reads_and_writes(&mut java_reader(&code));
}

/// The reason why the schema has no closed lists.
#[test]
fn generated_java_of_a_closed_list_throws_on_a_later_value() {
    let mut closed = schema();
    closed["properties"]["status"]["enum"] = closed["properties"]["status"]["examples"].clone();
    let code = java(&closed.to_string());
    let values = all_values();
    let [.., today, tomorrow] = &values[..] else { panic!("{values:?}") };
    assert!(run(&mut java_reader(&code), &format!("{today}\n")).status.success());
    let output = run(&mut java_reader(&code), &format!("{tomorrow}\n"));
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("Cannot deserialize Status"));
}

#[test]
fn generated_go_compiles_and_reads_every_record() {
    let code = GeneratedCode::new(SCHEMA, "go", &["--package", "main"], "event.go").with("reader.go");
    let mut go = code.command("go");
    go.args(["build", "-o", "reader", "event.go", "reader.go"]).env("GOTOOLCHAIN", "local").env("GOFLAGS", "");
    code.succeed(&mut go, "");
    code.assert_reads_and_writes(&mut code.command("./reader"));
}

#[test]
fn generated_typescript_compiles_and_reads_every_record() {
    let code = GeneratedCode::new(SCHEMA, "typescript", &[], "event.ts").with("reader.ts");
    let mut tsc = code.command("node");
    tsc.arg(libraries().join("node/node_modules/typescript/bin/tsc"));
    tsc.args(["--strict", "--target", "es2022", "--module", "commonjs", "reader.ts"]);
    code.succeed(&mut tsc, "");
    code.assert_reads_and_writes(code.command("node").arg("reader.js"));
}

#[test]
fn generated_python_reads_every_record() {
    let code = GeneratedCode::new(SCHEMA, "python", &[], "event.py").with("reader.py");
    // Without any library: not even those of its environment.
    code.assert_reads_and_writes(code.command("python3").args(["-S", "-B", "reader.py"]));
}
