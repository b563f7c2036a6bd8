//! What a process uses, as Linux tells.

use std::{fs, time::Duration};

use crate::error::Error;

/// How much time on a processor the process has had, all its threads together, those that have ended too. To a hundredth
/// of a second, as `proc(5)` has it.
///
/// # Errors
/// If there is no such process, or no `/proc`.
pub fn cpu_time(pid: u32) -> Result<Duration, Error> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, which may have blanks, is in brackets.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok());
    let ticks = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
    // Ticks are hundredths of a second on every Linux there is (USER_HZ).
    ticks.map(|ticks| Duration::from_millis(10 * ticks)).ok_or_else(|| Error::new("no times in stat"))
}

/// How much memory the process has now, in bytes.
///
/// # Errors
/// As [`cpu_time`].
pub fn memory(pid: u32) -> Result<u64, Error> {
    status(pid, "VmRSS:")
}

/// The most memory the process has had at once, in bytes.
///
/// # Errors
/// As [`cpu_time`].
pub fn peak_memory(pid: u32) -> Result<u64, Error> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, field: &str) -> Result<u64, Error> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = value.and_then(|value| value.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| Error::new(format!("no {field} in status")))
}
