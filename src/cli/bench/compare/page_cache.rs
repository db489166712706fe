//! Memory in use as on a machine that has been in service for long.

use std::{
    fs::{self, File},
    io::{Read, Seek},
    path::{Path, PathBuf},
};

use super::{CompareError, interrupt::Interrupt};

const BUFFER_BYTES: usize = 1 << 20;

/// A file without content that is larger than the memory. Reading it fills the page cache: memory that a virtual machine
/// has not used for a while costs whoever touches it first, and would make brokers look slow at random.
#[derive(Debug)]
pub(super) struct Filler {
    path: PathBuf,
    file: File,
}

impl Filler {
    /// Takes no room on a disk whose file system knows files with holes.
    pub(super) fn create(folder: &Path, memory_bytes: u64) -> Result<Self, CompareError> {
        let path = folder.join("filler");
        let create = || {
            let file = File::options().read(true).write(true).create_new(true).open(&path)?;
            file.set_len(memory_bytes + memory_bytes / 8)?;
            Ok(file)
        };
        let file = create().map_err(CompareError::io(path.display()))?;
        Ok(Self { path, file })
    }

    /// Reads it.
    pub(super) fn fill(&mut self, interrupt: &Interrupt) -> Result<(), CompareError> {
        self.file.rewind().map_err(CompareError::io(self.path.display()))?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            interrupt.check()?;
            match self.file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(CompareError::io(self.path.display())(error)),
            }
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // It goes with its folder otherwise.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::cli::bench::compare::scratch::Scratch;

    #[test]
    fn the_file_is_larger_than_the_memory_and_takes_no_room() {
        let scratch = Scratch::create(&std::env::temp_dir()).expect("a folder");
        let mut filler = Filler::create(scratch.path(), 64 << 20).expect("a file");
        let metadata = filler.file.metadata().expect("it is there");
        assert_eq!((metadata.len(), metadata.blocks()), (72 << 20, 0));
        for _ in 0..2 {
            assert_eq!(filler.fill(&Interrupt::default()), Ok(()));
            assert_eq!(filler.file.stream_position().expect("a file"), 72 << 20);
        }
        let interrupt = Interrupt::default();
        interrupt.set();
        assert_eq!(filler.fill(&interrupt), Err(CompareError::Interrupted));
        drop(filler);
        assert!(!scratch.folder("filler").exists());
    }
}
