//! A server in another process, which ends with the test process.

use std::{
    fs,
    io::{Read as _, Write as _},
    iter,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Starts and stops the server, whose folder is `$0` and whose command line is `$@`, following the lines that it reads.
/// Its input ends when the test process does, however that happens.
const SUPERVISOR: &str = r#"
while read -r command; do
    case $command in
        start) "$@" </dev/null >>"$0/server.log" 2>&1 & ;;
        stop) kill $!; wait $!; echo ;;
        kill) kill -KILL $!; wait $!; echo ;;
        pause) kill -STOP $!; echo ;;
        resume) kill -CONT $!; echo ;;
    esac
done
kill -KILL $!; wait $!; rm -rf "$0"
"#;

/// Enough for the error of a server that does not start, with its stack trace.
const LOG_LINES: usize = 100;

/// A server process with its folder. Dropping it ends the process and removes the folder.
pub(crate) struct Supervised {
    supervisor: Child,
    folder: PathBuf,
}

impl Supervised {
    /// Prepares a server with this command line, which does not run before [`start`](Self::start).
    pub(crate) fn new(server: &Command, folder: &Path) -> Self {
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR])
            .arg(folder)
            .args(iter::once(server.get_program()).chain(server.get_args()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C must not end it with the tests: it has to clean up.
            .process_group(0)
            .spawn()
            .expect("sh starts");
        Self { supervisor, folder: folder.to_owned() }
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) {
        self.command("start");
    }

    /// Shuts the process down and waits until it exits.
    pub(crate) fn stop(&mut self) {
        self.command("stop");
        self.wait_until_done();
    }

    /// Kills the process as a crash would, and waits until it exits.
    pub(crate) fn kill(&mut self) {
        self.command("kill");
        self.wait_until_done();
    }

    /// Suspends the process: its connections stay open, and nothing is answered.
    pub(crate) fn pause(&mut self) {
        self.command("pause");
        self.wait_until_done();
    }

    /// Resumes the process.
    pub(crate) fn resume(&mut self) {
        self.command("resume");
        self.wait_until_done();
    }

    /// The folder of the process.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last lines of the log.
    pub(crate) fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// All that the server has printed.
    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.folder.join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn wait_until_done(&mut self) {
        let answer = self.supervisor.stdout.as_mut().expect("stdout is piped").read_exact(&mut [0]);
        answer.expect("the supervisor lives until it is dropped");
    }

    fn command(&mut self, command: &str) {
        let stdin = self.supervisor.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{command}").expect("the supervisor lives until it is dropped");
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Closes its input first, which tells it to exit.
        let _ = self.supervisor.wait();
    }
}
