//! What the kernel says of a process.

use std::time::Duration;

/// Processor time that it has used, in user mode and in the kernel.
///
/// # Panics
///
/// When it is not there.
#[must_use]
pub fn cpu_time(pid: u32) -> Duration {
    let ticks: u64 =
        stat(pid).split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    // Linux counts in hundredths of a second on every machine that this runs on (`USER_HZ`).
    Duration::from_millis(ticks * 10)
}

/// Whether it stands still because of a signal.
///
/// # Panics
///
/// As [`cpu_time`].
#[must_use]
pub fn is_stopped(pid: u32) -> bool {
    stat(pid).starts_with('T')
}

/// Bytes of memory that it has resident, files included.
///
/// # Panics
///
/// As [`cpu_time`].
#[must_use]
pub fn resident_bytes(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

/// Bytes of memory that it has filled itself: neither files nor what it shares.
///
/// # Panics
///
/// As [`cpu_time`].
#[must_use]
pub fn anonymous_bytes(pid: u32) -> u64 {
    status(pid, "RssAnon:")
}

/// The most bytes of memory that it has had resident at any time, files included.
///
/// # Panics
///
/// As [`cpu_time`].
#[must_use]
pub fn most_resident_bytes(pid: u32) -> u64 {
    status(pid, "VmHWM:")
}

/// The fields of `/proc/PID/stat` behind the name, the state first.
fn stat(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux, and a running process");
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    fields.to_owned()
}

/// Bytes in a line of `/proc/PID/status`.
fn status(pid: u32, name: &str) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux, and a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux 4.5");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}
