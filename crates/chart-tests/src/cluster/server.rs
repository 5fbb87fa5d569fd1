//! A program of the cluster, which ends with this process.

use std::{
    fs,
    io::{self, Write as _},
    iter,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

/// Runs `$@` in the folder `$0` until its own input ends, at the latest when this process does.
const SUPERVISOR: &str = r#"
"$@" </dev/null >>"$0/log" 2>&1 &
read -r end
kill -KILL $!; wait $!; rm -rf "$0"
"#;

/// Enough for the error of a program that does not start.
const LOG_LINES: usize = 30;

/// A running program with its folder. Dropping it ends the program and removes the folder.
pub(crate) struct Server {
    supervisor: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts a program.
    pub(crate) fn start(program: &Command, folder: PathBuf) -> Self {
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR])
            .arg(&folder)
            .args(iter::once(program.get_program()).chain(program.get_args()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C must not end it with this process: it has to clean up.
            .process_group(0)
            .spawn()
            .unwrap();
        Self { supervisor, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Prints the end of the log.
    fn print_log(&self) {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        let _ = writeln!(io::stderr(), "log in {}:\n{end}", self.folder.display());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            self.print_log();
        }
        // Closes its input first, which tells it to exit.
        let _ = self.supervisor.wait();
    }
}

/// A port below the ephemeral range, which no outgoing connection takes before the program listens there.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = process::id().wrapping_mul(64);
    let candidates = iter::repeat_with(|| start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000 + 10_000);
    let mut ports = candidates.map(|port| u16::try_from(port).unwrap());
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap()
}
