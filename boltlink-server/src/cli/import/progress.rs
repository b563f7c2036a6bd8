//! How far an import is, shown on a terminal and nowhere else.

use std::{io::Read, time::Duration};

use indicatif::{HumanCount, ProgressBar, ProgressBarIter, ProgressDrawTarget, ProgressStyle};

/// A bar, or a spinner where the end is not known. Nothing if standard error is no terminal.
#[derive(Clone)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new() -> Self {
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()))
    }

    /// Shows a part of `bytes`.
    pub(super) fn bounded(&self, bytes: u64) {
        self.0.set_length(bytes);
        self.style("{bar:30} {bytes}/{total_bytes}  {msg}  {eta} left");
    }

    /// Shows that something is going on.
    pub(super) fn unbounded(&self) {
        self.style("{spinner} {bytes}  {msg}");
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.enable_steady_tick(Duration::from_millis(100));
    }

    /// Counts what is read.
    pub(super) fn watch<R: Read>(&self, input: R) -> ProgressBarIter<R> {
        self.0.wrap_read(input)
    }

    /// Shows how many rows are done.
    pub(super) fn rows(&self, rows: u64) {
        if !self.0.is_hidden() {
            let seconds = self.0.elapsed().as_secs_f64().max(0.001);
            // A rate for the eye: the fraction of a row does not matter.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let rate = (rows as f64 / seconds) as u64;
            self.0.set_message(format!("{} rows, {} a second", HumanCount(rows), HumanCount(rate)));
        }
    }

    /// Does something that writes to the terminal too.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }

    /// Takes itself off the terminal.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
