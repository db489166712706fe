//! How far the clients are, once the world is whole.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// How far the clients are. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_all_written: AtomicBool,
    is_all_committed: AtomicBool,
    is_over: AtomicBool,
    may_be_damaged: AtomicBool,
    under_way: Mutex<BTreeMap<String, String>>,
}

impl Progress {
    fn under_way_mut(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is written any more.
    pub fn all_is_written(&self) {
        self.0.is_all_written.store(true, Ordering::Relaxed);
    }

    /// Whether nothing is written any more.
    pub fn is_all_written(&self) -> bool {
        self.0.is_all_written.load(Ordering::Relaxed)
    }

    /// Groups have committed all there is.
    pub fn all_is_committed(&self) {
        self.0.is_all_committed.store(true, Ordering::Relaxed);
    }

    /// Whether groups have committed all there is.
    pub fn is_all_committed(&self) -> bool {
        self.0.is_all_committed.load(Ordering::Relaxed)
    }

    /// Everything is done.
    pub fn is_done(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether everything is done.
    pub fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// Disks have lost what was durable.
    pub fn is_damaged(&self) {
        self.0.may_be_damaged.store(true, Ordering::Relaxed);
    }

    /// Whether disks may have lost what was durable.
    pub fn may_be_damaged(&self) -> bool {
        self.0.may_be_damaged.load(Ordering::Relaxed)
    }

    /// Somebody does something, and nothing else from now on.
    pub fn begins(&self, who: &str, what: &str) {
        self.under_way_mut().insert(who.to_owned(), what.to_owned());
    }

    /// Somebody is done.
    pub fn ends(&self, who: &str) {
        self.under_way_mut().remove(who);
    }

    /// Who does what.
    pub fn under_way(&self) -> Vec<String> {
        self.under_way_mut().iter().map(|(who, what)| format!("{who}: {what}")).collect()
    }
}
