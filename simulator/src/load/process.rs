//! What a process takes, as the kernel counts it (Linux, `/proc`).

use std::fs;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Processor time of all threads of a process that are alive, to the nanosecond.
///
/// # Errors
///
/// When there is no such process, or the kernel does not count.
pub(super) fn cpu(pid: u32) -> io::Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread can end between two lines of this.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let first = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        nanos += first.ok_or_else(|| unreadable(pid, "schedstat"))?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Everything in memory: its own, and what it shares, such as its program file.
    pub(super) resident: u64,
    /// Its own: heap and stack.
    pub(super) anonymous: u64,
}

/// What `pid` takes now, counted page by page.
///
/// # Errors
///
/// When there is no such process, or it is somebody else's.
pub(super) fn memory(pid: u32) -> io::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let of = |name: &str| kibibytes(&text, name).ok_or_else(|| unreadable(pid, name));
    Ok(Memory { resident: of("Rss:")?, anonymous: of("Anonymous:")? })
}

/// Memory of the kernel for sockets of all processes: what is queued, and its own structures, in bytes.
///
/// # Errors
///
/// When the kernel does not tell.
pub(super) fn kernel_memory() -> io::Result<u64> {
    let slab = kibibytes(&fs::read_to_string("/proc/meminfo")?, "Slab:");
    let sockets = fs::read_to_string("/proc/net/sockstat")?;
    let tcp = sockets.lines().find(|line| line.starts_with("TCP:"));
    let pages = tcp.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    match (slab, pages) {
        (Some(slab), Some(pages)) => Ok(slab + pages * PAGE_BYTES),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "the kernel does not tell its memory")),
    }
}

const PAGE_BYTES: u64 = 4096;

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

fn unreadable(pid: u32, what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("process {pid}: {what} cannot be read"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn what_this_process_takes_grows_with_what_it_does() {
        let pid = std::process::id();
        let (cpu_before, memory_before) = (cpu(pid).unwrap(), memory(pid).unwrap());
        let held = black_box(vec![1_u8; 32 << 20]);
        assert!(memory(pid).unwrap().anonymous >= memory_before.anonymous + (30 << 20));
        assert!(cpu(pid).unwrap() > cpu_before);
        drop(held);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(cpu(u32::MAX).is_err());
        assert!(memory(u32::MAX).is_err());
    }
}
