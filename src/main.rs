//! The program. All of its code is in the library.

use std::alloc::GlobalAlloc;

use mimalloc::MiMalloc;

/// Links mimalloc, whose `malloc` and `free` replace those of the C library in the whole program: the linker omits what nothing
/// refers to. A callback makes about a hundred small allocations on one thread, some of which another one frees. glibc's
/// allocator needs more time and memory for that.
///
/// It is not the `#[global_allocator]`: as such, it would be asked for aligned blocks only. If the size of one is no power of two,
/// it takes a slower path beyond 1 KiB, and whenever the free list of a page is empty. Rust's default allocator calls `malloc`,
/// whose blocks have any alignment that Rust usually needs.
#[used]
static ALLOCATOR: &(dyn GlobalAlloc + Sync) = &MiMalloc;

fn main() -> std::process::ExitCode {
    trusthub_bridge::cli::main(std::env::args_os(), std::env::vars_os().collect())
}
