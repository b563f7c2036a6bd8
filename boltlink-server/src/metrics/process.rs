//! What the process takes of the machine, under the names that Prometheus' own clients use.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

#[cfg(target_os = "linux")]
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    use procfs::{WithCurrentSystemInfo, process::Process};

    use super::text::{counter, gauge};

    let Ok(process) = Process::myself() else { return Ok(()) };
    let (stat, open) = (process.stat(), process.fd_count());
    let limit = process.limits().map(|limits| limits.max_open_files.soft_limit);
    if let Ok(stat) = stat {
        let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        counter(encoder, "process_cpu_seconds", "CPU time that the process took", seconds)?;
        let bytes = stat.rss_bytes().get();
        gauge(encoder, "process_resident_memory_bytes", "Memory that the process has", bytes as f64)?;
        gauge(encoder, "process_threads", "Threads of the process", stat.num_threads as f64)?;
        if let Ok(boot) = procfs::boot_time_secs() {
            let start = boot as f64 + stat.starttime as f64 / procfs::ticks_per_second() as f64;
            gauge(encoder, "process_start_time_seconds", "When the process began, in seconds since 1970", start)?;
        }
    }
    if let Ok(open) = open {
        gauge(encoder, "process_open_fds", "Open files and sockets", open as f64)?;
    }
    if let Ok(procfs::process::LimitValue::Value(most)) = limit {
        gauge(encoder, "process_max_fds", "How many may be open", most as f64)?;
    }
    Ok(())
}

/// Nothing is known of it elsewhere.
#[cfg(not(target_os = "linux"))]
pub(super) fn encode(_: &mut DescriptorEncoder<'_>) -> fmt::Result {
    Ok(())
}
