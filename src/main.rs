//! The program; see the library.

/// A callback is some hundred small allocations, on one thread made and on another freed: glibc's allocator takes more time
/// for them, and keeps more memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    trusthub_bridge::cli::main(std::env::args_os(), std::env::vars_os().collect())
}
