//! What a process has used so far, by Linux's /proc.

use std::{fs, time::Duration};

use super::BenchError;

/// How /proc counts: Linux shows hundredths of a second to programs, whatever its own tick is.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    /// The time of all its threads, in user space and in the kernel.
    pub(super) cpu: Duration,
    /// The memory that it has now.
    pub(super) memory_bytes: u64,
    /// The most that it has had.
    pub(super) memory_peak_bytes: u64,
}

/// A process that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Process {
    /// The loader itself.
    Loader,
    /// Another, by its id, with all that it has started: a broker may stand behind a script.
    Other(u32),
}

impl Process {
    pub(super) fn usage(&self) -> Result<Usage, BenchError> {
        match self {
            Self::Loader => {
                usage_of("/proc/self").ok_or_else(|| BenchError::Process(std::process::id()))
            }
            Self::Other(pid) => {
                let mut sum = usage_of(&folder(*pid)).ok_or(BenchError::Process(*pid))?;
                // Who has ended since was waited for by its parent, which has its time now.
                for usage in descendants(*pid).into_iter().filter_map(|pid| usage_of(&folder(pid)))
                {
                    sum.cpu += usage.cpu;
                    sum.memory_bytes += usage.memory_bytes;
                    sum.memory_peak_bytes += usage.memory_peak_bytes;
                }
                Ok(sum)
            }
        }
    }
}

fn folder(pid: u32) -> String {
    format!("/proc/{pid}")
}

fn usage_of(folder: &str) -> Option<Usage> {
    let cpu = cpu(&fs::read_to_string(format!("{folder}/stat")).ok()?)?;
    let status = fs::read_to_string(format!("{folder}/status")).ok()?;
    let (memory_bytes, memory_peak_bytes) = memory(&status)?;
    Some(Usage { cpu, memory_bytes, memory_peak_bytes })
}

/// The children of a process, their children, and so on.
fn descendants(pid: u32) -> Vec<u32> {
    let families = all().into_iter().filter_map(|(child, stat)| Some((parent(&stat)?, child)));
    descendants_among(&families.collect::<Vec<_>>(), pid)
}

/// Whether any process of a group runs. One that has ended and that nobody has waited for does not.
pub(super) fn group_runs(group: u32) -> bool {
    let is_of_group = |stat: &str| {
        let mut fields = fields(stat)?;
        let has_ended = matches!(fields.next()?, "Z" | "X");
        Some(!has_ended && fields.nth(1)? == group.to_string())
    };
    all().iter().any(|(_, stat)| is_of_group(stat) == Some(true))
}

/// The processes that there are, each with its file `stat`.
fn all() -> Vec<(u32, String)> {
    let Ok(folders) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = folders.filter_map(|folder| folder.ok()?.file_name().to_str()?.parse().ok());
    let stat = |pid| fs::read_to_string(format!("{}/stat", folder(pid))).ok();
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// The descendants of `pid` among pairs of a parent and its child.
fn descendants_among(families: &[(u32, u32)], pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = families.iter().filter(|(of, _)| *of == parent).map(|(_, child)| *child);
        let new: Vec<u32> = children.filter(|child| !found.contains(child)).collect();
        found.extend(new);
        next += 1;
    }
    found.split_off(1)
}

/// What follows the program's name, which is the second field, in brackets, and may contain anything.
fn fields(stat: &str) -> Option<impl Iterator<Item = &str>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace())
}

/// The field ppid, the 4th.
fn parent(stat: &str) -> Option<u32> {
    fields(stat)?.nth(1)?.parse().ok()
}

/// The fields utime, stime, cutime and cstime, from the 14th on: the time of the process, and of its children that it has
/// waited for.
fn cpu(stat: &str) -> Option<Duration> {
    let ticks: Vec<u32> =
        fields(stat)?.skip(11).take(4).map(str::parse).collect::<Result<_, _>>().ok()?;
    (ticks.len() == 4).then(|| ticks.into_iter().map(|ticks| TICK * ticks).sum())
}

fn memory(status: &str) -> Option<(u64, u64)> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes = line.trim_start_matches(':').trim().strip_suffix(" kB")?;
        Some(kilobytes.parse::<u64>().ok()? * 1024)
    };
    Some((field("VmRSS")?, field("VmHWM")?))
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::process::CommandExt};

    use rustix::process::{Pid, Signal, kill_process_group};

    use super::*;

    #[test]
    fn the_fields_of_proc() {
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 25 7 3 20 0";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1850)));
        assert_eq!(parent(stat), Some(1));
        assert_eq!(cpu("42 (a) S 1 2 3 4 5 6 7 8 9 10 150 25 7"), None);
        assert_eq!(cpu("42 (a"), None);
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(memory(status), Some((1 << 20, 2 << 20)));
        assert_eq!(memory("Name:\tx\n"), None);
    }

    #[test]
    fn a_family_is_all_generations() {
        let families = [(1, 10), (10, 20), (1, 30), (20, 21), (20, 22), (22, 23), (21, 10)];
        assert_eq!(descendants_among(&families, 10), [20, 21, 22, 23]);
        assert!(descendants_among(&families, 23).is_empty());
    }

    #[test]
    fn a_script_is_watched_with_what_it_runs() {
        let mut script = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & echo; wait"])
            .stdout(std::process::Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let mut line = [0];
        script.stdout.take().expect("piped").read_exact(&mut line).expect("the child runs");
        let children = descendants(script.id());
        let alone = usage_of(&folder(script.id())).expect("it runs");
        let all = Process::Other(script.id()).usage().expect("it runs");
        let group = Pid::from_child(&script);
        kill_process_group(group, Signal::KILL).expect("it runs");
        script.wait().expect("it has ended");
        assert_eq!(children.len(), 1);
        assert!(all.memory_bytes > alone.memory_bytes);
    }

    #[test]
    fn the_loader_watches_itself() {
        let usage = Process::Loader.usage().expect("this process is there");
        assert!(usage.memory_peak_bytes >= usage.memory_bytes && usage.memory_bytes > 0);
        assert_eq!(Process::Other(u32::MAX).usage(), Err(BenchError::Process(u32::MAX)));
    }
}
