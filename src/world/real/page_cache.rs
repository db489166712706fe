//! Old records: how they come into the page cache without anybody else waiting for it.
//!
//! What a consumer gets goes from the page cache to its socket in the thread that does everything. Were it read from the disk
//! there, all would wait; and a consumer that catches up keeps the disk so busy that each sync waits behind what it reads.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use rustix::io::{Errno, ReadWriteFlags};
use tokio::sync::Semaphore;

/// How much is made sure of at once.
const WINDOW_BYTES: u64 = 1 << 20;

/// How many of its threads the runtime gives to this, and not to those who wait for a sync.
const READS_AT_ONCE: usize = 16;

/// What is read into the page cache for connections.
#[derive(Debug, Clone)]
pub(super) struct PageCache {
    reads: Arc<Semaphore>,
}

impl PageCache {
    pub(super) fn new() -> Self {
        Self { reads: Arc::new(Semaphore::new(READS_AT_ONCE)) }
    }

    /// Sees to it that the next bytes of a range are in the page cache, and says up to where that is so. What cannot be read is
    /// for whoever sends it to find out.
    pub(super) async fn fill(&self, file: &Arc<File>, position: u64, length: u64) -> u64 {
        let end = position + length.min(WINDOW_BYTES);
        if (!is_cached(file, position) || !is_cached(file, end.saturating_sub(1)))
            && let Ok(turn) = Arc::clone(&self.reads).acquire_owned().await
        {
            let file = Arc::clone(file);
            let read = move || {
                in_idle_time(|| read_through(&file, position, end));
                drop(turn);
            };
            // Were it not begun, the runtime would be ending.
            let _ = tokio::task::spawn_blocking(read).await;
        }
        end
    }
}

/// Whether a byte can be had without the disk, or not at all.
fn is_cached(file: &File, position: u64) -> bool {
    let mut byte = [0; 1];
    let mut slices = [io::IoSliceMut::new(&mut byte)];
    let read = rustix::io::preadv2(file, &mut slices, position, ReadWriteFlags::NOWAIT);
    read != Err(Errno::AGAIN)
}

fn read_through(file: &File, mut position: u64, end: u64) {
    let mut buffer = vec![0; 128 << 10];
    while position < end
        && let Ok(read @ 1..) = file.read_at(&mut buffer, position)
    {
        position += read as u64;
    }
}

/// Does what may wait until nobody else wants anything of the disk. Linux's schedulers mq-deadline and bfq know such requests and
/// still see to it that they are not put off for ever; others make no difference.
fn in_idle_time<T>(work: impl FnOnce() -> T) -> T {
    set_io_priority(IDLE);
    let done = work();
    set_io_priority(AS_USUAL);
    done
}

/// `IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)`, see ioprio_set(2).
const IDLE: libc::c_int = 3 << 13;
const AS_USUAL: libc::c_int = 0;

fn set_io_priority(priority: libc::c_int) {
    const WHO_PROCESS: libc::c_int = 1;
    const THIS_THREAD: libc::c_int = 0;
    // SAFETY: it takes three numbers, and changes nothing but the order in which the kernel serves this thread's requests. Should
    // the kernel refuse, these wait their turn as all others do.
    unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, THIS_THREAD, priority) };
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{Advice, fadvise};

    use super::*;

    #[tokio::test]
    async fn what_was_dropped_is_there_again() {
        let path = std::env::temp_dir().join(format!("ottla-cold-{}", std::process::id()));
        let length = 3 * WINDOW_BYTES + 10;
        fs::write(&path, vec![7; usize::try_from(length).expect("it is small")]).expect("a file");
        let file = Arc::new(File::open(&path).expect("it is there"));
        file.sync_all().expect("a sync");
        fadvise(&*file, 0, None, Advice::DontNeed).expect("its pages dropped");
        let cache = PageCache::new();
        let mut position = 0;
        for end in [1, 2, 3].map(|windows| windows * WINDOW_BYTES).into_iter().chain([length]) {
            assert_eq!(cache.fill(&file, position, length - position).await, end);
            assert!(is_cached(&file, position) && is_cached(&file, end - 1));
            position = end;
        }
        // Beyond the end there is nothing to wait for.
        assert_eq!(cache.fill(&file, length, 5).await, length + 5);
        fs::remove_file(path).expect("its end");
    }
}
