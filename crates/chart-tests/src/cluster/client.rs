//! kubectl and helm as one user of the cluster.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use super::files::{printed_by, project_root};

/// A user of the cluster, with what the user's tools need.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(super) kubectl: PathBuf,
    /// The folder with the user's `kubeconfig`, and with the caches of the tools.
    pub(super) home: PathBuf,
    pub(super) helm: Helm,
}

/// A major version of Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Helm {
    Three,
    Four,
}

/// What a program has printed until it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The command line without the program's folder.
    command: String,
    /// Whether the exit code was 0.
    pub(crate) succeeded: bool,
    /// The standard output.
    pub(crate) printed: String,
    /// The standard error.
    pub(crate) diagnostics: String,
}

impl Client {
    /// The same user with another version of Helm.
    pub(crate) fn with_helm(self, helm: Helm) -> Self {
        Self { helm, ..self }
    }

    /// Runs kubectl with these arguments and this input.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> Ended {
        run(self.kubectl_command().args(arguments), input)
    }

    /// Runs helm with these arguments and this input.
    pub(crate) fn helm(&self, arguments: &[&str], input: &str) -> Ended {
        run(self.prepare(&mut Command::new(self.helm.program())).args(arguments), input)
    }

    /// kubectl, not started.
    pub(crate) fn kubectl_command(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        self.prepare(&mut command);
        command
    }

    fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for part in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{part}_HOME"), self.home.join(part));
        }
        command.env("HOME", &self.home).env("KUBECONFIG", self.home.join("kubeconfig"))
    }
}

impl Ended {
    /// Panics with everything that the program has printed if it failed.
    pub(crate) fn expect_success(self) -> Self {
        assert!(self.succeeded, "{} failed:\n{}{}", self.command, self.printed, self.diagnostics);
        self
    }

    /// The error output of a program that must have failed.
    pub(crate) fn expect_failure(self) -> String {
        assert!(!self.succeeded, "{} did not fail:\n{}{}", self.command, self.printed, self.diagnostics);
        self.diagnostics
    }
}

impl Helm {
    /// The path of helm. The first use on a machine builds it.
    fn program(self) -> &'static Path {
        static THREE: LazyLock<PathBuf> = LazyLock::new(|| printed_by("scripts/helm", &["3"]));
        static FOUR: LazyLock<PathBuf> = LazyLock::new(|| printed_by("scripts/helm", &["4"]));
        match self {
            Self::Three => &THREE,
            Self::Four => &FOUR,
        }
    }
}

/// Runs a program that reads all of its input before it prints much.
fn run(command: &mut Command, input: &str) -> Ended {
    let name = Path::new(command.get_program()).file_name().expect("programs have names").to_string_lossy();
    let words = std::iter::once(name).chain(command.get_args().map(|argument| argument.to_string_lossy()));
    let line =
        words.map(|word| word.replace(&format!("{}/", project_root().display()), "")).collect::<Vec<_>>().join(" ");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = piped.spawn().unwrap_or_else(|error| panic!("{line} does not start: {error}"));
    // A program that fails early does not read its input; its exit code shows that.
    let _ = process.stdin.take().expect("stdin is piped").write_all(input.as_bytes());
    let output = process.wait_with_output().expect("the process can be awaited");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    Ended {
        command: line,
        succeeded: output.status.success(),
        printed: text(output.stdout),
        diagnostics: text(output.stderr),
    }
}
