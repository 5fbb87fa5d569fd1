//! The program under test as a command.

use std::process::{Command, Stdio};

use super::{executable::path, watchdog};

/// The program, not started, with an empty environment.
pub fn program() -> Command {
    watchdog::watch_this_test();
    let mut program = Command::new(path());
    program.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}
