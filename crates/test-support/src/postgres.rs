//! A real PostgreSQL with a database and a folder of its own.
//!
//! It listens on a Unix socket only. The path of a socket has a limit of about 100 bytes, so the folder is in the system's
//! folder for temporary files. PostgreSQL refuses to run as root; then the user `nobody` runs it.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use super::{kafka::unique_topic, wait_for};

/// The user and the group `nobody` of the usual systems.
const NOBODY: u32 = 65534;

/// Where Debian has the programs of each version, outside the path of ordinary users.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Starts the server in the folder `$0`, whose command line is `$@`, and stops it immediately, following the lines that it
/// reads. Its input ends when the test process does, however that happens.
const SUPERVISOR: &str = r#"
while read -r command; do
    case $command in
        start) "$@" </dev/null >>"$0/log" 2>&1 & ;;
        crash) kill -QUIT $!; wait $!; echo ;;
    esac
done
kill -QUIT $!; wait $!; rm -rf "$0"
"#;

/// A server. Dropping it ends the process and removes its folder.
pub struct Postgres {
    supervisor: Child,
    folder: PathBuf,
}

impl Postgres {
    /// Creates a database and starts the server.
    pub fn start() -> Self {
        let folder = env::temp_dir().join(unique_topic("pg"));
        fs::create_dir(&folder).expect("the folder for temporary files is writable");
        let is_root = fs::metadata(&folder).expect("the folder exists").uid() == 0;
        if is_root {
            chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root may give the folder away");
        }
        let run = |program: &mut Command| {
            program.current_dir(&folder).stdin(Stdio::null());
            if is_root {
                program.uid(NOBODY).gid(NOBODY);
            }
        };
        // The supervisor starts first: from here on the folder is removed in every case.
        let mut supervisor = Command::new("sh");
        supervisor.args(["-c", SUPERVISOR]).arg(&folder).arg(server_program("postgres"));
        supervisor.args(["-D", "data", "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=20", "-k"]);
        supervisor.arg(&folder);
        run(&mut supervisor);
        // Ctrl-C must not end it with the tests: it has to clean up.
        supervisor.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut server = Self { supervisor: supervisor.spawn().expect("sh starts"), folder: folder.clone() };

        let mut initdb = Command::new(server_program("initdb"));
        initdb.args(["--pgdata=data", "--username=sink", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        run(&mut initdb);
        let output = initdb.output().expect("PostgreSQL is installed; scripts/setup installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        server.start_again();
        server
    }

    /// The URL of the database.
    pub fn url(&self) -> String {
        format!("postgresql:///postgres?host={}&user=sink", self.folder.display())
    }

    /// Ends the server as a crash does: it keeps the transactions that were committed.
    pub fn crash(&mut self) {
        self.command("crash");
        let answer = self.supervisor.stdout.as_mut().expect("stdout is piped").read_exact(&mut [0]);
        answer.expect("the supervisor lives until it is dropped");
    }

    /// Starts the server after a crash, and waits until it answers.
    pub fn start_again(&mut self) {
        self.command("start");
        wait_for("PostgreSQL answers", || self.run_psql(&["--command", "SELECT"]).ok());
    }

    /// Runs SQL, and returns the rows that it prints: one a line, with `|` between columns. Panics with the error if there is
    /// one.
    pub fn query(&self, sql: &str) -> String {
        self.run_psql(&["--command", sql]).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a file of SQL.
    pub fn run_file(&self, file: &Path) {
        let file = file.to_str().expect("the path is UTF-8");
        self.run_psql(&["--file", file]).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    fn run_psql(&self, arguments: &[&str]) -> Result<String, String> {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--dbname", &self.url()]).args(arguments).stdin(Stdio::null());
        let output = psql.output().expect("psql is installed; scripts/setup installs it");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn command(&mut self, command: &str) {
        let stdin = self.supervisor.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{command}").expect("the supervisor lives until it is dropped");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read(self.folder.join("log")).unwrap_or_default();
            let _ = writeln!(io::stderr(), "log of PostgreSQL:\n{}", String::from_utf8_lossy(&log));
        }
        // Closes its input first, which tells it to exit.
        let _ = self.supervisor.wait();
    }
}

/// A program of the newest version that Debian has installed, or else the one on the path.
fn server_program(name: &str) -> PathBuf {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(version);
    newest.map(|folder| folder.join("bin").join(name)).filter(|path| path.is_file()).unwrap_or_else(|| name.into())
}
