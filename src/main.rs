//! The program. All of its code is in the library.

/// A callback makes about a hundred small allocations on one thread, which are freed on another. glibc's allocator needs more
/// time and memory for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    trusthub_bridge::cli::main(std::env::args_os(), std::env::vars_os().collect())
}
