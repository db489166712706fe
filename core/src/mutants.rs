//! Known ways to lose data, planted on demand: what shows that a checker would notice.
//!
//! Each mutant removes one rule. With the feature `mutants`, which only the checkers' builds have, a process may [`plant`] one
//! before it starts anything; without it, [`planted`] is a constant, and the compiler removes what stands behind it.

macro_rules! mutants {
    ($($(#[doc = $what:literal])+ $name:ident = $id:literal),* $(,)?) => {
        /// A rule that can be removed. The ids are those of the table in the simulator's and the model's README.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutant {
            $($(#[doc = $what])+ $name,)*
        }

        impl Mutant {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its short name.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// What it does.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($what,)+).trim_ascii(),)*
                }
            }

            /// The mutant of this short name.
            pub fn from_id(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|mutant| mutant.id().eq_ignore_ascii_case(id))
            }
        }
    };
}

mutants! {
    /// A record is acknowledged when it was written, not when it was synced.
    AcknowledgeBeforeSync = "S11",
}

/// Whether this build can be spoilt.
pub const CAN_BE_PLANTED: bool = cfg!(feature = "mutants");

#[cfg(feature = "mutants")]
mod switch {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::Mutant;

    /// One more than the mutant's number; 0 for none. It is set once, before any machine is made, and so is no state of theirs.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    /// Removes a rule, for all machines of this process.
    pub fn plant(mutant: Mutant) {
        PLANTED.store(mutant as usize + 1, Ordering::Relaxed);
    }

    /// Whether a rule was removed.
    #[inline]
    pub fn planted(mutant: Mutant) -> bool {
        PLANTED.load(Ordering::Relaxed) == mutant as usize + 1
    }
}

#[cfg(feature = "mutants")]
pub use switch::{plant, planted};

/// Whether a rule was removed: never, in a build for use.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn planted(_: Mutant) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::Mutant;

    #[test]
    fn ids_are_unique() {
        let ids: BTreeSet<_> = Mutant::ALL.iter().map(|mutant| mutant.id()).collect();
        assert_eq!(ids.len(), Mutant::ALL.len());
    }
}
