//! The one place where the configuration meets the machine.

use std::{collections::BTreeMap, fs, path::Path};

use super::{Config, Input, Origin, Problem, parse};

/// Makes a configuration of the file at `path`, the process's environment and `flags`.
///
/// # Errors
/// Everything that is wrong.
pub(crate) fn load(path: Option<&Path>, flags: &BTreeMap<String, String>) -> Result<Config, Vec<Problem>> {
    let env: BTreeMap<_, _> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let mut unreadable = None;
    let text = path.and_then(|path| {
        fs::read_to_string(path)
            .map_err(|error| {
                unreadable = Some(Problem {
                    key: "config".into(),
                    origin: Origin::File(path.to_owned(), 1),
                    what: format!("cannot be read: {error}"),
                    fix: "give --config the path of a readable TOML file".into(),
                });
            })
            .ok()
    });
    let file = path.zip(text.as_deref());
    let read = |path: &Path| fs::read_to_string(path);
    let parsed = parse(&Input { file, env: &env, flags, read: &read });
    match unreadable {
        None => parsed,
        Some(problem) => Err([problem].into_iter().chain(parsed.err().into_iter().flatten()).collect()),
    }
}
