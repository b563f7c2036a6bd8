//! Hands the API's document to progenitor, in words that it understands.

use std::{env, error::Error, fs, path::Path};

const DOCUMENT: &str = "../../../boltlink-server/openapi.json";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={DOCUMENT}");
    let document = fs::read_to_string(DOCUMENT)?;
    // progenitor reads `application/json` into types and leaves everything else as bytes. A problem is JSON
    // under another name (RFC 9457 section 3), so let it read problems too.
    let document = document.replace("\"application/problem+json\"", "\"application/json\"");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("openapi.json"), document)?;
    Ok(())
}
