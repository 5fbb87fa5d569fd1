//! The program; see the library.

fn main() -> std::process::ExitCode {
    trusthub_bridge::cli::main(std::env::args_os(), std::env::vars_os().collect())
}
