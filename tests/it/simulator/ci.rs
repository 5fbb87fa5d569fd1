//! The examples of [`PAGE`], which test an onboarding in CI: the page shows them as they are, they pass against the
//! simulator and notice what is wrong, and the program understands what their files for CI systems start.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use test_support::{Request, kafka::unique_topic, oracle::libraries, program, project_root, simulator::Simulator};

const PAGE: &str = include_str!("../../../docs/onboarding-in-ci.md");
const CONFIGURATION: &str = include_str!("../../../docs/configuration.md");
const MANIFEST: &str = include_str!("../../../Cargo.toml");
const EXAMPLES: &str = "examples/onboarding/ci";
/// Stand for the code of the user, so the page only links to them.
const LINKED_ONLY: [&str; 2] = ["python/onboarding.py", "node/onboarding.mjs"];
/// The token of the account in the examples.
const TOKEN: &str = "secret";
/// The number of tests in each of the two examples.
const TESTS: usize = 4;

fn example(file: &str) -> PathBuf {
    project_root().join(EXAMPLES).join(file)
}

fn simulator(arguments: &[&str]) -> Simulator {
    Simulator::start_with(arguments, &[("TWILIO_AUTH_TOKEN", TOKEN)])
}

/// Runs the tests of an example against this URL and returns what they print.
fn run(mut tests: Command, url: &str) -> (bool, String) {
    tests.env("NO_PROXY", "127.0.0.1,0.0.0.0").env("NO_COLOR", "1").env("TRUSTHUB_BASE_URL", url);
    for variable in ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "RECEIVER_HOST"] {
        tests.env_remove(variable);
    }
    let Output { status, stdout, stderr } = tests.output().unwrap();
    (status.success(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn pytest(url: &str) -> (bool, String) {
    let mut tests = Command::new(libraries().join("python/bin/python"));
    tests.args(["-B", "-m", "pytest", "-p", "no:cacheprovider"]).current_dir(example("python"));
    run(tests, url)
}

fn vitest(url: &str) -> (bool, String) {
    // Node looks for libraries beside the example, where Vitest also writes its cache.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("vitest"));
    let (libraries, installed) = (folder.join("node_modules"), libraries().join("node/node_modules"));
    fs::create_dir_all(&libraries).unwrap();
    for library in ["twilio", "vitest"] {
        symlink(installed.join(library), libraries.join(library)).unwrap();
    }
    for file in fs::read_dir(example("node")).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    let mut tests = Command::new("node");
    tests.arg(installed.join("vitest/vitest.mjs")).arg("run").current_dir(&folder);
    let outcome = run(tests, url);
    fs::remove_dir_all(&folder).unwrap();
    outcome
}

#[test]
fn pytest_example_passes_against_the_simulator() {
    let (is_success, printed) = pytest(&simulator(&[]).url());
    assert!(is_success && printed.contains(&format!("{TESTS} passed")), "{printed}");
}

#[test]
fn vitest_example_passes_against_the_simulator() {
    let (is_success, printed) = vitest(&simulator(&[]).url());
    assert!(is_success && printed.contains(&format!("{TESTS} passed")), "{printed}");
}

#[test]
fn pytest_example_fails_when_a_signature_is_wrong() {
    let (is_success, printed) = pytest(&simulator(&["--set", "wrong_signature=100"]).url());
    assert!(!is_success && printed.contains("the signature of a callback is wrong"), "{printed}");
}

#[test]
fn vitest_example_fails_when_a_signature_is_wrong() {
    let (is_success, printed) = vitest(&simulator(&["--set", "wrong_signature=100"]).url());
    assert!(!is_success && printed.contains("the signature of a callback is wrong"), "{printed}");
}

/// An address that leads to the simulator, but that a simulator on loopback does not know to be its own.
fn unknown_url(simulator: &Simulator) -> String {
    format!("http://0.0.0.0:{}", simulator.address.port())
}

#[test]
fn pytest_example_reports_a_host_that_is_refused_at_once() {
    let simulator = simulator(&[]);
    let (is_success, printed) = pytest(&unknown_url(&simulator));
    assert!(!is_success && printed.contains("answers 403: ") && printed.contains("--allowed-host"), "{printed}");
    assert!(!printed.contains("no simulator at"), "{printed}");
}

#[test]
fn vitest_example_reports_a_host_that_is_refused_at_once() {
    let simulator = simulator(&[]);
    let (is_success, printed) = vitest(&unknown_url(&simulator));
    assert!(!is_success && printed.contains(": 403 ") && printed.contains("--allowed-host"), "{printed}");
    assert!(!printed.contains("in vain"), "{printed}");
}

#[test]
fn page_shows_every_file_of_the_examples_word_for_word() {
    let folders = ["", "python", "node"].map(|folder| fs::read_dir(example(folder)).unwrap());
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let names: Vec<_> =
        files.map(|file| file.strip_prefix(example("")).unwrap().to_str().unwrap().to_owned()).collect();
    assert!(LINKED_ONLY.iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
    for name in names {
        assert!(PAGE.contains(&format!("(../{EXAMPLES}/{name})")), "the page does not link to {name}");
        let text = fs::read_to_string(example(&name)).unwrap();
        let is_shown = PAGE.contains(&format!("\n{text}```\n"));
        assert!(is_shown || LINKED_ONLY.contains(&&name[..]), "the page does not show {name}");
    }
}

#[test]
fn page_starts_the_simulator_with_the_defaults_of_the_examples() {
    let lines = PAGE.lines().filter(|line| line.contains("simulate") && !line.starts_with(['#', '|']));
    let commands: Vec<_> =
        lines.filter(|line| line.starts_with("trusthub-bridge ") || line.starts_with("docker run")).collect();
    assert_eq!(commands.len(), 2, "{commands:#?}");
    for command in commands {
        assert_understood(command);
    }
    let account = PAGE.lines().find_map(|line| line.strip_prefix("export ")).unwrap();
    let account: Vec<_> = account.split(' ').map(|pair| pair.split_once('=').unwrap()).collect();
    assert_serves_account(&account);
    for file in ["python/conftest.py", "node/simulator.mjs"] {
        let text = fs::read_to_string(example(file)).unwrap();
        for (_, value) in &account {
            assert!(text.contains(&format!("\"{value}\"")), "{file}: {value}");
        }
        assert!(text.contains(&format!("\"http://{}\"", default_bind())), "{file}");
    }
}

#[test]
fn compose_example_starts_the_simulator_and_leads_the_tests_to_it() {
    let compose = parsed("compose.yaml");
    let (simulator, tests) = (&compose["services"]["simulator"], &compose["services"]["tests"]);
    let ours = parsed("../../../compose.yaml");
    for field in ["image", "command", "healthcheck"] {
        assert_eq!(simulator[field], ours["services"]["simulator"][field], "{field}");
    }
    assert!(PAGE.contains(&format!("docker build --tag {} .", text(&simulator["image"]))));
    let variables = strings(&simulator["environment"]);
    assert_documented(variables.iter().map(|(name, _)| *name));
    assert_serves_account(&variables);

    let (_, port) = text(&simulator["environment"]["SIMULATOR_BIND"]).split_once("0.0.0.0:").unwrap();
    assert_eq!(tests["environment"]["TRUSTHUB_BASE_URL"], format!("http://simulator:{port}"));
    assert_eq!(tests["environment"]["RECEIVER_HOST"], "tests");
    for name in ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"] {
        assert_eq!(tests["environment"][name], simulator["environment"][name]);
    }
    let read = fs::read_to_string(example("python/conftest.py")).unwrap();
    for (name, _) in strings(&tests["environment"]) {
        assert!(read.contains(&format!("os.environ.get(\"{name}\"")), "conftest.py does not read {name}");
    }
    let mount: Vec<_> = text(&tests["volumes"][0]).split(':').collect();
    assert!(example(mount[0]).join("conftest.py").exists());
    assert_eq!(tests["working_dir"], mount[1]);
}

#[test]
fn workflow_example_starts_the_simulator_in_every_job() {
    let workflow = parsed("github-actions.yml");
    let variables = strings(&workflow["env"]);
    assert_documented(variables.iter().map(|(name, _)| *name));
    assert_serves_account(&variables);
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        let steps = job["steps"].as_array().unwrap();
        let lines: Vec<_> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
        for line in &lines {
            let checked = Command::new("bash").args(["-nc", line]).status().unwrap();
            assert!(checked.success(), "{name}: {line}");
        }
        let starts: Vec<_> = lines.iter().filter(|line| line.contains(" simulate")).collect();
        assert_eq!(starts.len(), 1, "{name}: {lines:?}");
        assert_understood(starts[0]);
        assert!(lines.iter().any(|line| ["pytest", "npx vitest run"].contains(line)), "{name}: {lines:?}");
    }
}

#[test]
fn workflow_example_installs_and_caches_the_program() {
    let workflow = parsed("github-actions.yml");
    let steps = workflow["jobs"]["node"]["steps"].as_array().unwrap();
    let cache =
        steps.iter().find(|step| step["uses"].as_str().is_some_and(|action| action.contains("/cache@"))).unwrap();
    let install =
        steps.iter().find(|step| step["run"].as_str().is_some_and(|line| line.starts_with("cargo "))).unwrap();
    let condition = format!("steps.{}.outputs.cache-hit != 'true'", text(&cache["id"]));
    assert_eq!(install["if"], condition);
    assert!(text(&cache["with"]["key"]).contains("env.REVISION"));
    let shown = PAGE.lines().find(|line| line.starts_with("cargo install ")).unwrap();
    for command in [text(&install["run"]).trim(), shown] {
        let words: Vec<_> = command.split_whitespace().collect();
        let feature = words[words.iter().position(|word| *word == "--features").unwrap() + 1];
        assert!(MANIFEST.contains(&format!("\n{feature} = ")), "{feature}");
        let package = words.last().unwrap();
        assert!(MANIFEST.contains(&format!("\nname = \"{package}\"\n")), "{package}");
        assert!(text(&cache["with"]["path"]).ends_with(&format!("/bin/{package}")));
    }
}

/// Asserts that the program has the command that this shell line starts, and reads the variables that it passes on.
fn assert_understood(line: &str) {
    let words: Vec<_> = line.split_whitespace().collect();
    let is_program = |word: &&str| word.rsplit('/').next().unwrap().split(':').next() == Some("trusthub-bridge");
    let start = words.iter().position(is_program).unwrap_or_else(|| panic!("{line} does not name the program"));
    let arguments = words[start + 1..].iter().take_while(|word| !word.starts_with(['>', '2', '&', '#']));
    let output = program().args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    assert_documented(words[..start].windows(2).filter(|pair| pair[0] == "--env").map(|pair| pair[1]));
}

/// Asserts that the simulator starts with these variables, without a warning, and knows their account.
fn assert_serves_account(variables: &[(&str, &str)]) {
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name).unwrap().1;
    // On a free port.
    let others: Vec<_> = variables.iter().copied().filter(|(name, _)| *name != "SIMULATOR_BIND").collect();
    let simulator = Simulator::start_with(&["--quiet"], &others);
    assert_eq!(simulator.warnings, "");
    let (account, token) = (value("TWILIO_ACCOUNT_SID"), value("TWILIO_AUTH_TOKEN"));
    assert_eq!(simulator.ask_as(account, token, &Request::get("/v1/CustomerProfiles")).status, 200);
    let hint = format!("What to type: curl {}\n", simulator.url());
    assert_eq!(simulator.stop(), hint, "nothing else is printed");
}

fn assert_documented<'a>(names: impl Iterator<Item = &'a str>) {
    for name in names {
        assert!(CONFIGURATION.contains(&format!("\n| `{name}` ")), "docs/configuration.md does not have {name}");
    }
}

/// The address on which the simulator listens by default.
fn default_bind() -> &'static str {
    CONFIGURATION.split("\n| `SIMULATOR_BIND` | `").nth(1).unwrap().split('`').next().unwrap()
}

/// A YAML file as JSON; the path is relative to the examples.
fn parsed(file: &str) -> Value {
    const CONVERT: &str = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let mut python = Command::new(libraries().join("kubernetes/bin/python"));
    let output = python.args(["-c", CONVERT]).arg(example(file)).output().unwrap();
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// The fields of an object with their texts.
fn strings(object: &Value) -> Vec<(&str, &str)> {
    object.as_object().unwrap().iter().map(|(name, value)| (&name[..], text(value))).collect()
}
