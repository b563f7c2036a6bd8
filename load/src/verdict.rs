//! What is said of the server in the end.

use std::fmt;

/// One thing that was expected of it.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) seen: String,
    pub(crate) is_met: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Verdict(pub(crate) Vec<Check>);

impl Verdict {
    pub(crate) fn expect(&mut self, what: impl Into<String>, seen: impl Into<String>, is_met: bool) {
        self.0.push(Check { what: what.into(), seen: seen.into(), is_met });
    }

    pub(crate) fn is_good(&self) -> bool {
        self.0.iter().all(|check| check.is_met)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { what, seen, is_met } in &self.0 {
            writeln!(f, "{}  {what}: {seen}", if *is_met { "met     " } else { "NOT MET " })?;
        }
        f.write_str(if self.is_good() { "passed" } else { "FAILED" })
    }
}
