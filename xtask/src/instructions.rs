//! How many instructions the engine takes for a visit, by Callgrind: the same in every run, however busy the machine is.
//!
//! Valgrind is run as it is: the runner of gungraun, a library for this, is 180 crates to build for the same four numbers.

use std::path::Path;

use crate::{
    Result,
    cargo::{bench, read},
    tools,
};

/// The functions of the bench `instructions` of boltlink-core, and how many instructions each took for one of what it does.
///
/// They are those of Rust 1.95 on x86-64. To renew them, copy what `cargo xtask instructions` counts, and say in the commit
/// what made the difference.
const FIGURES: [(&str, u64); 4] =
    [("counted_visits", 837), ("other_visits", 537), ("slugs_parsed", 728), ("clicks_added_up", 1_965)];

/// Beyond so many percent of its figure something became costlier: other compilers and processors make less of a difference.
const BOUND: u64 = 150;

/// How often each function does it.
const TIMES: u64 = 100;

/// Counts, and fails if something became costlier.
pub(crate) fn run() -> Result {
    if !cfg!(target_os = "linux") {
        eprintln!("Left out: the counts of instructions, as Callgrind is taken on Linux only.");
        return Ok(());
    }
    let program = bench("boltlink-core", "instructions")?;
    let mut rows = vec![format!("{:<16} {:>7} {:>7} {:>7}", "instructions", "counted", "figure", "bound")];
    let mut costlier = Vec::new();
    for (function, figure) in FIGURES {
        let counted = count(&program, function)? / TIMES;
        let bound = figure * BOUND / 100;
        rows.push(format!("{function:<16} {counted:>7} {figure:>7} {bound:>7}"));
        if counted > bound {
            costlier.push(function);
        }
    }
    eprintln!("\n{}", rows.join("\n"));
    if costlier.is_empty() {
        return Ok(());
    }
    Err(format!("more instructions than allowed: {}; see xtask/src/instructions.rs", costlier.join(", ")).into())
}

/// What a function, with all that it calls, takes.
fn count(program: &Path, function: &str) -> Result<u64> {
    let mut valgrind = tools::valgrind()?;
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1"]);
    let told = read(valgrind.arg(format!("--toggle-collect=*{function}")).arg(program).arg(function))?;
    let counted = told.lines().find_map(collected).filter(|counted| *counted > 0);
    counted.ok_or_else(|| format!("Callgrind says of {function}:\n{told}").into())
}

/// The number in `==7== Collected : 81200`.
fn collected(line: &str) -> Option<u64> {
    line.split_once("Collected : ")?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_what_else_is_said() {
        let told = ["==7== Events    : Ir", "==7== Collected : 81200", "==7== "];
        assert_eq!(told.iter().find_map(|line| collected(line)), Some(81_200));
        assert_eq!(collected("==7== Collected : "), None);
    }
}
