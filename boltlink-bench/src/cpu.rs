//! What a process has used, as Linux tells.

use std::{fs, time::Duration};

use crate::Result;

/// How much time on a processor the process has had, all its threads together, those that have ended too. To a hundredth
/// of a second, as `proc(5)` has it.
pub(crate) fn time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, which may have blanks, is in brackets.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).ok_or("no times in stat");
    // Ticks are hundredths of a second on every Linux there is (USER_HZ).
    Ok(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

/// The most memory it has had at once, in bytes.
pub(crate) fn peak_memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
