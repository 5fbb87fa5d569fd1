//! Writes the description of the API for the program without its white space, which is a third of it.

#![allow(clippy::print_stdout, reason = "Cargo reads the instructions of a build script from its output")]

use std::{env, error::Error, fs, path::Path};

const DESCRIPTION: &str = "src/api/openapi.json";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={DESCRIPTION}");
    let folder = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    fs::write(Path::new(&folder).join("openapi.json"), without_white_space(&fs::read_to_string(DESCRIPTION)?))?;
    Ok(())
}

/// The same JSON without white space between its values.
fn without_white_space(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    let is_kept = |character: &char| {
        let is_quote = *character == '"' && !is_escaped;
        is_escaped = is_text && *character == '\\' && !is_escaped;
        is_text ^= is_quote;
        is_text || !character.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}
