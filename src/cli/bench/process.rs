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
    /// Another, by its id.
    Other(u32),
}

impl Process {
    pub(super) fn usage(&self) -> Result<Usage, BenchError> {
        let (folder, pid) = match self {
            Self::Loader => ("/proc/self".to_owned(), std::process::id()),
            Self::Other(pid) => (format!("/proc/{pid}"), *pid),
        };
        let read = |file| fs::read_to_string(format!("{folder}/{file}")).ok();
        let cpu = read("stat").and_then(|stat| cpu(&stat));
        let memory = read("status").and_then(|status| memory(&status));
        let (Some(cpu), Some((memory_bytes, memory_peak_bytes))) = (cpu, memory) else {
            return Err(BenchError::Process(pid));
        };
        Ok(Usage { cpu, memory_bytes, memory_peak_bytes })
    }
}

/// The fields utime and stime, the 14th and 15th. The second is the program's name in brackets, which may contain anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(TICK * user + TICK * system)
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
    use super::*;

    #[test]
    fn the_fields_of_proc() {
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!(cpu("42 (a"), None);
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(memory(status), Some((1 << 20, 2 << 20)));
        assert_eq!(memory("Name:\tx\n"), None);
    }

    #[test]
    fn the_loader_watches_itself() {
        let usage = Process::Loader.usage().expect("this process is there");
        assert!(usage.memory_peak_bytes >= usage.memory_bytes && usage.memory_bytes > 0);
        assert_eq!(Process::Other(u32::MAX).usage(), Err(BenchError::Process(u32::MAX)));
    }
}
