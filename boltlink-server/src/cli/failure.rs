//! How a command ends when it cannot do what it was asked.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
    process::ExitCode,
};

use crate::config::Problem;

/// What to tell the person at the keyboard: what failed, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(Option<String>);

impl Failure {
    /// A failure in words.
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self(Some(message.to_string()))
    }

    /// A configuration with which nothing is begun.
    pub(crate) fn of(problems: &[Problem]) -> Self {
        let count = if problems.len() == 1 { "a problem".to_owned() } else { format!("{} problems", problems.len()) };
        let mut message = format!("the configuration has {count}; nothing was started or changed.");
        for problem in problems {
            let _ = write!(message, "\n  {problem}"); // Writing to a String cannot fail.
        }
        Self(Some(message))
    }

    /// What is told; nothing if nobody listens.
    pub(crate) fn text(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The same failure in other words.
    pub(crate) fn map(self, words: impl FnOnce(String) -> String) -> Self {
        Self(self.0.map(words))
    }
}

impl From<boltlink_core::Error> for Failure {
    fn from(error: boltlink_core::Error) -> Self {
        Self::new(error)
    }
}

/// Standard output that cannot be written to. A reader that has seen enough, such as `head`, is
/// none to complain about.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self(None),
            _ => Self::new(format_args!("cannot write to standard output: {error}")),
        }
    }
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// The exit code of a command; says on standard error why it failed.
pub(crate) fn finish(done: Result<ExitCode, Failure>) -> ExitCode {
    done.unwrap_or_else(|Failure(message)| {
        if let Some(message) = message {
            eprintln!("boltlink: {message}");
        }
        ExitCode::FAILURE
    })
}
