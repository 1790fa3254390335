//! What Linux tells about the process in `/proc`; nothing elsewhere.

use crate::net::host::Process;
use std::fs;

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

pub(super) fn process() -> Process {
    Process {
        resident_bytes: resident_bytes(),
        open_descriptors: open_descriptors(),
        max_descriptors: fs::read_to_string("/proc/self/limits").ok().and_then(|text| max_descriptors(&text)),
        processor_ms: fs::read_to_string("/proc/self/stat").ok().and_then(|text| processor_ms(&text)),
    }
}

/// What the clock that never goes back shows, as service managers count it (clock_gettime(2)).
#[cfg(unix)]
#[expect(unsafe_code, reason = "the standard library has this clock, but does not show what it shows")]
pub(crate) fn monotonic_micros() -> Option<u64> {
    let mut time = core::mem::MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: it writes to the place that it is given, which outlives the call; of zeros that place is a valid time, too.
    let (status, time) =
        unsafe { (libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr()), time.assume_init()) };
    let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u64::try_from(time.tv_nsec).ok()?);
    (status == 0).then_some(seconds * 1_000_000 + nanos / 1_000)
}

/// Since Linux 6.2 the size of the directory is the number of descriptors; before, they have to be counted,
/// and the one that counts them is not meant.
fn open_descriptors() -> Option<u64> {
    const FOLDER: &str = "/proc/self/fd";
    match fs::metadata(FOLDER).ok()?.len() {
        0 => Some((fs::read_dir(FOLDER).ok()?.count() as u64).saturating_sub(1)),
        count => Some(count),
    }
}

/// The soft limit in `/proc/self/limits`; none where it is unlimited.
fn max_descriptors(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time in `/proc/self/stat`, the 14th and 15th field (proc(5)), in hundredths of a second on
/// every processor that this runs on. The second field is a name, which may hold blanks and parentheses.
fn processor_ms(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11).map(str::parse::<u64>);
    let ticks = fields.next()?.ok()?.checked_add(fields.next()?.ok()?)?;
    ticks.checked_mul(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_says_what_the_process_takes() {
        let process = process();
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 100_000));
        assert!(process.processor_ms.is_some());
        let (open, max) = (process.open_descriptors.unwrap(), process.max_descriptors.unwrap());
        assert!((3..=max).contains(&open), "{process:?}");
    }

    #[test]
    fn a_name_in_the_stat_file_may_look_like_fields() {
        let stat = "42 (a) b (c 1 2) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 100 1000 10";
        assert_eq!(processor_ms(stat), Some(3_000));
        for broken in ["", "1 (a) S", "1 (a) S 1 1 1 0 -1 4194560 100 0 0 0 x 50"] {
            assert_eq!(processor_ms(broken), None);
        }
    }

    #[test]
    fn the_soft_limit_of_descriptors_counts() {
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024     524288    files\n";
        assert_eq!(max_descriptors(limits), Some(1_024));
        assert_eq!(max_descriptors("Max open files   unlimited   unlimited   files\n"), None);
    }
}
