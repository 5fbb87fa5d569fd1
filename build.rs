//! Checks that librdkafka is built with the flags of `.cargo/config.toml`. Cargo reads that file only below the folder of the
//! project, and not when the variable is set already. A client without these flags works until its brokers are gone.

#![allow(clippy::print_stdout, reason = "Cargo reads the instructions of a build script from its output")]

use std::env;

const FLAGS: [&str; 2] = ["-DHAVE_ATOMICS_32_ATOMIC=1", "-DHAVE_ATOMICS_64_ATOMIC=1"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("TARGET").unwrap_or_default();
    let of_target =
        [format!("CFLAGS_{target}"), format!("CFLAGS_{}", target.replace('-', "_")), "TARGET_CFLAGS".into()];
    // The variables that the build of librdkafka reads: the first one that is set counts.
    let mut names = of_target.iter().map(String::as_str).chain(["CFLAGS"]);
    of_target.iter().for_each(|name| println!("cargo::rerun-if-env-changed={name}"));
    println!("cargo::rerun-if-env-changed=CFLAGS");
    let (name, flags) = names.find_map(|name| Some((name, env::var(name).ok()?))).unwrap_or(("CFLAGS", String::new()));
    if FLAGS.iter().any(|flag| !flags.contains(flag)) {
        let needed = FLAGS.join(" ");
        println!(
            "cargo::error={name} lacks the flags that .cargo/config.toml sets for librdkafka: build in the folder of the \
            project, or add {needed} to {name}, and run `cargo clean --package rdkafka-sys`"
        );
    }
}
