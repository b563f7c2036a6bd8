//! What a process uses, as Linux tells.

use std::{fs, ops::Range, time::Duration};

use crate::error::Error;

/// How much time on a processor the process has had, all its threads together, those that have ended too. To a hundredth
/// of a second, as `proc(5)` has it.
///
/// # Errors
/// If there is no such process, or no `/proc`.
pub fn cpu_time(pid: u32) -> Result<Duration, Error> {
    ticks(pid, 11..13)
}

/// The same of a process and all its descendants, those that have ended and were waited for too: what a server costs that
/// is many processes, as Postgres is.
///
/// # Errors
/// As [`cpu_time`], for the process itself.
pub fn cpu_time_of_family(pid: u32) -> Result<Duration, Error> {
    let mut sum = ticks(pid, 11..15)?;
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?.flatten();
    for thread in threads {
        // A thread or a child may be gone by now.
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        sum += children.filter_map(|child| cpu_time_of_family(child).ok()).sum::<Duration>();
    }
    Ok(sum)
}

/// The sum of these fields behind the name in `stat`, which are times.
fn ticks(pid: u32, fields: Range<usize>) -> Result<Duration, Error> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, which may have blanks, is in brackets.
    let all: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let times = all.get(fields).map(|times| times.iter().map(|ticks| ticks.parse::<u64>().ok()).sum::<Option<u64>>());
    let ticks = times.flatten().ok_or_else(|| Error::new("no times in stat"))?;
    // Ticks are hundredths of a second on every Linux there is (USER_HZ).
    Ok(Duration::from_millis(10 * ticks))
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
