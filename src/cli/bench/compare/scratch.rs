//! The folder in which everything of a comparison lies, and which is removed at the end.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use super::CompareError;

/// How many there were in this process.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a folder within another.
    pub(super) fn create(within: &Path) -> Result<Self, CompareError> {
        let failed = CompareError::io(within.display());
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ottla-compare-{}-{number}", process::id());
        let create = || {
            let path = within.canonicalize()?.join(name);
            fs::create_dir(&path)?;
            Ok(Self { path })
        };
        create().map_err(failed)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A place for a folder within it.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => eprintln!("{} stays: {error}", self.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_gone_at_the_end() {
        let scratch = Scratch::create(&std::env::temp_dir()).expect("a folder");
        let other = Scratch::create(&std::env::temp_dir()).expect("another");
        let path = scratch.path().to_owned();
        fs::create_dir_all(scratch.folder("a").join("b")).expect("it is there");
        drop(scratch);
        assert!(!path.exists() && other.path().exists());
    }
}
