//! Has the program linked with relocations in a fiftieth of the space, a megabyte less, where there is a glibc that reads
//! them.

use std::{env, process::Command};

/// The first that reads them, see the notes on its release.
const GLIBC: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Another machine's glibc is not known.
    let is_native = env::var_os("HOST") == env::var_os("TARGET");
    if is_native && glibc().is_some_and(|version| version >= GLIBC) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
