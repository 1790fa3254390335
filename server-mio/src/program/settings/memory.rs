//! How much memory there is, and what the queues may have of it.

use rlimit::Resource;
use std::fs;
use std::path::Path;

/// `MEMORY_BUDGET` where it is not given: a quarter of `memory`, since the kernel's socket buffers need as
/// much again and the rest belongs to others; at least 32 MiB, which is also what an unknown size gives.
#[must_use]
pub(in crate::program) fn default_memory_budget(memory: Option<u64>) -> usize {
    let budget = (memory.unwrap_or(0) / 4).clamp(LEAST_BUDGET, MOST_BUDGET);
    usize::try_from(budget).unwrap_or(usize::MAX)
}

/// The memory of this machine, or what this process may have of it if that is less: by its control group, or by the soft
/// limits `RLIMIT_DATA` and `RLIMIT_AS` (setrlimit(2); `ulimit -d`, `ulimit -v`). In bytes; `None` where it cannot be
/// known.
#[must_use]
pub fn memory_of_this_machine() -> Option<u64> {
    let physical = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let own_group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&own_group)
        .into_iter()
        .filter_map(|file| fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok())
        .filter_map(|text| text.trim().parse().ok());
    limits.chain(resource_limits()).chain(physical).min()
}

fn resource_limits() -> impl Iterator<Item = u64> {
    let soft = [Resource::DATA, Resource::AS].into_iter().filter_map(|of| of.get_soft().ok());
    soft.filter(|bytes| *bytes != rlimit::INFINITY)
}

/// `MemTotal` of `/proc/meminfo`.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// The files that may hold a limit, given `/proc/self/cgroup`: of version 2 those of the own group and of all
/// above it, since each of them binds; of version 1 likewise, below the folder of its controller. In a container the root
/// is the container's own group.
fn limit_files(own_group: &str) -> Vec<String> {
    let mut files = vec!["memory.max".to_owned(), "memory/memory.limit_in_bytes".to_owned()];
    for line in own_group.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        match (fields.next(), fields.next()) {
            (Some(""), Some(path)) => {
                files.extend(groups_of(path).map(|group| format!("{group}/memory.max")));
            }
            (Some(controllers), Some(path)) if controllers.split(',').any(|name| name == "memory") => {
                files.extend(groups_of(path).map(|group| format!("memory/{group}/memory.limit_in_bytes")));
            }
            _ => {}
        }
    }
    files
}

/// The groups above the one of this path, the root left out, and that one.
fn groups_of(path: &str) -> impl Iterator<Item = &str> {
    let above = path.match_indices('/').skip(1).map(|(at, _)| &path[1..at]);
    above.chain(path.strip_prefix('/').filter(|path| !path.is_empty()))
}

const LEAST_BUDGET: u64 = 32 * 1_024 * 1_024;
/// The most that the setting allows.
const MOST_BUDGET: u64 = 1_024 * 1_024 * 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_a_quarter_of_the_memory_and_32_mib_at_least() {
        const MIB: u64 = 1_024 * 1_024;
        for (memory, budget) in [
            (None, 32 * MIB),
            (Some(0), 32 * MIB),
            (Some(64 * MIB), 32 * MIB),
            (Some(128 * MIB), 32 * MIB),
            (Some(512 * MIB), 128 * MIB),
            (Some(u64::MAX), 1_024 * 1_024 * MIB),
        ] {
            assert_eq!(default_memory_budget(memory), usize::try_from(budget).unwrap(), "{memory:?}");
        }
    }

    #[test]
    fn the_memory_of_the_machine_is_read_from_meminfo() {
        assert_eq!(total_of("MemTotal:       16315444 kB\nMemFree: 1 kB\n"), Some(16_315_444 * 1_024));
        assert_eq!(total_of("MemFree: 1 kB\nMemTotal: 8 kB"), Some(8_192));
        for text in ["", "MemTotal: x kB", "MemTotal: 8", "MemTotal: 18446744073709551615 kB"] {
            assert_eq!(total_of(text), None, "{text}");
        }
    }

    #[test]
    fn every_group_above_the_own_one_is_asked_for_its_limit() {
        let always = ["memory.max", "memory/memory.limit_in_bytes"];
        for (own_group, more) in [
            ("", vec![]),
            ("0::/\n", vec![]),
            (
                "0::/system.slice/pigeon.service\n",
                vec!["system.slice/memory.max", "system.slice/pigeon.service/memory.max"],
            ),
            (
                "5:cpu,cpuacct:/a\n4:memory:/b/c\n",
                vec!["memory/b/memory.limit_in_bytes", "memory/b/c/memory.limit_in_bytes"],
            ),
            ("4:memory:/\n", vec![]),
            ("rubbish\n:\n::\n0:x", vec![]),
        ] {
            assert_eq!(limit_files(own_group), [always.to_vec(), more].concat(), "{own_group:?}");
        }
    }
}
