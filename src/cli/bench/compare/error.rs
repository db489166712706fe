//! Why a comparison, or one case of it, came to nothing.

use std::{fmt, io, process::ExitStatus, time::Duration};

use crate::cli::{CliError, bench::BenchError};

/// Why a comparison, or one case of it, came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CompareError {
    /// The operator does not want it any more.
    Interrupted,
    /// A file or a process failed.
    Io {
        /// Which.
        what: String,
        /// Why.
        kind: io::ErrorKind,
    },
    /// A broker ended by itself.
    Ended {
        /// Which.
        name: String,
        /// How, if that is known.
        status: ExitStatus,
        /// What it said last.
        said: String,
    },
    /// A broker does not do what it should after a start.
    NotReady {
        /// Which.
        name: String,
        /// So long after its start.
        after: Duration,
        /// What it failed to do last.
        why: String,
        /// What it said last.
        said: String,
    },
    /// A measurement failed, as it says.
    Loader(String),
    /// Something that this command measures itself failed.
    Bench(BenchError),
}

impl CompareError {
    pub(super) fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { what: what.to_string(), kind: error.kind() }
    }
}

impl From<BenchError> for CompareError {
    fn from(error: BenchError) -> Self {
        Self::Bench(error)
    }
}

impl From<CompareError> for CliError {
    fn from(error: CompareError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted"),
            Self::Io { what, kind } => write!(f, "{what}: {kind}"),
            Self::Ended { name, status, said } => {
                write!(f, "{name} ended by itself ({status}); it said last:\n{said}")
            }
            Self::NotReady { name, after, why, said } => {
                write!(f, "{name} is not ready {after:?} after its start ({why})")?;
                write!(f, "; it said last:\n{said}")
            }
            Self::Loader(said) => f.write_str(said),
            Self::Bench(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CompareError {}
