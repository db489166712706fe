//! The core's machines under a model checker.
